package client

import (
	"sync"
	"time"
)

// handPatience is how long a goroutine waits for the next connection.
const handPatience = 100 * time.Millisecond

// hands are the goroutines that connections live on. One whose connection has
// ended, or has gone to sleep, takes the next one that begins or wakes: its stack
// has grown already to what a connection needs.
type hands struct {
	next chan life // for who waits
	stop <-chan struct{}
	wg   *sync.WaitGroup
}

// life is what a connection does until it ends or sleeps.
type life struct {
	c    *conn
	lead func(*conn)
}

func newHands(stop <-chan struct{}, wg *sync.WaitGroup) hands {
	return hands{next: make(chan life), stop: stop, wg: wg}
}

// take has a goroutine lead a life. It does not block. Until that has ended, wg
// is not at zero.
func (h *hands) take(l life) {
	select {
	case h.next <- l:
	default:
		h.wg.Add(1)
		go h.run(l)
	}
}

// run leads lives until there has been no other for a while, or the server ends.
func (h *hands) run(l life) {
	defer h.wg.Done()
	patience := time.NewTimer(handPatience)
	defer patience.Stop()
	for {
		l.lead(l.c)
		l = life{}
		patience.Reset(handPatience)
		select {
		case l = <-h.next:
		case <-patience.C:
			return
		case <-h.stop:
			return
		}
	}
}
