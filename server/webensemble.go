package server

import (
	"context"
	"net"
	"slices"
	"strconv"
	"sync"

	"zooraft/server/console"
	"zooraft/zabcompat"
)

// Ensemble asks each member that there is a stream to for its status, all at once;
// what the others are doing nobody knows.
func (p *pageSource) Ensemble(ctx context.Context) console.Ensemble {
	s := p.s
	own := s.Status()
	e := console.Ensemble{
		SID: own.SID, Leader: own.LeaderSID, Term: own.RaftTerm, Standalone: s.cfg.Standalone(), Since: own.Since.UTC(),
		Elections: []console.Election{},
	}
	for _, el := range slices.Backward(own.Elections) {
		e.Elections = append(e.Elections, console.Election{
			At: el.At.UTC(), TookMillis: el.TookMillis, Leader: el.LeaderSID, Term: el.Round, Epoch: el.Vote.Epoch,
			State: el.State.String(), Vote: vote(el.Vote),
		})
	}
	if e.Standalone {
		m := console.Member{SID: own.SID, Role: zabcompat.Participant, Self: true, Leader: true, Connected: true, Member: true, Rank: 1, State: own.ServerState}
		room, _, _ := s.node.Space()
		m.Room = room.String()
		addFigures(&m, &own)
		m.ClientAddress = s.ClientAddr().String()
		e.Leader, e.Voters, e.Quorum, e.Members = own.SID, 1, 1, []console.Member{m}
		setLag(e.Members, map[int64]*Status{own.SID: &own})
		return e
	}
	members := s.membership()
	e.Voters, e.Version = members.Voters(), console.Hex(members.Version)
	e.Quorum = e.Voters/2 + 1
	answers := map[int64]*Status{own.SID: &own}
	problems := make(map[int64]string)
	var mu sync.Mutex
	var wg sync.WaitGroup
	votes := s.node.Votes()
	for rank, v := range votes {
		spec, member := members.Server(v.SID)
		m := console.Member{
			SID: v.SID, Role: spec.Role(), Self: v.SID == own.SID, Leader: v.SID == own.LeaderSID, Connected: v.Connected,
			Member: member, Rank: rank + 1, State: v.State.String(), Room: v.Room.String(),
		}
		if member {
			m.Address, m.Election = spec.QuorumAddr(), spec.ElectionAddr()
			if spec.ClientPort != 0 {
				m.ClientAddress = net.JoinHostPort(spec.ClientHost, strconv.Itoa(spec.ClientPort))
			}
		}
		if v.Zxid != 0 || v.Connected {
			told := vote(v.Vote)
			m.Vote = &told
		}
		e.Members = append(e.Members, m)
		switch {
		case m.Self:
		case !v.Connected:
			problems[v.SID] = "not connected"
		default:
			wg.Go(func() {
				st, err := queryStatus(ctx, s.quorumTLS.security(), int(v.SID), s.node.QuorumAddr(v.SID))
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					problems[v.SID] = err.Error()
					return
				}
				answers[v.SID] = &st
			})
		}
	}
	wg.Wait()
	for i := range e.Members {
		m := &e.Members[i]
		if st := answers[m.SID]; st != nil {
			addFigures(m, st)
			m.State = st.State.String()
		} else if m.Problem = problems[m.SID]; !m.Connected {
			m.State = "" // what it was last is not what it is
		}
	}
	setLag(e.Members, answers)
	setRanks(e.Members, answers)
	p.remember(answers)
	return e
}

func vote(v zabcompat.Vote) console.Vote {
	return console.Vote{Epoch: v.Epoch, Zxid: console.Hex(v.Zxid), SID: v.SID}
}

// addFigures adds what a member says of itself.
func addFigures(m *console.Member, st *Status) {
	zxid := console.Hex(st.Zxid)
	m.Zxid, m.Serving, m.ReadOnly, m.UptimeMs, m.Version = &zxid, &st.Serving, st.ReadOnly, &st.UptimeMillis, st.Version
	m.Connections, m.Outstanding, m.Watches, m.Znodes = &st.Connections, &st.Outstanding, &st.WatchCount, &st.NodeCount
	m.LatencyAvg, m.LatencyMax = st.LatencyAvg, st.LatencyMax
}

// setLag compares what each has applied with the highest commit index that one of
// them knows. They were not asked at the same instant: under load a few entries
// mean nothing.
func setLag(members []console.Member, answers map[int64]*Status) {
	var committed uint64
	for _, st := range answers {
		committed = max(committed, st.RaftCommitIndex)
	}
	for i := range members {
		if st := answers[members[i].SID]; st != nil {
			lag := int64(committed - min(st.RaftAppliedIndex, committed))
			members[i].Lag = &lag
		}
	}
}

// setRanks puts the members into the order in which they would be elected, were all
// to look for a leader now: by the votes that they have just told of, and behind
// these by those that they told of when they last looked for one.
func setRanks(members []console.Member, answers map[int64]*Status) {
	standing := func(m *console.Member) (v zabcompat.Vote, answered bool) {
		if st := answers[m.SID]; st != nil {
			return st.Vote, true
		}
		return zabcompat.Vote{SID: m.SID}, false
	}
	slices.SortStableFunc(members, func(a, b console.Member) int {
		v, va := standing(&a)
		w, wa := standing(&b)
		switch {
		case va != wa && va, va && wa && v.Beats(w):
			return -1
		case va != wa, va && wa && w.Beats(v):
			return 1
		}
		return 0
	})
	for i := range members {
		m := &members[i]
		m.Rank = i + 1
		if st := answers[m.SID]; st != nil {
			told := vote(st.Vote)
			m.Vote = &told
		}
	}
}

// remember keeps what the members said, for the warnings.
func (p *pageSource) remember(answers map[int64]*Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers = answers
}
