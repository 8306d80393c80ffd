package quorum

import (
	"testing"
	"time"
)

// TestAskAgain: a server that is long in catching up does not fill the log.
func TestAskAgain(t *testing.T) {
	now := time.Unix(0, 0)
	o := origin{asked: now}
	var pauses []time.Duration
	for end := now.Add(time.Minute); now.Before(end); now = now.Add(10 * time.Millisecond) {
		if o.dueToRegister(now) {
			pauses = append(pauses, now.Sub(o.asked))
			o.asked = now
		}
	}
	if n := len(pauses); n < 9 || n > 11 || pauses[0] > 2*leastAskAfter || pauses[n-1] > mostAskAfter+time.Second {
		t.Errorf("asked after %v", pauses)
	}
}
