package heap

import (
	"bytes"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

const mib = 1 << 20

func TestPercent(t *testing.T) {
	tests := []struct {
		live, headroom uint64 // MiB
	}{
		{0, 32}, {4, 32}, {8, 32}, {32, 32}, {160, 32}, {250, 50}, {2500, 500}, {100000, 20000},
	}
	for _, tt := range tests {
		base := max(tt.live, smallHeap/mib) * mib
		got := base * uint64(percent(tt.live*mib)) / 100
		// A whole percentage is only so exact.
		if slack := base/100 + 1; got > tt.headroom*mib || got+slack < tt.headroom*mib {
			t.Errorf("%d MiB live: got a headroom of %d bytes, want %d MiB", tt.live, got, tt.headroom)
		}
	}
}

func gogc() int { return int(read("/gc/gogc:percent")) }

// await collects garbage until the percentage is what it should be.
func await(t *testing.T, what string, ok func(percent int) bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(gogc()); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: the percentage stays at %d", what, gogc())
		}
		runtime.GC()
	}
}

func TestPaceFollowsTheHeap(t *testing.T) {
	t.Setenv("GOGC", "")
	before := gogc()
	p := Start(hclog.NewNullLogger())
	defer p.Close()
	if got, want := gogc(), percent(0); got != want {
		t.Errorf("at the start: got %d %%, want %d %%", got, want)
	}
	ballast := make([]byte, 128*mib)
	await(t, "128 MiB live", func(percent int) bool { return percent > 20 && percent <= 25 })
	runtime.KeepAlive(ballast)
	ballast = nil
	await(t, "nothing live", func(got int) bool { return got > 300 })
	p.Close()
	p.Close()
	if got := gogc(); got != before {
		t.Errorf("after Close: got %d %%, want %d %%", got, before)
	}
	runtime.GC()
	runtime.GC()
	if got := gogc(); got != before {
		t.Errorf("after Close and a collection: got %d %%, want %d %%", got, before)
	}
}

func TestGOGCWins(t *testing.T) {
	t.Setenv("GOGC", "77")
	before := gogc()
	p := Start(hclog.NewNullLogger())
	if got := gogc(); got != before {
		t.Errorf("got %d %%, want %d %% as before", got, before)
	}
	p.Close()
	p.Close()
}

var sink []byte

func TestMemoryGoesBackAtRest(t *testing.T) {
	var log bytes.Buffer
	logger := hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Debug})
	given := func() int { return strings.Count(log.String(), "gave memory back") }
	var r rest
	r.look(logger)
	debug.FreeOSMemory()
	before := read("/memory/classes/heap/released:bytes")

	sink = make([]byte, 64*mib)
	if r.look(logger); given() != 0 {
		t.Errorf("in the middle of a burst: %s", &log)
	}
	sink = nil
	r.look(logger)
	if got := read("/memory/classes/heap/released:bytes"); got+8*mib < before { // of 64; the runtime has pages of its own by now
		t.Errorf("at rest: %d bytes are the system's, before the burst %d were", got, before)
	}
	if r.look(logger); given() != 1 {
		t.Errorf("gave memory back %d times, want once: %s", given(), &log)
	}
}

func TestLimitIsLoggedOnce(t *testing.T) {
	tests := []struct{ key, value, want string }{
		{"GOMEMLIMIT", "100MiB", "source=GOMEMLIMIT=100MiB"},
		{"AUTOMEMLIMIT", "off", "source=AUTOMEMLIMIT=off"},
		{"AUTOMEMLIMIT", "nonsense", "AUTOMEMLIMIT: nonsense"},
	}
	for _, tt := range tests {
		t.Run(tt.key+"="+tt.value, func(t *testing.T) {
			t.Setenv(tt.key, tt.value)
			var log bytes.Buffer
			Limit(hclog.New(&hclog.LoggerOptions{Output: &log}))
			if got := log.String(); !strings.Contains(got, tt.want) || strings.Count(got, "\n") != 1 {
				t.Errorf("got %q, want one line with %q", got, tt.want)
			}
		})
	}
}
