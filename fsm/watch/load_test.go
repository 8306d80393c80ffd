package watch

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"zooraft/protocol"
)

// counter is a Sink that counts.
type counter struct{ n atomic.Int64 }

func (c *counter) Notify(*Event) { c.n.Add(1) }

// TestConcurrentUse is for the race detector; what it asserts is that nobody
// hears anything after Close and that nothing is left at the end.
func TestConcurrentUse(t *testing.T) {
	table := NewTable()
	stop := make(chan struct{})
	var triggers, conns sync.WaitGroup
	triggers.Go(func() { // the apply goroutine
		for zxid := int64(1); ; zxid++ {
			select {
			case <-stop:
				return
			default:
			}
			table.Created("/p/n", zxid, nil, nil)
			table.DataChanged("/p/n", zxid, nil)
			table.Deleted("/p/n", zxid, nil, nil)
			table.NumWatches()
		}
	})
	for range 4 {
		conns.Go(func() {
			for range 300 {
				c := &counter{}
				w := table.NewWatcher(c)
				var both sync.WaitGroup
				both.Go(func() { w.AddData("/p/n"); w.AddChild("/p"); w.Has("/p", protocol.WatcherTypeAny) })
				both.Go(func() { w.AddPersistent("/p"); w.Remove("/p", protocol.WatcherTypePersistent) })
				both.Go(func() { w.AddRecursive("/") })
				both.Wait()
				w.Close()
				heard := c.n.Load()
				w.AddRecursive("/")
				table.NumPaths()
				if got := c.n.Load(); got != heard {
					t.Errorf("heard %d events after Close", got-heard)
				}
			}
		})
	}
	conns.Wait()
	close(stop)
	triggers.Wait()
	if n := table.NumWatches(); n != 0 {
		t.Errorf("NumWatches = %d after all closed", n)
	}
}

// TestCloseIsNotQuadratic closes connections among 100,000 on one path, one of
// which watches 100,000 more. A walk per registration would take minutes.
func TestCloseIsNotQuadratic(t *testing.T) {
	const n = 100_000
	table := NewTable()
	c := &counter{}
	ws := make([]*Watcher, n)
	for i := range ws {
		ws[i] = table.NewWatcher(c)
		ws[i].AddPersistent("/hot")
		ws[i].AddRecursive("/")
	}
	for i := range n {
		ws[n/2].AddData(fmt.Sprintf("/cold/%d", i))
	}
	if got, want := table.NumWatches(), 4*n; got != want {
		t.Fatalf("NumWatches = %d, want %d", got, want)
	}
	start := time.Now()
	for _, w := range ws {
		w.Close()
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("closing took %v", took)
	}
	if got := table.NumWatches(); got != 0 {
		t.Errorf("NumWatches = %d after all closed", got)
	}
}

func BenchmarkFanOut(b *testing.B) {
	for _, mode := range []string{"standard", "persistent", "recursive"} {
		b.Run("mode="+mode+"/watchers=1000", func(b *testing.B) {
			table := NewTable()
			c := &counter{}
			ws := make([]*Watcher, 1000)
			for i := range ws {
				ws[i] = table.NewWatcher(c)
				switch mode {
				case "persistent":
					ws[i].AddPersistent("/p/n")
				case "recursive":
					ws[i].AddRecursive("/p")
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				if mode == "standard" {
					for _, w := range ws {
						w.AddData("/p/n")
					}
				}
				table.DataChanged("/p/n", 1, protocol.OpenACL)
			}
			if c.n.Load() < int64(b.N)*1000 {
				b.Fatalf("%d events in %d rounds", c.n.Load(), b.N)
			}
		})
	}
}

// BenchmarkNobodyWatches is what every write pays.
func BenchmarkNobodyWatches(b *testing.B) {
	for _, bm := range []struct {
		name string
		fill func(*Table)
	}{
		{"table=empty", func(*Table) {}},
		{"table=100k-elsewhere", func(t *Table) {
			w := t.NewWatcher(&counter{})
			for i := range 50_000 {
				w.AddData(fmt.Sprintf("/other/%d", i))
				w.AddChild(fmt.Sprintf("/other/%d", i))
			}
		}},
		{"table=recursive-elsewhere", func(t *Table) { t.NewWatcher(&counter{}).AddRecursive("/other") }},
	} {
		b.Run(bm.name, func(b *testing.B) {
			table := NewTable()
			bm.fill(table)
			b.ReportAllocs()
			for b.Loop() {
				table.Created("/service/region/group/member-0000000001", 1, protocol.OpenACL, protocol.OpenACL)
			}
		})
	}
}

// TestTriggersDoNotAllocate holds the promise that a write nobody watches, and
// an event to many, cost no garbage here.
func TestTriggersDoNotAllocate(t *testing.T) {
	table := NewTable()
	quiet := testing.AllocsPerRun(100, func() { table.Deleted("/p/n", 1, nil, nil) })
	table.NewWatcher(&counter{}).AddRecursive("/other")
	elsewhere := testing.AllocsPerRun(100, func() { table.Deleted("/p/n", 1, nil, nil) })
	for range 100 {
		table.NewWatcher(&counter{}).AddPersistent("/p")
	}
	loud := testing.AllocsPerRun(100, func() { table.Deleted("/p/n", 1, nil, nil) })
	if quiet != 0 || elsewhere != 0 || loud != 0 {
		t.Errorf("allocations: empty %v, watches elsewhere %v, 100 watchers %v, want 0", quiet, elsewhere, loud)
	}
}
