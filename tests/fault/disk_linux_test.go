package fault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"zooraft/protocol"
	"zooraft/tests/fault/history"
	"zooraft/tests/fault/loadclient"
	"zooraft/tests/harness"
)

const mib = 1 << 20

// disk is a small file system of one server, which a file of the test's fills.
type disk struct {
	t   *testing.T
	dir string
}

// smallDisk puts a server's dataDir on a file system of its own.
func smallDisk(t *testing.T, s *harness.Server, size string) *disk {
	t.Helper()
	id, err := os.ReadFile(filepath.Join(s.DataDir, "myid"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", s.DataDir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0700,size="+size); err != nil {
		t.Fatalf("mount a tmpfs on %s: %v", s.DataDir, err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(s.DataDir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", s.DataDir, err)
		}
	})
	if id != nil {
		if err := os.WriteFile(filepath.Join(s.DataDir, "myid"), id, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return &disk{t, s.DataDir}
}

// leave fills the disk until so many MiB are free, fewer than now.
func (d *disk) leave(free int64) {
	d.t.Helper()
	f, err := os.OpenFile(d.filler(), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		d.t.Fatal(err)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(d.dir, &st); err != nil {
		d.t.Fatal(err)
	}
	size := info.Size()
	if err := unix.Fallocate(int(f.Fd()), 0, size, int64(st.Bavail)*st.Bsize-free*mib); err != nil {
		d.t.Fatalf("fill %s: %v", d.dir, err)
	}
}

// empty takes away what leave has put there.
func (d *disk) empty() {
	d.t.Helper()
	if err := os.Remove(d.filler()); err != nil && !errors.Is(err, os.ErrNotExist) {
		d.t.Fatal(err)
	}
}

// needDisks skips a test, with word in front, that cannot have them, or that the oracle would not survive.
func needDisks(t *testing.T, word string) {
	t.Helper()
	harness.SkipShort(t)
	if oracle {
		t.Skip("a stock ZooKeeper ends when its disk is full or hangs")
	}
	if os.Getuid() != 0 {
		t.Skip(word + ": file systems of the test's own need root")
	}
}

func (d *disk) filler() string { return filepath.Join(d.dir, "filler") }

// TestFullDisk fills the disks of an ensemble. A leader hands over, and a follower's clients go elsewhere; when all are
// nearly full what grows is refused while deletions and sessions go through, and when they are full nothing is written.
// No process ends, nothing acknowledged is lost, and all go on by themselves when there is room.
func TestFullDisk(t *testing.T) {
	const (
		patience = 30 * time.Second
		scarce   = 160 // MiB free: below the mark, above the reserve
		none     = 48
	)
	needDisks(t, "FULL DISK NOT TESTED")
	e := harness.NewZooraft(t, harness.Options{Size: 3})
	disks := make(map[int]*disk)
	for sid := 1; sid <= e.Size(); sid++ {
		disks[sid] = smallDisk(t, e.Server(sid), "1g")
	}
	e.StartAll()
	f := newFleet(t, addresses(e), sessionTimeout, 3*time.Minute, nil)
	f.startLoad(*connsFlag/4, writePeriod())
	f.awaitSteps(3, patience)

	leader := e.Leader()
	from := f.clock()
	disks[leader].leave(scarce)
	harness.Eventually(t, patience, "somebody else leads", func() error {
		if now := e.Leader(); now == leader {
			return fmt.Errorf("server %d does", now)
		}
		return nil
	})
	handed := f.clock()
	f.awaitSteps(3, patience)
	to := f.clock()
	h := f.history()
	f.checkSurvivors(h, from, to, []int{1, 2, 3})
	p := history.LongestPause(h, from-ackSpacing, to, []int{1, 2, 3})
	t.Logf("leader's disk nearly full: handed-over-after=%v pause=%v", (handed - from).Round(time.Millisecond), p.Gap.Round(time.Millisecond))
	f.checkPause("longest pause", p.Gap, scaled(3*time.Second, time.Second))
	disks[leader].empty()

	follower := others(e.Leader())[0]
	from = f.clock()
	disks[follower].leave(none)
	harness.Eventually(t, patience, "its clients go to others", func() error {
		for _, w := range f.workers {
			if sid, ok := w.Connected(); ok && sid == follower {
				return fmt.Errorf("%s is connected to it", w.Name())
			}
		}
		return nil
	})
	f.awaitSteps(3, patience)
	to = f.clock()
	f.checkSurvivors(f.history(), from, to, others(follower))
	disks[follower].empty()
	e.WaitServing(follower)
	f.goHome()
	f.awaitSteps(3, patience)
	t.Logf("follower's disk full: back-serving=%v", (f.clock() - to).Round(time.Millisecond))
	f.verify(loadExpiry)

	c := f.client("witness", f.timeout)
	f.connect(c, 1, patience)
	f.must(c.Create("/full", "", protocol.CreateModePersistent))
	for i := range 2 {
		f.must(c.Create(fmt.Sprintf("/full/%d", i), "", protocol.CreateModePersistent))
	}
	for _, d := range disks {
		d.leave(scarce)
	}
	refused := func(what string, ask func() *loadclient.Request) {
		t.Helper()
		harness.Eventually(t, patience, what+" is refused", func() error {
			if _, err := ask().Wait(f.ctx); !errors.Is(err, protocol.ErrSystemError) {
				return fmt.Errorf("answer: %v", err)
			}
			return nil
		})
	}
	refused("a creation", func() *loadclient.Request { return c.Create("/full/new", "", protocol.CreateModePersistentSequential) })
	refused("a set", func() *loadclient.Request { return c.SetData("/full", "x", -1) })
	f.must(c.Delete("/full/0", -1))
	f.must(c.GetChildren("/full", false))
	second := f.client("newcomer", f.timeout)
	f.connect(second, 2, patience)
	f.must(second.Sync("/full"))
	f.must(second.CloseSession())

	sizes := make(map[int]int64)
	for sid := range disks {
		sizes[sid] = logSize(t, e.Server(sid).Log)
	}
	for _, d := range disks {
		d.leave(none)
	}
	harness.Eventually(t, patience, "no server takes writes", func() error { // what is under way by then waits for room
		for sid, size := range sizes {
			if !bytes.Contains(logFrom(t, e.Server(sid).Log, size), []byte("no write is taken")) {
				return fmt.Errorf("server %d may", sid)
			}
		}
		return nil
	})
	refused("a deletion", func() *loadclient.Request { return c.Delete("/full/none", -1) })
	f.must(c.GetData("/full", false))
	ctx, cancel := context.WithTimeout(f.ctx, handshakeTimeout)
	defer cancel()
	if err := f.client("late", f.timeout).Connect(ctx, f.servers[0]); err == nil {
		t.Error("a session was opened that no log has room for")
	}
	for sid := 1; sid <= e.Size(); sid++ {
		if !e.Running(sid) {
			t.Fatalf("server %d has ended", sid)
		}
	}

	// A start on full disks waits for room, too.
	for sid := 1; sid <= e.Size(); sid++ {
		e.Kill(sid)
	}
	for sid := 1; sid <= e.Size(); sid++ {
		e.Start(sid)
	}
	for _, d := range disks {
		d.empty()
	}
	e.WaitServing(1, 2, 3)
	f.connect(c, 1, patience)
	f.must(c.Create("/full/new", "", protocol.CreateModePersistent))
	f.must(c.Delete("/full/1", -1))
	f.must(c.CloseSession())
}

// TestFullDiskProbes asks the probes of servers whose disks are full: the reason is the disk; one of three may be
// stopped, and others get no clients that they cannot open a session for.
func TestFullDiskProbes(t *testing.T) {
	const patience = 30 * time.Second
	needDisks(t, "FULL DISK NOT TESTED")
	lines := []string{"admin.enableServer=true", "admin.serverPort=0"}
	probe := func(s *harness.Server, path, want string) {
		t.Helper()
		harness.Eventually(t, patience, path+" answers "+want, func() error {
			resp, err := http.Get(harness.Page(t, s, "Started AdminServer") + path)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if got := strings.TrimSpace(string(body)); got != want {
				return errors.Join(err, errors.New(got))
			}
			return err
		})
	}
	const refusal = "too few servers have room on their disks: no session can be opened and no write is taken"

	alone := harness.NewZooraft(t, harness.Options{Lines: lines})
	d := smallDisk(t, alone.Server(1), "1g")
	alone.StartAll()
	probe(alone.Server(1), "/readyz", "ok")
	d.leave(48)
	probe(alone.Server(1), "/readyz", refusal)
	probe(alone.Server(1), "/livez", "ok")
	d.empty()
	probe(alone.Server(1), "/readyz", "ok")

	e := harness.NewZooraft(t, harness.Options{Size: 3, Lines: lines})
	disks := make(map[int]*disk)
	for sid := 1; sid <= e.Size(); sid++ {
		disks[sid] = smallDisk(t, e.Server(sid), "1g")
	}
	e.StartAll()
	full := others(e.Leader())[0]
	disks[full].leave(48)
	probe(e.Server(full), "/readyz", "not serving: the disk of this server is full")
	probe(e.Server(full), "/safe-to-stop", "ok")
	probe(e.Server(full), "/livez", "ok")
	for _, sid := range others(full) {
		probe(e.Server(sid), "/readyz", "ok")
		probe(e.Server(sid), "/safe-to-stop", fmt.Sprintf("without this server 1 of 3 voters are fit and 2 are needed: server %d has no room on its disk", full))
	}
	for sid := range disks {
		if sid != full {
			disks[sid].leave(48)
		}
	}
	for sid := range disks {
		probe(e.Server(sid), "/readyz", refusal)
		probe(e.Server(sid), "/safe-to-stop", refusal)
		probe(e.Server(sid), "/livez", "ok")
	}
}

// TestDiskFills has a server alone write more than its disk holds. As long as the state does not grow it goes on, for
// what is behind a snapshot goes; a state that grows is stopped before the disk is full, and is there after a restart.
func TestDiskFills(t *testing.T) {
	const patience = 30 * time.Second
	needDisks(t, "FULL DISK NOT TESTED")
	e := harness.NewZooraft(t, harness.Options{})
	smallDisk(t, e.Server(1), "768m")
	e.StartAll()
	f := newFleet(t, addresses(e), sessionTimeout, 10*time.Minute, nil)
	c := f.client("writer", f.timeout)
	f.connect(c, 1, patience)
	value := strings.Repeat("x", 512<<10)
	f.must(c.Create("/full", value, protocol.CreateModePersistent))
	for range scaled(2048, 8192) { // at least 1 GiB
		f.must(c.SetData("/full", value, -1))
	}
	created := 0
	for ; created < 1536; created++ {
		_, err := c.Create(fmt.Sprintf("/full/%d", created), value, protocol.CreateModePersistent).Wait(f.ctx)
		if errors.Is(err, protocol.ErrSystemError) {
			break
		}
		if err != nil {
			t.Fatalf("creation %d: %v", created, err)
		}
	}
	t.Logf("refused after %d creations of %d KiB", created, len(value)>>10)
	if created < 64 || created == 1536 {
		t.Errorf("%d creations of %d KiB on a disk of 768 MiB", created, len(value)>>10)
	}
	harness.Eventually(t, patience, "a deletion is taken", func() error { // not while a snapshot takes the reserve
		_, err := c.Delete("/full/0", -1).Wait(f.ctx)
		return err
	})
	e.Restart(1)
	f.connect(c, 1, patience)
	if got := len(f.must(c.GetChildren("/full", false)).Children); got != created-1 {
		t.Errorf("%d children after a restart, want %d", got, created-1)
	}
}

// hungDisk is a file system of one server that takes nothing while it is frozen.
type hungDisk struct {
	t      *testing.T
	dir    *os.File
	frozen bool
}

const (
	hungDiskWord = "HUNG DISK NOT TESTED"

	fiFreeze = 0xc0045877 // FIFREEZE in linux/fs.h
	fiThaw   = 0xc0045878
)

// diskToFreeze puts a server's dataDir on a file system of its own, in a file.
func diskToFreeze(t *testing.T, s *harness.Server) *hungDisk {
	t.Helper()
	id, err := os.ReadFile(filepath.Join(s.DataDir, "myid"))
	if err != nil {
		t.Fatal(err)
	}
	image := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 512*mib); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.ext4", "-q", image).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.ext4: %v: %s", err, out)
	}
	if out, err := exec.Command("mount", "-o", "loop", image, s.DataDir).CombinedOutput(); err != nil {
		t.Skipf("%s: mount: %v: %s", hungDiskWord, err, out)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(s.DataDir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", s.DataDir, err)
		}
	})
	// Whatever becomes of the test process, nothing stays frozen: a server could not even be killed.
	warden := exec.Command("sh", "-c", `read wait; fsfreeze -u "$0" 2>/dev/null`, s.DataDir)
	held, err := warden.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := warden.Start(); err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(s.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	d := &hungDisk{t: t, dir: dir}
	t.Cleanup(func() {
		d.thaw()
		d.dir.Close()
		held.Close()
		_ = warden.Wait() // it finds nothing frozen
	})
	if err := os.WriteFile(filepath.Join(s.DataDir, "myid"), id, 0o600); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *hungDisk) freeze() {
	d.t.Helper()
	d.frozen = true
	if err := unix.IoctlSetInt(int(d.dir.Fd()), fiFreeze, 0); err != nil {
		d.t.Fatalf("freeze %s: %v", d.dir.Name(), err)
	}
}

func (d *hungDisk) thaw() {
	d.t.Helper()
	if !d.frozen {
		return
	}
	d.frozen = false
	if err := unix.IoctlSetInt(int(d.dir.Fd()), fiThaw, 0); err != nil {
		d.t.Errorf("thaw %s: %v", d.dir.Name(), err)
	}
}

// TestHungDisk has the disk of one server take nothing for a while. A leader makes another one the leader, and whoever it
// is, its clients go elsewhere. Nothing acknowledged is lost, and when the disk is back so is the server.
func TestHungDisk(t *testing.T) {
	const patience = 30 * time.Second
	needDisks(t, hungDiskWord)
	if _, err := exec.LookPath("mkfs.ext4"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s: no mkfs.ext4, which .ci/run installs", hungDiskWord)
		}
		t.Skipf("%s: no mkfs.ext4 (package e2fsprogs)", hungDiskWord)
	}
	e := harness.NewZooraft(t, harness.Options{Size: 3})
	disks := make(map[int]*hungDisk)
	for sid := 1; sid <= e.Size(); sid++ {
		disks[sid] = diskToFreeze(t, e.Server(sid))
	}
	e.StartAll()
	f := newFleet(t, addresses(e), sessionTimeout, 3*time.Minute, nil)
	f.startLoad(*connsFlag/4, writePeriod())
	f.awaitSteps(3, patience)
	for _, leads := range []bool{true, false} {
		leader := e.Leader()
		sid := leader
		if !leads {
			sid = others(leader)[0]
		}
		from := f.clock()
		disks[sid].freeze()
		if leads {
			harness.Eventually(t, patience, "somebody else leads", func() error {
				if now := e.Leader(); now == leader {
					return fmt.Errorf("server %d does", now)
				}
				return nil
			})
			f.awaitSteps(3, patience)
			f.checkPause("pause at the hanging disk of the leader", history.LongestPause(f.history(), from, f.clock(), others(sid)).Gap, 8*time.Second)
		}
		f.awaitSteps(3, patience) // the clients of the server itself, too
		t.Logf("server %d: leads=%v clients=%v", sid, leads, (f.clock() - from).Round(time.Millisecond))
		disks[sid].thaw()
		e.WaitServing(sid)
		f.goHome()
		f.awaitSteps(3, patience)
	}
	f.verify(loadExpiry)
}
