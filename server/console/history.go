package console

import (
	"net/http"
	"sync"
	"time"
)

// keptSamples is ten minutes of them.
const keptSamples = 600

// history keeps the last samples, and when each was taken.
type history struct {
	mu      sync.Mutex
	samples [keptSamples]timedSample
	n       int // taken so far
}

type timedSample struct {
	at time.Time
	Sample
}

func (h *history) add(at time.Time, s Sample) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.samples[h.n%keptSamples] = timedSample{at, s}
	h.n++
}

// since returns the samples taken after a time, oldest first.
func (h *history) since(at time.Time) []timedSample {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]timedSample, 0, min(h.n, keptSamples))
	for i := max(0, h.n-keptSamples); i < h.n; i++ {
		if s := &h.samples[i%keptSamples]; s.at.After(at) {
			all = append(all, *s)
		}
	}
	return all
}

// sample takes one, keeps it and tells the pages.
func (c *Console) sample(now time.Time) {
	s := c.src.Sample()
	s.Watches = max(s.Watches-c.streams.watches(), 0) // the page's own are nobody's business
	c.history.add(now, s)
	st := statusOf(now, &s)
	st.SID, st.Warnings = c.src.Identity().SID, int(c.warned.Load())
	c.streams.publish(st)
}

// status is a sample as an event.
type status struct {
	At          int64   `json:"atMs"`
	SID         int64   `json:"sid"`
	Warnings    int     `json:"warnings"`
	State       string  `json:"state"`
	Serving     bool    `json:"serving"`
	Leader      int64   `json:"leader"`
	Since       int64   `json:"sinceMs"` // see Sample; 0 for never
	Term        uint64  `json:"term"`
	Zxid        Hex     `json:"zxid"`
	Reads       float64 `json:"reads"`
	Writes      float64 `json:"writes"`
	ReadP99     float64 `json:"readP99"`
	WriteP99    float64 `json:"writeP99"`
	ReadP50     float64 `json:"readP50"`
	WriteP50    float64 `json:"writeP50"`
	ReadMax     float64 `json:"readMax"`
	WriteMax    float64 `json:"writeMax"`
	Syncs       float64 `json:"syncs"`
	SyncAvg     float64 `json:"syncAvg"`
	SyncMax     float64 `json:"syncMax"`
	Outstanding int64   `json:"outstanding"`
	Connections int     `json:"connections"`
	Sessions    int     `json:"sessions"`
	Watches     int     `json:"watches"`
	Znodes      int     `json:"znodes"`
	DataBytes   int64   `json:"dataBytes"`
}

func statusOf(at time.Time, s *Sample) status {
	since := int64(0)
	if !s.Since.IsZero() {
		since = s.Since.UnixMilli()
	}
	return status{
		At: at.UnixMilli(), Since: since, State: s.State, Serving: s.Serving, Leader: s.LeaderSID, Term: s.Term, Zxid: Hex(s.Zxid),
		Reads: s.Reads, Writes: s.Writes, ReadP50: s.ReadP50, ReadP99: s.ReadP99, ReadMax: s.ReadMax,
		WriteP50: s.WriteP50, WriteP99: s.WriteP99, WriteMax: s.WriteMax,
		Syncs: s.Syncs, SyncAvg: s.SyncAvg, SyncMax: s.SyncMax, Outstanding: s.Outstanding, Connections: s.Connections,
		Sessions: s.Sessions, Watches: s.Watches, Znodes: s.Znodes, DataBytes: s.DataBytes,
	}
}

// series are the samples column by column, which is half the bytes.
type series struct {
	At     []int64              `json:"atMs"`
	Series map[string][]float64 `json:"series"`
}

var columns = [...]struct {
	name  string
	value func(*Sample) float64
}{
	{"reads", func(s *Sample) float64 { return s.Reads }},
	{"writes", func(s *Sample) float64 { return s.Writes }},
	{"readP50", func(s *Sample) float64 { return s.ReadP50 }},
	{"readP99", func(s *Sample) float64 { return s.ReadP99 }},
	{"readMax", func(s *Sample) float64 { return s.ReadMax }},
	{"writeP50", func(s *Sample) float64 { return s.WriteP50 }},
	{"writeP99", func(s *Sample) float64 { return s.WriteP99 }},
	{"writeMax", func(s *Sample) float64 { return s.WriteMax }},
	{"syncs", func(s *Sample) float64 { return s.Syncs }},
	{"syncAvg", func(s *Sample) float64 { return s.SyncAvg }},
	{"syncMax", func(s *Sample) float64 { return s.SyncMax }},
	{"outstanding", func(s *Sample) float64 { return float64(s.Outstanding) }},
	{"connections", func(s *Sample) float64 { return float64(s.Connections) }},
	{"sessions", func(s *Sample) float64 { return float64(s.Sessions) }},
	{"watches", func(s *Sample) float64 { return float64(s.Watches) }},
	{"znodes", func(s *Sample) float64 { return float64(s.Znodes) }},
	{"dataBytes", func(s *Sample) float64 { return float64(s.DataBytes) }},
}

// serveHistory answers with the samples after sinceMs, or all.
func (c *Console) serveHistory(w http.ResponseWriter, r *http.Request, _ *session) {
	since, ok := number(w, r, "sinceMs", 0, 0, 1<<53)
	if !ok {
		return
	}
	samples := c.history.since(time.UnixMilli(int64(since)))
	out := series{At: make([]int64, len(samples)), Series: make(map[string][]float64, len(columns))}
	for _, col := range columns {
		values := make([]float64, len(samples))
		for i := range samples {
			values[i] = col.value(&samples[i].Sample)
		}
		out.Series[col.name] = values
	}
	for i := range samples {
		out.At[i] = samples[i].at.UnixMilli()
	}
	answer(w, out)
}
