package metrics

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Every field is a figure with a name of its own, or it would be recorded for
// nobody.
func TestFieldsAreNamed(t *testing.T) {
	m := new(Metrics)
	seen := make(map[string]bool)
	typ := reflect.TypeFor[Metrics]()
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, option, _ := strings.Cut(f.Tag.Get("zk"), ",")
		if name == "" || seen[name] || (option != "" && option != "percentiles") {
			t.Errorf("%s: tag %q", f.Name, f.Tag)
		}
		seen[name] = true
		switch reflect.ValueOf(m).Elem().Field(i).Addr().Interface().(type) {
		case *Counter, *Summary, *Keyed[Counter], *Keyed[Summary]:
		default:
			t.Errorf("%s is of type %v, which is not shown", f.Name, f.Type)
		}
	}
	for id := range m.Counters() {
		if slices.Contains(unfedCounters, id.Name) && seen[id.Name] {
			t.Errorf("%s is fed and in the list of those that are not", id.Name)
		}
	}
	for _, id := range unfedSummaries {
		if seen[id.Name] {
			t.Errorf("%s is fed and in the list of those that are not", id.Name)
		}
	}
}

func TestCounters(t *testing.T) {
	m := new(Metrics)
	m.Looking.Inc()
	m.BytesReceived.Add(41)
	m.QuotaExceeded.For("app").Inc()
	got := make(map[ID]int64)
	for id, n := range m.Counters() {
		got[id] = n
	}
	for id, want := range map[ID]int64{
		{Name: "looking_count"}: 1, {Name: "bytes_received_count"}: 41, {Name: "connection_rejected"}: 0,
		{Name: "quota_exceeded_error_per_namespace", Key: "app"}: 1, {Name: "response_packet_cache_hits"}: 0,
	} {
		if n, ok := got[id]; !ok || n != want {
			t.Errorf("%v = %d, %v; want %d", id, n, ok, want)
		}
	}
	m.Reset()
	for id, n := range m.Counters() {
		if n != 0 {
			t.Errorf("after Reset %v = %d", id, n)
		}
	}
}

func TestSummary(t *testing.T) {
	var s Summary
	if f := s.Figures(0.5); f.Count != 0 || f.Avg != 0 || f.Quantiles[0] != 0 {
		t.Errorf("before any: %+v", f)
	}
	s.Time(1500 * time.Microsecond)
	s.Time(2500 * time.Microsecond)
	s.Time(-time.Second)
	f := s.Figures(1)
	if f.Count != 3 || f.Sum != 4 || f.Min != 0 || f.Max != 2 || f.Avg < 1.33 || f.Avg > 1.34 || f.Quantiles[0] != 2.5 {
		t.Errorf("times: %+v", f)
	}
	s.reset()
	s.Observe(7)
	s.Observe(-1)
	if f := s.Figures(0.01, 1); f.Count != 2 || f.Sum != 7 || f.Min != 0 || f.Max != 7 || f.Quantiles[0] != 0 || f.Quantiles[1] != 7 {
		t.Errorf("numbers: %+v", f)
	}
	s.Observe(1 << 62) // far beyond the last bucket
	if f := s.Figures(1); f.Max != (1<<63-1)/scale {
		t.Errorf("the largest number became %d", f.Max)
	}
}

// A quantile is never below the truth, and at most an eighth above.
func TestQuantiles(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		var s Summary
		all := make([]int64, 1+r.IntN(500))
		for i := range all {
			all[i] = r.Int64N(1 << (1 + r.IntN(30)))
			s.Observe(all[i])
		}
		slices.Sort(all)
		for _, q := range []float64{0.01, 0.5, 0.95, 0.99, 0.999, 1} {
			want := float64(all[max(int(q*float64(len(all))+0.9999999)-1, 0)])
			if got := s.Figures(q).Quantiles[0]; got < want || got > want*1.125+1 {
				t.Errorf("q%v of %d numbers is %v, want %v", q, len(all), got, want)
			}
		}
	}
}

func TestBuckets(t *testing.T) {
	for v := int64(0); v < 1<<20; v += 1 + v/100 {
		b := bucketOf(v)
		if upperBound(b) < v || b > 0 && upperBound(b-1) >= v {
			t.Fatalf("%d is counted in bucket %d, %d to %d", v, b, upperBound(b-1)+1, upperBound(b))
		}
	}
}

func TestKeyed(t *testing.T) {
	var k Keyed[Counter]
	for i := range 2 * maxKeys {
		k.For(strings.Repeat("x", i)).Inc()
	}
	n, sum := 0, int64(0)
	k.Each(func(_ string, c *Counter) { n++; sum += c.Value() })
	if n != maxKeys+1 || sum != 2*maxKeys || k.For(OtherKey).Value() != maxKeys {
		t.Errorf("%d keys with %d in all, %d of them under %s", n, sum, k.For(OtherKey).Value(), OtherKey)
	}
}

func TestConcurrentUse(t *testing.T) {
	m := new(Metrics)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 1000 {
				m.ReadLatency.Time(time.Duration(i) * time.Microsecond)
				m.AckLatency.For("1").Time(time.Millisecond)
				m.Commits.Inc()
			}
		})
	}
	wg.Wait()
	if f := m.ReadLatency.Figures(0.5); f.Count != 4000 || m.Commits.Value() != 4000 || m.AckLatency.For("1").Figures().Count != 4000 {
		t.Errorf("lost some: %+v, %d", f, m.Commits.Value())
	}
}

func BenchmarkSummaryTime(b *testing.B) {
	var s Summary
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for d := time.Duration(0); pb.Next(); d += time.Microsecond {
			s.Time(d % time.Second)
		}
	})
}
