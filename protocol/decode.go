package protocol

import (
	"encoding/binary"
	"errors"
	"unicode/utf8"
	"unsafe"
)

// What makes input undecodable. A server answers a request body that gives any
// of them with [ErrMarshalling]; in a handshake or a header they end the
// connection.
var (
	// ErrShort means that the input ended inside a field.
	ErrShort = errors.New("protocol: record ends early")
	// ErrLength means a negative length other than the -1 of null.
	ErrLength = errors.New("protocol: negative length")
	// ErrNull means null where ZooKeeper cannot do without a value.
	ErrNull = errors.New("protocol: null value")
	// ErrMultiOp means a sub-operation that its kind of multi does not take, or
	// create flags that fail the whole multi.
	ErrMultiOp = errors.New("protocol: bad operation in multi")
	// ErrMultiACL means a create with a null ACL, which fails the whole multi in a
	// way of its own: it takes no zxid.
	ErrMultiACL = errors.New("protocol: null ACL in multi")
)

// Decoder reads Jute primitives from a byte slice, front to back.
//
// The first error sticks: every later call returns the zero value, and Err
// tells what went wrong. Only a null path is noted and reading goes on, for
// ZooKeeper stumbles over it when the whole record has been decoded: an error
// behind it counts more. A Decoder is a plain value that needs no release;
// copying it copies the position. It may not be shared between goroutines.
type Decoder struct {
	b      []byte // what has not been read yet; nil after an error
	err    error
	null   bool // a path was null
	shares bool // Path is pathShared
}

// NewDecoder returns a Decoder at the start of b, which must stay unchanged as
// long as buffers obtained from the Decoder are in use.
func NewDecoder(b []byte) Decoder { return Decoder{b: b} }

// NewSharingDecoder is NewDecoder for input that does not change while the paths read
// from it are in use: [Decoder.Path] does not copy them then, but for those that had
// to be repaired. Whoever keeps a path keeps all of the input.
func NewSharingDecoder(b []byte) Decoder { return Decoder{b: b, shares: true} }

// Err returns the first error, one of [ErrShort], [ErrLength], [ErrNull],
// [ErrMultiOp] and [ErrMultiACL], or nil.
func (d *Decoder) Err() error {
	if d.err == nil && d.null {
		return ErrNull
	}
	return d.err
}

// Remaining returns how many bytes have not been read. It is 0 after an error
// other than a null path.
func (d *Decoder) Remaining() int { return len(d.b) }

func (d *Decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.b = nil
}

// Int32 reads a big-endian int32.
func (d *Decoder) Int32() int32 {
	if len(d.b) < 4 {
		d.fail(ErrShort)
		return 0
	}
	v := binary.BigEndian.Uint32(d.b)
	d.b = d.b[4:]
	return int32(v)
}

// Int64 reads a big-endian int64.
func (d *Decoder) Int64() int64 {
	if len(d.b) < 8 {
		d.fail(ErrShort)
		return 0
	}
	v := binary.BigEndian.Uint64(d.b)
	d.b = d.b[8:]
	return int64(v)
}

// Bool reads one byte; any but 0 is true.
func (d *Decoder) Bool() bool {
	if len(d.b) < 1 {
		d.fail(ErrShort)
		return false
	}
	v := d.b[0] != 0
	d.b = d.b[1:]
	return v
}

// Buffer reads a length and so many bytes. Null gives nil; an empty buffer gives
// an empty slice that is not nil. The slice aliases the input; its capacity ends
// with it, so appending to it copies.
func (d *Decoder) Buffer() []byte {
	n := d.Int32()
	switch {
	case d.err != nil || n == -1:
		return nil
	case n < 0:
		d.fail(ErrLength)
		return nil
	case int(n) > len(d.b):
		d.fail(ErrShort)
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

// String reads a string, null as the empty one. Malformed UTF-8 is replaced as
// Java replaces it (see StringNull).
func (d *Decoder) String() string {
	s, _ := d.StringNull()
	return s
}

// StringNull reads a string and tells whether it was null.
//
// Malformed UTF-8 becomes U+FFFD, as often as Java's decoder says it: once for
// each maximal part of a well-formed sequence, and once, not three times, for an
// encoded surrogate. So every server and the original agree on what a client
// wrote, and the result is always valid UTF-8.
func (d *Decoder) StringNull() (s string, isNull bool) {
	b := d.Buffer()
	if b == nil {
		return "", d.err == nil
	}
	if utf8.Valid(b) {
		return string(b), false
	}
	return string(appendRepaired(make([]byte, 0, 3*len(b)), b)), false
}

// Path reads a string that may not be null: the znode path of a request. Null
// is an error, [ErrNull]; whether the path is well-formed is not looked at.
func (d *Decoder) Path() string {
	if d.shares {
		return d.pathShared()
	}
	s, isNull := d.StringNull()
	d.null = d.null || isNull
	return s
}

// pathShared is Path without a copy: see NewSharingDecoder.
func (d *Decoder) pathShared() string {
	b := d.Buffer()
	if !utf8.Valid(b) {
		return string(appendRepaired(make([]byte, 0, 3*len(b)), b))
	}
	if b == nil {
		d.null = true
		return ""
	}
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// Strings reads a vector of strings of which neither the vector nor an element
// may be null: the path lists of setWatches. Null is an error, [ErrNull].
func (d *Decoder) Strings() []string {
	n, isNull := d.vector(4)
	if isNull {
		d.fail(ErrNull)
	}
	if d.err != nil {
		return nil
	}
	out := make([]string, n)
	for i := range out {
		out[i] = d.Path()
	}
	if d.Err() != nil {
		return nil
	}
	return out
}

// vector reads the count of a vector whose elements take at least minBytes
// each. Like ZooKeeper it takes a negative count other than -1 for zero. A count
// that cannot fit into what remains fails here, before anything is allocated.
func (d *Decoder) vector(minBytes int) (n int, isNull bool) {
	c := d.Int32()
	switch {
	case d.err != nil:
		return 0, false
	case c == -1:
		return 0, true
	case c < 0:
		return 0, false
	case int(c) > len(d.b)/minBytes:
		d.fail(ErrShort)
		return 0, false
	}
	return int(c), false
}

// appendRepaired appends b to dst with its malformed parts replaced.
func appendRepaired(dst, b []byte) []byte {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			n = malformedLen(b)
		}
		dst = utf8.AppendRune(dst, r)
		b = b[n:]
	}
	return dst
}

// malformedLen returns how many bytes at the start of b, which are no
// well-formed sequence, Java replaces by one U+FFFD.
func malformedLen(b []byte) int {
	if len(b) >= 2 && b[0] == 0xed && b[1]&0xe0 == 0xa0 { // surrogate
		if len(b) >= 3 && b[2]&0xc0 == 0x80 {
			return 3
		}
		return 2
	}
	// FullRune is false exactly while the bytes could still become a character.
	n := 1
	for n < len(b) && n < utf8.UTFMax-1 && !utf8.FullRune(b[:n+1]) {
		n++
	}
	return n
}
