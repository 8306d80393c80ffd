package server

import (
	"time"

	"zooraft/fsm"
	"zooraft/server/console"
	"zooraft/zabcompat/metrics"
)

// sampler takes the points of the web console's charts: what the figures have
// gained since the one before. It belongs to one goroutine.
type sampler struct {
	reads, writes, syncs metrics.Window
	last                 time.Time
}

func (p *pageSource) Sample() console.Sample {
	s, m := p.s, p.s.metrics
	now := time.Now()
	elapsed := now.Sub(p.sampler.last).Seconds()
	if p.sampler.last.IsZero() {
		elapsed = now.Sub(p.began).Seconds()
	}
	p.sampler.last = now
	reads := p.sampler.reads.Take(&m.ReadLatency, 0.5, 0.99)
	writes := p.sampler.writes.Take(&m.UpdateLatency, 0.5, 0.99)
	syncs := p.sampler.syncs.Take(&m.FsyncTime)
	p.noteSyncs(syncs)
	out := console.Sample{
		Reads: float64(reads.Count) / elapsed, ReadP50: reads.Quantiles[0], ReadP99: reads.Quantiles[1], ReadMax: reads.Max,
		Writes: float64(writes.Count) / elapsed, WriteP50: writes.Quantiles[0], WriteP99: writes.Quantiles[1], WriteMax: writes.Max,
		Syncs: float64(syncs.Count) / elapsed, SyncAvg: syncs.Avg, SyncMax: syncs.Max,
		Watches: s.fsm.Watches().NumWatches(),
	}
	out.Connections, out.Outstanding = s.clients.Load()
	s.fsm.View(func(v fsm.View) {
		out.Zxid, out.Sessions, out.Znodes, out.DataBytes = v.LastZxid(), v.NumSessions(), v.NodeCount()+1, v.ApproximateDataSize()
	})
	out.LeaderSID, out.Term = s.node.Leader()
	out.Since = s.node.Since()
	out.State, out.Serving = s.state(), s.servingSince.Load() != 0
	return out
}

// syncMinute is how many samples of syncs are looked at for a warning.
const syncMinute = 60

func (p *pageSource) noteSyncs(r metrics.Recent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.syncs[p.sampled%syncMinute] = r
	p.sampled++
}

// recentSyncs is how long a sync has taken on average in the last minute, in ms, and
// how many there were.
func (p *pageSource) recentSyncs() (avg float64, n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	sum := 0.0
	for _, r := range p.syncs {
		sum += r.Sum
		n += r.Count
	}
	return sum / max(float64(n), 1), n
}
