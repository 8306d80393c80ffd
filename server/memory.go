package server

import (
	"fmt"
	"runtime/metrics"

	"github.com/hashicorp/go-hclog"

	"zooraft/fsm"
)

// Of the memory limit, in percent: what is warned of, and what ends it.
const (
	memoryNear = 90
	memoryFar  = 80
)

// memoryWatch warns before the memory limit is reached, beyond which first the
// collector takes the processors and then the system ends the process. It belongs to one
// goroutine.
type memoryWatch struct {
	log  hclog.Logger
	read func() (used, limit uint64)
	near bool
}

// look says when the limit comes near and when it is far again. Nothing is near that is
// not limited: the limit is beyond all memory then.
func (w *memoryWatch) look(state func() int64) {
	used, limit := w.read()
	share := used / max(1, limit/100)
	switch {
	case !w.near && share >= memoryNear:
		w.log.Warn("memory is nearly used up", "used", mebibytes(used), "limit", mebibytes(limit), "state", mebibytes(uint64(state())))
	case w.near && share < memoryFar:
		w.log.Info("memory is far from its limit again", "used", mebibytes(used), "limit", mebibytes(limit))
	default:
		return
	}
	w.near = !w.near
}

// memoryUsed is what the runtime holds and could not give back, and its limit
// (GOMEMLIMIT). What was allocated since the last collection does not count: as a rule
// the next one takes place near the limit, whatever is in use.
func memoryUsed() (used, limit uint64) {
	s := []metrics.Sample{
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/gc/heap/live:bytes"},
		{Name: "/gc/gomemlimit:bytes"},
	}
	metrics.Read(s)
	total, released, free, objects, live := s[0].Value.Uint64(), s[1].Value.Uint64(), s[2].Value.Uint64(), s[3].Value.Uint64(), s[4].Value.Uint64()
	return total - released - free - (objects - min(live, objects)), s[5].Value.Uint64()
}

// dataSize is what the znodes' paths and data take.
func (s *Server) dataSize() (bytes int64) {
	s.fsm.View(func(v fsm.View) { bytes = v.ApproximateDataSize() })
	return bytes
}

func mebibytes(n uint64) string { return fmt.Sprintf("%d MiB", n>>20) }
