package bench

import (
	"encoding/binary"
	"errors"
	"math"

	"zooraft/protocol"
)

// errMalformed means bytes from a server that are no reply: it speaks another
// protocol, or is broken.
var errMalformed = errors.New("malformed reply")

const (
	lengthBytes = 4
	headerBytes = 16 // of a reply: xid, zxid, error code

	// maxReplyBytes bounds what one reply may make this process hold. The
	// longest that is asked for lists a znode's children at the clean-up.
	maxReplyBytes = 256 << 20
)

// reply is one frame from a server; body aliases what it was cut from.
type reply struct {
	xid  int32
	zxid int64
	code protocol.ErrCode
	body []byte
}

// cutFrame takes the first frame off b, which has at least and at most so many
// bytes. size is what it takes together with its length, 0 if that is not known
// yet; ok means that it is there as a whole.
func cutFrame(b []byte, least, most uint32) (frame []byte, size int, ok bool, err error) {
	if len(b) < lengthBytes {
		return nil, 0, false, nil
	}
	n := binary.BigEndian.Uint32(b)
	if n < least || n > most {
		return nil, 0, false, errMalformed
	}
	size = lengthBytes + int(n)
	if len(b) < size {
		return nil, size, false, nil
	}
	return b[lengthBytes:size], size, true, nil
}

// cutReply takes the first reply off b, as cutFrame does.
func cutReply(b []byte) (r reply, size int, ok bool, err error) {
	b, size, ok, err = cutFrame(b, headerBytes, maxReplyBytes)
	if !ok {
		return r, size, false, err
	}
	r.xid = int32(binary.BigEndian.Uint32(b))
	r.zxid = int64(binary.BigEndian.Uint64(b[4:]))
	r.code = protocol.ErrCode(int32(binary.BigEndian.Uint32(b[12:])))
	r.body = b[headerBytes:]
	return r, size, true, nil
}

// nextXid counts from 1 and stays positive: the others have meanings.
func nextXid(xid int32) int32 {
	if xid == math.MaxInt32 {
		return 1
	}
	return xid + 1
}

// record is the body of a request.
type record interface{ Append([]byte) []byte }

// template is an encoded request of which only the xid and the numbers in its
// paths vary.
type template struct {
	b  []byte
	at [][numberDigits]int // where the digits of each number stand, the last first
}

const (
	xidAt        = lengthBytes // where a request's xid stands
	numberDigits = 8           // of the numbers in paths
)

// newTemplate encodes a request whose body has numbers; encode makes the body
// for a value of all of them. Comparing two finds their digits, so that
// REQUIRES: each number is written with numberDigits digits, in any grouping.
func newTemplate(op protocol.OpCode, encode func(n int) record) *template {
	frame := func(n int) []byte {
		b, mark := protocol.BeginFrame(nil)
		b = (&protocol.RequestHeader{Op: op}).Append(b)
		if body := encode(n); body != nil {
			b = body.Append(b)
		}
		return protocol.EndFrame(b, mark)
	}
	t := &template{b: frame(0)}
	var found []int
	for i, v := range frame(11_111_111) {
		if v != t.b[i] {
			found = append(found, i)
		}
	}
	for ; len(found) > 0; found = found[numberDigits:] {
		var at [numberDigits]int
		for i := range at {
			at[i] = found[numberDigits-1-i]
		}
		t.at = append(t.at, at)
	}
	return t
}

// append appends the request, its numbers still to be set.
func (t *template) append(out []byte, xid int32) []byte {
	mark := len(out)
	out = append(out, t.b...)
	binary.BigEndian.PutUint32(out[mark+xidAt:], uint32(xid))
	return out
}

// set writes the i-th number of the request at the end of out.
func (t *template) set(out []byte, i int, n uint64) {
	b := out[len(out)-len(t.b):]
	for _, at := range &t.at[i] {
		b[at] = byte('0' + n%10)
		n /= 10
	}
}

// pingFrame is a whole ping.
var pingFrame = func() []byte {
	b, mark := protocol.BeginFrame(nil)
	return protocol.EndFrame((&protocol.RequestHeader{Xid: protocol.XidPing, Op: protocol.OpPing}).Append(b), mark)
}()
