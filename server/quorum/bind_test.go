package quorum

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/go-hclog"

	"zooraft/tests/testkit"
	"zooraft/zabcompat"
)

func TestListenTriesAgain(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	synctest.Test(t, func(t *testing.T) {
		n := &Node{cfg: Config{BindHost: "127.0.0.1"}, log: hclog.NewNullLogger()}
		tries := 3
		if ln, err := n.listen(port, &tries); err == nil || tries != 0 {
			t.Errorf("a port that is taken: %v, %d tries left", ln, tries)
		}
		tries = 1 << 40
		n.log = onWarn{n.log, func() { taken.Close() }}
		ln, err := n.listen(port, &tries)
		if err != nil {
			t.Fatalf("a port that comes free: %v", err)
		}
		ln.Close()
	})
}

// onWarn calls f at each warning.
type onWarn struct {
	hclog.Logger
	f func()
}

func (l onWarn) Warn(string, ...any) { l.f() }

func TestOthersElsewhere(t *testing.T) {
	hosts := map[string][]string{"zoo1": {"127.0.1.1"}, "near": {"127.0.0.1", "::1"}, "far": {"10.0.0.2"}, "both": {"127.0.0.1", "10.0.0.3"}}
	lookup := func(_ context.Context, host string) ([]string, error) {
		if addrs, ok := hosts[host]; ok {
			return addrs, nil
		}
		return nil, errors.New("no such host")
	}
	for _, tt := range []struct {
		other string
		want  bool
	}{
		{"far", true}, {"both", true}, {"unknown", true},
		{"near", false}, {"localhost", false}, {"127.0.0.1", false}, {"0.0.0.0", false},
	} {
		members := []zabcompat.ServerSpec{{ID: 1, Host: "far"}, {ID: 2, Host: "zoo1"}, {ID: 3, Host: tt.other}}
		if got := othersElsewhere(members, 1, lookup); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.other, got, tt.want)
		}
	}
}

func TestWarnOfLoopback(t *testing.T) {
	for _, tt := range []struct {
		name, self, other, bound string
		want                     bool
	}{
		{"a name that is the loopback's", "zoo1", "192.0.2.1", "127.0.1.1", true},
		{"all on the loopback", "zoo1", "127.0.0.1", "127.0.1.1", false},
		{"every address", "zoo1", "192.0.2.1", "::", false},
		{"an address that others reach", "zoo1", "192.0.2.1", "192.0.2.2", false},
		{"a line that says so itself", "127.0.0.1", "192.0.2.1", "127.0.0.1", false}, // zoocfg warns of it
	} {
		var log testkit.Buffer
		n := &Node{
			cfg: Config{SID: 1, Members: []zabcompat.ServerSpec{{ID: 1, Host: tt.self}, {ID: 2, Host: tt.other}}},
			log: hclog.New(&hclog.LoggerOptions{Output: &log}),
		}
		n.warnOfLoopback(&net.TCPAddr{IP: net.ParseIP(tt.bound), Port: 3888})
		if got := strings.Contains(log.String(), "mend /etc/hosts") && strings.Contains(log.String(), "address="+tt.bound); got != tt.want {
			t.Errorf("%s: got %v, want %v: %s", tt.name, got, tt.want, log.String())
		}
	}
}
