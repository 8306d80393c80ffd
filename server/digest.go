package server

import (
	"sync"
	"time"

	"zooraft/fsm"
)

// How long after a digest of the tree the next is made: a second, or so many times
// as long as it has taken, for writes wait meanwhile.
const (
	digestRest  = time.Second
	digestShare = 9
)

// digests hold the last digest of the tree. One is made at a time, and not more
// often than the above says; in between the last one is given, which names its
// zxid.
type digests struct {
	mu     sync.Mutex
	zxid   int64
	digest uint64
	next   time.Time // zero before the first
}

// get gives the digest of a state at zxid, or the last one. compute reads the state;
// it returns the zxid that it has found.
func (d *digests) get(now func() time.Time, zxid func() int64, compute func() (int64, uint64)) (int64, uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	start := now()
	if !d.next.IsZero() && (start.Before(d.next) || zxid() == d.zxid) {
		return d.zxid, d.digest
	}
	d.zxid, d.digest = compute()
	end := now()
	d.next = end.Add(max(digestRest, digestShare*end.Sub(start)))
	return d.zxid, d.digest
}

func (a source) Digest() (zxid int64, digest uint64) {
	last := func() (zxid int64) {
		a.s.fsm.View(func(v fsm.View) { zxid = v.LastZxid() })
		return zxid
	}
	return a.s.digests.get(time.Now, last, func() (zxid int64, digest uint64) {
		a.s.fsm.View(func(v fsm.View) { zxid, digest = v.LastZxid(), v.Digest() })
		return zxid, digest
	})
}
