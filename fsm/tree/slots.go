package tree

import "math/bits"

// slotSet is a set of small numbers that finds its lowest absent one in time
// logarithmic in its size. Which slot a new node gets thus depends on nothing
// but the set, and a tree that has shrunk fills its low chunks first.
//
// Invariant: levels[0] has a bit for each member; levels[k+1] has a bit for each
// word of levels[k], set if and only if all bits of that word are; words that
// are not there yet stand for zero; the last level has one word, and it is not
// full.
type slotSet struct {
	levels [][]uint64
}

func newSlotSet() slotSet {
	return slotSet{levels: [][]uint64{{0}}}
}

// lowest returns the lowest number that is not in the set.
func (s *slotSet) lowest() uint32 {
	i := 0
	for k := len(s.levels) - 1; k >= 0; k-- {
		full := uint64(0) // of a word that is yet to be appended
		if i < len(s.levels[k]) {
			full = s.levels[k][i]
		}
		i = i<<6 + bits.TrailingZeros64(^full)
	}
	return uint32(i)
}

func (s *slotSet) has(i uint32) bool {
	return hasBit(s.levels[0], i)
}

func hasBit(words []uint64, i uint32) bool {
	w := int(i >> 6)
	return w < len(words) && words[w]&(1<<(i&63)) != 0
}

// add puts i into the set. REQUIRES: i is at most one word beyond the set.
func (s *slotSet) add(i uint32) {
	for k := 0; ; k++ {
		if k == len(s.levels) {
			// The level below has outgrown its single word; its first word is full.
			s.levels = append(s.levels, []uint64{1})
			return
		}
		w := int(i >> 6)
		if w == len(s.levels[k]) {
			s.levels[k] = append(s.levels[k], 0)
		}
		s.levels[k][w] |= 1 << (i & 63)
		if s.levels[k][w] != ^uint64(0) {
			return
		}
		i >>= 6
	}
}

// remove takes i out of the set. REQUIRES: i is in it.
func (s *slotSet) remove(i uint32) {
	for k := range s.levels {
		w := &s.levels[k][i>>6]
		wasFull := *w == ^uint64(0)
		*w &^= 1 << (i & 63)
		if !wasFull {
			return
		}
		i >>= 6
	}
}
