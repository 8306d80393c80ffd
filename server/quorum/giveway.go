package quorum

import "time"

const (
	// restFactor is how long a catching up follower rests after each message, in
	// parts of the time that the message took: on machines that have nothing to
	// spare it leaves five sixths of the time to the clients.
	restFactor = 5
	// maxRest bounds a rest.
	maxRest = 200 * time.Millisecond
)

// giveWay rests between two messages by which a follower catches up, if clients
// write meanwhile.
func (t *transport) giveWay(took time.Duration, sent, logged uint64) {
	rest := restAfter(took, sent, logged)
	if rest <= 0 {
		return
	}
	timer := time.NewTimer(rest)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.layer.ctx.Done():
	}
}

// restAfter is how long to rest after a message of so many entries that took so
// long, while so many others were logged. It is none where nobody writes, and
// never so long that more is logged until the next message than half of what
// this one brought: the follower comes closer with each.
func restAfter(took time.Duration, sent, logged uint64) time.Duration {
	if logged == 0 || sent == 0 {
		return 0
	}
	parts := min(restFactor, float64(sent)/float64(2*logged)-1)
	return min(time.Duration(parts*float64(took)), maxRest)
}
