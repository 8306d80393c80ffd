package bench

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"zooraft/protocol"
)

const (
	snapshotWait = 90 * time.Second
	// A stall does not begin and end with the log line.
	snapshotMargin = 500 * time.Millisecond
)

// snapshotEvery are the lines of a zoo.cfg with which a server writes a snapshot after at most so many requests.
func snapshotEvery(requests int) []string { return []string{fmt.Sprintf("snapCount=%d", requests)} }

// interval is a stretch of time.
type interval struct{ start, end time.Time }

// snapshotLog says how a server tells in its log when a snapshot begins and ends.
type snapshotLog struct {
	line   *regexp.Regexp // finds time and text
	layout string         // of the time, which is local where it names no zone
	begins string
}

var (
	zooraftSnapshots = snapshotLog{
		regexp.MustCompile(`(?m)^(\S+) .*(starting snapshot up to|snapshot complete up to)`),
		"2006-01-02T15:04:05.000Z0700", "starting snapshot up to",
	}
	zooKeeperSnapshots = snapshotLog{
		regexp.MustCompile(`(?m)^(\S+ \S+) .*(Snapshotting: 0x|Snapshot taken in )`),
		"2006-01-02 15:04:05,000", "Snapshotting: 0x",
	}
)

// snapshots finds in a server's log, from a byte offset on, the snapshots that are complete.
func (e *ensemble) snapshots(sid, offset int) []interval {
	e.t.Helper()
	text, err := os.ReadFile(e.Server(sid).Log)
	if err != nil {
		e.t.Fatal(err)
	}
	how := zooraftSnapshots
	if e.jars != "" {
		how = zooKeeperSnapshots
	}
	all, err := how.find(text[offset:])
	if err != nil {
		e.t.Fatal(err)
	}
	return all
}

func (l snapshotLog) find(log []byte) ([]interval, error) {
	var all []interval
	var start time.Time
	for _, m := range l.line.FindAllSubmatch(log, -1) {
		at, err := time.ParseInLocation(l.layout, string(m[1]), time.Local)
		if err != nil {
			return nil, fmt.Errorf("time in the log: %w", err)
		}
		if string(m[2]) == l.begins {
			start = at
		} else if !start.IsZero() {
			all = append(all, interval{start, at})
		}
	}
	return all, nil
}

func TestSnapshotLog(t *testing.T) {
	tests := []struct {
		name string
		log  string
		how  snapshotLog
		want time.Duration
	}{
		{"zooraft", "2026-01-02T03:04:05.100Z [INFO]  server.quorum.raft: starting snapshot up to: index=7\n" +
			"2026-01-02T03:04:05.600Z [INFO]  server.quorum.raft: snapshot complete up to: index=7\n", zooraftSnapshots, 500 * time.Millisecond},
		{"zookeeper", "2026-01-02 03:04:05,100 [myid:] - INFO  [x:C@1] - Snapshotting: 0x7 to /d/snapshot.7\n" +
			"2026-01-02 03:04:06,100 [myid:] - INFO  [x:C@1] - Snapshot taken in 999 ms\n", zooKeeperSnapshots, time.Second},
		{"only its end", "2026-01-02 03:04:06,100 [myid:] - INFO  [x:C@1] - Snapshot taken in 999 ms\n", zooKeeperSnapshots, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			all, err := tt.how.find([]byte(tt.log))
			var got time.Duration
			for _, i := range all {
				got += i.end.Sub(i.start)
			}
			if err != nil || got != tt.want {
				t.Errorf("find: got %v, %v, want %v", all, err, tt.want)
			}
		})
	}
}

func (e *ensemble) logSize(sid int) int {
	e.t.Helper()
	st, err := os.Stat(e.Server(sid).Log)
	if err != nil {
		e.t.Fatal(err)
	}
	return int(st.Size())
}

// snapshotMiB is the size of the newest snapshot of a Zooraft server.
func (e *ensemble) snapshotMiB(sid int) float64 {
	e.t.Helper()
	var size int64
	err := walkFiles(os.DirFS(e.Server(sid).DataDir), func(name string, bytes int64) {
		if strings.HasSuffix(name, "/state.bin") {
			size = max(size, bytes)
		}
	})
	if err != nil {
		e.t.Error(err)
	}
	return float64(size) / (1 << 20)
}

// observed is what clients saw before, while and after a snapshot was written.
type observed struct {
	snapshot               interval
	machine, reads, writes samples // machine: of the echo, that is without a server
}

// around are the samples that a stall by the snapshot may have touched, and the others.
func (o *observed) around(s samples) (during, otherwise samples) {
	from, to := o.snapshot.start.Add(-snapshotMargin), o.snapshot.end.Add(snapshotMargin)
	return s.within(from, to), append(s.within(time.Time{}, from), s.within(to, time.Now())...)
}

// observeSnapshot reads and writes on a server that holds p until it has written a snapshot, which the writes bring
// about. It returns nil, with the test failed, when none came.
func (e *ensemble) observeSnapshot(sid int, p population, n int, m *marker) *observed {
	e.t.Helper()
	logged := e.logSize(sid)
	readerConn, writerConn := e.dial(sid), e.dial(sid)
	defer readerConn.close()
	defer writerConn.close()
	random := rand.New(rand.NewPCG(1, 2))
	machine := startProbe("echo", time.Millisecond, echo(e.t))
	reader := startProbe("reader", time.Millisecond, func() error {
		_, err := readerConn.call(protocol.OpGetData, &protocol.PathWatchRequest{Path: p.path(random.IntN(n))})
		return err
	})
	writer := startProbe("writer", 0, func() error { return m.write(writerConn) })

	var taken []interval
	deadline := time.Now().Add(snapshotWait)
	for len(taken) == 0 && time.Now().Before(deadline) {
		time.Sleep(100 * time.Millisecond)
		taken = e.snapshots(sid, logged)
	}
	time.Sleep(3 * time.Second) // for what a snapshot leaves behind: files that go, memory that is collected
	o := &observed{machine: machine.finish(e.t), reads: reader.finish(e.t), writes: writer.finish(e.t)}
	if len(taken) == 0 {
		e.t.Errorf("%s: no snapshot within %v and %d writes", e.label, snapshotWait, len(o.writes))
		return nil
	}
	o.snapshot = taken[0]
	return o
}
