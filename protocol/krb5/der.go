package krb5

import (
	"encoding/asn1"
	"fmt"
	"time"
)

// der makes one element of ASN.1 with the tag's first byte as given; encoding/asn1,
// which reads here, writes neither GeneralString nor the tags of applications.
func der(tag byte, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	b := []byte{tag}
	switch {
	case n < 0x80:
		b = append(b, byte(n))
	case n < 0x100:
		b = append(b, 0x81, byte(n))
	case n < 0x10000:
		b = append(b, 0x82, byte(n>>8), byte(n))
	default:
		b = append(b, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

func derSequence(parts ...[]byte) []byte            { return der(0x30, parts...) }
func derApplication(n byte, parts ...[]byte) []byte { return der(0x60|n, parts...) }
func derField(n byte, parts ...[]byte) []byte       { return der(0xa0|n, parts...) }
func derOctets(b []byte) []byte                     { return der(0x04, b) }
func derString(s string) []byte                     { return der(0x1b, []byte(s)) }
func derTime(t time.Time) []byte                    { return der(0x18, []byte(t.UTC().Format("20060102150405Z"))) }
func derBits(bits uint32) []byte {
	return der(0x03, []byte{0, byte(bits >> 24), byte(bits >> 16), byte(bits >> 8), byte(bits)})
}
func derInt(v int64) []byte {
	n := 1
	for w := v; w > 127 || w < -128; w >>= 8 {
		n++
	}
	b := make([]byte, n)
	for i := n - 1; i >= 0; i-- {
		b[i] = byte(v)
		v >>= 8
	}
	return der(0x02, b)
}

func derName(kind int64, components []string) []byte {
	var names [][]byte
	for _, c := range components {
		names = append(names, derString(c))
	}
	return derSequence(derField(0, derInt(kind)), derField(1, derSequence(names...)))
}

func derKey(k Key) []byte {
	return derSequence(derField(0, derInt(int64(k.Type))), derField(1, derOctets(k.Value)))
}

func derEncrypted(k Key, use uint32, plain []byte) []byte {
	return derSequence(derField(0, derInt(int64(k.Type))), derField(2, derOctets(k.encrypt(use, plain))))
}

// unmarshal reads one message, the number of its application tag given, and nothing
// behind it. what is for the error.
func unmarshal(data []byte, application int, v any, what string) error {
	rest, err := asn1.UnmarshalWithParams(data, v, fmt.Sprintf("application,explicit,tag:%d", application))
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes behind it", len(rest))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
