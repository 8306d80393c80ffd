package zabcompat

import (
	"strings"
	"testing"
)

func TestParseServerSpec(t *testing.T) {
	tests := []struct {
		line string
		want ServerSpec
	}{
		{"zk1:2888:3888", ServerSpec{Host: "zk1", QuorumPort: 2888, ElectionPort: 3888}},
		{"zk1:2888:3888:participant", ServerSpec{Host: "zk1", QuorumPort: 2888, ElectionPort: 3888}},
		{"zk1:2888:3888:OBSERVER", ServerSpec{Host: "zk1", QuorumPort: 2888, ElectionPort: 3888, Observer: true}},
		{"zk1:2888:3888;2181", ServerSpec{Host: "zk1", QuorumPort: 2888, ElectionPort: 3888, ClientHost: "0.0.0.0", ClientPort: 2181}},
		{"zk1:2888:3888:observer;10.0.0.1:2181", ServerSpec{Host: "zk1", QuorumPort: 2888, ElectionPort: 3888, Observer: true, ClientHost: "10.0.0.1", ClientPort: 2181}},
		{"[2001:db8::1]:2888:3888;[::]:2181", ServerSpec{Host: "2001:db8:0:0:0:0:0:1", QuorumPort: 2888, ElectionPort: 3888, ClientHost: "0:0:0:0:0:0:0:0", ClientPort: 2181}},
		{"[::1]:1:65535:participant", ServerSpec{Host: "0:0:0:0:0:0:0:1", QuorumPort: 1, ElectionPort: 65535}},
		{"zk1:2888:3888;", ServerSpec{Host: "zk1", QuorumPort: 2888, ElectionPort: 3888}},
		{"zk1:2888:3888: Observer ;2181", ServerSpec{Host: "zk1", QuorumPort: 2888, ElectionPort: 3888, Observer: true, ClientHost: "0.0.0.0", ClientPort: 2181}},
		{"zk1:2888:3888::;2181;;", ServerSpec{Host: "zk1", QuorumPort: 2888, ElectionPort: 3888, ClientHost: "0.0.0.0", ClientPort: 2181}},
		{"[::ffff:10.0.0.1]:2888:3888", ServerSpec{Host: "10.0.0.1", QuorumPort: 2888, ElectionPort: 3888}},
		{"zk1:2888:3888;2181;", ServerSpec{Host: "zk1", QuorumPort: 2888, ElectionPort: 3888, ClientHost: "0.0.0.0", ClientPort: 2181}},
	}
	for _, tt := range tests {
		tt.want.ID = 4
		got, err := ParseServerSpec(4, tt.line, false)
		if err != nil || got != tt.want {
			t.Errorf("%q: got %+v, %v; want %+v", tt.line, got, err, tt.want)
		}
	}
}

func TestParseServerSpecFaults(t *testing.T) {
	tests := []struct {
		line  string
		multi bool
		want  string
	}{
		{"", false, "is not a server line"},
		{"zk1", false, "is not a server line"},
		{"zk1:2888", false, "write host:quorumPort:electionPort"},
		{"zk1:2888:3888:participant:2181", false, "IPv6 address needs brackets"},
		{"fe80::1:2888:3888", false, "IPv6 address needs brackets"},
		{"[fe80::1:2888:3888", false, "IPv6 address needs brackets"},
		{"[fe80::1]", false, "IPv6 address needs brackets"},
		{"[]:2888:3888", false, "IPv6 address needs brackets"},
		{"zk1:a:3888", false, `quorum port "a" is not a port number`},
		{"zk1:2888:0", false, `election port "0" is not a port number`},
		{"zk1:2888:65536", false, "65535"},
		{"zk 1:2888:3888", false, "host \"zk 1\""},
		{";", false, "is not a server line"},
		{"zk1:2888:3888:leader", false, "unrecognised peertype: leader"},
		{"zk1:2888:3888;x", false, `client port "x"`},
		{"zk1:2888:3888;:2181", false, "client address before"},
		{"zk1:2888:3888;a:b:2181", false, "is not a server line"},
		{"zk1:2888:3888;2181;2281", false, "TLS client port"},
		{"zk1:2888:3888;;2281", false, "TLS client port"},
		{"zk1:2888:3888|zk2:2888:3888", false, "multiple address feature is disabled, but multiple addresses were specified for sid 4"},
		{"zk1:2888:3888|zk2:2888:3888", true, "not supported yet"},
	}
	for _, tt := range tests {
		spec, err := ParseServerSpec(4, tt.line, tt.multi)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got %+v, %v; want a fault with %q", tt.line, spec, err, tt.want)
		}
	}
}

// What is accepted must survive being printed in canonical form.
func FuzzParseServerSpec(f *testing.F) {
	f.Add("zk1:2888:3888:observer;10.0.0.1:2181")
	f.Add("[2001:db8::1]:2888:3888;[::]:2181")
	f.Add("h:+1:2;3;;")
	f.Fuzz(func(t *testing.T, line string) {
		spec, err := ParseServerSpec(7, line, true)
		if err != nil {
			return
		}
		again, err := ParseServerSpec(7, spec.String(), true)
		if err != nil || again != spec {
			t.Fatalf("%q: printed as %q, read back as %+v, %v", line, spec, again, err)
		}
	})
}

func TestServerSpecString(t *testing.T) {
	tests := []struct {
		spec ServerSpec
		want string
	}{
		{ServerSpec{ID: 1, Host: "zk-0.zk", QuorumPort: 2888, ElectionPort: 3888}, "zk-0.zk:2888:3888:participant"},
		{ServerSpec{ID: 1, Host: "h", QuorumPort: 1, ElectionPort: 2, Observer: true, ClientHost: "0.0.0.0", ClientPort: 2181}, "h:1:2:observer;0.0.0.0:2181"},
		{ServerSpec{ID: 1, Host: "::1", QuorumPort: 1, ElectionPort: 2, ClientHost: "fe80::1", ClientPort: 3}, "[::1]:1:2:participant;[fe80::1]:3"},
	}
	for _, tt := range tests {
		if got := tt.spec.String(); got != tt.want {
			t.Errorf("String: got %q, want %q", got, tt.want)
		}
	}
}
