package server

import (
	"bytes"
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/hashicorp/go-hclog"
)

const mib = 1 << 20

func TestMemoryWatch(t *testing.T) {
	near := func(used int) string {
		return fmt.Sprintf("[WARN]  memory is nearly used up: used=\"%d MiB\" limit=\"200 MiB\" state=\"7 MiB\"\n", used)
	}
	far := func(used int) string {
		return fmt.Sprintf("[INFO]  memory is far from its limit again: used=\"%d MiB\" limit=\"200 MiB\"\n", used)
	}
	tests := []struct {
		name  string
		limit uint64
		used  []uint64 // MiB
		want  string
	}{
		{"no limit", math.MaxInt64, []uint64{1 << 20}, ""},
		{"far", 200 * mib, []uint64{10, 179}, ""},
		{"near", 200 * mib, []uint64{179, 181}, near(181)},
		{"told once", 200 * mib, []uint64{181, 190, 170, 199, 230}, near(181)},
		{"far again", 200 * mib, []uint64{190, 161, 159, 170, 181}, near(190) + far(159) + near(181)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			var used uint64
			w := memoryWatch{
				log:  hclog.New(&hclog.LoggerOptions{Output: &log, DisableTime: true}),
				read: func() (uint64, uint64) { return used, tt.limit },
			}
			for _, n := range tt.used {
				used = n * mib
				w.look(func() int64 { return 7 * mib })
			}
			if got := log.String(); got != tt.want {
				t.Errorf("got\n%swant\n%s", got, tt.want)
			}
		})
	}
}

var ballast []byte

// What is in use counts, garbage does not, and the limit is the runtime's.
func TestMemoryUsed(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(math.MaxInt64))
	defer func() { ballast = nil }()
	runtime.GC()
	before, limit := memoryUsed()
	if limit != math.MaxInt64 {
		t.Errorf("a limit of %d bytes, want none", limit)
	}
	check := func(what string, want uint64) {
		t.Helper()
		used, _ := memoryUsed()
		if grown := int64(used) - int64(before); grown < int64(want)-8*mib || grown > int64(want)+8*mib {
			t.Errorf("%s: %d MiB more than before, want %d", what, grown/mib, want/mib)
		}
	}
	ballast = make([]byte, 64*mib)
	check("not yet collected", 0)
	runtime.GC()
	check("in use", 64*mib)
	ballast = nil
	runtime.GC()
	check("free", 0)

	debug.SetMemoryLimit(1 << 40)
	if _, limit := memoryUsed(); limit != 1<<40 {
		t.Errorf("a limit of %d bytes, want %d", limit, int64(1)<<40)
	}
}
