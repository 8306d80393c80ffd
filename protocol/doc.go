// Package protocol is ZooKeeper's client wire: the Jute primitives, the frame
// around them, opcodes, error codes and the records that clients and servers
// exchange. It knows nothing of sockets, sessions, znodes or consensus, and
// imports only the standard library.
//
// A frame is a big-endian int32 length and that many bytes. Requests begin with
// a [RequestHeader], replies and watch events with a [ReplyHeader]; only the
// handshake ([ConnectRequest], [ConnectResponse]) has no header.
//
// Each record has two methods. Decode reads its fields from a [Decoder]; the
// first error sticks to the Decoder, so callers decode everything they expect
// and ask Err once. Bytes behind a record are ignored, as ZooKeeper ignores
// them. Append writes the record at the end of a byte slice and returns the
// longer slice, so that replies can be built in one reused buffer.
//
// Invariants:
//   - Decoding never panics, whatever the input, and never allocates more than
//     a small multiple of the input's length.
//   - Byte buffers in decoded records alias the input. Strings are always valid
//     UTF-8, and copies, but for the paths read by a [NewSharingDecoder].
//   - What Append writes, Decode reads back as an equal record, with one
//     exception that is ZooKeeper's own: a character above U+FFFF (see
//     [AppendString]).
//
// The source is Apache ZooKeeper's zookeeper.jute and, where that is silent,
// org.apache.jute.BinaryInputArchive and BinaryOutputArchive.
package protocol
