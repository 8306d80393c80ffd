package server

import (
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"zooraft/fsm"
)

// How often it is said that a quota is exceeded.
const (
	excessPause  = time.Second // between two lines about one limit
	maxExcesses  = 10          // lines in a second, whatever they are about
	excessForget = 1000        // limits remembered
)

// excessLog says on the leader which writes go beyond a quota. ZooKeeper has a
// line for each but those that say the same within 100 ms; a write in a loop must
// not fill a disk. It belongs to the apply goroutine, which waits for these lines as
// all who log do, and so for maxExcesses a second at most.
type excessLog struct {
	log     hclog.Logger
	now     func() time.Time
	said    map[excessKey]*excessSaid
	second  time.Time // in which so many lines have been written
	written int
}

type excessKey struct {
	path        string
	bytes, hard bool
}

type excessSaid struct {
	at     time.Time
	unsaid int // since then
}

func newExcessLog(log hclog.Logger) excessLog {
	return excessLog{log: log, now: time.Now, said: make(map[excessKey]*excessSaid)}
}

func (l *excessLog) note(x *fsm.Excess) {
	now := l.now()
	key := excessKey{x.Path, x.Bytes, x.Hard}
	said := l.said[key]
	if said == nil {
		if len(l.said) >= excessForget {
			clear(l.said)
		}
		said = &excessSaid{}
		key.path = strings.Clone(key.path) // it may be a part of the whole entry
		l.said[key] = said
	}
	if now.Sub(l.second) >= time.Second {
		l.second, l.written = now, 0
	}
	if now.Sub(said.at) < excessPause || l.written >= maxExcesses {
		said.unsaid++
		return
	}
	l.written++
	args := []any{"path", x.Path}
	if said.unsaid > 0 {
		args = append(args, "unsaid", said.unsaid)
	}
	*said = excessSaid{at: now}
	l.log.Warn(excessText(x), args...)
}

// excessText is what ZooKeeper says (ZooKeeperServer.checkQuota).
func excessText(x *fsm.Excess) string {
	what, limit := "count", "CountLimit"
	if x.Bytes {
		what, limit = "bytes", "ByteLimit"
	}
	kind := "soft"
	if x.Hard {
		kind = "hard"
	}
	return fmt.Sprintf("Quota exceeded: %s [current %s=%d, %s%s=%d]", x.Path, what, x.Used, kind, limit, x.Limit)
}
