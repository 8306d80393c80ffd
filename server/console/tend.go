package console

import "time"

// How often what has had its time is looked for.
const (
	sampleEvery = time.Second
	sweepEvery  = 15 * time.Second
	warnEvery   = 5 * time.Second
)

// Start begins what the console does by itself: figures once a second, the end of
// what has had its time, and the looking out for what to warn of. Close ends it.
func (c *Console) Start() {
	c.wg.Add(2)
	go c.tend()
	go c.lookOut()
}

// lookOut counts the warnings while somebody is signed in. It blocks at times, on
// other members and to let others have the lock, and so is apart from tend.
func (c *Console) lookOut() {
	defer c.wg.Done()
	tick := time.NewTicker(warnEvery)
	defer tick.Stop()
	var looked time.Time // through all znodes
	for {
		select {
		case <-c.stop:
			return
		case <-tick.C:
		case <-c.sessions.news:
			looked = time.Time{}
		}
		if !c.sessions.any() {
			continue // nobody looks
		}
		if time.Since(looked) > largeEvery {
			c.findLarge()
			looked = time.Now()
		}
		c.warned.Store(int32(len(c.allWarnings())))
	}
}

func (c *Console) tend() {
	defer c.wg.Done()
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	swept := time.Now()
	for {
		select {
		case <-c.stop:
			return
		case now := <-tick.C:
			c.sample(now)
			if now.Sub(swept) >= sweepEvery {
				swept = now
				c.sweep()
			}
		}
	}
}

// sweep ends what has had its time: sessions, those too whose token is not the
// token any more, and lists of children.
func (c *Console) sweep() {
	token, err := "", error(nil)
	if c.cfg.TokenFile != "" {
		token, err = readToken(c.cfg.TokenFile)
	}
	c.sessions.sweep(func(s *session) bool { return s.token != "" && (err != nil || s.token != token) })
	c.lists.sweep()
}
