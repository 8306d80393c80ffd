package server

import (
	"fmt"
	"time"

	"zooraft/fsm"
	"zooraft/protocol"
	"zooraft/server/quorum"
)

// frameTouch carries the ids of sessions heard from, to the leader.
const frameTouch = quorum.FrameUser

// tick tells the leader every half tick which sessions this server has heard
// from, as ZooKeeper's followers do with its pings. The memory is looked at as
// often.
func (s *Server) tick() {
	defer s.wg.Done()
	ticker := time.NewTicker(s.cfg.TickTime / 2)
	defer ticker.Stop()
	memory := memoryWatch{log: s.log, read: memoryUsed}
	for {
		select {
		case <-s.stop:
			return
		case <-ticker.C:
		}
		s.reportTouches()
		s.locals.reportTouches()
		s.retryExpiries()
		s.ageStaged()
		memory.look(s.dataSize)
	}
}

func (s *Server) reportTouches() {
	s.touches.Drain(func(id protocol.SessionID) { s.unsent[id] = struct{}{} })
	if len(s.unsent) == 0 {
		return
	}
	ids := make([]protocol.SessionID, 0, len(s.unsent))
	for id := range s.unsent {
		ids = append(ids, id)
	}
	leader, _ := s.node.Leader()
	switch {
	case s.node.LeadTerm() != 0:
		s.expirer.Touch(ids...)
	case leader == 0 || leader == int64(s.cfg.SID):
		return // told to the next leader
	default:
		if !s.node.Send(leader, frameTouch, appendIDs(nil, ids)) {
			return
		}
	}
	clear(s.unsent)
}

func appendIDs(b []byte, ids []protocol.SessionID) []byte {
	for _, id := range ids {
		b = protocol.AppendInt64(b, int64(id))
	}
	return b
}

func decodeIDs(b []byte) []protocol.SessionID {
	d := protocol.NewDecoder(b)
	ids := make([]protocol.SessionID, 0, len(b)/8)
	for d.Remaining() >= 8 {
		ids = append(ids, protocol.SessionID(d.Int64()))
	}
	return ids
}

// expire puts the end of silent sessions into the log, each on condition that
// it still belongs to the connection it belongs to now.
func (s *Server) expire(term uint64, ids []protocol.SessionID) {
	r := fsm.Expire{Term: term}
	var lines []string
	now := time.Now()
	s.fsm.View(func(v fsm.View) {
		for _, id := range ids {
			// One that has just moved is closing no more.
			if timeout, owner, ok := v.Session(id); ok && s.expirer.Closing(id) {
				if !s.expirer.Again(id) { // else the log is held up, or refused
					lines = append(lines, fmt.Sprintf("Expiring session %s, timeout of %dms exceeded", id, timeout))
				}
				r.Sessions = append(r.Sessions, fsm.ExpiredSession{Session: id, Owner: owner})
			}
		}
	})
	s.mu.Lock()
	for _, e := range r.Sessions {
		s.expiring[e.Session] = now
	}
	s.mu.Unlock() // before a log that may be slow: apply takes it
	for _, line := range lines {
		s.log.Info(line)
	}
	if len(r.Sessions) > 0 {
		s.node.Duty(r.Append(nil))
	}
}

// retryExpiries hands sessions back to the expirer whose end did not come
// through, as when leadership was being transferred.
func (s *Server) retryExpiries() {
	var again []protocol.SessionID
	s.mu.Lock()
	for id, at := range s.expiring {
		if time.Since(at) > 2*s.cfg.TickTime {
			delete(s.expiring, id)
			again = append(again, id)
		}
	}
	s.mu.Unlock()
	for _, id := range again {
		s.expirer.Retry(id)
	}
}
