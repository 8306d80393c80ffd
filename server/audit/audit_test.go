package audit

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"zooraft/fsm"
	"zooraft/protocol"
	"zooraft/tests/testkit"
)

func open(t *testing.T, path string) *Log {
	t.Helper()
	l, err := Open(Config{File: path, User: "root", Log: hclog.NewNullLogger()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// create is the outcome of a create that failed.
func create(path string, ids ...protocol.ID) *fsm.Result {
	q := protocol.CreateRequest{Path: path, ACL: []protocol.ACL{}}
	return &fsm.Result{
		Op: protocol.OpCreate, Err: protocol.ErrBadArguments,
		Request: &fsm.ClientRequest{Op: protocol.OpCreate, IDs: ids, Body: q.Append(nil)},
	}
}

// What a client chooses stays in its field.
func TestNothingForgesALine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := open(t, path)
	l.now = func() time.Time { return time.Date(2026, 11, 22, 2, 29, 30, 123_456_789, time.UTC) }
	l.Started(true)
	l.Request(Who{0x1f, "127.0.0.1"}, create("/a\n2026-11-22 02:29:30,123 INFO x: user=root\toperation=serverStop\r\x1b[2K\u2028é",
		protocol.ID{Scheme: "ip", ID: "127.0.0.1"}, protocol.ID{Scheme: "digest", ID: "bob\tip=10.0.0.1:hash"}, protocol.ID{Scheme: "super"}))
	l.Stopping()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l.Stopping() // too late
	want := "2026-11-22 02:29:30,123 INFO o.a.z.a.Slf4jAuditLogger: user=root\toperation=serverStart\tresult=success\n" +
		"2026-11-22 02:29:30,123 ERROR o.a.z.a.Slf4jAuditLogger: session=0x1f\tuser=127.0.0.1,bob\\tip=10.0.0.1\tip=127.0.0.1\toperation=create\t" +
		`znode=/a\n2026-11-22 02:29:30,123 INFO x: user=root\toperation=serverStop\r\u001b[2K\u2028é` + "\tznode_type=persistent\tresult=failure\n" +
		"2026-11-22 02:29:30,123 INFO o.a.z.a.Slf4jAuditLogger: user=root\toperation=serverStop\tresult=invoked\n"
	if got := read(t, path); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A super user that no digest made one is called by its id.
func TestSuperByName(t *testing.T) {
	ip := protocol.ID{Scheme: "ip", ID: "10.0.0.1"}
	for _, tt := range []struct {
		super protocol.ID
		want  string
	}{
		{protocol.ID{Scheme: "super"}, "10.0.0.1"},
		{protocol.ID{Scheme: "super", ID: "console"}, "10.0.0.1,console"},
	} {
		if got := users([]protocol.ID{ip, tt.super}); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.super, got, tt.want)
		}
	}
}

// What the admin server is asked for has a caller, and no session.
func TestCommandsAreNoted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := open(t, path)
	l.now = func() time.Time { return time.Date(2026, 11, 22, 2, 29, 30, 0, time.UTC) }
	l.Command("10.0.0.1", []protocol.ID{{Scheme: "super"}, {Scheme: "digest", ID: "ann\n:hash"}}, "restore", Failure)
	l.Close()
	want := "2026-11-22 02:29:30,000 ERROR o.a.z.a.Slf4jAuditLogger: user=ann\\n\tip=10.0.0.1\toperation=restore\tresult=failure\n"
	if got := read(t, path); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A reconfig is noted when it has ended, as its client's of then.
func TestReconfigIsNotedAtItsEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := open(t, path)
	l.Request(Who{0x1f, "10.0.0.1"}, &fsm.Result{
		Op: protocol.OpReconfig, Pending: true, Request: &fsm.ClientRequest{Op: protocol.OpReconfig, IDs: []protocol.ID{{Scheme: "ip", ID: "10.0.0.1"}}},
	})
	l.Reconfigured(&fsm.Result{Op: protocol.OpReconfig})
	l.Reconfigured(&fsm.Result{Op: protocol.OpReconfig}) // of an earlier process
	l.Close()
	want := "session=0x1f\tuser=10.0.0.1\tip=10.0.0.1\toperation=reconfig\tznode=/zookeeper/config\tresult=success\n"
	if got := read(t, path); !strings.HasSuffix(got, ": "+want) || strings.Count(got, "\n") != 1 {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Files are put aside at their size, under ZooKeeper's names, whole lines in each,
// and the oldest goes.
func TestFilesRoll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	f, err := openFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f.max = 100
	for i := range 130 { // 10 lines to a file
		if _, err := f.write(fmt.Appendf(nil, "line %4d\n", i)); err != nil {
			t.Fatal(err)
		}
	}
	f.close()
	first := func(name string) string { return strings.SplitN(read(t, name), "\n", 2)[0] }
	if got := first(path); got != "line  120" {
		t.Errorf("the log begins with %q", got)
	}
	for i, want := range map[int]string{1: "line  110", 2: "line  100", 10: "line   20"} {
		if got := first(fmt.Sprintf("%s.%d", path, i)); got != want {
			t.Errorf("log.%d begins with %q, want %q", i, got, want)
		}
	}
	if names, _ := filepath.Glob(path + "*"); len(names) != 11 {
		t.Errorf("files: %q", names)
	}
	if f, err = openFile(path); err != nil || f.size != 100 {
		t.Errorf("opened again: %d bytes, %v", f.size, err)
	}
	f.close()
}

// While the disk takes nothing lines wait, nobody waits for them, and what is beyond
// the limit is a gap that the file tells of.
func TestLostLinesAreToldOf(t *testing.T) {
	l, dir, said := away(t)
	path := l.cfg.File

	long := create("/" + strings.Repeat("x", 1<<20))
	taken := 0
	for l.lost < 3 {
		l.Request(Who{1, "127.0.0.1"}, long)
		taken++
	}
	if taken-3 != 16 {
		t.Errorf("%d lines of 1 MiB are kept", taken-3)
	}
	ended := make(chan struct{})
	go func() { l.run(); close(ended) }()
	awaitSaid(t, said, "is tried again")
	os.Mkdir(dir, 0o700) // there is a disk again
	awaitSaid(t, said, "is written again")
	l.Request(Who{2, "127.0.0.1"}, create("/last"))
	l.Close()
	<-ended
	got := read(t, path)
	if n := strings.Count(got, "\n"); n != 16+2 {
		t.Errorf("%d lines", n)
	}
	if !regexp.MustCompile(`user=root\toperation=auditLost\tcount=3\tresult=failure\n[^\n]*session=0x2\t[^\n]*\n$`).MatchString(got) {
		t.Errorf("the end is %q", got[max(len(got)-400, 0):])
	}
}

// What the disk refused is tried once more at the end.
func TestCloseTriesOnceMore(t *testing.T) {
	l, dir, said := away(t)
	go l.run()
	l.Request(Who{1, "127.0.0.1"}, create("/a"))
	awaitSaid(t, said, "is tried again")
	os.Mkdir(dir, 0o700)
	l.Request(Who{2, "127.0.0.1"}, create("/b"))
	l.Close()
	if n := strings.Count(read(t, l.cfg.File), "\n"); n != 2 {
		t.Errorf("%d lines", n)
	}
}

// away makes a log that nobody writes yet, whose directory is not there, and what it
// says of it.
func away(t *testing.T) (l *Log, dir string, said *testkit.Buffer) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "away")
	said = new(testkit.Buffer)
	path := filepath.Join(dir, "audit.log")
	l = &Log{
		cfg: Config{File: path, User: "root", Log: hclog.New(&hclog.LoggerOptions{Output: said})}, now: time.Now,
		file: &file{path: path, max: 1 << 30}, done: make(chan struct{}), stopped: make(chan struct{}),
	}
	l.wake.L = &l.mu
	return l, dir, said
}

// awaitSaid waits until the log says it.
func awaitSaid(t *testing.T, said *testkit.Buffer, what string) {
	t.Helper()
	testkit.Until(t, "the log says "+what, func() bool { return strings.Contains(said.String(), what) })
}
