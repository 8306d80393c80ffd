package certs

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"slices"
	"strings"
	"unicode/utf8"
)

// rdnSET is one component of a name; the name's end has encoding/asn1 see a set.
type rdnSET []attribute

type attribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// attributeNames are the types that RFC 2253 has names for. Java writes all others in
// numbers, and their values in hexadecimal digits.
var attributeNames = map[string]string{
	"2.5.4.3":                    "CN",
	"2.5.4.6":                    "C",
	"2.5.4.7":                    "L",
	"2.5.4.8":                    "ST",
	"2.5.4.9":                    "STREET",
	"2.5.4.10":                   "O",
	"2.5.4.11":                   "OU",
	"0.9.2342.19200300.100.1.1":  "UID",
	"0.9.2342.19200300.100.1.25": "DC",
}

// stringTags are the kinds of values that Java takes for UTF-8, all of them: so Java
// 17. Java 25 reads each kind as what it is, which makes a difference beyond ASCII only.
var stringTags = []int{
	asn1.TagUTF8String, asn1.TagPrintableString, asn1.TagT61String, asn1.TagIA5String, asn1.TagGeneralString,
	asn1.TagBMPString,
}

// Subject is the name of a certificate's holder as the scheme x509 has it: in the form
// of RFC 2253, character by character what Java's X500Principal.getName prints, since
// ACLs are compared with it.
func Subject(cert *x509.Certificate) string {
	var name []rdnSET
	if rest, err := asn1.Unmarshal(cert.RawSubject, &name); err != nil || len(rest) > 0 {
		return "#" + hex.EncodeToString(cert.RawSubject) // which no ACL may name
	}
	var b strings.Builder
	for i, rdn := range slices.Backward(name) {
		if i < len(name)-1 {
			b.WriteByte(',')
		}
		for j, a := range rdn {
			if j > 0 {
				b.WriteByte('+')
			}
			b.WriteString(a.String())
		}
	}
	return b.String()
}

// String is an attribute's type and value.
func (a attribute) String() string {
	oid := a.Type.String()
	name, known := attributeNames[oid]
	if !known {
		return oid + "=#" + hex.EncodeToString(a.Value.FullBytes)
	}
	if a.Value.Class != asn1.ClassUniversal || !slices.Contains(stringTags, a.Value.Tag) {
		return name + "=#" + hex.EncodeToString(a.Value.FullBytes)
	}
	return name + "=" + escapeValue(decodeUTF8(a.Value.Bytes))
}

// escapeValue puts a backslash before what would be misread, as AVA of Java does: blanks
// and returns at either end, what separates, and = and # anywhere.
func escapeValue(s string) string {
	const blanks = " \r"
	lead := len(s) - len(strings.TrimLeft(s, blanks))
	trail := len(strings.TrimRight(s, blanks))
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == 0:
			b.WriteString(`\00`)
			continue
		case i < lead, i >= trail, strings.IndexByte(`,=+<>#;"\`, c) >= 0:
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// decodeUTF8 is b with what is not UTF-8 replaced, as Java does.
func decodeUTF8(b []byte) string {
	var s strings.Builder
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			n = malformed(b)
		}
		s.WriteRune(r)
		b = b[n:]
	}
	return s.String()
}

// malformed is how many bytes, of b's first that are not a character, Java replaces by
// one: as many as could have begun one, and a surrogate as a whole.
func malformed(b []byte) int {
	continues := func(i int) bool { return i < len(b) && b[i]&0xc0 == 0x80 }
	switch first := b[0]; {
	case first&0xf0 == 0xe0 && continues(1) && !(first == 0xe0 && b[1] < 0xa0):
		if continues(2) {
			return 3
		}
		return 2
	case first&0xf8 == 0xf0 && continues(1) && !(first == 0xf0 && b[1] < 0x90) && !(first == 0xf4 && b[1] > 0x8f) && first < 0xf5:
		if continues(2) {
			return 3
		}
		return 2
	}
	return 1
}
