package server

import (
	"net"
	"slices"
	"testing"

	"github.com/hashicorp/go-hclog"

	"zooraft/fsm"
	"zooraft/server/client"
	"zooraft/zabcompat"
)

func TestDifferences(t *testing.T) {
	one := zabcompat.ServerSpec{ID: 1, Host: "a", QuorumPort: 1, ElectionPort: 2}
	two := zabcompat.ServerSpec{ID: 2, Host: "b", QuorumPort: 1, ElectionPort: 2}
	moved := two
	moved.Host = "c"
	anywhere, elsewhere := two, two
	anywhere.Host, elsewhere.Host, elsewhere.QuorumPort = "0.0.0.0", "0.0.0.0", 3
	for _, c := range []struct {
		name string
		a, b []zabcompat.ServerSpec
		want []string
		same func(a, b zabcompat.ServerSpec) bool // nil for equal
	}{
		{"equal", []zabcompat.ServerSpec{one, two}, []zabcompat.ServerSpec{one, two}, nil, nil},
		{"removed", []zabcompat.ServerSpec{one, two}, []zabcompat.ServerSpec{two}, []string{"-server.1=a:1:2:participant"}, nil},
		{"changed", []zabcompat.ServerSpec{one, two}, []zabcompat.ServerSpec{one, moved}, []string{"-server.2=b:1:2:participant", "+server.2=c:1:2:participant"}, nil},
		{"moved to any", []zabcompat.ServerSpec{two}, []zabcompat.ServerSpec{anywhere}, []string{"-server.2=b:1:2:participant", "+server.2=0.0.0.0:1:2:participant"}, nil},
		{"any in the file", []zabcompat.ServerSpec{anywhere}, []zabcompat.ServerSpec{two}, nil, agree},
		{"any in the ensemble", []zabcompat.ServerSpec{two}, []zabcompat.ServerSpec{anywhere}, nil, agree},
		{"any, and another port", []zabcompat.ServerSpec{elsewhere}, []zabcompat.ServerSpec{two}, []string{"-server.2=0.0.0.0:3:2:participant", "+server.2=b:1:2:participant"}, agree},
	} {
		if c.same == nil {
			c.same = equal
		}
		if got := differences(c.a, c.b, c.same); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestReconfigOptions(t *testing.T) {
	c := DefaultConfig()
	if got := c.requestOptions(); got != 0 {
		t.Errorf("defaults: got %b, want none, for an earlier release knows no others", got)
	}
	c.ReconfigEnabled, c.StandaloneEnabled = true, false
	if got, want := c.requestOptions(), fsm.Reconfig|fsm.NoStandalone; got != want {
		t.Errorf("got %b, want %b", got, want)
	}
}

// The client port follows the address in this server's line, not its port alone.
func TestFollowClientPort(t *testing.T) {
	log := hclog.NewNullLogger()
	clients := client.New(client.Config{Addr: "127.0.0.1:0"}, client.Deps{}, log)
	if err := clients.Listen(); err != nil {
		t.Fatal(err)
	}
	defer clients.Close()
	bound := clients.Addr().(*net.TCPAddr)
	s := &Server{cfg: DefaultConfig(), log: log, clients: clients}
	s.cfg.SID, s.cfg.ClientPort, s.cfg.ReconfigEnabled = 1, bound.Port, true
	for _, tt := range []struct {
		name, host string
		port       int
		want       net.IP
	}{
		{"as it is", "127.0.0.1", bound.Port, bound.IP},
		{"all addresses", "0.0.0.0", bound.Port, net.IPv6unspecified},
		{"none in the line", "", 0, net.IPv6unspecified},
		{"one that is no address of this host's", "192.0.2.1", bound.Port, net.IPv6unspecified},
		{"one of them", "127.0.0.1", bound.Port, bound.IP},
	} {
		s.followClientPort(zabcompat.Membership{Servers: []zabcompat.ServerSpec{{ID: 1, Host: "a", ClientHost: tt.host, ClientPort: tt.port}}})
		now := clients.Addr().(*net.TCPAddr)
		if now.Port != bound.Port || !now.IP.Equal(tt.want) && !(now.IP.IsUnspecified() && tt.want.IsUnspecified()) {
			t.Errorf("%s: at %v, want %v, port %d", tt.name, now, tt.want, bound.Port)
		}
		if nc, err := net.Dial("tcp", bound.String()); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		} else {
			nc.Close()
		}
	}
	s.cfg.ReconfigEnabled = false
	s.followClientPort(zabcompat.Membership{Servers: []zabcompat.ServerSpec{{ID: 1, Host: "a", ClientHost: "0.0.0.0", ClientPort: bound.Port}}})
	if now := clients.Addr().(*net.TCPAddr); !now.IP.Equal(bound.IP) {
		t.Errorf("without reconfig: at %v, want %v", now, bound)
	}
}
