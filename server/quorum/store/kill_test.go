package store

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// TestKill kills a process that appends, rotates and compacts, again and again
// on the same directory. What it was told is stored must be there after a kill
// of the process; TestDurable is about that of the machine.
func TestKill(t *testing.T) {
	if dir := os.Getenv("ZOORAFT_STORE_TEST_DIR"); dir != "" {
		appendForever(t, dir, os.Getenv("ZOORAFT_STORE_TEST_KIND"))
		return
	}
	rounds := 12
	if testing.Short() {
		rounds = 4
	}
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 3))
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			cfg := testConfig(t, kind)
			cfg.DataDir, cfg.DataLogDir = t.TempDir(), ""
			stored := uint64(0)
			for range rounds {
				cmd := exec.Command(os.Args[0], "-test.run=^TestKill$")
				cmd.Env = append(os.Environ(), "ZOORAFT_STORE_TEST_DIR="+cfg.DataDir, "ZOORAFT_STORE_TEST_KIND="+kind)
				out, err := cmd.StdoutPipe()
				must(t, err)
				must(t, cmd.Start())
				lines, enough := bufio.NewScanner(out), 1+r.IntN(60)
				for n := 0; lines.Scan(); n++ {
					index, err := strconv.ParseUint(lines.Text(), 10, 64)
					if err != nil {
						t.Fatalf("seed %d: the child says %q", seed, lines.Text())
					}
					stored = index
					if n == enough {
						must(t, cmd.Process.Kill())
					}
				}
				_ = cmd.Wait()
				s, err := Open(cfg)
				if err != nil {
					t.Fatalf("seed %d: after %d: %v", seed, stored, err)
				}
				first, last, err := s.log.bounds()
				must(t, err)
				if last < stored {
					t.Fatalf("seed %d: log ends at %d, %d was stored", seed, last, stored)
				}
				wantLog(t, s, first, last, 600)
				mustClose(t, s)
			}
			if stored < 100 {
				t.Errorf("seed %d: only %d entries were stored", seed, stored)
			}
		})
	}
}

func appendForever(t *testing.T, dir, kind string) {
	s := mustOpen(t, Config{DataDir: filepath.Clean(dir), Kind: kind, SID: 1, segmentBytes: 8 << 10})
	_, last, err := s.log.bounds()
	must(t, err)
	must(t, s.Stable.SetUint64(keyTerm, 1000))
	for n := last; ; n++ {
		must(t, s.Log.StoreLogs(entries(last+1, last+1+n%5, 600)))
		last += 1 + n%5
		fmt.Println(last)
		if n%20 == 19 && last > 10 {
			takeSnapshot(t, s, last-5, 1+(last-5)/100, []byte("state"))
			must(t, s.Log.DeleteRange(1, last-10))
		}
	}
}
