package server

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"zooraft/protocol"
	"zooraft/tests/testkit"
)

// A session whose expiry does not come off is expired again and again, and told of
// once in a leadership. Here apply refuses what it is asked in another term.
func TestExpiryIsToldOnce(t *testing.T) {
	cfg := DefaultConfig()
	cfg.DataDir, cfg.ClientPort, cfg.ClientPortAddress = t.TempDir(), testkit.Ports(t, 1)[0], "127.0.0.1"
	cfg.TickTime, cfg.MinSessionTimeout, cfg.MaxSessionTimeout = 50*time.Millisecond, 100*time.Millisecond, time.Minute
	cfg.AdminEnabled = false
	var log testkit.Buffer
	s, err := New(cfg, hclog.New(&hclog.LoggerOptions{Output: &log}))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Shutdown(context.Background())
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	testkit.Await(t, s.Serving(), "the server serves")

	nc, err := net.Dial("tcp", s.ClientAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	b, mark := protocol.BeginFrame(nil)
	req := protocol.ConnectRequest{Timeout: 60000, Passwd: make([]byte, 16)}
	if _, err := nc.Write(protocol.EndFrame(req.Append(b), mark)); err != nil {
		t.Fatal(err)
	}
	var id protocol.SessionID
	testkit.Until(t, "there is a session", func() bool {
		for id = range s.expirer.Deadlines() {
		}
		return id != 0
	})
	told := func() int { return strings.Count(log.String(), "Expiring session "+id.String()) }
	for n := 1; n <= 2; n++ {
		s.expirer.Lead(uint64(1000*n), func(yield func(protocol.SessionID, time.Duration)) { yield(id, 0) })
		for range 2 {
			testkit.Until(t, "it is to be tried again", func() bool { return s.expirer.Again(id) && !s.expirer.Closing(id) })
			testkit.Until(t, "it is tried again", func() bool { return s.expirer.Closing(id) })
		}
		testkit.Until(t, "it is told", func() bool { return told() >= n })
		if got := told(); got != n {
			t.Errorf("leadership %d: told %d times:\n%s", n, got, &log)
		}
	}
}
