package metrics

import "testing"

// What is collected comes out as if each had been recorded by itself.
func TestSpaces(t *testing.T) {
	var got, want Keyed[Summary]
	var s Spaces
	note := func(path string, bytes int) {
		s.Note(&got, path, bytes)
		if name := Namespace(path); name != "" {
			want.For(name).Observe(int64(len(path) + bytes))
		}
	}
	for i := range 100 {
		note("/app", i%7) // more sizes than are kept apart
		note("/app/x", 100)
		note("/apple", 3) // begins like another
		note("/", 9)
		note("", 9)
		if i%10 == 0 {
			s.Fold()
		}
	}
	s.Fold()
	s.Fold()
	names := 0
	want.Each(func(name string, w *Summary) {
		names++
		g, f := got.For(name).Figures(0.5, 0.9), w.Figures(0.5, 0.9)
		if g.Count != f.Count || g.Sum != f.Sum || g.Min != f.Min || g.Max != f.Max || g.Quantiles[0] != f.Quantiles[0] || g.Quantiles[1] != f.Quantiles[1] {
			t.Errorf("%s: got %+v, want %+v", name, g, f)
		}
	})
	if names != 2 {
		t.Errorf("%d namespaces, want 2", names)
	}
}

// A namespace per request is bounded like any key of a client's.
func TestSpacesAreBounded(t *testing.T) {
	var k Keyed[Summary]
	var s Spaces
	for i := range 10 * maxKeys {
		s.Note(&k, "/n"+string(rune('a'+i%26))+string(rune('a'+i/26)), 1)
	}
	s.Fold()
	n, count := 0, int64(0)
	k.Each(func(_ string, f *Summary) { n++; count += f.Figures().Count })
	if n != maxKeys+1 || count != 10*maxKeys {
		t.Errorf("%d namespaces with %d reads, want %d with %d", n, count, maxKeys+1, 10*maxKeys)
	}
}

func BenchmarkSummary(b *testing.B) {
	var s Summary
	for b.Loop() {
		s.ObserveN(100, 3)
	}
}

// What a read of a pipelined client costs, and one that comes alone.
func BenchmarkSpaces(b *testing.B) {
	for name, fold := range map[string]int{"alone": 1, "pipelined": 64} {
		b.Run(name, func(b *testing.B) {
			var k Keyed[Summary]
			var s Spaces
			for i := 0; b.Loop(); i++ {
				s.Note(&k, "/bench/run/k000017", 100)
				if i%fold == 0 {
					s.Fold()
				}
			}
		})
	}
}
