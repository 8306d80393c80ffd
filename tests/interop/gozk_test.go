//go:build interop

package interop

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"zooraft/tests/harness"
)

const (
	goSessionTimeout = 20 * time.Second // as much as the servers give
	goEventTimeout   = 60 * time.Second
)

var anyone = zk.WorldACL(zk.PermAll)

func TestGoClient(t *testing.T) {
	eachSize(t, func(t *testing.T, e *harness.Ensemble) {
		t.Run("basics", func(t *testing.T) { testGoBasics(t, e) })
		t.Run("watches", func(t *testing.T) { testGoWatches(t, e) })
		t.Run("multi", func(t *testing.T) { testGoMulti(t, e) })
		t.Run("acl", func(t *testing.T) { testGoACL(t, e) })
		t.Run("lock", func(t *testing.T) { testGoLock(t, e) })
		t.Run("protected", func(t *testing.T) { testGoProtected(t, e) })
		t.Run("parallel", func(t *testing.T) { testGoParallel(t, e) })
		t.Run("brokenConnection", func(t *testing.T) { testGoBrokenConnection(t, e) })
		t.Run("expiry", func(t *testing.T) { testGoExpiry(t, e) })
	})
}

// goClient is a client with a session, whose connections can be broken.
type goClient struct {
	*zk.Conn

	mu   sync.Mutex
	conn net.Conn // the newest
	cut  bool     // no more connections
}

type silent struct{}

func (silent) Printf(string, ...any) {}

// connectGo returns a client once it has a session with one of the servers.
func connectGo(t *testing.T, addrs []string, timeout time.Duration) *goClient {
	t.Helper()
	c := &goClient{}
	conn, events, err := zk.Connect(addrs, timeout, zk.WithLogger(silent{}), zk.WithDialer(c.dial))
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	c.Conn = conn
	t.Cleanup(conn.Close)
	deadline := time.After(goEventTimeout)
	for {
		select {
		case ev := <-events:
			if ev.State == zk.StateHasSession {
				return c
			}
		case <-deadline:
			t.Fatalf("no session with any of %v within %v", addrs, goEventTimeout)
		}
	}
}

func (c *goClient) dial(network, addr string, timeout time.Duration) (net.Conn, error) {
	c.mu.Lock()
	cut := c.cut
	c.mu.Unlock()
	if cut {
		return nil, errors.New("this client is cut off")
	}
	conn, err := net.DialTimeout(network, addr, timeout)
	c.mu.Lock()
	c.conn = conn
	c.mu.Unlock()
	return conn, err
}

// breakConnection ends the connection as a broken network would; with cut, for good.
func (c *goClient) breakConnection(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = cut
	c.conn.Close()
}

// must ends the test unless err is nil.
func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func create(t *testing.T, c *goClient, path, data string, flags int32) string {
	t.Helper()
	name, err := c.Create(path, []byte(data), flags, anyone)
	must(t, "create "+path, err)
	return name
}

// wantEvent takes one event from a watch.
func wantEvent(t *testing.T, events <-chan zk.Event, kind zk.EventType, path string) {
	t.Helper()
	select {
	case ev := <-events:
		if ev.Type != kind || ev.Path != path || ev.Err != nil {
			t.Errorf("event: got %v of %s (%v), want %v of %s", ev.Type, ev.Path, ev.Err, kind, path)
		}
	case <-time.After(goEventTimeout):
		t.Fatalf("no %v of %s within %v", kind, path, goEventTimeout)
	}
}

func testGoBasics(t *testing.T, e *harness.Ensemble) {
	c := connectGo(t, e.ClientAddrs(), goSessionTimeout)
	create(t, c, "/basics", "one", 0)
	data, stat, err := c.Get("/basics")
	must(t, "get", err)
	if string(data) != "one" || stat.Version != 0 || stat.DataLength != 3 || stat.Czxid == 0 || stat.Czxid != stat.Mzxid {
		t.Errorf("get after create: got %q, %+v", data, stat)
	}
	changed, err := c.Set("/basics", []byte("three"), 0)
	must(t, "set", err)
	if changed.Version != 1 || changed.DataLength != 5 || changed.Mzxid <= stat.Mzxid || changed.Czxid != stat.Czxid {
		t.Errorf("stat after set: got %+v, before %+v", changed, stat)
	}
	create(t, c, "/basics/e", "", zk.FlagEphemeral)
	if name := create(t, c, "/basics/s-", "", zk.FlagSequence); name != "/basics/s-0000000001" {
		t.Errorf("sequential name: got %q, want /basics/s-0000000001", name)
	}
	_, err = c.CreateContainer("/basics/box", nil, zk.FlagContainer, anyone)
	must(t, "create container", err)
	children, stat, err := c.Children("/basics")
	must(t, "children", err)
	slices.Sort(children)
	if want := []string{"box", "e", "s-0000000001"}; !slices.Equal(children, want) || stat.NumChildren != 3 || stat.Cversion != 3 {
		t.Errorf("children: got %q, %+v; want %q", children, stat, want)
	}
	if ok, stat, err := c.Exists("/basics/e"); !ok || err != nil || stat.EphemeralOwner != c.SessionID() {
		t.Errorf("exists: got %v, %+v, %v; want the owner %d", ok, stat, err, c.SessionID())
	}
	if ok, _, err := c.Exists("/basics/none"); ok || err != nil {
		t.Errorf("exists of nothing: got %v, %v", ok, err)
	}
	if path, err := c.Sync("/basics"); path != "/basics" || err != nil {
		t.Errorf("sync: got %q, %v; want /basics", path, err)
	}

	failures := []struct {
		name string
		call func() error
		want error
	}{
		{"get nothing", func() error { _, _, err := c.Get("/none"); return err }, zk.ErrNoNode},
		{"children of nothing", func() error { _, _, err := c.Children("/none"); return err }, zk.ErrNoNode},
		{"create under nothing", func() error { _, err := c.Create("/none/x", nil, 0, anyone); return err }, zk.ErrNoNode},
		{"create twice", func() error { _, err := c.Create("/basics", nil, 0, anyone); return err }, zk.ErrNodeExists},
		{"create under an ephemeral", func() error { _, err := c.Create("/basics/e/x", nil, 0, anyone); return err }, zk.ErrNoChildrenForEphemerals},
		{"create without acl", func() error { _, err := c.Create("/basics/x", nil, 0, nil); return err }, zk.ErrInvalidACL},
		{"set an old version", func() error { _, err := c.Set("/basics", nil, 0); return err }, zk.ErrBadVersion},
		{"delete an old version", func() error { return c.Delete("/basics/s-0000000001", 4) }, zk.ErrBadVersion},
		{"delete a parent", func() error { return c.Delete("/basics", -1) }, zk.ErrNotEmpty},
		{"delete nothing", func() error { return c.Delete("/none", -1) }, zk.ErrNoNode},
		{"delete the root", func() error { return c.Delete("/", -1) }, zk.ErrBadArguments},
	}
	for _, f := range failures {
		if err := f.call(); !errors.Is(err, f.want) {
			t.Errorf("%s: got %v, want %v", f.name, err, f.want)
		}
	}
	for _, child := range children {
		must(t, "delete "+child, c.Delete("/basics/"+child, 0))
	}
	must(t, "delete", c.Delete("/basics", 1))
}

func testGoWatches(t *testing.T, e *harness.Ensemble) {
	watcher := connectGo(t, e.ClientAddrs(), goSessionTimeout)
	doer := connectGo(t, e.ClientAddrs(), goSessionTimeout)
	create(t, watcher, "/watches", "0", 0)
	_, _, data, err := watcher.GetW("/watches")
	must(t, "get", err)
	_, _, children, err := watcher.ChildrenW("/watches")
	must(t, "children", err)
	_, _, later, err := watcher.ExistsW("/watches/later")
	must(t, "exists", err)

	_, err = doer.Set("/watches", []byte("1"), -1)
	must(t, "set", err)
	wantEvent(t, data, zk.EventNodeDataChanged, "/watches")
	create(t, doer, "/watches/later", "", 0)
	wantEvent(t, later, zk.EventNodeCreated, "/watches/later")
	wantEvent(t, children, zk.EventNodeChildrenChanged, "/watches")
	// Whoever has the event reads no older state, without a sync.
	if ok, _, err := watcher.Exists("/watches/later"); !ok || err != nil {
		t.Errorf("exists after the event: got %v, %v; want true", ok, err)
	}

	_, _, data, err = watcher.GetW("/watches/later")
	must(t, "get", err)
	_, _, children, err = watcher.ChildrenW("/watches/later")
	must(t, "children", err)
	_, _, parent, err := watcher.ChildrenW("/watches")
	must(t, "children", err)
	must(t, "delete", doer.Delete("/watches/later", -1))
	wantEvent(t, data, zk.EventNodeDeleted, "/watches/later")
	wantEvent(t, children, zk.EventNodeDeleted, "/watches/later")
	wantEvent(t, parent, zk.EventNodeChildrenChanged, "/watches")
}

func testGoMulti(t *testing.T, e *harness.Ensemble) {
	c := connectGo(t, e.ClientAddrs(), goSessionTimeout)
	create(t, c, "/multi", "0", 0)
	create(t, c, "/multi/old", "", 0)
	got, err := c.Multi(
		&zk.CreateRequest{Path: "/multi/a", Data: []byte("a"), Acl: anyone},
		&zk.CreateRequest{Path: "/multi/a/s-", Acl: anyone, Flags: zk.FlagSequence},
		&zk.SetDataRequest{Path: "/multi", Data: []byte("1"), Version: 0},
		&zk.CheckVersionRequest{Path: "/multi", Version: 1},
		&zk.DeleteRequest{Path: "/multi/old", Version: 0},
	)
	must(t, "multi", err)
	if len(got) != 5 || got[0].String != "/multi/a" || got[1].String != "/multi/a/s-0000000000" ||
		got[2].Stat == nil || got[2].Stat.Version != 1 {
		t.Errorf("multi: got %+v", got)
	}
	_, a, err := c.Exists("/multi/a")
	must(t, "exists", err)
	_, m, err := c.Exists("/multi")
	must(t, "exists", err)
	if a.Czxid != m.Mzxid {
		t.Errorf("zxids of one multi: got %#x and %#x, want equal ones", a.Czxid, m.Mzxid)
	}

	_, err = c.Multi(
		&zk.SetDataRequest{Path: "/multi", Data: []byte("2"), Version: -1},
		&zk.DeleteRequest{Path: "/multi/a", Version: -1},
		&zk.CreateRequest{Path: "/multi/never", Acl: anyone},
	)
	if !errors.Is(err, zk.ErrNotEmpty) {
		t.Errorf("multi that fails: got %v, want %v", err, zk.ErrNotEmpty)
	}
	if data, _, err := c.Get("/multi"); string(data) != "1" || err != nil {
		t.Errorf("data after a multi that failed: got %q, %v; want 1", data, err)
	}
	if ok, _, err := c.Exists("/multi/never"); ok || err != nil {
		t.Errorf("creation of a multi that failed: got %v, %v", ok, err)
	}
}

func testGoACL(t *testing.T, e *harness.Ensemble) {
	owner := connectGo(t, e.ClientAddrs(), goSessionTimeout)
	stranger := connectGo(t, e.ClientAddrs(), goSessionTimeout)
	must(t, "add auth", owner.AddAuth("digest", []byte("alice:secret")))
	acl := append(zk.DigestACL(zk.PermAll, "alice", "secret"), zk.WorldACL(zk.PermRead)...)
	_, err := owner.Create("/acl", []byte("x"), 0, acl)
	must(t, "create", err)
	_, err = stranger.Sync("/acl")
	must(t, "sync", err)
	if _, _, err := stranger.Get("/acl"); err != nil {
		t.Errorf("a stranger's get: got %v, want none", err)
	}
	if _, err := stranger.Set("/acl", nil, -1); !errors.Is(err, zk.ErrNoAuth) {
		t.Errorf("a stranger's set: got %v, want %v", err, zk.ErrNoAuth)
	}
	if _, err := stranger.Create("/acl/x", nil, 0, anyone); !errors.Is(err, zk.ErrNoAuth) {
		t.Errorf("a stranger's create: got %v, want %v", err, zk.ErrNoAuth)
	}
	got, stat, err := owner.GetACL("/acl")
	if err != nil || !slices.Equal(got, acl) || stat.Aversion != 0 {
		t.Errorf("acl: got %+v, %+v, %v; want %+v", got, stat, err, acl)
	}
	if _, err := owner.SetACL("/acl", zk.AuthACL(zk.PermRead), 7); !errors.Is(err, zk.ErrBadVersion) {
		t.Errorf("set acl of an old version: got %v, want %v", err, zk.ErrBadVersion)
	}
	stat, err = owner.SetACL("/acl", zk.AuthACL(zk.PermAll), 0)
	if err != nil || stat.Aversion != 1 {
		t.Errorf("set acl: got %+v, %v; want version 1", stat, err)
	}
	_, err = stranger.Sync("/acl")
	must(t, "sync", err)
	if _, _, err := stranger.Get("/acl"); !errors.Is(err, zk.ErrNoAuth) {
		t.Errorf("a stranger's get after set acl: got %v, want %v", err, zk.ErrNoAuth)
	}
	must(t, "add auth", stranger.AddAuth("digest", []byte("alice:secret")))
	if _, _, err := stranger.Get("/acl"); err != nil {
		t.Errorf("get with the owner's word: got %v, want none", err)
	}
}

func testGoLock(t *testing.T, e *harness.Ensemble) {
	const contenders, rounds = 5, 4
	// A sum made in two steps loses some of it when two are at it.
	var total, inside atomic.Int32
	var wg sync.WaitGroup
	errs := make(chan error, contenders*(rounds+1))
	for range contenders {
		c := connectGo(t, e.ClientAddrs(), goSessionTimeout)
		wg.Go(func() {
			lock := zk.NewLock(c.Conn, "/lock", anyone)
			for range rounds {
				if err := lock.Lock(); err != nil {
					errs <- err
					return
				}
				if n := inside.Add(1); n != 1 {
					errs <- fmt.Errorf("%d hold it at once", n)
				}
				sum := total.Load()
				runtime.Gosched()
				total.Store(sum + 1)
				inside.Add(-1)
				if err := lock.Unlock(); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Errorf("lock: %v", err)
	}
	if got := total.Load(); got != contenders*rounds {
		t.Errorf("rounds under the lock: got %d, want %d", got, contenders*rounds)
	}
}

func testGoProtected(t *testing.T, e *harness.Ensemble) {
	c := connectGo(t, e.ClientAddrs(), goSessionTimeout)
	create(t, c, "/protected", "", 0)
	var suffixes []string
	for range 3 {
		name, err := c.CreateProtectedEphemeralSequential("/protected/p-", nil, anyone)
		must(t, "create protected", err)
		suffixes = append(suffixes, name[len(name)-10:])
	}
	if want := []string{"0000000000", "0000000001", "0000000002"}; !slices.Equal(suffixes, want) {
		t.Errorf("numbers of the names: got %q, want %q", suffixes, want)
	}
}

// TestGoContainers waits for the leader to remove a container whose last child is gone, and the one around it.
func TestGoContainers(t *testing.T) {
	e := startWith(t, harness.Options{Size: 3, Defines: []string{"znode.container.checkIntervalMs=500"}})
	c := connectGo(t, e.ClientAddrs(), goSessionTimeout)
	for _, path := range []string{"/outer", "/outer/inner", "/unused"} {
		_, err := c.CreateContainer(path, nil, zk.FlagContainer, anyone)
		must(t, "create container", err)
	}
	create(t, c, "/outer/inner/x", "", 0)
	_, _, inner, err := c.ExistsW("/outer/inner")
	must(t, "exists", err)
	_, _, outer, err := c.ExistsW("/outer")
	must(t, "exists", err)
	must(t, "delete", c.Delete("/outer/inner/x", -1))
	wantEvent(t, inner, zk.EventNodeDeleted, "/outer/inner")
	wantEvent(t, outer, zk.EventNodeDeleted, "/outer")
	if ok, _, err := c.Exists("/unused"); !ok || err != nil {
		t.Errorf("a container that never had a child: got %v, %v; want it to stay", ok, err)
	}
}

// testGoParallel has many clients write at once. Each reads its own writes, and what they all add to one znode by
// compare-and-set comes out right.
func testGoParallel(t *testing.T, e *harness.Ensemble) {
	const clients, rounds = 30, 10
	first := connectGo(t, e.ClientAddrs(), goSessionTimeout)
	create(t, first, "/parallel", "", 0)
	var wg sync.WaitGroup
	errs := make(chan error, clients)
	for i := range clients {
		c := connectGo(t, e.ClientAddrs(), goSessionTimeout)
		wg.Go(func() {
			if err := work(c, fmt.Sprintf("/parallel/own-%d", i), "/parallel", rounds); err != nil {
				errs <- fmt.Errorf("client %d: %w", i, err)
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
	_, err := first.Sync("/parallel")
	must(t, "sync", err)
	data, stat, err := first.Get("/parallel")
	must(t, "get", err)
	if len(data) != clients || stat.Version != clients || stat.NumChildren != clients {
		t.Errorf("after all: got %d bytes, version %d, %d children; want %d of each", len(data), stat.Version, stat.NumChildren, clients)
	}
}

func work(c *goClient, own, shared string, rounds int) error {
	if _, err := c.Create(own, nil, 0, anyone); err != nil {
		return err
	}
	for i := range rounds {
		want := fmt.Sprintf("round %d", i)
		if _, err := c.Set(own, []byte(want), int32(i)); err != nil {
			return err
		}
		if got, _, err := c.Get(own); err != nil || string(got) != want {
			return fmt.Errorf("own write: got %q, %v; want %q", got, err, want)
		}
	}
	for {
		data, stat, err := c.Get(shared)
		if err != nil {
			return err
		}
		if _, err := c.Set(shared, append(data, '+'), stat.Version); err == nil {
			return nil
		} else if !errors.Is(err, zk.ErrBadVersion) {
			return err
		}
	}
}
