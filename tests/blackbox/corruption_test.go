package blackbox

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"zooraft/tests/harness"
)

// marker begins the data of the znode in the middle of what fill writes; it is found on the disk as it is.
const marker = "a value in the middle of the log"

// fill writes n znodes, one after the other, so that each is an entry of the log.
func fill(t *testing.T, addr string, n int) {
	t.Helper()
	c := mustConnect(t, addr)
	for i := range n {
		data := fmt.Sprintf("value %d", i)
		if i == n/2 {
			data = marker
		}
		must(t, "create", c.create(fmt.Sprintf("/n%d", i), data))
	}
	must(t, "create", c.create("/last", "here"))
}

// find is the one file that a pattern below a server's data directory names.
func find(t *testing.T, s *harness.Server, pattern string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(s.DataDir, "raft", pattern))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no %s below %s: %v", pattern, s.DataDir, err)
	}
	return paths[len(paths)-1]
}

// edit changes the bytes of a file.
func edit(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, "read "+path, err)
	must(t, "write "+path, os.WriteFile(path, change(b), 0o600))
}

// A flipped byte in the middle of the log is damage: the server refuses to start, and names file and offset. Put right,
// all is there.
func TestDamagedLog(t *testing.T) {
	harness.SkipShort(t)
	for _, tt := range []struct{ kind, file string }{{"wal", "log/*.wal"}, {"boltdb", "log.db"}} {
		t.Run(tt.kind, func(t *testing.T) {
			t.Parallel()
			e := harness.StartZooraft(t, harness.Options{Lines: []string{"raft.logStore=" + tt.kind}})
			s := e.Server(1)
			fill(t, s.ClientAddr, 100)
			e.Kill(1)
			path := find(t, s, tt.file)
			var flipped []int // bbolt leaves older copies of its pages
			flip := func(b []byte) []byte {
				flipped = flipped[:0]
				for at := 0; ; {
					i := bytes.Index(b[at:], []byte(marker[1:]))
					if i < 0 {
						break
					}
					flipped = append(flipped, at+i-1)
					b[at+i-1] ^= 0x10
					at += i + 1
				}
				return b
			}
			edit(t, path, flip)
			if len(flipped) == 0 {
				t.Fatalf("%s does not hold %q", path, marker)
			}
			damaged, err := os.ReadFile(path)
			must(t, "read", err)
			named := regexp.QuoteMeta(path) + `: .*offset (\d+)`
			p := launch(t, t.TempDir(), "server", s.Config)
			if got := p.exit(startTimeout); got != exitDataDir {
				t.Errorf("exit code: got %d, want %d", got, exitDataDir)
			}
			m := regexp.MustCompile(named).FindStringSubmatch(p.stderr.String())
			if m == nil {
				t.Fatalf("stderr does not match %q:\n%s", named, p.stderr.String())
			}
			offset, err := strconv.Atoi(m[1])
			must(t, "offset", err)
			near := false
			for _, at := range flipped {
				near = near || offset <= at && at < offset+4096
			}
			if !near {
				t.Errorf("offset %d, the flipped bytes are at %v", offset, flipped)
			}
			if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, damaged) {
				t.Errorf("a refused file was changed (%v)", err)
			}
			edit(t, path, flip)
			e.Restart(1)
			c := mustConnect(t, s.ClientAddr)
			c.mustHold(t, "/n50", marker)
			c.mustHold(t, "/last", "here")
		})
	}
}

// What a power failure leaves of the last write, which nobody was told of, is cut, and the log tells so.
func TestTornTail(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	e := harness.StartZooraft(t, harness.Options{})
	s := e.Server(1)
	fill(t, s.ClientAddr, 20)
	e.Kill(1)
	path := find(t, s, "log/*.wal")
	// A sector of the file ends in a tag, which is there as soon as the sector is written.
	const sector, content = 512, 504
	end := 0
	edit(t, path, func(b []byte) []byte {
		last := (len(bytes.TrimRight(b, "\x00")) - 1) / sector * sector
		tag := b[last+content : last+sector]
		end = last + (len(bytes.TrimRight(b[last:last+content], "\x00"))+7)&^7
		// The head of an entry of 400 bytes, and a part of that.
		torn := binary.LittleEndian.AppendUint32([]byte{1, 0, 0, 0}, 400)
		torn = append(torn, bytes.Repeat([]byte{'t'}, 120)...)
		n := copy(b[end:last+content], torn)
		if n < len(torn) {
			copy(b[last+sector:], torn[n:])
			copy(b[last+sector+content:], tag)
		}
		return b
	})
	skip := len(readLog(t, s))
	e.Restart(1)
	awaitLog(t, s, skip, fmt.Sprintf(`\[WARN\].*cut an incomplete write.*%s.*offset=%d`, regexp.QuoteMeta(path), end))
	c := mustConnect(t, s.ClientAddr)
	c.mustHold(t, "/last", "here")
	must(t, "write", c.create("/more", "1"))
	skip = len(readLog(t, s))
	e.Kill(1)
	e.Restart(1)
	c = mustResume(t, s.ClientAddr, c)
	c.mustHold(t, "/more", "1")
	if regexp.MustCompile("cut an incomplete write").MatchString(readLog(t, s)[skip:]) {
		t.Error("the torn write was cut twice")
	}
}

// A damaged snapshot is refused, by file and offset, and never passed over for an older one: the log before it is gone.
func TestDamagedSnapshot(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	// As many requests as make one snapshot due, but not two.
	e := harness.StartZooraft(t, harness.Options{Lines: []string{"snapCount=60"}})
	s := e.Server(1)
	fill(t, s.ClientAddr, 100)
	harness.Eventually(t, startTimeout, "a snapshot", func() error {
		paths, err := filepath.Glob(filepath.Join(s.DataDir, "raft", "snapshots", "*-*[0-9]", "state.bin"))
		if err == nil && len(paths) == 0 {
			err = os.ErrNotExist
		}
		return err
	})
	e.Kill(1)
	state, meta := find(t, s, "snapshots/*/state.bin"), find(t, s, "snapshots/*/meta.json")
	half := func(b []byte) int { return len(b) / 2 }
	flip := func(b []byte) []byte { b[half(b)] ^= 1; return b }
	for _, tt := range []struct {
		name, path string
		damage     func([]byte) []byte
		want       string
	}{
		{"flipped byte", state, flip, regexp.QuoteMeta(state) + `: offset 0 to \d+: `},
		{"cut", state, func(b []byte) []byte { return b[:half(b)] }, regexp.QuoteMeta(state) + `: offset \d+: .*ends there`},
		{"flipped byte in the description", meta, func(b []byte) []byte {
			return bytes.Replace(b, []byte(`"Index":`), []byte(`"Index":1`), 1)
		}, regexp.QuoteMeta(meta) + `: `},
		{"no description", meta, func(b []byte) []byte { return nil }, regexp.QuoteMeta(meta) + `: offset 0`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			whole, err := os.ReadFile(tt.path)
			must(t, "read", err)
			edit(t, tt.path, tt.damage)
			refuses(t, s.Config, exitDataDir, tt.want, "Unable to access datadir")
			must(t, "repair", os.WriteFile(tt.path, whole, 0o600))
		})
	}
	skip := len(readLog(t, s))
	e.Restart(1)
	awaitLog(t, s, skip, "restored snapshot")
	c := mustConnect(t, s.ClientAddr)
	c.mustHold(t, "/n50", marker)
	c.mustHold(t, "/last", "here")
}

// A member whose data are damaged says which directory to move away, and is then whole again by what the others send it.
func TestDamagedMemberStartsAnew(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	e := harness.StartZooraft(t, harness.Options{Size: 3})
	victim := e.Leader()%3 + 1
	s := e.Server(victim)
	fill(t, s.ClientAddr, 100)
	settle(t, e)
	e.Kill(victim)
	edit(t, filepath.Join(s.DataDir, "raft", "stable.db"), func(b []byte) []byte { return b[:len(b)/2] })
	p := launch(t, t.TempDir(), "server", s.Config)
	if got := p.exit(startTimeout); got != exitDataDir {
		t.Fatalf("exit code: got %d, want %d", got, exitDataDir)
	}
	m := regexp.MustCompile(`the other servers have a quorum, move (\S+) away, keep myid, and start`).FindStringSubmatch(p.stderr.String())
	if m == nil {
		t.Fatalf("stderr does not say what to do:\n%s", p.stderr.String())
	}
	must(t, "move away", os.Rename(m[1], filepath.Join(t.TempDir(), "damaged")))
	e.Restart(victim)
	c := mustConnect(t, s.ClientAddr)
	c.mustHold(t, "/n50", marker)
	c.mustHold(t, "/last", "here")
}
