//go:build interop

package interop

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"zooraft/tests/interop/differ"
)

const (
	// differTime is how long generated scenarios are played, unless DIFFER_TIME says otherwise.
	differTime = 2 * time.Minute
	// shrinkTime bounds how long a difference is made smaller.
	shrinkTime = time.Minute
	// enoughDifferences ends a run: those after it are likely the same ones.
	enoughDifferences = 5
	// oddOnes is in how many scenarios there may be a difference that does not come again: what a ZooKeeper of three
	// does is a matter of time now and then (docs/differences.md).
	oddOnes = 1000
	// pairLife is how many scenarios a pair of servers plays. None is cleaned up, so that the next starts at once.
	pairLife = 1500
)

// profiles are the kinds of generated scenarios, with what share of the time.
var profiles = []struct {
	share int
	differ.Profile
}{
	{50, differ.Profile{Name: "plain", Config: differ.Config{Size: 1, TickTime: 200 * time.Millisecond}}},
	{20, differ.Profile{Name: "three", Config: differ.Config{Size: 3, TickTime: 500 * time.Millisecond},
		// A body that does not decode, sent through a follower, ends a ZooKeeper's service.
		Weights: map[string]int{"malformed": -3}}},
	{15, differ.Profile{Name: "extended", Config: differ.Config{Size: 1, TickTime: 200 * time.Millisecond,
		Lines: []string{"enforceQuota=true"}, Defines: []string{"zookeeper.extendedTypesEnabled=true"}},
		// No bursts: ZooKeeper looks at what is used when a write arrives, not when its turn comes.
		Weights: map[string]int{"quota": 5, "ttl": 8, "burst": -8}}},
	{15, differ.Profile{Name: "sessions", Config: differ.Config{Size: 1, TickTime: 200 * time.Millisecond},
		Weights: map[string]int{"session": 14, "expire": 1}}},
}

// TestGenerated plays scenarios that are made up, each from its seed.
func TestGenerated(t *testing.T) {
	total := differTime
	if s := os.Getenv("DIFFER_TIME"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatal(err)
		}
		total = d
	}
	seed := rand.Uint64() >> 32
	if s := os.Getenv("DIFFER_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 0, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	shares := 0
	for i := range profiles {
		shares += profiles[i].share
	}
	for i := range profiles {
		p := &profiles[i]
		t.Run(p.Name, func(t *testing.T) {
			t.Logf("DIFFER_SEED=%d", seed)
			generated(t, &p.Profile, seed, total*time.Duration(p.share)/time.Duration(shares))
		})
	}
}

func generated(t *testing.T, profile *differ.Profile, seed uint64, limit time.Duration) {
	end := time.Now().Add(limit)
	played, requests, differences := 0, 0, 0
	defer func() {
		t.Logf("%d scenarios, %d requests compared, %d differences", played, requests, differences)
	}()
	var pair *pair
	once, left := 0, 0
	for time.Now().Before(end) && differences < enoughDifferences {
		if left == 0 {
			left = pairLife
			before := time.Now()
			pair = startPair(t, &profile.Config)
			end = end.Add(time.Since(before)) // a start is not what the time is for
		}
		s := differ.Generate(profile, seed)
		o, err := pair.play(s)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, s.Text())
		}
		played++
		left--
		requests += o.Oracle.Requests
		if o.Difference != nil {
			left = 0 // what it leaves may differ, too
			again := func(s *differ.Scenario) *differ.Difference {
				o, err := pair.play(s)
				if err != nil {
					return nil
				}
				return o.Difference
			}
			small := differ.Shrink(s, shrinkTime, again)
			for range 5 { // or it is a matter of time
				if small != nil && again(s) == nil {
					small = nil
				}
			}
			if small == nil {
				once++
				t.Logf("a difference that does not always come again:\n%s", o.Difference.Script(seed))
			} else {
				differences++
				t.Errorf("a difference:\n%s", small.Script(seed))
			}
		}
		seed++
	}
	if once > 1+played/oddOnes {
		t.Errorf("%d differences that did not always come again, in %d scenarios", once, played)
	}
}
