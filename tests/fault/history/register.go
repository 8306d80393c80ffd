package history

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"zooraft/protocol"
)

// registerOp is a write of a znode's data, or a sync and a read of it, taken as one.
type registerOp struct {
	client     int
	path       string
	write      bool
	value      string
	mzxid      int64 // 0: a write whose reply was lost
	sync       int   // of a read: the index of its sync's call
	call, done time.Duration
}

const forever = time.Duration(math.MaxInt64)

// Registers checks that each znode's data is a linearizable register, when a read is a sync and the getData that was
// sent right behind it; plain reads are not looked at. Only znodes that are created once, by a create that was answered,
// and never deleted are; and only writes of distinct values with version -1 make a register. The search is porcupine's.
// It gives up after timeout, and says so as a violation: a history that was not judged has not passed.
func Registers(h *History, timeout time.Duration) []Violation {
	ops := registerOps(h)
	dropUnseen(ops)
	var out []Violation
	began := time.Now()
	for _, path := range sortedKeys(ops) {
		list := make([]porcupine.Operation, 0, len(ops[path]))
		for _, o := range ops[path] {
			list = append(list, porcupine.Operation{ClientId: o.client, Input: o, Output: o.value,
				Call: int64(o.call), Return: int64(o.done)})
		}
		left := max(timeout-time.Since(began), time.Millisecond)
		switch result := porcupine.CheckOperationsTimeout(registerModel, list, left); result {
		case porcupine.Ok:
		default:
			out = append(out, Violation{"linearizable", "all", ops[path][0].call,
				fmt.Sprintf("%s: %d writes and reads: porcupine says %v", path, len(list), result)})
		}
	}
	return out
}

// registerModel is a register: its state is the value.
var registerModel = porcupine.Model{
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		o := input.(*registerOp)
		if o.write {
			return true, o.value
		}
		return output.(string) == state.(string), state
	},
}

// RegisterOrder checks the same registers by the order that the servers themselves claim, that of mzxids: no search, so
// it names the two that do not fit. In real time no write may be ordered before, or at, what was done before it began,
// and no read may show less; and each mzxid stands for one value. It is stricter than Registers, which is content with
// any order that explains the values.
func RegisterOrder(h *History) []Violation {
	var out []Violation
	for _, ops := range registerOps(h) {
		values := make(map[int64]*registerOp)
		var known []*registerOp
		for _, o := range ops {
			if o.mzxid == 0 {
				continue
			}
			known = append(known, o)
			if v := values[o.mzxid]; v != nil && v.value != o.value {
				out = append(out, o.violation(h, "mzxid 0x%x is of %q and of %q", o.mzxid, v.value, o.value))
			} else if v != nil && v.write && o.write {
				out = append(out, o.violation(h, "two writes have mzxid 0x%x", o.mzxid))
			}
			values[o.mzxid] = o
		}
		byCall := slices.SortedFunc(slices.Values(known), func(a, b *registerOp) int { return cmp.Compare(a.call, b.call) })
		byDone := slices.SortedFunc(slices.Values(known), func(a, b *registerOp) int { return cmp.Compare(a.done, b.done) })
		var newest *registerOp // of all that were done before the next call
		for _, o := range byCall {
			for len(byDone) > 0 && byDone[0].done < o.call {
				if newest == nil || byDone[0].mzxid > newest.mzxid {
					newest = byDone[0]
				}
				byDone = byDone[1:]
			}
			if newest != nil && (o.mzxid < newest.mzxid || o.write && o.mzxid == newest.mzxid) {
				out = append(out, o.violation(h, "mzxid 0x%x (%q), begun at %v, after 0x%x (%q) was done by %s at %v", o.mzxid,
					o.value, o.call, newest.mzxid, newest.value, h.Clients[newest.client].Name, newest.done))
			}
		}
	}
	slices.SortFunc(out, func(a, b Violation) int { return cmp.Compare(a.At, b.At) })
	return out
}

func (o *registerOp) violation(h *History, format string, args ...any) Violation {
	kind := "read"
	if o.write {
		kind = "write"
	}
	return Violation{"register-order", h.Clients[o.client].Name, o.call,
		fmt.Sprintf("%s of %s: ", kind, o.path) + fmt.Sprintf(format, args...)}
}

// registerOps collects what was done to each register, in no order that matters.
func registerOps(h *History) map[string][]*registerOp {
	creates := make(map[string]int)
	answered := make(map[string]bool)
	spoiled := make(map[string]bool)
	ops := make(map[string][]*registerOp)
	for ci, c := range h.Clients {
		pending := make(map[int]*registerOp) // by the index of its call
		lastSync := -1                       // index of the newest call, if that was a sync
		synced := -1                         // index of the call of the newest sync that was answered
		for i := range c.Records {
			r := &c.Records[i]
			switch {
			case r.Kind == Call:
				if o := newRegisterOp(ci, r); o != nil {
					if r.Op == protocol.OpGetData {
						s := lastSync
						if s < 0 || c.Records[s].Path != r.Path || c.Records[s].Conn != r.Conn {
							lastSync = -1
							continue // a plain read
						}
						o.call, o.sync = c.Records[s].At, s
					}
					pending[i] = o
				}
				if lastSync = -1; r.Op == protocol.OpSync {
					lastSync = i
				}
				switch {
				case r.Op == protocol.OpCreate2:
					creates[r.Path]++
				case r.Op == protocol.OpDelete, r.Op == protocol.OpSetData && r.Version != -1:
					spoiled[r.Path] = true
				}
			case r.Kind == Reply:
				o := pending[r.Call]
				delete(pending, r.Call)
				if r.OK() && r.Op == protocol.OpCreate2 {
					answered[r.Path] = true
				}
				if r.OK() && r.Op == protocol.OpSync {
					synced = r.Call
				}
				// A write that failed did nothing; a read that failed shows nothing.
				if o == nil || !r.OK() || !o.write && o.sync != synced {
					continue
				}
				o.done, o.mzxid = r.At, r.Stat.Mzxid
				if !o.write {
					o.value = r.Value
				}
				ops[o.path] = append(ops[o.path], o)
			}
		}
		for _, o := range pending {
			if o.write {
				o.done = forever
				ops[o.path] = append(ops[o.path], o)
			}
		}
	}
	for path := range ops {
		if creates[path] != 1 || !answered[path] || spoiled[path] {
			delete(ops, path)
		}
	}
	return ops
}

func newRegisterOp(client int, r *Record) *registerOp {
	switch r.Op {
	case protocol.OpCreate2, protocol.OpSetData:
		if protocol.Sequential(r.Flags) || protocol.Ephemeral(r.Flags) {
			return nil
		}
		return &registerOp{client: client, path: r.Path, write: true, value: r.Value, call: r.At}
	case protocol.OpGetData:
		return &registerOp{client: client, path: r.Path}
	}
	return nil
}

// dropUnseen takes out the writes without a reply that no read has seen, and lets the others end with the first read
// that did: a write must have been done before what it wrote is read, and one that nobody saw makes no difference.
// Without it the search would have to place each of them before or after everything that follows.
func dropUnseen(ops map[string][]*registerOp) {
	for path, list := range ops {
		seen := make(map[string]time.Duration)
		for _, o := range list {
			if !o.write {
				if t, ok := seen[o.value]; !ok || o.done < t {
					seen[o.value] = o.done
				}
			}
		}
		ops[path] = slices.DeleteFunc(list, func(o *registerOp) bool {
			if o.done != forever {
				return false
			}
			t, ok := seen[o.value]
			o.done = max(t, o.call) // a read that ended before the write began stays impossible
			return !ok
		})
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
