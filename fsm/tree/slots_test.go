package tree

import (
	"math/rand/v2"
	"testing"
)

func TestSlotSetAgainstMap(t *testing.T) {
	for seed := uint64(1); seed <= 4; seed++ {
		rng := rand.New(rand.NewPCG(seed, 0))
		s, model := newSlotSet(), map[uint32]bool{}
		low := uint32(0) // lowest absent
		for step := 0; step < 60000; step++ {
			if got := s.lowest(); got != low {
				t.Fatalf("seed %d step %d: lowest() = %d, want %d", seed, step, got, low)
			}
			// Phases of growth and of shrinking, so that several levels fill and empty.
			if grow := step%20000 < 12000; grow || len(model) == 0 {
				s.add(low)
				model[low] = true
				for model[low] {
					low++
				}
			} else {
				i := rng.Uint32N(12000)
				if s.has(i) != model[i] {
					t.Fatalf("seed %d step %d: has(%d) = %v, want %v", seed, step, i, s.has(i), model[i])
				}
				if model[i] {
					s.remove(i)
					delete(model, i)
					low = min(low, i)
				}
			}
		}
	}
}
