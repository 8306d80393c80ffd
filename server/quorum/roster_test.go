package quorum

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"zooraft/server/quorum/store"
	"zooraft/tests/testkit"
	"zooraft/zabcompat"
)

// TestPlace: whose word on where a server is counts.
func TestPlace(t *testing.T) {
	servers := func(hosts ...string) (m zabcompat.Membership) {
		for i, h := range hosts {
			if h != "" {
				m.Servers = append(m.Servers, zabcompat.ServerSpec{ID: i + 1, Host: h, QuorumPort: 1, ElectionPort: 2})
			}
		}
		return m
	}
	for _, tt := range []struct {
		name                    string
		published, target, file zabcompat.Membership // of servers 1 and up; this one is 1
		lost, fixed             bool
		sid                     int64
		want                    string
		moves                   string // where it may be, too
	}{
		{name: "the membership", published: servers("a", "b"), file: servers("a", "x"), sid: 2, want: "b"},
		{name: "who is to come", published: servers("a", "b"), target: servers("a", "b", "c"), file: servers("a", "b"), sid: 3, want: "c"},
		{name: "who moves is where it was", published: servers("a", "b"), target: servers("a", "c"), sid: 2, want: "b", moves: "c"},
		{name: "zoo.cfg before there is a membership", file: servers("a", "b"), sid: 2, want: "b"},
		{name: "0.0.0.0 in another one's zoo.cfg", published: servers("a", "0.0.0.0"), file: servers("a", "b"), sid: 2, want: "b"},
		{name: "zoo.cfg when there has been no leader for long", published: servers("a", "b"), file: servers("a", "x"), lost: true, sid: 2, want: "x"},
		{name: "zoo.cfg when this server is elsewhere", published: servers("a", "b"), file: servers("z", "x"), sid: 2, want: "x"},
		{name: "but 0.0.0.0 is everywhere", published: servers("a", "b"), file: servers("0.0.0.0", "x"), sid: 2, want: "b"},
		{name: "who is not in zoo.cfg then", published: servers("a", "b", "c"), file: servers("z", "x"), sid: 3, want: "c"},
		{name: "zoo.cfg when the membership is not to be changed", published: servers("a", "b"), file: servers("a", "x"), fixed: true, sid: 2, want: "x"},
		{name: "who is not in zoo.cfg then, either", published: servers("a", "b"), file: servers("a"), fixed: true, sid: 2, want: "b"},
		{name: "nobody has said", published: servers("a", "b"), file: servers("a", "b"), sid: 3, want: ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := &Node{cfg: Config{SID: 1, Members: tt.file.Servers, Reconfig: !tt.fixed}}
			r := &roster{published: tt.published, target: tt.target}
			r.byFile = n.believesFile(r, tt.lost)
			quorum, election := n.place(r, tt.sid)
			want, wantElection := "", ""
			if tt.want != "" {
				want, wantElection = fmt.Sprint(tt.want, ":1"), fmt.Sprint(tt.want, ":2")
			}
			if quorum != want || election != wantElection {
				t.Errorf("got %q and %q, want %q and %q", quorum, election, want, wantElection)
			}
			n.roster.Store(r)
			hosts := slices.DeleteFunc([]string{tt.want, tt.moves}, func(h string) bool { return h == "" })
			if got := n.Hosts(tt.sid); !slices.Equal(got, hosts) {
				t.Errorf("its certificate may be for %q, want %q", got, hosts)
			}
		})
	}
}

// A member whose line says 0.0.0.0 everywhere is not dialled, but waited for, and
// called back where it calls from.
func TestNoAddress(t *testing.T) {
	all := newEnsemble(t, 3, store.KindWAL)
	all[0].cfg.Members[2].Host = "0.0.0.0" // the members are the same for all
	var log testkit.Buffer
	one, three := all[0], all[2]
	one.cfg.Log = hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Info})
	one.cfg.Reconfig = true
	startAll(t, all[:2])
	if v := one.node.Votes(); len(v) != 3 {
		t.Errorf("%d votes before the third has called: %v", len(v), v)
	}
	for range 2 { // and after a restart
		three.start()
		testkit.Await(t, three.serving, "service of the third")
		testkit.Until(t, "streams both ways", func() bool { return one.node.mesh.Connected(3) && three.node.mesh.Connected(1) })
		if err := three.node.Close(); err != nil {
			t.Fatal(err)
		}
		testkit.Until(t, "its streams to be gone", func() bool { return !one.node.mesh.Connected(3) })
	}
	if n := strings.Count(log.String(), "waiting for it to call: sid=3"); n != 1 {
		t.Errorf("told %d times that it is waited for:\n%s", n, &log)
	}
	if strings.Contains(log.String(), "missing port") {
		t.Errorf("dialled without an address:\n%s", &log)
	}
}
