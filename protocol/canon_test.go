package protocol

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
)

// canonical is a second, deliberately plain decoder against which the real one
// is checked. It walks over in as schema says, one letter a field, and writes
// each field the way ZooKeeper would write it again. It reports false where the
// input does not decode, and how many bytes it took otherwise.
//
//	i int32    l int64    b bool    B buffer
//	s string, null as empty    n string, null kept    p string, null refused
//	V vector of p, null refused    A vector of (i s n), null kept
//	P buffer, null and empty as 16 zeros    ? bool that may be missing
func canonical(schema string, in []byte) (out []byte, used int, ok bool) {
	defer func() {
		if recover() != nil { // ran off the end, or null where there must be none
			out, used, ok = nil, 0, false
		}
	}()
	c := canon{in: in}
	for _, f := range schema {
		c.field(f)
	}
	return c.out, len(in) - len(c.in), true
}

type canon struct{ in, out []byte }

func (c *canon) take(n int) []byte {
	v := c.in[:n:len(c.in)]
	c.in = c.in[n:]
	return v
}

func (c *canon) int() int { return int(int32(binary.BigEndian.Uint32(c.take(4)))) }

func (c *canon) put(n int) { c.out = append(c.out, byte(n>>24), byte(n>>16), byte(n>>8), byte(n)) }

func (c *canon) buffer(null []byte, isText bool) {
	n := c.int()
	if n == -1 {
		c.out = append(c.out, null...)
		return
	}
	v := c.take(n)
	if isText {
		v = cesu8(javaUnits(v))
	}
	c.put(len(v))
	c.out = append(c.out, v...)
}

func (c *canon) field(f rune) {
	var (
		null  = []byte{0xff, 0xff, 0xff, 0xff}
		empty = []byte{0, 0, 0, 0}
	)
	switch f {
	case 'i':
		c.out = append(c.out, c.take(4)...)
	case 'l':
		c.out = append(c.out, c.take(8)...)
	case '?':
		if len(c.in) > 0 {
			c.field('b')
		}
	case 'b':
		if c.take(1)[0] != 0 {
			c.out = append(c.out, 1)
		} else {
			c.out = append(c.out, 0)
		}
	case 'B':
		c.buffer(null, false)
	case 'P':
		at := len(c.out)
		if c.buffer(empty, false); bytes.Equal(c.out[at:], empty) {
			c.out = append(c.out[:at], 0, 0, 0, 16)
			c.out = append(c.out, make([]byte, 16)...)
		}
	case 's':
		c.buffer(empty, true)
	case 'n':
		c.buffer(null, true)
	case 'p':
		if bytes.HasPrefix(c.in, null) {
			panic("null path")
		}
		c.buffer(nil, true)
	case 'V', 'A':
		n := c.int()
		if n == -1 && f == 'V' {
			panic("null vector")
		}
		if n == -1 {
			c.put(-1)
			return
		}
		n = max(n, 0)
		c.put(n)
		for range n {
			if f == 'V' {
				c.field('p')
				continue
			}
			c.field('i')
			c.field('s')
			c.field('n')
		}
	default:
		panic("unknown schema letter")
	}
}

// canonicalMulti is canonical for the bodies of multi and multiRead.
func canonicalMulti(in []byte, reads bool) (out []byte, used int, ok bool) {
	rest := in
	for {
		if len(rest) < 9 {
			return nil, 0, false
		}
		typ, done := int32(binary.BigEndian.Uint32(rest)), rest[4] != 0
		rest = rest[9:]
		if done {
			return append(out, 0xff, 0xff, 0xff, 0xff, 1, 0xff, 0xff, 0xff, 0xff), len(in) - len(rest), true
		}
		schema, known := map[int32]string{
			1: "pBAi", 15: "pBAi", 19: "pBAi", 21: "pBAil", 2: "pi", 5: "pBi", 13: "pi",
		}[typ]
		if reads {
			schema, known = map[int32]string{4: "pb", 8: "pb"}[typ]
		}
		if !known {
			return nil, 0, false
		}
		body, n, ok := canonical(schema, rest)
		if !ok {
			return nil, 0, false
		}
		if len(schema) >= 4 { // a create of some kind
			_, beforeACL, _ := canonical("pB", rest)
			_, beforeFlags, _ := canonical("pBA", rest)
			nullACL := int32(binary.BigEndian.Uint32(rest[beforeACL:])) == -1
			flags := int32(binary.BigEndian.Uint32(rest[beforeFlags:]))
			switch {
			case typ != 21 && (nullACL || flags < 0 || flags > 4):
				return nil, 0, false
			case flags != 5 && flags != 6 && typ == 21: // no TTL mode, no TTL
				typ = 1
				body = body[:len(body)-8]
			}
			if flags == 4 {
				typ = 19
			}
		}
		out = append(out, byte(typ>>24), byte(typ>>16), byte(typ>>8), byte(typ), 0, 0xff, 0xff, 0xff, 0xff)
		out = append(out, body...)
		rest = rest[n:]
	}
}

// javaUnits decodes UTF-8 into UTF-16 by the table of well-formed sequences
// (The Unicode Standard, table 3-7), with one U+FFFD for each maximal part of
// one and, as in Java, for each encoded surrogate.
func javaUnits(b []byte) []uint16 {
	var units []uint16
	for len(b) > 0 {
		size, lo, hi := 1, byte(0x80), byte(0xbf)
		switch c := b[0]; {
		case c < 0x80:
		case c >= 0xc2 && c <= 0xdf:
			size = 2
		case c >= 0xe0 && c <= 0xef:
			size = 3
			if c == 0xe0 {
				lo = 0xa0
			}
		case c >= 0xf0 && c <= 0xf4:
			size = 4
			if c == 0xf0 {
				lo = 0x90
			}
			if c == 0xf4 {
				hi = 0x8f
			}
		default:
			units, b = append(units, 0xfffd), b[1:]
			continue
		}
		n := 1
		for n < size && n < len(b) && b[n] >= lo && b[n] <= hi {
			n, lo, hi = n+1, 0x80, 0xbf
		}
		if n < size {
			units, b = append(units, 0xfffd), b[n:]
			continue
		}
		r := rune(b[0])
		if size > 1 {
			r &= 0xff >> (size + 1)
		}
		for _, c := range b[1:size] {
			r = r<<6 | rune(c&0x3f)
		}
		switch {
		case utf16.IsSurrogate(r):
			units = append(units, 0xfffd)
		case r > 0xffff:
			r1, r2 := utf16.EncodeRune(r)
			units = append(units, uint16(r1), uint16(r2))
		default:
			units = append(units, uint16(r))
		}
		b = b[size:]
	}
	return units
}

// cesu8 encodes UTF-16 code units one by one.
func cesu8(units []uint16) []byte {
	b := []byte{}
	for _, u := range units {
		switch {
		case u < 0x80:
			b = append(b, byte(u))
		case u < 0x800:
			b = append(b, 0xc0|byte(u>>6), 0x80|byte(u&0x3f))
		default:
			b = append(b, 0xe0|byte(u>>12), 0x80|byte(u>>6&0x3f), 0x80|byte(u&0x3f))
		}
	}
	return b
}
