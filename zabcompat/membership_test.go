package zabcompat

import "testing"

func TestMembershipText(t *testing.T) {
	m := Membership{
		Servers: []ServerSpec{
			{ID: 1, Host: "a", QuorumPort: 2888, ElectionPort: 3888, ClientHost: "0.0.0.0", ClientPort: 2181},
			{ID: 2, Host: "b", QuorumPort: 2888, ElectionPort: 3888},
			{ID: 10, Host: "0:0:0:0:0:0:0:1", QuorumPort: 2888, ElectionPort: 3888, Observer: true},
		},
		Version: 0x100000008,
	}
	want := "server.1=a:2888:3888:participant;0.0.0.0:2181\n" +
		"server.2=b:2888:3888:participant\n" +
		"server.10=[0:0:0:0:0:0:0:1]:2888:3888:observer\n" +
		"version=100000008"
	if got := m.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if n := m.Voters(); n != 2 {
		t.Errorf("Voters: got %d, want 2", n)
	}
	if s, ok := m.Server(10); !ok || s != m.Servers[2] {
		t.Errorf("Server(10): got %+v, %v", s, ok)
	}
	if s, ok := m.Server(3); ok {
		t.Errorf("Server(3): got %+v, want none", s)
	}
	if got := (Membership{}).String(); got != "" {
		t.Errorf("without servers: got %q, want nothing", got)
	}
}

func TestParseMembershipFaults(t *testing.T) {
	for _, text := range []string{
		"version=1",
		"server.1=a:1:2:participant",
		"server.1=a:1:2:participant\n",
		"server.1=a:1:2:participant\nversion=",
		"server.1=a:1:2:participant\nversion=0x1",
		"server.1=a:1:2\nversion=1",
		"server.x=a:1:2:participant\nversion=1",
		"server.1=a:1:2:participant\nversion=1\n",
		"server.1 a:1:2:participant\nversion=1",
	} {
		if m, err := ParseMembership(text); err == nil {
			t.Errorf("%q: got %+v, want a fault", text, m)
		}
	}
}

// Whatever is read must be what is printed, for snapshots hold it as text.
func FuzzParseMembership(f *testing.F) {
	f.Add("server.1=a:1:2:participant;0.0.0.0:3\nserver.2=[0:0:0:0:0:0:0:1]:1:2:observer\nversion=100000000")
	f.Add("version=0")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ParseMembership(text)
		if err == nil && m.String() != text {
			t.Fatalf("%q: read as %+v, printed as %q", text, m, m)
		}
	})
}
