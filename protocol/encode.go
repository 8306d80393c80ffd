package protocol

import (
	"encoding/binary"
	"unicode/utf8"
)

// DefaultMaxFrameBytes is the longest frame that a server takes unless
// configured otherwise: the default of ZooKeeper's jute.maxbuffer. Outgoing
// frames have no limit.
const DefaultMaxFrameBytes = 0xfffff

// AppendInt32 appends v, big-endian.
func AppendInt32(b []byte, v int32) []byte { return binary.BigEndian.AppendUint32(b, uint32(v)) }

// AppendInt64 appends v, big-endian.
func AppendInt64(b []byte, v int64) []byte { return binary.BigEndian.AppendUint64(b, uint64(v)) }

// AppendBool appends v as one byte, 0 or 1.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// AppendBuffer appends data with its length; nil becomes null, an empty slice
// that is not nil an empty buffer.
func AppendBuffer(b, data []byte) []byte {
	if data == nil {
		return AppendInt32(b, -1)
	}
	return append(AppendInt32(b, int32(len(data))), data...)
}

// AppendString appends s with its length in bytes.
//
// ZooKeeper writes UTF-16 code units one by one, so a character above U+FFFF
// goes out as two three-byte surrogates (CESU-8), which reads back as two
// U+FFFD. Paths refuse such characters; only an ACL id or the path of a sync can
// hold one. Bytes that are not UTF-8 are written as they are.
func AppendString(b []byte, s string) []byte {
	extra := 0
	for i := 0; i < len(s); i++ {
		if s[i] >= 0xf0 {
			extra = surrogateBytes(s)
			break
		}
	}
	b = AppendInt32(b, int32(len(s)+extra))
	if extra == 0 {
		return append(b, s...)
	}
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r > 0xffff {
			r -= 0x10000
			b = appendUnit(b, 0xd800+r>>10)
			b = appendUnit(b, 0xdc00+r&0x3ff)
		} else {
			b = append(b, s[:n]...)
		}
		s = s[n:]
	}
	return b
}

// surrogateBytes returns by how much s grows when its characters above U+FFFF
// are written as surrogates: six bytes instead of four for each.
func surrogateBytes(s string) int {
	extra := 0
	for _, r := range s {
		if r > 0xffff {
			extra += 2
		}
	}
	return extra
}

// appendUnit appends a UTF-16 code unit of 0x800 or more in three bytes.
// utf8.AppendRune would refuse a surrogate.
func appendUnit(b []byte, u rune) []byte {
	return append(b, 0xe0|byte(u>>12), 0x80|byte(u>>6)&0x3f, 0x80|byte(u)&0x3f)
}

// AppendStrings appends a vector of strings; nil becomes an empty vector, never
// a null one.
func AppendStrings(b []byte, v []string) []byte {
	b = AppendInt32(b, int32(len(v)))
	for _, s := range v {
		b = AppendString(b, s)
	}
	return b
}

// appendStringNull appends s, or null in its place.
func appendStringNull(b []byte, s string, isNull bool) []byte {
	if isNull {
		return AppendInt32(b, -1)
	}
	return AppendString(b, s)
}

// BeginFrame appends room for a frame's length and returns the mark that
// EndFrame needs. Frames do not nest.
func BeginFrame(b []byte) ([]byte, int) {
	return append(b, 0, 0, 0, 0), len(b)
}

// EndFrame fills in the length of the frame that BeginFrame opened at mark: all
// that was appended since.
//
// REQUIRES: fewer than 2 GiB since mark, which is what the length can say.
func EndFrame(b []byte, mark int) []byte {
	binary.BigEndian.PutUint32(b[mark:], uint32(len(b)-mark-4))
	return b
}
