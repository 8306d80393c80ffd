package krb5

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// A keytab as ktutil of MIT Kerberos 1.20 writes it: zookeeper/localhost and alice of
// TEST.EXAMPLE, versions 2 and 300, keys of aes128-cts-hmac-sha1-96 and arcfour-hmac.
const mitKeytab = "0502" +
	"000000470002000c544553542e4558414d504c4500097a6f6f6b656570657200096c6f63616c686f7374000000016b0b4dd9020011001000" +
	"0102030405060708090a0b0c0d0e0f00000002" +
	"000000380001000c544553542e4558414d504c450005616c696365000000016b0b4dd92c00170010101112131415161718191a1b1c1d1e1f" +
	"0000012c"

func TestParseKeytab(t *testing.T) {
	whole := unhex(t, mitKeytab)
	check := func(what string, data []byte) {
		t.Helper()
		got, err := parseKeytab(data)
		if err != nil || len(got) != 2 {
			t.Fatalf("%s: got %v, %v", what, got, err)
		}
		for i, want := range []struct {
			name  string
			kvno  uint32
			e     EType
			first byte
		}{{"zookeeper/localhost@TEST.EXAMPLE", 2, AES128SHA1, 0}, {"alice@TEST.EXAMPLE", 300, 23, 16}} {
			e := got[i]
			if e.Principal.String() != want.name || e.KVNO != want.kvno || e.Type != want.e || len(e.Value) != 16 || e.Value[0] != want.first {
				t.Errorf("%s: got %v version %d of %v, want %+v", what, e.Principal, e.KVNO, e.Type, want)
			}
		}
	}
	check("as it is", whole)
	second := 2 + 4 + int(binary.BigEndian.Uint32(whole[2:]))
	hole := append([]byte{0xff, 0xff, 0xff, 0xfd}, 1, 2, 3)
	check("with a hole", bytes.Join([][]byte{whole[:second], hole, whole[second:], hole}, nil))
	check("with an end", append(bytes.Clone(whole), 0, 0, 0, 0, 9, 9))
	if got, err := parseKeytab(whole[:2]); err != nil || len(got) != 0 {
		t.Errorf("empty: got %v, %v", got, err)
	}
	for n := range whole {
		if n == 2 || n == second {
			continue // whole entries
		}
		if got, err := parseKeytab(whole[:n]); !errors.Is(err, errKeytab) {
			t.Errorf("cut to %d: got %v, %v", n, got, err)
		}
	}
	for _, bad := range []string{"0501", "4b4559", "05027fffffff", "050280000000", "050200000002ffff"} {
		if got, err := parseKeytab(unhex(t, bad)); !errors.Is(err, errKeytab) {
			t.Errorf("%s: got %v, %v", bad, got, err)
		}
	}
}

// entry is one of a keytab, behind its length.
func entry(kvno byte, e EType, value []byte, realm string, components ...string) []byte {
	counted := func(b []byte) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...) }
	b := binary.BigEndian.AppendUint16(nil, uint16(len(components)))
	b = append(b, counted([]byte(realm))...)
	for _, c := range components {
		b = append(b, counted([]byte(c))...)
	}
	b = append(b, 0, 0, 0, 1, 0, 0, 0, 0, kvno)
	b = binary.BigEndian.AppendUint16(b, uint16(e))
	b = append(b, counted(value)...)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
}

func TestKeysOf(t *testing.T) {
	key, long := make([]byte, 16), make([]byte, 32)
	keytab := func(entries ...[]byte) []byte { return append([]byte{5, 2}, bytes.Join(entries, nil)...) }
	alices := func(n int) (all [][]byte) {
		for range n {
			all = append(all, entry(1, AES128SHA1, key, "HOME", "alice"))
		}
		return all
	}
	var strangers [][]byte
	for _, name := range strings.Fields("a b c d e f g h i") {
		strangers = append(strangers, entry(1, AES128SHA1, key, "HOME", name))
	}
	for _, tt := range []struct {
		name string
		data []byte
		want int
		err  string
	}{
		{"its own", keytab(entry(1, AES128SHA1, key, "HOME", "alice"), entry(1, AES128SHA1, key, "HOME", "bob"), entry(2, AES256SHA2, long, "HOME", "alice"), entry(1, 23, key, "HOME", "alice")), 2, ""},
		{"another realm's", keytab(entry(1, AES128SHA1, key, "AWAY", "alice")), 0, `no key of alice@HOME; it has ["alice@AWAY"]`},
		{"of a broken type", keytab(entry(1, 23, key, "HOME", "alice")), 0, `no key of alice@HOME; it has ["alice@HOME with arcfour-hmac, which is not supported"]`},
		{"of another length", keytab(entry(1, AES128SHA1, long, "HOME", "alice")), 0, "with 32 bytes, not 16"},
		{"none", keytab(), 0, "no key of alice@HOME; it has []"},
		{"many others'", keytab(strangers...), 0, `"g@HOME" "h@HOME"]`},
		{"as many as are allowed", keytab(alices(maxKeys)...), maxKeys, ""},
		{"too many", keytab(alices(maxKeys + 1)...), 0, "65 keys of alice@HOME, and 64 are allowed"},
		{"no keytab", []byte("keys"), 0, "not a keytab"},
		{"huge", make([]byte, MaxFileBytes+1), 0, "larger than 1 MiB"},
	} {
		got, err := KeysOf(tt.data, alice)
		if len(got) != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: got %d keys, %v, want %d, %q", tt.name, len(got), err, tt.want, tt.err)
		}
		for _, k := range got {
			if k.Principal.String() != alice.String() || !k.Type.known() {
				t.Errorf("%s: got a key of %v, %v", tt.name, k.Principal, k.Type)
			}
		}
	}
}

func TestParsePrincipal(t *testing.T) {
	for in, want := range map[string]string{
		"alice":                 "alice@HOME",
		"alice@AWAY":            "alice@AWAY",
		"zookeeper/zk1.example": "zookeeper/zk1.example@HOME",
		"a/b/c@X":               "a/b/c@X",
		"":                      "", "@X": "", "a@": "", "a@b@c": "", "a//b": "", "/a": "", `a\b`: "", "a\nb": "", "a\xff": "",
		"1/2/3/4/5/6/7/8/9": "",
	} {
		got, err := ParsePrincipal(in, "HOME")
		if (err == nil) != (want != "") || err == nil && got.String() != want {
			t.Errorf("%q: got %v, %v, want %q", in, got, err, want)
		}
	}
}

func FuzzParseKeytab(f *testing.F) {
	f.Add(unhex(f, mitKeytab))
	f.Fuzz(func(t *testing.T, data []byte) { parseKeytab(data) })
}

// As kinit and kvno of MIT Kerberos 1.20 leave it.
func TestParseCache(t *testing.T) {
	whole, err := os.ReadFile("testdata/alice.ccache")
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseCache(whole)
	if err != nil || c.Client.String() != "alice@TEST.EXAMPLE" || len(c.Credentials) != 2 {
		t.Fatalf("got %+v, %v", c, err)
	}
	for i, want := range []struct {
		server string
		e      EType
	}{{"krbtgt/TEST.EXAMPLE@TEST.EXAMPLE", AES256SHA1}, {"zookeeper/localhost@TEST.EXAMPLE", AES256SHA2}} {
		got := c.Credentials[i]
		if got.Server.String() != want.server || got.Client.String() != c.Client.String() || got.Session.Type != want.e || len(got.Ticket) < 200 ||
			!got.End.Equal(time.Date(2026, 11, 29, 21, 58, 1, 0, time.UTC)) {
			t.Errorf("got %+v, want %+v", got, want)
		}
		var k ticket
		if err := unmarshal(got.Ticket, appTicket, &k, "ticket"); err != nil || k.Server.in(k.Realm).String() != want.server {
			t.Errorf("ticket for %+v, %v", k.Server, err)
		}
	}
	good := 0 // a cache may end behind each of what is in it
	for n := range whole {
		if _, err := ParseCache(whole[:n]); err == nil {
			good++
		} else if !errors.Is(err, ErrCache) {
			t.Errorf("cut to %d: %v", n, err)
		}
	}
	if good > 5 {
		t.Errorf("%d of %d beginnings are taken for whole", good, len(whole))
	}
}

func FuzzParseCache(f *testing.F) {
	data, err := os.ReadFile("testdata/alice.ccache")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) { ParseCache(data) })
}
