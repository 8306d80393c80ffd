package zabcompat

import (
	"math"
	"strconv"
)

// Zxid is ZooKeeper's transaction id: the epoch of a leader in the high 32 bits,
// a counter within the epoch in the low 32 (ZooKeeper Internals, "Guarantees,
// Properties, and Definitions"). On the wire it is a signed 64-bit integer.
type Zxid uint64

// MakeZxid puts a zxid together.
func MakeZxid(epoch uint32, counter uint32) Zxid {
	return Zxid(uint64(epoch)<<32 | uint64(counter))
}

// Epoch returns the high half.
func (z Zxid) Epoch() uint32 { return uint32(z >> 32) }

// Counter returns the low half.
func (z Zxid) Counter() uint32 { return uint32(z) }

// String returns the zxid as ZooKeeper's tools print it: 0x and the bare
// hexadecimal digits.
func (z Zxid) String() string { return "0x" + strconv.FormatUint(uint64(z), 16) }

// Clock assigns zxids to the requests of a Raft log. It is replicated state:
// every server steps it through the same log, and snapshots hold its fields.
// Raft's index would not do, since it counts entries that are no requests and an
// entry may hold many requests.
//
// The epoch is the Raft term plus an offset, and the counter restarts at 1 with
// the first request of a new term. Invariant: neither Epoch nor, within an
// epoch, Counter goes back.
//
// The zero value is a Clock that has assigned nothing. A Clock is not safe for
// concurrent use.
type Clock struct {
	Offset  uint32 // what is added to the term
	Epoch   uint32 // of the last zxid
	Counter uint32 // of the last zxid
}

// Begin enters the epoch of a term, if it is a later one: until the first
// request in it, the last zxid is the epoch with a counter of 0, as in ZooKeeper
// when a leader has established its epoch.
func (c *Clock) Begin(term uint64) {
	if epoch := uint32(term) + c.Offset; epoch > c.Epoch {
		c.Epoch, c.Counter = epoch, 0
	}
}

// LeaveBehind enters the epoch of a term, and if that is not beyond z the epoch
// behind that of z.
func (c *Clock) LeaveBehind(term uint64, z Zxid) {
	c.Begin(term)
	if z < c.Last() {
		return
	}
	ahead := z.Epoch() + 1 - c.Epoch
	c.Offset += ahead
	c.Epoch += ahead
	c.Counter = 0
}

// Next assigns the zxid of the next request, which stands in the log under term.
//
// Where ZooKeeper forces an election because the counter runs out, the offset
// grows by one and the counter restarts at 1. A term whose epoch would lie
// behind the last one, which a log in order cannot hold unless Offset and Epoch
// were set apart, continues the last epoch.
func (c *Clock) Next(term uint64) Zxid {
	c.Begin(term)
	// The largest counter is never given out, as in ZooKeeper.
	if c.Counter >= math.MaxUint32-1 {
		c.Offset++
		c.Epoch++
		c.Counter = 0
	}
	c.Counter++
	return c.Last()
}

// Last returns the zxid assigned last, or that at the beginning of the epoch, or
// 0 if there was none.
func (c *Clock) Last() Zxid { return MakeZxid(c.Epoch, c.Counter) }
