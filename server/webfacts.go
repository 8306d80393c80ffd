package server

import (
	"cmp"
	"slices"
	"time"

	"zooraft/fsm"
	"zooraft/protocol"
	"zooraft/server/client"
	"zooraft/server/console"
)

// shownPaths is how many ephemerals and watches of one session are shown.
const shownPaths = 1000

func (p *pageSource) Sessions() []console.Session {
	s := p.s
	var all []console.Session
	s.fsm.View(func(v fsm.View) {
		all = make([]console.Session, 0, v.NumSessions())
		for id, timeout := range v.Sessions() {
			_, owner, _ := v.Session(id)
			all = append(all, console.Session{
				ID: console.Hex(id), TimeoutMs: int64(timeout), Server: owner.SID, Ephemerals: v.NumEphemerals(id),
			})
		}
	})
	deadlines, now := s.expirer.Deadlines(), time.Now()
	for _, l := range s.locals.sessions() {
		all = append(all, console.Session{ID: console.Hex(l.ID), Local: true, TimeoutMs: l.Timeout.Milliseconds(), Server: int64(s.cfg.SID), ExpiresMs: until(l.Expires, now)})
	}
	here := s.clients.Attached()
	for i := range all {
		id := protocol.SessionID(all[i].ID)
		if !all[i].Local {
			all[i].ExpiresMs = until(deadlines[id], now)
		}
		if a, ok := here[id]; ok {
			all[i].Client, all[i].Watches = a.Client, &a.Watches
		}
	}
	slices.SortFunc(all, func(x, y console.Session) int { return cmp.Compare(uint64(x.ID), uint64(y.ID)) })
	return all
}

// until is how many ms there are to a moment, nil if it is not known.
func until(at, now time.Time) *int64 {
	if at.IsZero() {
		return nil
	}
	ms := max(at.Sub(now).Milliseconds(), 0)
	return &ms
}

func (p *pageSource) Session(id int64) (console.SessionDetail, bool) {
	s, sid := p.s, protocol.SessionID(id)
	var d console.SessionDetail
	found := false
	s.fsm.View(func(v fsm.View) {
		var timeout int32
		var owner fsm.Owner
		if timeout, owner, found = v.Session(sid); !found {
			return
		}
		d.TimeoutMs, d.Server = int64(timeout), owner.SID
		d.Ephemerals, d.EphemeralPaths = v.NumEphemerals(sid), v.EphemeralsOf(sid, shownPaths)
	})
	now := time.Now()
	if found {
		d.ExpiresMs = until(s.expirer.Deadlines()[sid], now)
	}
	for _, l := range s.locals.sessions() {
		if l.ID == id {
			found, d.Local, d.TimeoutMs, d.Server, d.ExpiresMs = true, true, l.Timeout.Milliseconds(), int64(s.cfg.SID), until(l.Expires, now)
		}
	}
	if !found {
		return d, false
	}
	d.ID = console.Hex(id)
	d.EphemeralPaths = append([]string{}, d.EphemeralPaths...)
	slices.Sort(d.EphemeralPaths)
	info, watches, ok := s.clients.Inspect(sid, shownPaths)
	if !ok {
		return d, true
	}
	c := connection(&info)
	n := len(watches)
	d.Client, d.Connection, d.Watches = info.Remote, &c, &n
	d.WatchPaths = make([]console.WatchedPath, 0, n)
	for _, w := range watches {
		kind := "data"
		switch {
		case w.Recursive:
			kind = "recursive"
		case w.Children:
			kind = "children"
		}
		if !w.Once && !w.Recursive {
			kind = "persistent " + kind
		}
		d.WatchPaths = append(d.WatchPaths, console.WatchedPath{Path: w.Path, Kind: kind})
	}
	slices.SortFunc(d.WatchPaths, func(x, y console.WatchedPath) int {
		return cmp.Or(cmp.Compare(x.Path, y.Path), cmp.Compare(x.Kind, y.Kind))
	})
	return d, true
}

func (p *pageSource) Connections() []console.Connection {
	all := p.s.clients.Connections()
	out := make([]console.Connection, len(all))
	for i := range all {
		out[i] = connection(&all[i])
	}
	return out
}

func connection(c *client.ConnInfo) console.Connection {
	out := console.Connection{
		Client: c.Remote, TimeoutMs: c.Timeout.Milliseconds(), Established: c.Established.UTC(), Queued: c.Queued,
		Received: c.Received, Sent: c.Sent, LatencyAvg: c.LatencyAvg, LatencyMin: c.LatencyMin, LatencyMax: c.LatencyMax,
	}
	if c.HasSession {
		id := console.Hex(c.Session)
		out.Session = &id
	}
	if c.Replied {
		zxid, at := console.Hex(c.LastZxid), c.LastReply.UTC()
		out.LastOp, out.LastZxid, out.LastReply = c.Op.String(), &zxid, &at
	}
	return out
}

// Settings are those that the program knows of, or else what has been set.
func (p *pageSource) Settings() []console.Setting {
	var all []console.Setting
	for _, set := range p.s.cfg.Settings {
		value := set.Value
		if Secret(set.Key) && value != "" {
			value = maskText
		}
		all = append(all, console.Setting{Key: set.Key, Value: value, Origin: set.Origin, Effect: set.Effect, Note: set.Note})
	}
	if all != nil {
		return all
	}
	for key, value := range p.s.cfg.properties() {
		all = append(all, console.Setting{Key: key, Value: value, Origin: "set"})
	}
	slices.SortFunc(all, func(x, y console.Setting) int { return cmp.Compare(x.Key, y.Key) })
	return all
}

func (p *pageSource) Slow() console.SlowRequests {
	out := console.SlowRequests{ThresholdMs: p.s.cfg.SlowRequest.Milliseconds()}
	for _, r := range p.s.slow.recent() {
		slow := console.SlowRequest{
			At: r.At.UTC(), Op: r.Op, Path: r.Path, Session: console.Hex(r.Session), Client: r.Client, Zxid: console.Hex(r.Zxid),
			TookMs: inMillis(r.Total), Parts: make(map[string]float64),
		}
		for _, part := range [...]struct {
			name string
			took time.Duration
		}{{"queue", r.Queue}, {"fsync", r.Fsync}, {"replicate", r.Replicate}, {"sync", r.Sync}, {"apply", r.Apply}} {
			if part.took > 0 {
				slow.Parts[part.name] = inMillis(part.took)
			}
		}
		out.Requests = append(out.Requests, slow)
	}
	return out
}

func inMillis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
