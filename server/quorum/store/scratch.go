package store

import (
	"bytes"
	"io"

	"github.com/hashicorp/raft"
)

// scratchBytes bounds what stays in memory for the encoding of entries. A write
// that is larger takes new buffers.
const scratchBytes = 2 << 20

// scratchCodec is entryCodec for raft-wal's writer. That brings an empty
// bytes.Buffer for each entry, copies all entries of a write into a buffer of
// its own, and keeps nothing of theirs (segment: writer.go, Append). So the
// entries of a write lie here, one behind the other, and those of the next in
// their place.
type scratchCodec struct {
	entryCodec
	buf  []byte
	free []byte // what is left of buf for the write under way
}

// begin provides for a write of n bytes, after which end is called. Between
// them Encode is for one goroutine.
func (c *scratchCodec) begin(n int) {
	if n > scratchBytes {
		return
	}
	if n > len(c.buf) {
		c.buf = make([]byte, max(n, min(2*len(c.buf), scratchBytes)))
	}
	c.free = c.buf
}

func (c *scratchCodec) end() { c.free = nil }

// Encode implements wal.Codec.
func (c *scratchCodec) Encode(l *raft.Log, w io.Writer) error {
	n := entryLen(l)
	if b, ok := w.(*bytes.Buffer); ok && b.Cap() == 0 && n <= len(c.free) {
		*b = *bytes.NewBuffer(c.free[:0:n])
		c.free = c.free[n:]
	}
	return c.entryCodec.Encode(l, w)
}
