package blackbox

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"zooraft/tests/harness"
)

// Old snapshots go when new ones are there, and so does the log that only they need.
func TestAutopurge(t *testing.T) {
	harness.SkipShort(t)
	e := harness.StartZooraft(t, harness.Options{Lines: []string{"snapCount=100", "autopurge.snapRetainCount=4", "autopurge.purgeInterval=1"}})
	s := e.Server(1)
	c := mustConnect(t, s.ClientAddr)
	must(t, "create", c.create("/a", ""))
	data := make([]byte, 900_000)
	seen := map[string]bool{}
	var kept []string
	written := int64(0)
	harness.Eventually(t, 10*time.Minute, "more snapshots than are kept", func() error {
		for range 20 {
			must(t, "set", c.set("/a", string(data)))
			written += int64(len(data))
		}
		var err error
		kept, err = filepath.Glob(filepath.Join(s.DataDir, "raft", "snapshots", "*-*-*[0-9]"))
		must(t, "list", err)
		for _, path := range kept {
			seen[path] = true
		}
		if len(seen) < 7 || written < 800<<20 {
			return fmt.Errorf("%d so far", len(seen))
		}
		return nil
	})
	if len(kept) < 3 || len(kept) > 5 { // one more while it takes another's place
		t.Errorf("%d snapshots on the disk, %d seen", len(kept), len(seen))
	}
	log, err := filepath.Glob(filepath.Join(s.DataDir, "raft", "log", "*"))
	must(t, "list the log", err)
	size := int64(0)
	for _, path := range log {
		if info, err := os.Stat(path); err == nil {
			size += info.Size()
		}
	}
	t.Logf("%d snapshots, %d of them kept; %d MiB written, %d MiB of log", len(seen), len(kept), written>>20, size>>20)
	if size == 0 || size > written/2 {
		t.Errorf("%d MiB of log after %d MiB", size>>20, written>>20)
	}
}
