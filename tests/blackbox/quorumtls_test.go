package blackbox

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"zooraft/server/peer"
	"zooraft/tests/harness"
	"zooraft/tests/testkit"
)

// addLines puts lines at the end of a server's zoo.cfg, where they override.
func addLines(t *testing.T, s *harness.Server, lines ...string) {
	t.Helper()
	cfg, err := os.ReadFile(s.Config)
	must(t, "read zoo.cfg", err)
	must(t, "write zoo.cfg", os.WriteFile(s.Config, append(cfg, strings.Join(lines, "\n")+"\n"...), 0o600))
}

func quorumStores(ca *testkit.CA, own testkit.Certificate) []string {
	return []string{"ssl.quorum.keyStore.location=" + own.File, "ssl.quorum.trustStore.location=" + ca.File}
}

// guest is a peer.Caller that belongs to no ensemble.
type guest struct {
	identity peer.Identity
	security peer.Security
}

func (g guest) Identity() peer.Identity { return g.identity }
func (g guest) KnownDisk(int64) string  { return "" }
func (g guest) Voteless(int64) bool     { return true }
func (g guest) Security() peer.Security { return g.security }

// An ensemble with sslQuorum=true does all that one in plain text does, and each server has a host and a certificate of
// its own, with which it speaks for itself alone.
func TestQuorumTLS(t *testing.T) {
	harness.SkipShort(t)
	if runtime.GOOS != "linux" {
		t.Skip("the loopback has one address here")
	}
	t.Parallel()
	ca := testkit.NewCA(t)
	e := harness.NewZooraft(t, harness.Options{Size: 3})
	certs := make([]testkit.Certificate, 4)
	for sid := 1; sid <= 3; sid++ {
		s := e.Server(sid)
		cfg, err := os.ReadFile(s.Config)
		must(t, "read zoo.cfg", err)
		apart := regexp.MustCompile(`(?m)^server\.(\d)=127\.0\.0\.1`).ReplaceAll(cfg, []byte("server.$1=127.0.0.$1"))
		if !bytes.Contains(apart, []byte("server.3=127.0.0.3:")) {
			t.Fatalf("no line of server 3 in\n%s", apart)
		}
		must(t, "write zoo.cfg", os.WriteFile(s.Config, apart, 0o600))
		certs[sid] = ca.Issue(fmt.Sprintf("127.0.0.%d", sid))
		addLines(t, s, append(quorumStores(ca, certs[sid]), "sslQuorum=true")...)
	}
	plain := e.Server(1).Dir + "/plain.cfg"
	cfg, err := os.ReadFile(e.Server(1).Config)
	must(t, "read zoo.cfg", err)
	must(t, "write zoo.cfg", os.WriteFile(plain, append(cfg, "sslQuorum=false\n"...), 0o600))
	e.StartAll()
	for sid := 1; sid <= 3; sid++ {
		awaitLog(t, e.Server(sid), 0, "Using TLS encrypted quorum communication", "Creating TLS-only quorum server socket")
		must(t, "create", mustConnect(t, e.Server(sid).ClientAddr).create(fmt.Sprintf("/through-%d", sid), ""))
	}

	// A leader that is killed.
	leader := e.Leader()
	stays := mustConnect(t, e.Server(leader%3+1).ClientAddr)
	e.Kill(leader)
	must(t, "write after the leader's death", stays.create("/elected", ""))
	e.Start(leader)
	e.WaitServing(leader)
	settle(t, e)

	// A client's certificate lets nobody in as a server, whatever it says of itself.
	alice := guest{
		security: testkit.PeerTLS{Trust: ca.Pool, Own: ca.Issue("alice", "127.0.0.9").TLS},
		identity: peer.Identity{SID: 250, QuorumAddr: "127.0.0.9:1"},
	}
	for purpose, port := range map[peer.Purpose]int{peer.PurposeStream: e.Server(1).QuorumPort, peer.PurposeRaft: e.Server(1).ElectionPort} {
		_, _, err := peer.Dial(t.Context(), fmt.Sprintf("127.0.0.1:%d", port), alice, 1, purpose)
		if !errors.Is(err, peer.ErrRefused) || !strings.Contains(err.Error(), "127.0.0.9, is not at 127.0.0.1") {
			t.Errorf("a client calls for %s: got error %v, want a refusal", purpose, err)
		}
	}

	// Who has no TLS, a certificate of nobody known, or that of another member.
	const one, two = 1, 2
	for _, c := range []struct {
		name         string
		lines        []string
		inside, here string // patterns of what the logs say of a member and of the intruder
	}{
		{"plain text", []string{"sslQuorum=false"}, "the caller speaks plain text, and this server takes only TLS", "refused by server 1: the caller speaks plain text"},
		{"another authority", quorumStores(ca, testkit.NewCA(t).Issue("127.0.0.2")),
			"refusing a peer.*certificate signed by unknown authority", "cannot join a peer: .*sid=1.*does not take this server's certificate"},
		{"the certificate of another member", quorumStores(ca, certs[3]),
			"refusing a peer.*sid=2.*CN=127.0.0.3, is not for 127.0.0.2", "refused by server 1: .*CN=127.0.0.3, is not for 127.0.0.2"},
	} {
		t.Logf("as server 2 comes %s", c.name)
		e.Term(two)
		before, err := os.ReadFile(e.Server(two).Config)
		must(t, "read zoo.cfg", err)
		addLines(t, e.Server(two), c.lines...)
		skip, skipOwn := len(readLog(t, e.Server(one))), len(readLog(t, e.Server(two)))
		e.Start(two)
		awaitLog(t, e.Server(one), skip, c.inside)
		awaitLog(t, e.Server(two), skipOwn, c.here)
		if mode := e.Mode(two); mode != "" {
			t.Errorf("as server 2 %s is a %s", c.name, mode)
		}
		e.Term(two)
		must(t, "write zoo.cfg", os.WriteFile(e.Server(two).Config, before, 0o600))
		e.Start(two)
		e.WaitServing(two)
	}
	settle(t, e)

	p := launch(t, t.TempDir(), "status", plain)
	if code := p.exit(startTimeout); code == 0 || !strings.Contains(p.stdout.String(), "the caller speaks plain text, and this server takes only TLS") {
		t.Errorf("status in plain text: exit code %d\n%s", code, p.stdout.String())
	}
}

// A running ensemble is moved to TLS server by server, as ZooKeeper's guide has it, and clients of the servers that do
// not restart see nothing of it.
func TestMoveToQuorumTLS(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	ca := testkit.NewCA(t)
	e := harness.StartZooraft(t, harness.Options{Size: 3, TickTime: 2 * time.Second, Lines: quorumStores(ca, ca.Issue("127.0.0.1"))})
	var writers []*writer
	for i := range 4 {
		w := &writer{c: mustConnect(t, e.Server(1).ClientAddr), path: fmt.Sprintf("/w%d", i)}
		must(t, "create", w.c.create(w.path, "0"))
		writers = append(writers, w)
	}
	for _, step := range []struct {
		lines []string
		says  string
	}{
		{[]string{"sslQuorum=false", "portUnification=true"}, "Creating TLS-enabled quorum server socket"},
		{[]string{"sslQuorum=true"}, "Using TLS encrypted quorum communication"},
		{[]string{"portUnification=false"}, "Creating TLS-only quorum server socket"},
	} {
		for sid := 1; sid <= 3; sid++ {
			for i, w := range writers {
				w.c = mustResume(t, e.Server((sid+i%2)%3+1).ClientAddr, w.c) // one of the others
			}
			var writing sync.WaitGroup
			var restarted atomic.Bool
			for _, w := range writers {
				writing.Go(func() {
					for further := 0; further < 25; {
						if restarted.Load() {
							further++
						}
						w.sent++
						if err := w.c.set(w.path, strconv.Itoa(w.sent)); err != nil {
							t.Errorf("with %q, while server %d restarts: %v", step.lines, sid, err)
							return
						}
						w.acked = w.sent
					}
				})
			}
			addLines(t, e.Server(sid), step.lines...)
			skip := len(readLog(t, e.Server(sid)))
			e.Restart(sid)
			awaitLog(t, e.Server(sid), skip, step.says)
			restarted.Store(true)
			if writing.Wait(); t.Failed() {
				t.FailNow()
			}
		}
		settle(t, e)
	}
	for _, w := range writers {
		w.check(t, e.Server(1).ClientAddr)
	}
	for sid := 1; sid <= 3; sid++ {
		if refused := regexp.MustCompile(".*(refusing a|cannot join a).*").FindString(readLog(t, e.Server(sid))); refused != "" {
			t.Errorf("server %d has refused another one, or was refused: %s", sid, refused)
		}
	}
}
