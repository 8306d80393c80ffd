package blackbox

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"zooraft/protocol"
	"zooraft/tests/harness"
)

// backed starts servers whose snapshots can be taken and restored one after the other.
func backed(t *testing.T, size int, lines ...string) *harness.Ensemble {
	t.Helper()
	return harness.StartZooraft(t, harness.Options{Size: size, Lines: append([]string{
		"admin.enableServer=true", "admin.serverPort=0", "admin.rateLimiterIntervalInMS=0",
	}, lines...)})
}

// command asks a server's admin server, as an address if auth is not given otherwise.
func command(t *testing.T, s *harness.Server, method, name string, body io.Reader, auth ...string) (*http.Response, []byte) {
	t.Helper()
	q, err := http.NewRequest(method, harness.Page(t, s, "Started AdminServer")+"/commands/"+name, body)
	must(t, "make a request", err)
	if auth == nil {
		auth = []string{"ip"}
	}
	if auth[0] != "" {
		q.Header.Set("Authorization", auth[0])
	}
	r, err := (&http.Client{Timeout: time.Minute}).Do(q)
	must(t, "ask the admin server", err)
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	must(t, "read the admin server's answer", err)
	return r, b
}

// backup takes a snapshot from a server.
func backup(t *testing.T, s *harness.Server) []byte {
	t.Helper()
	r, b := command(t, s, http.MethodGet, "snapshot", nil)
	if r.StatusCode != http.StatusOK || r.Header.Get("snapshot_size") != strconv.Itoa(len(b)) || !strings.HasPrefix(r.Header.Get("last_zxid"), "0x") {
		t.Fatalf("snapshot: %s, %v\n%.200s", r.Status, r.Header, b)
	}
	return b
}

type restored struct {
	LastZxid int64  `json:"last_zxid"`
	Error    string `json:"error"` // null for none
}

func putBack(t *testing.T, s *harness.Server, b []byte) (status int, r restored) {
	t.Helper()
	resp, answer := command(t, s, http.MethodPost, "restore", bytes.NewReader(b))
	must(t, "decode "+string(answer), json.Unmarshal(answer, &r))
	return resp.StatusCode, r
}

// digest is the digest of a server's tree, at a zxid or later.
func digest(t *testing.T, s *harness.Server, zxid int64) (digest int64) {
	t.Helper()
	harness.Eventually(t, startTimeout, "the zxid of the restore", func() error {
		_, b := command(t, s, http.MethodGet, "hash", nil)
		var h struct {
			Digests []struct{ Zxid, Digest int64 }
		}
		if err := json.Unmarshal(b, &h); err != nil || len(h.Digests) != 1 || h.Digests[0].Zxid < zxid {
			return fmt.Errorf("%s, %v", b, err)
		}
		digest = h.Digests[0].Digest
		return nil
	})
	return digest
}

// The state of a snapshot comes back on all servers, whoever is given it, while
// clients are writing; they go on behind it, and sessions that it does not have end.
func TestRestore(t *testing.T) {
	harness.SkipShort(t)
	e := backed(t, 3)
	leader := e.Leader()
	follower := leader%3 + 1
	third := follower%3 + 1
	old := mustConnect(t, e.Server(follower).ClientAddr)
	must(t, "create", old.create("/kept", "before"))
	for i := range 2000 {
		must(t, "create", old.create(fmt.Sprintf("/kept/n%d", i), strings.Repeat("x", 200)))
	}
	snapshot := backup(t, e.Server(third))
	was := digest(t, e.Server(third), 0)
	file := filepath.Join(t.TempDir(), "backup")
	must(t, "write", os.WriteFile(file, snapshot, 0o600))
	if stdout, stderr, code := zooraft(t, "snapshot", "verify", file); code != 0 {
		t.Errorf("verify: %d\n%s%s", code, stdout, stderr)
	}

	late := mustConnect(t, e.Server(leader).ClientAddr)
	must(t, "set", late.set("/kept", "after"))
	must(t, "create", late.create("/later", ""))

	stop := make(chan struct{})
	var written [4]atomic.Int64 // by the writer at each server
	wrote := func(when string) {
		t.Helper()
		for sid := 1; sid <= 3; sid++ {
			n := written[sid].Load()
			harness.Eventually(t, startTimeout, fmt.Sprintf("server %d takes writes %s", sid, when), func() error {
				if written[sid].Load() == n {
					return errors.New("none was acknowledged")
				}
				return nil
			})
		}
	}
	var writers sync.WaitGroup
	for sid := 1; sid <= 3; sid++ {
		writers.Add(1)
		go func() {
			defer writers.Done()
			write(e.Server(sid).ClientAddr, fmt.Sprintf("/writer%d", sid), stop, &written[sid])
		}()
	}
	wrote("before the restore")
	status, r := putBack(t, e.Server(follower), snapshot)
	if status != http.StatusOK || r.Error != "" {
		t.Fatalf("restore: %d, %s", status, r.Error)
	}
	wrote("behind it")
	close(stop)
	writers.Wait()
	if _, err := connect(e.Server(follower).ClientAddr, late); !errors.Is(err, errExpired) {
		t.Errorf("a session that is not in the snapshot: %v", err)
	}
	old = mustResume(t, e.Server(third).ClientAddr, old)
	old.mustHear(t, "/kept")
	old.mustHold(t, "/kept", "before")
	if _, err := old.get("/later"); err != protocol.ErrNoNode {
		t.Errorf("what came after the snapshot: %v", err)
	}
	fresh := mustConnect(t, e.Server(leader).ClientAddr)
	must(t, "write behind the restore", fresh.set("/kept", "behind"))
	if fresh.zxid <= r.LastZxid {
		t.Errorf("zxid %#x after the restore at %#x", fresh.zxid, r.LastZxid)
	}

	// Without clients that write the servers show what the snapshot has.
	status, r = putBack(t, e.Server(leader), snapshot)
	if status != http.StatusOK {
		t.Fatalf("second restore: %d, %s", status, r.Error)
	}
	check := func(when string) {
		t.Helper()
		for sid := 1; sid <= 3; sid++ {
			if got := digest(t, e.Server(sid), r.LastZxid); got != was {
				t.Errorf("%s: server %d: digest %x, want %x", when, sid, got, was)
			}
		}
	}
	check("restored")
	for sid := 1; sid <= 3; sid++ {
		e.Kill(sid)
	}
	e.StartAll()
	check("started again")
	backup(t, e.Server(1))
}

// write creates znodes below a path until stop, over whatever connections it gets, and counts them.
func write(addr, path string, stop <-chan struct{}, written *atomic.Int64) {
	var c *client
	for i := 0; ; i++ {
		select {
		case <-stop:
			if c != nil {
				c.nc.Close()
			}
			return
		default:
		}
		var err error
		if c == nil {
			if c, err = connect(addr, nil); err != nil {
				c = nil
				continue
			}
		}
		switch err = c.create(fmt.Sprintf("%s-%d", path, i), ""); err {
		case nil:
			written.Add(1)
		case protocol.ErrNodeExists:
		default:
			c.nc.Close()
			c = nil
		}
	}
}

// A snapshot has all that was acknowledged before it was asked for, wherever that was.
func TestSnapshotHasAllBefore(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	e := backed(t, 3)
	leader := e.Leader()
	behind := leader%3 + 1
	c := mustConnect(t, e.Server(leader).ClientAddr)
	page := strings.TrimPrefix(harness.Page(t, e.Server(behind), "Started AdminServer"), "http://")
	taken := 0
	for round := range 5 {
		dir := fmt.Sprintf("/round%d", round)
		must(t, "create", c.create(dir, ""))
		e.Stop(behind)
		c.fill(t, dir, 200, 5000)
		nc, err := net.Dial("tcp", page)
		must(t, "dial", err)
		nc.SetDeadline(time.Now().Add(startTimeout))
		_, err = io.WriteString(nc, "GET /commands/snapshot HTTP/1.0\r\nHost: localhost\r\nAuthorization: ip\r\n\r\n")
		must(t, "ask", err)
		e.Cont(behind)
		r, err := http.ReadResponse(bufio.NewReader(nc), nil)
		must(t, "read the answer", err)
		nc.Close()
		if r.StatusCode != http.StatusOK { // out of touch with its leader, where it stood still for long
			t.Logf("round %d: %s", round, r.Status)
			continue
		}
		taken++
		if got, err := strconv.ParseInt(r.Header.Get("last_zxid"), 0, 64); err != nil || got < c.zxid {
			t.Errorf("round %d: zxid %#x of the snapshot, %v, want that of the write before, %#x, or a later one", round, got, err, c.zxid)
		}
	}
	if taken == 0 {
		t.Error("no snapshot was taken")
	}
}

// A restore that is asked of a server without a quorum is not carried out when there is one again.
func TestRestoreWithoutQuorum(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	e := backed(t, 3)
	asked := e.Leader()%3 + 1
	c := mustConnect(t, e.Server(asked).ClientAddr)
	snapshot := backup(t, e.Server(asked))
	must(t, "create", c.create("/later", ""))
	for sid := 1; sid <= 3; sid++ {
		if sid != asked {
			e.Kill(sid)
		}
	}
	if status, r := putBack(t, e.Server(asked), snapshot); status != http.StatusServiceUnavailable || r.Error == "" {
		t.Errorf("without a quorum: %d, %+v", status, r)
	}
	for sid := 1; sid <= 3; sid++ {
		if sid != asked {
			e.Start(sid)
		}
	}
	e.WaitServing(1, 2, 3)
	c = mustConnect(t, e.Server(asked).ClientAddr)
	must(t, "create", c.create("/latest", "")) // behind whatever was waiting there
	c.mustHold(t, "/later", "")
	if status, r := putBack(t, e.Server(asked), snapshot); status != http.StatusOK {
		t.Errorf("with one: %d, %+v", status, r)
	}
}

// Nothing is restored, nor shown, for those who may not, and nothing that is no
// snapshot.
func TestRestoreRefused(t *testing.T) {
	harness.SkipShort(t)
	log := filepath.Join(t.TempDir(), "audit.log")
	e := backed(t, 1, "audit.enable=true", "log.dir="+filepath.Dir(log), "auditlog.file="+filepath.Base(log))
	s := e.Server(1)
	c := mustConnect(t, s.ClientAddr)
	must(t, "create", c.create("/a", "before"))
	good := backup(t, s)
	must(t, "set", c.set("/a", "after"))
	flipped := bytes.Clone(good)
	flipped[len(flipped)/2] ^= 1
	for _, test := range []struct {
		name   string
		body   []byte
		status int
		want   string
	}{
		{"empty", nil, 400, "give the snapshot"},
		{"damaged", flipped, 400, "checksum"},
		{"truncated", good[:len(good)-1], 400, "no snapshot that can be restored"},
		{"short", good[:5], 400, "short header"},
		{"more than one", append(bytes.Clone(good), good...), 400, "no snapshot"},
		{"of ZooKeeper", []byte("ZKSN\x00\x00\x00\x02\xff\xff\xff\xff"), 400, "a snapshot file of ZooKeeper"},
		{"gzip", []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x00\x00"), 400, "gzip"},
		{"JSON", []byte(`{"command" : "snapshot"}`), 400, "JSON"},
	} {
		if status, r := putBack(t, s, test.body); status != test.status || r.Error == "" || !strings.Contains(r.Error, test.want) {
			t.Errorf("%s: %d, %v", test.name, status, r.Error)
		}
	}
	for _, test := range []struct {
		method, name, auth string
		status             int
		want               string
	}{
		{"GET", "snapshot", "", 401, "Auth info is missing for the command"},
		{"POST", "restore", "", 401, "Auth info is missing for the command"},
		{"GET", "snap", "x509", 401, "Not authenticated"},
		{"GET", "snapshot", "nonsense a:b", 401, "Not authenticated"},
		{"POST", "snapshot", "ip", 405, "asked with GET"},
		{"GET", "restore", "ip", 405, "asked with POST"},
	} {
		r, b := command(t, s, test.method, test.name, nil, test.auth)
		if r.StatusCode != test.status || !strings.Contains(string(b), test.want) {
			t.Errorf("%s %s with %q: %s\n%s", test.method, test.name, test.auth, r.Status, b)
		}
	}
	// A body that claims more than any disk holds is refused before it is sent.
	q, err := http.NewRequest(http.MethodPost, harness.Page(t, s, "Started AdminServer")+"/commands/restore", io.MultiReader(bytes.NewReader(bytes.Repeat(good, 100)), stuck{t}))
	must(t, "make a request", err)
	q.ContentLength = 1 << 50
	q.Header.Set("Authorization", "ip")
	r, err := http.DefaultClient.Do(q)
	if err != nil || r.StatusCode != http.StatusInsufficientStorage {
		t.Errorf("a huge body: %v, %v", r, err)
	}

	c.mustHold(t, "/a", "after")
	sum := sha1.Sum([]byte("root:pw"))
	must(t, "set the root's list", c.setACL("/", []protocol.ACL{
		{Perms: protocol.PermAll, Scheme: "digest", ID: "root:" + base64.StdEncoding.EncodeToString(sum[:])},
		{Perms: protocol.PermRead, Scheme: "world", ID: "anyone"},
	}))
	for auth, status := range map[string]int{"ip": 403, "digest root:other": 403, "digest root:pw": 200} {
		if r, b := command(t, s, http.MethodGet, "snapshot?streaming=false", nil, auth); r.StatusCode != status {
			t.Errorf("%s: %s, want %d\n%s", auth, r.Status, status, b)
		}
	}

	if r, b := command(t, s, http.MethodPost, "restore", bytes.NewReader(good), "digest root:pw"); r.StatusCode != http.StatusOK {
		t.Fatalf("restore: %s\n%s", r.Status, b)
	}
	mustResume(t, s.ClientAddr, c).mustHold(t, "/a", "before")

	// The audit log has who asked, and what came of it; nothing of those who are unknown.
	harness.Eventually(t, startTimeout, "the audit log", func() error {
		b, err := os.ReadFile(log)
		for line, n := range map[string]int{
			"user=127.0.0.1\tip=127.0.0.1\toperation=snapshot\tresult=success\n": 1,
			"user=127.0.0.1\tip=127.0.0.1\toperation=snapshot\tresult=failure\n": 1,
			"user=127.0.0.1\tip=127.0.0.1\toperation=restore\tresult=failure\n":  9,
			"user=root\tip=127.0.0.1\toperation=snapshot\tresult=failure\n":      1,
			"user=root\tip=127.0.0.1\toperation=snapshot\tresult=success\n":      1,
			"user=root\tip=127.0.0.1\toperation=restore\tresult=success\n":       1,
			"\toperation=snapshot\t": 4, "\toperation=restore\t": 10,
		} {
			if got := bytes.Count(b, []byte(line)); got != n {
				err = errors.Join(err, fmt.Errorf("%d times, not %d: %q", got, n, line))
			}
		}
		return err
	})
}

// A snapshot that stays on the disk is the one that is named; a command that is off
// or comes too soon is not carried out.
func TestSnapshotKept(t *testing.T) {
	harness.SkipShort(t)
	e := backed(t, 1, "admin.restore.enabled=false", "admin.rateLimiterIntervalInMS=600000", "metricsProvider.className=org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider", "metricsProvider.httpPort=0")
	s := e.Server(1)
	c := mustConnect(t, s.ClientAddr)
	must(t, "create", c.create("/a", ""))
	r, b := command(t, s, http.MethodGet, "snapshot?streaming=false", nil)
	var kept struct {
		Zxid string `json:"last_zxid"`
		Size int64  `json:"snapshot_size"`
		File string `json:"file"`
	}
	must(t, "decode", json.Unmarshal(b, &kept))
	if r.StatusCode != http.StatusOK || kept.Zxid != fmt.Sprintf("%#x", c.zxid) {
		t.Errorf("%s, zxid %s, want %#x", r.Status, kept.Zxid, c.zxid)
	}
	if zxid, size := r.Header.Get("last_zxid"), r.Header.Get("snapshot_size"); zxid != kept.Zxid || size != strconv.FormatInt(kept.Size, 10) {
		t.Errorf("headers: last_zxid %q, snapshot_size %q; want %s, %d, as in the body", zxid, size, kept.Zxid, kept.Size)
	}
	if info, err := os.Stat(kept.File); err != nil || info.Size() != kept.Size {
		t.Errorf("%v, %v, want %d bytes", info, err, kept.Size)
	}
	if r, b := command(t, s, http.MethodGet, "snapshot", nil); r.StatusCode != http.StatusTooManyRequests {
		t.Errorf("a second one: %s\n%s", r.Status, b)
	}
	if status, r := putBack(t, s, []byte("some body")); status != http.StatusServiceUnavailable {
		t.Errorf("restore is off: %d, %v", status, r.Error)
	}
	figures := e.FourLetter(1, "mntr")
	for _, want := range []string{"zk_snapshot_rate_limited_count\t1\n", "zk_snapshot_error_count\t0\n", "zk_restore_rate_limited_count\t0\n"} {
		if !strings.Contains(figures, want) {
			t.Errorf("no %q in\n%s", want, figures)
		}
	}
}

// mustHear sets a watch again as a client does that has reconnected, and waits for the
// event that this brings at once.
func (c *client) mustHear(t *testing.T, path string) {
	t.Helper()
	c.nc.SetDeadline(time.Now().Add(callTimeout))
	defer c.nc.SetDeadline(time.Time{})
	_, err := c.nc.Write(request(-8, protocol.OpSetWatches, &protocol.SetWatches{RelativeZxid: c.zxid, Data: []string{path}}))
	must(t, "set watches", err)
	heard := false
	for {
		h, _, err := c.receive()
		must(t, "hear of "+path, err)
		if h.Xid == -8 {
			break
		}
		heard = heard || h.Xid == -1
	}
	if !heard {
		t.Errorf("no event for %s, which has been restored", path)
	}
}

func (c *client) setACL(path string, list []protocol.ACL) error {
	_, err := c.call(protocol.OpSetACL, &protocol.SetACLRequest{Path: path, ACL: list, Version: -1})
	return err
}

// stuck is a body that nobody should ask for more of.
type stuck struct{ t *testing.T }

func (s stuck) Read(p []byte) (int, error) {
	<-s.t.Context().Done()
	return 0, io.ErrUnexpectedEOF
}
