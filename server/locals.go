package server

import (
	"cmp"
	"slices"
	"time"

	"zooraft/protocol"
	"zooraft/server/admin"
	"zooraft/server/client"
	"zooraft/server/session"
)

// localLiveness watches over the sessions that this server keeps alone. They die
// by its own clock, whoever leads, and only while it serves: nobody can be heard
// from otherwise. When it serves again, each has its full timeout, as a new leader
// gives it to the others. A nil one has nothing to do.
type localLiveness struct {
	*session.Expirer
	touches session.Touches
	s       *Server
}

func newLocalLiveness(s *Server) *localLiveness {
	l := &localLiveness{s: s}
	l.Expirer = session.New(session.Config{TickTime: s.cfg.TickTime, Expire: l.expire, Logger: s.log.Named("session.local")})
	return l
}

// Session implements client.LocalLiveness.
func (l *localLiveness) Session(id protocol.SessionID) client.Toucher { return l.touches.Session(id) }

// watch begins or ceases to watch. The Expirer's term means nothing here.
func (l *localLiveness) watch(on bool) {
	switch {
	case l == nil:
	case on:
		l.Lead(0, func(yield func(protocol.SessionID, time.Duration)) { l.s.clients.LocalSessions(yield) })
	default:
		l.Follow()
	}
}

func (l *localLiveness) expire(_ uint64, ids []protocol.SessionID) {
	l.s.clients.ExpireLocal(ids, l.Closing)
}

func (l *localLiveness) reportTouches() {
	if l == nil {
		return
	}
	var ids []protocol.SessionID
	l.touches.Drain(func(id protocol.SessionID) { ids = append(ids, id) })
	l.Touch(ids...)
}

// sessions lists them by id, with when they would expire.
func (l *localLiveness) sessions() []admin.SessionInfo {
	if l == nil {
		return nil
	}
	deadlines := l.Deadlines()
	var all []admin.SessionInfo
	l.s.clients.LocalSessions(func(id protocol.SessionID, timeout time.Duration) {
		all = append(all, admin.SessionInfo{ID: int64(id), Timeout: timeout, Expires: deadlines[id]})
	})
	slices.SortFunc(all, func(x, y admin.SessionInfo) int { return cmp.Compare(x.ID, y.ID) })
	return all
}

func (l *localLiveness) close() {
	if l != nil {
		l.Close()
	}
}
