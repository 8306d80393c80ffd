package acl

import (
	"net/netip"
	"strings"
	"testing"
)

func TestParseIP(t *testing.T) {
	valid := []string{
		"10.1.2.3", "0.0.0.0", "255.255.255.255", "010.001.2.3", "+1.2.3.4", "-0.2.3.4",
		"10.1.2.3/0", "10.1.2.3/8", "10.1.2.3/+8", "10.1.2.3/08", "10.1.2.3/-0", "10.1.2.3/32",
		"2001:0db8:85a3:0000:0000:8a2e:0370:7334", "2001:db8:85a3::8a2e:370:7334", "::1", "1::", "::",
		"2001:db8::/4", "0:0:0:0:0:0:0::/8", "1234:5678:9ABC:def0:1234:5678:9abc:def0", "::1/128", "::1/0",
	}
	for _, id := range valid {
		if _, ok := parseIP(id); !ok {
			t.Errorf("parseIP(%q) refuses", id)
		}
	}
	invalid := []string{
		"", "1", "10.1.2", "10.1.2.", ".1.2.3", "10.1.2.3.4", "10.1.2.3.", "256.1.2.3", "-1.2.3.4", "a.b.c.d", "1.2.3. 4", "1_0.1.2.3", "0x1.1.1.1",
		"99999999999.1.1.1", "10.1.2.3/", "10.1.2.3/33", "10.1.2.3/-1", "10.1.2.3/x", "10.1.2.3/8/8", "10.1.2.3/4294967304", "/8",
		"::1/129", "::1/", "1:2", "1::2:", ":1::2:", "1:2:3:4:5:6:7:8:", "1:2:3:4:5:6:7:8:9", "1:2::3:4:5:6:7:8", "1::2::", ":::", "1:::2", "1::::2",
		"1:abcdf::", "efgh::", "1:: ", " 1::", "::ffff:192.168.1.1", "2001:db8:85a3:0000:0000:8a2e:0370", ":2001:db8:85a3::8a2e:0370:7334", "fe80::1%eth0", ":",
	}
	for _, id := range invalid {
		if n, ok := parseIP(id); ok {
			t.Errorf("parseIP(%q) = %v", id, n)
		}
	}
}

func TestContains(t *testing.T) {
	tests := []struct {
		entry, id string
		want      bool
	}{
		{"10.1.2.3", "10.1.2.3", true},
		{"10.1.2.3", "10.1.2.4", false},
		{"10.1.2.3/32", "10.1.2.3", true},
		{"10.1.2.3/31", "10.1.2.2", true},
		{"10.1.2.3/31", "10.1.2.4", false},
		{"10.9.9.9/8", "10.1.2.3", true},
		{"10.9.9.9/12", "10.15.0.0", true},
		{"10.9.9.9/12", "10.16.0.0", false},
		{"10.9.9.9/0", "192.168.0.1", true},
		{"0.0.0.0/0", "::1", false},
		{"::/0", "127.0.0.1", false},
		{"::/0", "0:0:0:0:0:0:0:1", true},
		{"::1", "0:0:0:0:0:0:0:1", true},
		{"2001:db8:1234::/64", "2001:db8:1234::", true},
		{"2001:0db8:85a3:0000:0000:8a2e:0370::/2", "2001:0db8:85a3:0000:0000:8a2e:0370:7334", true},
		{"2001:db8::/33", "2001:db8:8000::1", false},
		{"2001:db8::/32", "2001:db8:8000::1", true},
		{"2001:db8:85a3:0:0:0:0::/32", "22001:db8:85a3:0:0:0:0::0", false},
		{"2001:db8::/4", "2001:db8::/4", false},
		{"fe80::/10", "fe80:0:0:0:0:0:0:1%2", false},
		{"-1::", "ffff::", true},
	}
	for _, tt := range tests {
		n, ok := parseIP(tt.entry)
		if !ok {
			t.Errorf("parseIP(%q) refuses", tt.entry)
			continue
		}
		if got := n.contains(tt.id); got != tt.want {
			t.Errorf("%q contains %q = %v, want %v", tt.entry, tt.id, got, tt.want)
		}
	}
}

func TestIPText(t *testing.T) {
	for in, want := range map[string]string{
		"127.0.0.1":              "127.0.0.1",
		"::ffff:10.1.2.3":        "10.1.2.3",
		"::1":                    "0:0:0:0:0:0:0:1",
		"2001:0db8::00a0:8a2e:0": "2001:db8:0:0:0:a0:8a2e:0",
		"fe80::1%eth0":           "fe80:0:0:0:0:0:0:1%eth0",
	} {
		if got := IPText(netip.MustParseAddr(in)); got != want {
			t.Errorf("IPText(%s) = %q, want %q", in, got, want)
		}
	}
	if got := IPText(netip.Addr{}); got != "" {
		t.Errorf("IPText of the zero Addr = %q", got)
	}
}

// FuzzParseIP holds the parser against net/netip: what that accepts and
// ZooKeeper has a form for must be read alike, and what is read must survive
// being printed.
func FuzzParseIP(f *testing.F) {
	for _, s := range []string{"10.1.2.3/8", "::1/128", "1:2:3:4:5:6:7:8", "::ffff:1.2.3.4", "fe80::1%eth0", "-1::+1", "01.2.3.4/+8", ":::", "1::2::3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, ok := parseIP(s)
		text, _, _ := strings.Cut(s, "/")
		ours, size, okAddr := parseAddr(text)
		if ok && !okAddr {
			t.Fatalf("parseIP(%q) accepts an address that parseAddr refuses", s)
		}
		if ok && (n.bits < 0 || n.bits > 8*n.size || n.size != 4 && n.size != 16) {
			t.Fatalf("parseIP(%q) = %v", s, n)
		}
		std, err := netip.ParseAddr(text)
		if err == nil && std.Zone() == "" && !(strings.Contains(text, ":") && strings.Contains(text, ".")) {
			if want := std.AsSlice(); !okAddr || string(ours[:size]) != string(want) {
				t.Fatalf("parseAddr(%q) = %v, %v, want %v", text, ours[:size], okAddr, want)
			}
		}
		if !ok {
			return
		}
		if !n.contains(text) {
			t.Fatalf("%q does not contain its own address", s)
		}
		addr, _ := netip.AddrFromSlice(ours[:size])
		if addr.Is4In6() {
			return // printed as IPv4, as Java does
		}
		if again, _, ok := parseAddr(IPText(addr)); !ok || again != ours {
			t.Fatalf("%q prints as %q, which reads as %v, %v", s, IPText(addr), again, ok)
		}
	})
}
