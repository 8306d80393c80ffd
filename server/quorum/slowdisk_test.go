package quorum

import (
	"testing"
	"time"
)

func TestSlowDisk(t *testing.T) {
	for _, tt := range []struct {
		name            string
		every, sync     time.Duration // a sync begins so often, and takes so long
		longest         time.Duration // between two looks
		slow            bool
		atLeast, atMost time.Duration // until that is found out
	}{
		{name: "hangs", every: time.Hour, sync: time.Hour, slow: true, atLeast: 2500 * time.Millisecond, atMost: 3 * time.Second},
		{name: "half a second", every: 500 * time.Millisecond, sync: 500 * time.Millisecond, slow: true, atLeast: 2500 * time.Millisecond, atMost: 4 * time.Second},
		{name: "fast", every: 10 * time.Millisecond, sync: 2 * time.Millisecond},
		{name: "slow now and then", every: time.Second, sync: 300 * time.Millisecond},
		{name: "hangs once", every: time.Hour, sync: 2 * time.Second},
		{name: "the process stood still", every: time.Hour, sync: 5 * time.Second, longest: 4500 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var d slowDisk
			begin := time.Unix(1e9, 0)
			d.note(begin, false)
			for at := time.Duration(0); at < 10*time.Second; at += max(observeEvery, tt.longest) {
				d.note(begin.Add(at), at%tt.every < tt.sync && at%tt.every >= slowWrite)
				if !d.slow() {
					continue
				}
				if !tt.slow || at < tt.atLeast || at > tt.atMost {
					t.Fatalf("slow after %v", at)
				}
				return
			}
			if tt.slow {
				t.Fatal("not found to be slow")
			}
		})
	}
}
