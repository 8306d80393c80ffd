//go:build interop

package interop

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"zooraft/protocol"
	"zooraft/tests/harness"
)

// changes are reconfigs that take votes and give them, in the order in which they are asked for. Server 1 does not lead.
// A member that is not there is given no vote, in which the two differ: such changes are not among these.
var changes = []reconfigRequest{
	increment("remove", "null", "1"),
	increment("back as an observer", line1+":observer;c1", "null"),
	increment("its vote again", line1+";c1", "null"),
	whole("without it", line2+","+line3),
	whole("with it, as an observer", line1+":observer,"+line2+","+line3),
	increment("a fourth one, and the vote of the first", "server.4=127.0.0.1:q4:e4;c4,"+line1+";c1", "null"),
	increment("the fourth one out, the first no voter", line1+":observer;c1", "4"),
	whole("strangers", line2+",server.8=127.0.0.1:1:2,server.9=127.0.0.1:3:4"),
	increment("nobody", "null", "8"),
}

// TestReconfigMembers carries changes out in an ensemble of each kind, and compares replies, events, and what another
// server shows and writes.
func TestReconfigMembers(t *testing.T) {
	// The sessions send no pings, while one ensemble waits for the other.
	o := harness.Options{Size: 3, Lines: []string{"reconfigEnabled=true", "skipACL=yes", "maxSessionTimeout=180000"}}
	theirs := newReconfigured(t, harness.StartZooKeeper(t, zooKeeperJars(t), o))
	ours := newReconfigured(t, harness.StartZooraft(t, o))
	for _, r := range changes {
		want, got := theirs.change(&r), ours.change(&r)
		if want != got {
			t.Errorf("%s: ZooKeeper:\n%s\nZooraft:\n%s", r.name, want, got)
		}
	}
}

// reconfigured is an ensemble whose members change, with a fourth server that runs and is none. The client that asks is
// connected to server 2, one that watches to server 3.
type reconfigured struct {
	named
	t              *testing.T
	asker, watcher *frames
}

func newReconfigured(t *testing.T, e *harness.Ensemble) *reconfigured {
	t.Helper()
	for e.Leader() == 1 {
		e.Restart(1)
	}
	e.WaitServing()
	e.Join(1, 2, 3)
	e.Start(4)
	return &reconfigured{named{e}, t, openFrames(t, e.ClientAddrs()[1]), openFrames(t, e.ClientAddrs()[2])}
}

// change asks for one and says all that came of it, without what differs between ensembles.
func (e *reconfigured) change(r *reconfigRequest) string {
	e.t.Helper()
	e.e.WaitServing() // who is to get a vote must have caught up; a ZooKeeper does not wait for it
	e.watcher.call(protocol.OpGetData, &protocol.PathWatchRequest{Path: "/zookeeper/config", Watch: true})
	h, body := e.asker.call(protocol.OpReconfig, r.of(e.named))
	if h.Err != 0 {
		return fmt.Sprint(h.Err)
	}
	text, stat := e.asker.config(body)
	_, version, _ := strings.Cut(text, "version=")
	if version != strconv.FormatInt(h.Zxid, 16) || stat.Mzxid != h.Zxid {
		e.t.Errorf("%s: reply %+v, text %q, stat %+v", r.name, h, text, stat)
	}
	event := e.watcher.read()
	d := protocol.NewDecoder(event)
	var eh protocol.ReplyHeader
	var ev protocol.WatcherEvent
	eh.Decode(&d)
	ev.Decode(&d)
	_, body = e.watcher.call(protocol.OpGetData, &protocol.PathWatchRequest{Path: "/zookeeper/config"})
	if there, _ := e.watcher.config(body); there != text {
		e.t.Errorf("%s: server 3 shows %q, want %q", r.name, there, text)
	}
	var file []byte
	harness.Eventually(e.t, clientTimeout, "the file of the membership", func() (err error) {
		file, err = os.ReadFile(e.e.Server(3).Config + ".dynamic." + version)
		return err
	})
	return fmt.Sprintf("%s\n%+v\nxid %d, %+v\n%s", shape(e.plain(text)), alike(stat), eh.Xid, ev, e.plain(string(file)))
}
