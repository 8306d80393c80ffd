package certs

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"testing"

	"zooraft/tests/testkit"
)

var (
	oidCN           = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidSerialNumber = asn1.ObjectIdentifier{2, 5, 4, 5}
	oidC            = asn1.ObjectIdentifier{2, 5, 4, 6}
	oidL            = asn1.ObjectIdentifier{2, 5, 4, 7}
	oidST           = asn1.ObjectIdentifier{2, 5, 4, 8}
	oidStreet       = asn1.ObjectIdentifier{2, 5, 4, 9}
	oidO            = asn1.ObjectIdentifier{2, 5, 4, 10}
	oidOU           = asn1.ObjectIdentifier{2, 5, 4, 11}
	oidTitle        = asn1.ObjectIdentifier{2, 5, 4, 12}
	oidUID          = asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}
	oidDC           = asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}
	oidEmail        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}
)

// The wanted names are what X500Principal.getName of OpenJDK 17 prints.
func TestSubject(t *testing.T) {
	value := func(typ asn1.ObjectIdentifier, tag int, s string) attribute {
		return attribute{typ, asn1.RawValue{Tag: tag, Bytes: []byte(s)}}
	}
	utf8 := func(typ asn1.ObjectIdentifier, s string) attribute { return value(typ, asn1.TagUTF8String, s) }
	cn := func(s string) []rdnSET { return []rdnSET{{utf8(oidCN, s)}} }
	tests := []struct {
		name string
		rdns []rdnSET
		want string
	}{
		{"empty", nil, ""},
		{"last first", []rdnSET{{utf8(oidC, "z")}, {utf8(oidO, "y")}, {utf8(oidOU, "x")}, {utf8(oidCN, "alice")}}, "CN=alice,OU=x,O=y,C=z"},
		{"all names", []rdnSET{
			{utf8(oidCN, "a")}, {utf8(oidC, "b")}, {utf8(oidL, "c")}, {utf8(oidST, "d")}, {utf8(oidStreet, "e")},
			{utf8(oidO, "f")}, {utf8(oidOU, "g")}, {utf8(oidUID, "h")}, {utf8(oidDC, "i")},
		}, "DC=i,UID=h,OU=g,O=f,STREET=e,ST=d,L=c,C=b,CN=a"},
		{"several in one", []rdnSET{{utf8(oidO, "y")}, {utf8(oidCN, "alice"), utf8(oidUID, "1")}}, "CN=alice+UID=1,O=y"},
		{"mail", []rdnSET{{value(oidEmail, asn1.TagIA5String, "a@b")}, {utf8(oidCN, "a")}}, "CN=a,1.2.840.113549.1.9.1=#1603614062"},
		{"serial number", []rdnSET{{value(oidSerialNumber, asn1.TagPrintableString, "07")}}, "2.5.4.5=#13023037"},
		{"title", []rdnSET{{utf8(oidTitle, "Dr")}}, "2.5.4.12=#0c024472"},
		{"separators", cn(`a,b+c"d\e<f>g;h`), `CN=a\,b\+c\"d\\e\<f\>g\;h`},
		{"equal sign and hash", cn("#a=b#"), `CN=\#a\=b\#`},
		{"blanks", cn("  a  b  "), `CN=\ \ a  b\ \ `},
		{"blanks only", cn("  "), `CN=\ \ `},
		{"returns at the ends", cn("\ra\r b\r"), "CN=\\\ra\r b\\\r"},
		{"other controls", cn("\na\tb\n"), "CN=\na\tb\n"},
		{"nul", cn("a\x00b"), `CN=a\00b`},
		{"empty value", cn(""), "CN="},
		{"beyond ASCII", cn("Jürgen 日本 😀"), "CN=Jürgen 日本 😀"},
		{"printable", []rdnSET{{value(oidO, asn1.TagPrintableString, "O'B (x)")}}, "O=O'B (x)"},
		{"T61, as if of UTF-8", []rdnSET{{value(oidO, asn1.TagT61String, "M\xfcller")}}, "O=M\ufffdller"},
		{"BMP, as if of UTF-8", []rdnSET{{value(oidO, asn1.TagBMPString, "\x00a\x00b")}}, `O=\00a\00b`},
		{"general", []rdnSET{{value(oidO, asn1.TagGeneralString, "a")}}, "O=a"},
		{"numeric", []rdnSET{{value(oidO, asn1.TagNumericString, "1")}}, "O=#120131"},
		{"universal", []rdnSET{{value(oidO, 28, "\x00\x00\x00a")}}, "O=#1c0400000061"},
		{"no string", []rdnSET{{value(oidO, asn1.TagInteger, "\x05")}}, "O=#020105"},
		{"truncated character", cn("\xe2\x82a"), "CN=\ufffda"},
		{"surrogate", cn("\xed\xa0\x80a"), "CN=\ufffda"},
		{"overlong", cn("\xc0\xafa"), "CN=\ufffd\ufffda"},
		{"four bytes cut off", cn("\xf0\x9f\x98"), "CN=\ufffd"},
		{"beyond Unicode", cn("\xf4\x90\x80\x80"), "CN=\ufffd\ufffd\ufffd\ufffd"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			der, err := asn1.Marshal(tt.rdns)
			if err != nil {
				t.Fatal(err)
			}
			if got := Subject(&x509.Certificate{RawSubject: der}); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSubjectOfCertificate(t *testing.T) {
	cert := testkit.NewCA(t).IssueTo(pkix.Name{CommonName: "alice", OrganizationalUnit: []string{"x, y"}, Country: []string{"DE"}}).TLS.Leaf
	if got, want := Subject(cert), `CN=alice,OU=x\, y,C=DE`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A name goes into ACLs and logs, so it is text, whatever a certificate says.
func FuzzSubject(f *testing.F) {
	for _, name := range []pkix.Name{{CommonName: "alice"}, {Organization: []string{"x", "y"}, SerialNumber: "1"}} {
		der, err := asn1.Marshal(name.ToRDNSequence())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(der)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		got := Subject(&x509.Certificate{RawSubject: der})
		if strings.ToValidUTF8(got, "") != got || strings.IndexByte(got, 0) >= 0 {
			t.Errorf("got %q", got)
		}
	})
}
