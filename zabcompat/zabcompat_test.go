package zabcompat

import (
	"math"
	"math/rand"
	"sort"
	"testing"
	"testing/quick"
)

func TestZxid(t *testing.T) {
	tests := []struct {
		epoch, counter uint32
		want           Zxid
		text           string
	}{
		{0, 0, 0, "0x0"},
		{0, 1, 1, "0x1"},
		{1, 0, 1 << 32, "0x100000000"},
		{1, 8, 0x100000008, "0x100000008"},
		{0xabcd, 0xffffffff, 0xabcdffffffff, "0xabcdffffffff"},
		{math.MaxUint32, math.MaxUint32, math.MaxUint64, "0xffffffffffffffff"},
	}
	for _, tt := range tests {
		z := MakeZxid(tt.epoch, tt.counter)
		if z != tt.want || z.Epoch() != tt.epoch || z.Counter() != tt.counter || z.String() != tt.text {
			t.Errorf("MakeZxid(%#x, %#x) = %v with epoch %#x, counter %#x; want %v", tt.epoch, tt.counter, z, z.Epoch(), z.Counter(), tt.text)
		}
	}
}

func TestClockNext(t *testing.T) {
	const last = math.MaxUint32 - 1 // the largest counter given out
	tests := []struct {
		name  string
		start Clock
		terms []uint64
		want  []Zxid
		end   Clock
	}{
		{"first request", Clock{}, []uint64{1}, []Zxid{0x100000001}, Clock{0, 1, 1}},
		{"same term counts", Clock{}, []uint64{3, 3, 3}, []Zxid{0x300000001, 0x300000002, 0x300000003}, Clock{0, 3, 3}},
		{"new term restarts", Clock{}, []uint64{1, 1, 4, 4}, []Zxid{0x100000001, 0x100000002, 0x400000001, 0x400000002}, Clock{0, 4, 2}},
		{"offset adds", Clock{Offset: 0x10}, []uint64{2, 3}, []Zxid{0x1200000001, 0x1300000001}, Clock{0x10, 0x13, 1}},
		{"last counter", Clock{0, 5, last - 1}, []uint64{5}, []Zxid{MakeZxid(5, last)}, Clock{0, 5, last}},
		{"overflow takes the next epoch", Clock{0, 5, last}, []uint64{5, 5}, []Zxid{0x600000001, 0x600000002}, Clock{1, 6, 2}},
		{"term after overflow", Clock{1, 6, 2}, []uint64{5, 6}, []Zxid{0x600000003, 0x700000001}, Clock{1, 7, 1}},
		{"overflow met by a new term", Clock{0, 5, last}, []uint64{6}, []Zxid{0x600000001}, Clock{0, 6, 1}},
		{"epoch ahead of the term", Clock{0, 9, 7}, []uint64{3, 9, 10}, []Zxid{0x900000008, 0x900000009, 0xa00000001}, Clock{0, 10, 1}},
		{"overflow ahead of the term", Clock{0, 9, last}, []uint64{3}, []Zxid{0xa00000001}, Clock{1, 10, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := tt.start
			for i, term := range tt.terms {
				got := c.Next(term)
				if got != tt.want[i] || c.Last() != got {
					t.Errorf("request %d, term %d: %v, then Last %v; want %v", i, term, got, c.Last(), tt.want[i])
				}
			}
			if c != tt.end {
				t.Errorf("clock %+v, want %+v", c, tt.end)
			}
		})
	}
}

func TestClockLeaveBehind(t *testing.T) {
	for _, z := range []Zxid{0, 1, 0x500000009, MakeZxid(5, math.MaxUint32), MakeZxid(7, 3), MakeZxid(7, 4)} {
		c := Clock{Offset: 2, Epoch: 7, Counter: 3}
		c.LeaveBehind(5, z)
		want := MakeZxid(7, 4)
		if z >= MakeZxid(7, 3) {
			want = MakeZxid(8, 1)
		}
		if got := c.Next(5); got != want {
			t.Errorf("behind %v: first zxid is %v, want %v", z, got, want)
		}
		if got, want := c.Next(6), MakeZxid(want.Epoch()+1, 1); got != want {
			t.Errorf("behind %v: first zxid of the next term is %v, want %v", z, got, want)
		}
	}
	var c Clock
	c.LeaveBehind(9, MakeZxid(3, 1))
	if got := c.Next(9); got != MakeZxid(9, 1) {
		t.Errorf("a term beyond it: %v", got)
	}
}

// Zxids grow strictly whatever the terms, even ones that no Raft log holds, and
// from whatever state; and in a log in order a new term means counter 1.
func TestClockNeverGoesBack(t *testing.T) {
	grows := func(offset uint16, epoch uint32, counter uint32, terms []uint16) bool {
		c := Clock{Offset: uint32(offset), Epoch: epoch >> 4, Counter: counter}
		before := c.Last()
		for _, term := range terms {
			z := c.Next(uint64(term))
			if z <= before || z.Counter() == math.MaxUint32 {
				return false
			}
			before = z
		}
		return true
	}
	nearOverflow := func(back uint8, terms []uint16) bool {
		return grows(0, 1<<20, math.MaxUint32-uint32(back%8), terms)
	}
	restarts := func(offset uint16, steps []uint8) bool {
		c, term := Clock{Offset: uint32(offset)}, uint64(0)
		for i, step := range steps {
			newTerm := step%3 == 0 || i == 0
			if newTerm {
				term += uint64(step) + 1
			}
			z, counter := c.Last(), uint32(1)
			if !newTerm {
				counter = z.Counter() + 1
			}
			if c.Next(term) != MakeZxid(uint32(term)+uint32(offset), counter) {
				return false
			}
		}
		return true
	}
	for name, f := range map[string]any{"grows": grows, "near overflow": nearOverflow, "restarts": restarts} {
		if err := quick.Check(f, &quick.Config{MaxCount: 2000}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestVoteBeats(t *testing.T) {
	tests := []struct {
		name string
		v, o Vote
		want bool
	}{
		{"later epoch", Vote{2, 1, 1}, Vote{1, 9, 9}, true},
		{"earlier epoch", Vote{1, 9, 9}, Vote{2, 1, 1}, false},
		{"later zxid", Vote{1, 2, 1}, Vote{1, 1, 9}, true},
		{"earlier zxid", Vote{1, 1, 9}, Vote{1, 2, 1}, false},
		{"zxids are unsigned", Vote{1, 1 << 63, 1}, Vote{1, 1, 1}, true},
		{"higher id", Vote{1, 1, 2}, Vote{1, 1, 1}, true},
		{"lower id", Vote{1, 1, 1}, Vote{1, 1, 2}, false},
		{"ids are signed", Vote{1, 1, 0}, Vote{1, 1, -1}, true},
		{"equal", Vote{1, 1, 1}, Vote{1, 1, 1}, false},
	}
	for _, tt := range tests {
		if got := tt.v.Beats(tt.o); got != tt.want {
			t.Errorf("%s: %v beats %v = %v, want %v", tt.name, tt.v, tt.o, got, tt.want)
		}
	}
	if got, want := (Vote{1, 0x100000002, 3}).String(), "(epoch 0x1, zxid 0x100000002, sid 3)"; got != want {
		t.Errorf("String %q, want %q", got, want)
	}
}

// Beats is a strict total order: of two different votes exactly one beats the
// other, none beats itself, and it is transitive. Small fields make ties common.
func TestBeatsIsStrictTotalOrder(t *testing.T) {
	vote := func(b uint8) Vote { return Vote{uint32(b & 3), Zxid(b >> 2 & 3), int64(b>>4&3) - 1} }
	order := func(x, y, z uint8) bool {
		a, b, c := vote(x), vote(y), vote(z)
		if a.Beats(a) || (a != b) != (a.Beats(b) != b.Beats(a)) {
			return false
		}
		return !a.Beats(b) || !b.Beats(c) || a.Beats(c)
	}
	if err := quick.Check(order, &quick.Config{MaxCount: 20000}); err != nil {
		t.Error(err)
	}
	// And the winner does not depend on the order in which votes are heard.
	votes := make([]Vote, 64)
	for i := range votes {
		votes[i] = vote(uint8(i))
	}
	rand.New(rand.NewSource(1)).Shuffle(len(votes), func(i, j int) { votes[i], votes[j] = votes[j], votes[i] })
	sort.Slice(votes, func(i, j int) bool { return votes[i].Beats(votes[j]) })
	if votes[0] != (Vote{3, 3, 2}) || votes[63] != (Vote{0, 0, -1}) {
		t.Errorf("best %v, worst %v", votes[0], votes[63])
	}
}

func TestStateNames(t *testing.T) {
	tests := []struct {
		s          State
		text, mode string
	}{
		{Looking, "LOOKING", "looking"},
		{Following, "FOLLOWING", "follower"},
		{Leading, "LEADING", "leader"},
		{Observing, "OBSERVING", "observer"},
		{State(7), "State(7)", "unknown"},
	}
	for _, tt := range tests {
		if tt.s.String() != tt.text || tt.s.Mode() != tt.mode {
			t.Errorf("State %d: %q, %q; want %q, %q", int(tt.s), tt.s, tt.s.Mode(), tt.text, tt.mode)
		}
	}
}
