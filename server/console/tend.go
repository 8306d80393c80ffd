package console

import "time"

// How often what has had its time is looked for.
const (
	sampleEvery = time.Second
	sweepEvery  = 15 * time.Second
)

// Start begins what the console does by itself: figures once a second, the end of
// what has had its time, and the search for large znodes. Close ends it.
func (c *Console) Start() {
	c.wg.Add(2)
	go c.tend()
	go c.watchSizes()
}

func (c *Console) watchSizes() {
	defer c.wg.Done()
	tick := time.NewTicker(largeEvery)
	defer tick.Stop()
	for {
		select {
		case <-c.stop:
			return
		case <-tick.C:
		case <-c.sessions.news:
		}
		if c.sessions.any() { // else nobody looks
			c.findLarge()
		}
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
