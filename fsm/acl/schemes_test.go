package acl

import (
	"slices"
	"testing"

	"zooraft/protocol"
)

func TestSchemes(t *testing.T) {
	held := ids("ip", "10.0.0.1", "digest", "bob:hash", "x509", "CN=bob", "sasl", "bob@X")
	for _, c := range []struct {
		scheme, id string
		there      Schemes // 0: by default
		off        Schemes // takes it away
	}{
		{"digest", "bob:hash", 0, NoDigest},
		{"x509", "CN=bob", X509, 0},
		{"sasl", "bob@X", SASL, 0},
		{"ip", "10.0.0.1", 0, 0},
	} {
		list := []protocol.ACL{entry(protocol.PermRead, c.scheme, c.id)}
		for schemes := Schemes(0); schemes < 8; schemes++ {
			want := schemes&c.there == c.there && schemes&c.off == 0
			if got := Check(list, protocol.PermRead, held, schemes); got != want {
				t.Errorf("%s under %03b: granted %v, want %v", c.scheme, schemes, got, want)
			}
			_, code := Resolve(list, false, nil, schemes)
			if got := code == protocol.ErrOK; got != want {
				t.Errorf("%s under %03b: may be stored %v, want %v", c.scheme, schemes, got, want)
			}
			null := []protocol.ACL{{Perms: 1, Scheme: c.scheme, NullID: true}}
			wantCode := protocol.ErrInvalidACL
			if want {
				wantCode = protocol.ErrMarshalling
			}
			if _, code := Resolve(null, false, nil, schemes); code != wantCode {
				t.Errorf("%s with a null id under %03b: %v, want %v", c.scheme, schemes, code, wantCode)
			}
		}
	}
	for schemes, want := range map[Schemes][]string{
		0:                      {"digest"},
		X509 | SASL:            {"digest", "x509", "sasl"},
		NoDigest | SASL:        {"sasl"},
		NoDigest | X509 | SASL: {"x509", "sasl"},
	} {
		list, code := Resolve([]protocol.ACL{entry(protocol.PermAll, "auth", "")}, false, held, schemes)
		var got []string
		for _, e := range list {
			got = append(got, e.Scheme)
		}
		if code != protocol.ErrOK || !slices.Equal(got, want) {
			t.Errorf("auth under %03b: %v, %v; want %v", schemes, got, code, want)
		}
	}
	if _, code := Resolve([]protocol.ACL{entry(protocol.PermAll, "auth", "")}, false, held[:2], NoDigest); code != protocol.ErrInvalidACL {
		t.Errorf("auth of nobody: %v", code)
	}
	if list := []protocol.ACL{entry(1, "sasl", "alice@X")}; !Check(list, 1, ids("sasl", "super"), SASL) || Check(list, 1, ids("sasl", "bob@X"), SASL) {
		t.Errorf("of sasl ids, super alone means everybody's")
	}
}

func TestDigestAlgorithms(t *testing.T) {
	for name, want := range map[string]string{
		"SHA":         "lK75jTNcA+U9vtVEw5vB51mj/w4=",
		"sha-1":       "lK75jTNcA+U9vtVEw5vB51mj/w4=",
		"sha256":      "WTA5ucCHTdJq645xIMibj8HviTPeB5mMuJ4/+v1dIEw=",
		"SHA3-256":    "WC0fcBtN15KqFfwpcvg0TG3tZUPFtDZkMpN7SZ6bt4g=",
		"MD5":         "a0jjl2hSRgOYyP70Eq+wUw==",
		"SHA-512/256": "KBy0TIF51hD+Dr4wcFk0avm0bSypEbyLoGAgI9Pc2WA=",
		"SHA512":      "YCUumaodxrQ8ju8rJ0IaMlm8XX/1KyZEsjkowYsnA9bsE7LNCzc8Manpy55Ds+mDeMOYNh9+komaD5MRpOIkHg==",
		"SHA-224":     "SLmP5pzv7J/lzB7FLtFE6OUZQ/8aiqll5AYE4w==",
	} {
		d, ok := NewDigest(name)
		if got := d.ID([]byte("super:secret")); !ok || got != "super:"+want {
			t.Errorf("%s: %q, known %v; want %q", name, got, ok, "super:"+want)
		}
	}
	for _, name := range []string{"", "bogus", "sha3_256", "MD2"} {
		if _, ok := NewDigest(name); ok {
			t.Errorf("%q is known", name)
		}
	}
}
