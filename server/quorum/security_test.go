package quorum

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"zooraft/protocol"
	"zooraft/server/peer"
	"zooraft/server/quorum/store"
	"zooraft/tests/testkit"
)

// TestSecurity: an ensemble that speaks TLS on both ports begins, elects, takes a server
// back, and lets nobody in that has no certificate for a member's host.
func TestSecurity(t *testing.T) {
	ca := testkit.NewCA(t)
	all := newEnsemble(t, 3, store.KindWAL)
	for _, s := range all {
		s.cfg.Security = testkit.PeerTLS{Trust: ca.Pool, Own: ca.Issue("127.0.0.1").TLS}
	}
	startAll(t, all)
	old := leaderOf(t, all)
	rest := append(all[:old.cfg.SID-1:old.cfg.SID-1], all[old.cfg.SID:]...)
	for i, s := range rest {
		if r := s.do(s.session(protocol.SessionID(i + 1))("/a")); r.Err != protocol.ErrOK {
			t.Errorf("a write through server %d: %+v", s.cfg.SID, r)
		}
	}
	if err := old.node.Close(); err != nil {
		t.Fatal(err)
	}
	leader := leaderOf(t, rest)
	if r := leader.do(leader.session(9)("/b")); r.Err != protocol.ErrOK {
		t.Errorf("a write after the leader's end: %+v", r)
	}
	old.start()
	testkit.Await(t, old.serving, "service of the server that is back")
	testkit.Until(t, "it has what the others have", func() bool { return old.fsm.Digest() == leader.fsm.Digest() })

	other := testkit.NewCA(t)
	for _, port := range []struct {
		name, addr string
		purposes   []peer.Purpose
	}{
		{"quorum port", all[0].cfg.Members[0].QuorumAddr(), []peer.Purpose{peer.PurposeStream, peer.PurposeStatus}},
		{"election port", all[0].cfg.Members[0].ElectionAddr(), []peer.Purpose{peer.PurposeRaft, peer.PurposeAppend}},
	} {
		for _, c := range []struct {
			name     string
			security peer.Security
			want     string
		}{
			{"plain text", nil, "plain text"},
			{"another authority", testkit.PeerTLS{Trust: ca.Pool, Own: other.Issue("127.0.0.1").TLS}, "certificate"},
			{"another host", testkit.PeerTLS{Trust: ca.Pool, Own: ca.Issue("zoo9").TLS}, "127.0.0.1"},
		} {
			for _, purpose := range port.purposes {
				t.Run(fmt.Sprintf("%s/%s/%s", port.name, c.name, purpose), func(t *testing.T) {
					_, _, err := peer.Dial(t.Context(), port.addr, &stubPeer{sid: 2, security: c.security}, 1, purpose)
					if purpose == peer.PurposeStatus && c.name == "another host" {
						if err != nil {
							t.Errorf("anybody that the authority knows may ask: %v", err)
						}
						return
					}
					if !errors.Is(err, peer.ErrRefused) || !strings.Contains(err.Error(), c.want) {
						t.Errorf("got error %v, want a refusal with %q", err, c.want)
					}
				})
			}
		}
	}
}
