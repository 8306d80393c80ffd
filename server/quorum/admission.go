package quorum

import (
	"maps"
	"slices"
	"time"

	"zooraft/fsm"
)

// Who may take part, by what the others say and what the log says: whether a
// server with a blank disk may start Raft, and whether one that believes that it
// votes may stand.

// admission is how a blank server may take part.
type admission int

const (
	admissionNone  admission = iota
	admissionFirst           // as one of those who begin the ensemble
	admissionLater           // as one that the ensemble tells who belongs to it
)

// admission says how this server, which is blank, may take part now. It may join
// when a leader in office says that it does not know this server by another disk,
// or that it has no vote by that any more. It may begin an ensemble with others if
// a majority of those who vote by zoo.cfg, this one included, belong to none yet
// and agree on who votes, and nobody in sight does belong to one.
func (e *election) admission() admission {
	e.mu.Lock()
	defer e.mu.Unlock()
	unfounded, founded := 0, false
	if e.mayBegin && slices.Contains(e.founders, e.n.cfg.SID) {
		unfounded++
	}
	for sid, h := range e.peers {
		if !e.n.mesh.Connected(sid) {
			continue
		}
		founded = founded || h.Founded
		if h.InOffice {
			if h.Known == "" || h.Known == e.n.disk || !h.Votes {
				return admissionLater
			}
			if e.waits.IsZero() {
				e.waits = time.Now()
				e.n.log.Warn("the ensemble knows this server by another disk, and its vote with it: waiting until it is taken from it",
					"leader-sid", sid, "disk", e.n.disk, "known", h.Known)
			}
		}
		if !h.Founded && slices.Contains(e.founders, sid) && slices.Equal(h.Founders, e.founders) {
			unfounded++
		}
	}
	if time.Since(e.told) > repeatNotice {
		e.tellLocked()
	}
	if e.mayBegin && unfounded > len(e.founders)/2 && !founded {
		return admissionFirst
	}
	return admissionNone
}

// tellDisagreement logs which blank peers have other voters in zoo.cfg than this server,
// with which it begins no ensemble.
func (e *election) tellDisagreement() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, sid := range slices.Sorted(maps.Keys(e.peers)) {
		if h := e.peers[sid]; !h.Founded && len(h.Founders) > 0 && e.n.mesh.Connected(sid) && !slices.Equal(h.Founders, e.founders) {
			e.n.log.Warn("another blank server has other voters in its configuration: no ensemble begins before they agree",
				"sid", sid, "voters", h.Founders, "here", e.founders)
		}
	}
}

// barredLocked says whether a peer knows, later than this server does, that this
// one has no vote: it was taken from it, or is held by another disk. To stand
// would only raise this server's term, and depose the leader that finds it so.
func (e *election) barredLocked() bool {
	since, config := uint64(0), e.n.ahead.config() // what is logged counts here, applied or not
	e.n.fsm.View(func(v fsm.View) {
		config = max(config, v.ActualIndex())
		since, _, _ = v.Server(e.n.cfg.SID)
	})
	registered := e.n.ahead.disks[e.n.cfg.SID].disk == e.n.diskID
	for sid, h := range e.peers {
		if e.n.mesh.Connected(sid) && (h.Config > config && !h.Votes || h.Since > since && h.Known != e.n.disk && !registered) {
			return true
		}
	}
	return false
}
