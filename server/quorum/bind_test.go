package quorum

import (
	"net"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/go-hclog"
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
