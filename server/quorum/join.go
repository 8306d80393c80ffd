package quorum

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/raft"

	"zooraft/server/peer"
	"zooraft/server/quorum/store"
)

// checkAlone refuses a disk of an ensemble to a server whose configuration has no other
// servers: its Raft would wait for a majority that it cannot reach.
func (n *Node) checkAlone() error {
	if !n.standalone() {
		return nil
	}
	var conf raft.Configuration
	if index := n.ahead.config(); index > 0 {
		var l raft.Log
		if err := n.stores.Log.GetLog(index, &l); err != nil {
			return err
		}
		conf = raft.DecodeConfiguration(l.Data)
	} else if all, err := n.stores.Snapshots.List(); err != nil {
		return err
	} else if len(all) > 0 {
		conf = all[0].Configuration
	}
	var voters []string
	for _, s := range conf.Servers {
		if s.Suffrage == raft.Voter {
			voters = append(voters, string(s.ID))
		}
	}
	if len(voters) == 0 || len(voters) == 1 && voters[0] == string(serverID(n.cfg.SID)) {
		return nil
	}
	return fmt.Errorf("%w: it is that of an ensemble whose voters are the servers %s, and the configuration has no server lines for them: "+
		"add them, or take what the directory holds to another one (zooraft snapshot extract)", store.ErrDataDir, strings.Join(voters, ", "))
}

// join brings this server into its ensemble and starts Raft. A server whose
// disk is blank first hears from the others: from a leader in office, that this
// server has no vote by a disk that is lost; or from a majority, itself included,
// that they are blank as well, which is how an ensemble begins. Until then it has
// no Raft and casts no vote. To be connected is to ask: the leader lets everybody
// in, without a vote (membership.go). join returns false when the server is
// closed meanwhile.
func (n *Node) join() bool {
	first := n.standalone() && n.stores.Blank()
	if !n.standalone() {
		n.election.begin()
		if n.stores.Blank() {
			switch n.gather() {
			case admissionNone:
				return false
			case admissionFirst:
				first = true
			}
		}
	}
	if err := n.startRaft(first); err != nil {
		n.events.Fatal(err)
		return false
	}
	n.initialized()
	n.look(false)
	n.election.tell() // it can vote now
	if n.standalone() {
		// Nobody to ask and nothing to wait for.
		if err := n.trans.standNow(serverID(n.cfg.SID)); err != nil {
			n.log.Warn("cannot stand for election", "error", err)
		}
	}
	return true
}

// mayInitialize says whether this server, if it is blank, may begin an ensemble.
func (n *Node) mayInitialize() bool {
	return len(n.cfg.Initialize) == 0 || slices.ContainsFunc(n.cfg.Initialize, func(path string) bool {
		_, err := os.Stat(path)
		return err == nil
	})
}

// initialized removes the leave to begin an ensemble, which this server has one of now:
// if it loses its disk, it is not to begin another.
func (n *Node) initialized() {
	for _, path := range n.cfg.Initialize {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			n.log.Warn("cannot remove the file that lets a blank server begin an ensemble", "path", path, "error", err)
		}
	}
}

// disagreementAfter is how long a blank server waits before it says whose zoo.cfg is not
// as its own. It says so again each minute.
const disagreementAfter = 5 * time.Second

// gather waits for a leader in office, or for a majority of blank servers. It
// returns admissionNone if the server is closed first.
func (n *Node) gather() admission {
	if n.election.mayBegin {
		n.log.Info("the data directory is blank: waiting for the ensemble or for a majority to begin one", "voters", n.voters())
	} else {
		n.log.Info("the data directory is blank: waiting for the ensemble; none begins with this server, as db.autocreate is false and there is no file initialize",
			"voters", n.voters(), "files", n.cfg.Initialize)
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	tell := time.Now().Add(disagreementAfter)
	for {
		n.look(false) // who is where may have been told
		if a := n.election.admission(); a != admissionNone {
			return a
		}
		now := time.Now()
		if now.After(tell) {
			n.election.tellDisagreement()
			tell = now.Add(peer.TellAgain)
		}
		n.election.tellMissing(now)
		select {
		case <-n.stop:
			return admissionNone
		case <-n.wake:
		case <-tick.C:
		}
	}
}
