package tree

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"sync"
	"testing"
	"time"

	"zooraft/protocol"
)

// grown is a tree of n nodes with data of the given size, at depth 3: a hundred
// to a parent.
func grown(n, size int) *Tree {
	tr := New()
	data := make([]byte, size)
	top := tr.Create(Root, "app", nil, protocol.OpenACL, 0, 1, 1)
	parent := top
	for i := range n {
		if i%100 == 0 {
			parent = tr.Create(top, fmt.Sprintf("group-%06d", i/100), nil, protocol.OpenACL, 0, 1, 1)
		}
		tr.Create(parent, fmt.Sprintf("node-%08d", i), data, protocol.OpenACL, 0, 1, 1)
	}
	return tr
}

func grownPath(i int) string { return fmt.Sprintf("/app/group-%06d/node-%08d", i/100, i) }

func BenchmarkCreate(b *testing.B) {
	tr := New()
	p := tr.Create(Root, "p", nil, protocol.OpenACL, 0, 1, 1)
	data := make([]byte, 100)
	names := make([]string, 1<<16)
	for i := range names {
		names[i] = fmt.Sprintf("node-%08d", i)
	}
	b.ReportAllocs()
	i, zxid := 0, int64(0)
	for b.Loop() {
		if i == len(names) {
			b.StopTimer()
			tr, i = New(), 0
			p = tr.Create(Root, "p", nil, protocol.OpenACL, 0, 1, 1)
			b.StartTimer()
		}
		zxid++
		tr.Create(p, names[i], data, protocol.OpenACL, 0, zxid, zxid)
		i++
	}
}

// BenchmarkFill is a tree that grows, by the steps of a create request, with names in no order. It is per node.
func BenchmarkFill(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("nodes=%d", n), func(b *testing.B) {
			if testing.Short() && n > 100_000 {
				b.Skip("takes a second each")
			}
			paths := make([]string, n)
			for i := range paths {
				paths[i] = fmt.Sprintf("/p/node-%08d", i*7919%n)
			}
			data := make([]byte, 100)
			for b.Loop() {
				tr := New()
				tr.Create(Root, "p", nil, protocol.OpenACL, 0, 1, 1)
				for _, p := range paths {
					parent := tr.Lookup("/p")
					if tr.Lookup(p) != None {
						b.Fatal("found before it is made")
					}
					tr.Create(parent, p[len("/p/"):], data, protocol.OpenACL, 0, 1, 1)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/node")
		})
	}
}

func BenchmarkCreateDelete(b *testing.B) {
	for _, multi := range []bool{false, true} {
		b.Run(fmt.Sprint("multi=", multi), func(b *testing.B) {
			tr := grown(100_000, 100)
			p := tr.Lookup("/app/group-000500")
			data := make([]byte, 100)
			b.ReportAllocs()
			for b.Loop() {
				if multi {
					tr.Begin()
				}
				tr.Delete(tr.Create(p, "x", data, protocol.OpenACL, 42, 1, 1), 2)
				if multi {
					tr.Commit()
				}
			}
		})
	}
}

func BenchmarkSetData(b *testing.B) {
	for _, size := range []int{100, 1024} {
		b.Run(fmt.Sprint("bytes=", size), func(b *testing.B) {
			tr := grown(100_000, size)
			data := make([]byte, size)
			refs := make([]Ref, 1000)
			for i := range refs {
				refs[i] = tr.Lookup(grownPath(i * 100))
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				tr.SetData(refs[i%len(refs)], data, 2, 2)
				i++
			}
		})
	}
}

func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{1000, 1_000_000} {
		b.Run(fmt.Sprintf("depth=3/nodes=%d", n), func(b *testing.B) {
			tr := grown(n, 100)
			paths := make([]string, 1<<14)
			for i := range paths {
				paths[i] = grownPath(i * 7919 % n)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if tr.Lookup(paths[i&(len(paths)-1)]) == None {
					b.Fatal("not found")
				}
				i++
			}
		})
	}
}

func BenchmarkSnapshot(b *testing.B) {
	const n = 200_000
	tr := grown(n, 100)
	var mu sync.RWMutex
	b.Run("pin", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s, err := tr.Snapshot()
			if err != nil {
				b.Fatal(err)
			}
			s.Release()
		}
	})
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s, err := tr.Snapshot()
			if err != nil {
				b.Fatal(err)
			}
			size, err := s.Write(io.Discard, mu.RLocker())
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(size)
			s.Release()
		}
	})
	b.Run("read", func(b *testing.B) {
		data := snapshotBytes(b, tr)
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Read(bytes.NewReader(data)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// manyNodes are the sizes at which the cost of one operation should be the same,
// but for the processor's caches.
var manyNodes = []int{1000, 100_000, 1_000_000, 5_000_000}

// spread is a tree of n nodes that a thousand parents got in turn.
func spread(n int) *Tree {
	tr := New()
	data := make([]byte, 100)
	var dirs [1000]Ref
	for i := range min(n, len(dirs)) {
		dirs[i] = tr.Create(Root, fmt.Sprintf("dir-%04d", i), nil, protocol.OpenACL, 0, 1, 1)
	}
	for i := range n {
		tr.Create(dirs[i%len(dirs)], fmt.Sprintf("node-%08d", i), data, protocol.OpenACL, 0, 1, 1)
	}
	return tr
}

func spreadPath(i int) string { return fmt.Sprintf("/dir-%04d/node-%08d", i%1000, i) }

// BenchmarkSizes measures what operations cost as the tree grows. Snapshots and
// restores are per node.
func BenchmarkSizes(b *testing.B) {
	for _, n := range manyNodes {
		b.Run(fmt.Sprintf("nodes=%d", n), func(b *testing.B) {
			if testing.Short() && n > 100_000 {
				b.Skip("takes a gigabyte")
			}
			tr := spread(n)
			paths := make([]string, 1<<14)
			for i := range paths {
				paths[i] = spreadPath(i * 7919 % n)
			}
			data := make([]byte, 100)
			b.Run("op=get", func(b *testing.B) {
				for i := 0; b.Loop(); i++ {
					r := tr.Lookup(paths[i&(len(paths)-1)])
					_, _ = tr.Data(r), tr.Stat(r)
				}
			})
			b.Run("op=set", func(b *testing.B) {
				for i := 0; b.Loop(); i++ {
					tr.SetData(tr.Lookup(paths[i&(len(paths)-1)]), data, 2, 2)
				}
			})
			b.Run("op=create+delete", func(b *testing.B) {
				p := tr.Lookup("/dir-0007")
				for b.Loop() {
					tr.Delete(tr.Create(p, "x", data, protocol.OpenACL, 42, 1, 1), 2)
				}
			})
			perNode := func(b *testing.B) {
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*tr.NodeCount()), "ns/node")
			}
			b.Run("op=snapshot", func(b *testing.B) {
				for b.Loop() {
					s, err := tr.Snapshot()
					if err != nil {
						b.Fatal(err)
					}
					if _, err := s.Write(io.Discard, new(sync.Mutex)); err != nil {
						b.Fatal(err)
					}
					s.Release()
				}
				perNode(b)
			})
			b.Run("op=restore", func(b *testing.B) {
				image := snapshotBytes(b, tr)
				for b.Loop() {
					if _, err := Read(bytes.NewReader(image)); err != nil {
						b.Fatal(err)
					}
				}
				perNode(b)
			})
		})
	}
}

// BenchmarkChildren measures one parent with many children. Listing them is per
// child.
func BenchmarkChildren(b *testing.B) {
	for _, n := range []int{1, 1000, 1_000_000} {
		b.Run(fmt.Sprintf("children=%d", n), func(b *testing.B) {
			tr := New()
			p := tr.Create(Root, "p", nil, protocol.OpenACL, 0, 1, 1)
			for i := range n {
				tr.Create(p, fmt.Sprintf("node-%08d", i), nil, protocol.OpenACL, 0, 1, 1)
			}
			b.Run("op=create+delete", func(b *testing.B) {
				for b.Loop() {
					tr.Delete(tr.Create(p, "x", nil, protocol.OpenACL, 0, 1, 1), 2)
				}
			})
			b.Run("op=get", func(b *testing.B) {
				for i := 0; b.Loop(); i++ {
					if tr.Child(p, "node-00000000") == None {
						b.Fatal("not found")
					}
				}
			})
			b.Run("op=list", func(b *testing.B) {
				var list []byte
				for b.Loop() {
					list = tr.AppendChildren(list[:0], p)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/child")
			})
		})
	}
}

// TestMemoryPerNode measures what a znode costs beyond its name and data.
func TestMemoryPerNode(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a million nodes")
	}
	const n, size = 1_000_000, 100
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	tr := grown(n, size)
	start := time.Now()
	after := heap()
	collect := time.Since(start)
	each := float64(after-before) / float64(tr.NodeCount())
	overhead := each - size - float64(len("node-00000000"))
	t.Logf("%d nodes: %.0f bytes each, %.0f beyond name and data; a collection takes %v", tr.NodeCount(), each, overhead, collect)
	if overhead >= 160 {
		t.Errorf("%.0f bytes of overhead per node, want less than 160", overhead)
	}
	runtime.KeepAlive(tr)
}
