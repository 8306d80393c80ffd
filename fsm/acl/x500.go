package acl

import (
	"encoding/hex"
	"strings"
)

// x500Keywords are the attribute types that Java's X500Principal knows by name.
var x500Keywords = map[string]bool{
	"CN": true, "C": true, "L": true, "S": true, "ST": true, "O": true, "OU": true, "T": true, "IP": true,
	"STREET": true, "DC": true, "DNQUALIFIER": true, "DNQ": true, "SURNAME": true, "GIVENNAME": true,
	"INITIALS": true, "GENERATION": true, "EMAIL": true, "EMAILADDRESS": true, "UID": true, "SERIALNUMBER": true,
}

const (
	x500Special  = `,=+<>#;\" `
	maxX500Bytes = 1 << 16 // a name in a certificate has a hundred
)

// validX500 reports whether id is a name as the subjects of certificates are
// written: RFC 2253, with the liberties of Java's X500Principal, which is what
// ZooKeeper tries (X509AuthenticationProvider.isValid). The empty name is one.
func validX500(id string) bool {
	if id == "" {
		return true
	}
	if len(id) > maxX500Bytes {
		return false
	}
	p := x500{rest: id}
	for {
		if !p.attribute() {
			return false
		}
		if p.rest == "" {
			return true
		}
		p.rest = p.rest[1:] // the separator
	}
}

// x500 is what is left of a name.
type x500 struct{ rest string }

// attribute reads "type=value" up to a separator or the end.
func (p *x500) attribute() bool {
	typ, rest, found := strings.Cut(p.rest, "=")
	if !found || !validX500Type(strings.Trim(typ, " \n")) {
		return false
	}
	p.rest = strings.TrimLeft(rest, " \n")
	switch {
	case strings.HasPrefix(p.rest, "#"):
		return p.hex()
	case strings.HasPrefix(p.rest, `"`):
		return p.quoted()
	}
	return p.plain()
}

func validX500Type(typ string) bool {
	upper := strings.ToUpper(typ)
	return x500Keywords[upper] || validOID(strings.TrimPrefix(upper, "OID."))
}

// validOID reports whether s is an object identifier: two numbers or more, the
// first 0 to 2, the second below 40 unless the first is 2.
func validOID(s string) bool {
	parts := strings.Split(s, ".")
	if len(parts) < 2 {
		return false
	}
	for i, part := range parts {
		if part == "" || strings.Trim(part, "0123456789") != "" {
			return false
		}
		parts[i] = strings.TrimLeft(part, "0")
	}
	first, second := parts[0], parts[1]
	return first == "2" || (first == "" || first == "1") && (len(second) < 2 || len(second) == 2 && second < "40")
}

func separates(c byte) bool { return c == ',' || c == ';' || c == '+' }

// hex reads "#" and the hexadecimal digits of one BER value.
func (p *x500) hex() bool {
	end := strings.IndexAny(p.rest, ",;+")
	if end < 0 {
		end = len(p.rest)
	}
	b, err := hex.DecodeString(p.rest[1:end])
	p.rest = p.rest[end:]
	return err == nil && wholeBER(b)
}

// wholeBER reports whether b is one value, with its length and all its bytes.
func wholeBER(b []byte) bool {
	if len(b) < 2 || b[0] == 0 {
		return false
	}
	n, b := int(b[1]), b[2:]
	if n >= 0x80 {
		digits := n - 0x80
		if digits == 0 || digits > 4 || digits > len(b) {
			return false
		}
		n = 0
		for _, c := range b[:digits] {
			n = n<<8 | int(c)
		}
		b = b[digits:]
	}
	return n == len(b)
}

// quoted reads a value in quotation marks, behind which only blanks may stand.
func (p *x500) quoted() bool {
	for s := p.rest[1:]; s != ""; s = s[1:] {
		switch s[0] {
		case '"':
			p.rest = strings.TrimLeft(s[1:], " \n")
			return p.rest == "" || separates(p.rest[0])
		case '\\':
			n := escape(s)
			if n == 0 {
				return false
			}
			s = s[n-1:]
		}
	}
	return false
}

// plain reads a value without quotation marks.
func (p *x500) plain() bool {
	s := p.rest
	for ; s != "" && !separates(s[0]); s = s[1:] {
		switch s[0] {
		case '"', '<', '>':
			return false
		case '\\':
			n := escape(s)
			if n == 0 {
				return false
			}
			s = s[n-1:]
		}
	}
	p.rest = s
	return true
}

// escape gives the length of the escape that s begins with: a special character,
// or two hexadecimal digits, behind a backslash. 0 if it is none.
func escape(s string) int {
	switch {
	case len(s) >= 2 && strings.IndexByte(x500Special, s[1]) >= 0:
		return 2
	case len(s) >= 3:
		if _, err := hex.DecodeString(s[1:3]); err == nil {
			return 3
		}
	}
	return 0
}
