package history

import (
	"slices"
	"time"
)

// Pause is the longest time without an acknowledged write.
type Pause struct {
	Gap     time.Duration // between two acknowledgements by one server
	Server  int           // which server that was
	Latency time.Duration // the longest that one write took
	Acks    int           // writes acknowledged in the whole time
}

// LongestPause measures the acknowledgements of writes by each of the servers between two moments, and gives the longest
// gap of any. A write that was answered before the end counts with its whole latency.
func LongestPause(h *History, from, to time.Duration, servers []int) Pause {
	acks := make(map[int][]time.Duration)
	var p Pause
	for _, c := range h.Clients {
		for i := range c.Records {
			r := &c.Records[i]
			if !r.OK() || !r.Write() || r.At < from || r.At > to || !slices.Contains(servers, r.Server) {
				continue
			}
			acks[r.Server] = append(acks[r.Server], r.At)
			p.Latency = max(p.Latency, r.At-c.Records[r.Call].At)
			p.Acks++
		}
	}
	for _, server := range servers {
		times := append(acks[server], to)
		slices.Sort(times)
		last := from
		for _, at := range times {
			if at-last > p.Gap {
				p.Gap, p.Server = at-last, server
			}
			last = at
		}
	}
	return p
}

// Losses are the connections to the servers that ended, between two moments, without their client's wish.
func Losses(h *History, from, to time.Duration, servers []int) []Violation {
	var out []Violation
	for _, c := range h.Clients {
		for i := range c.Records {
			r := &c.Records[i]
			if r.Kind == Lost && r.At >= from && r.At <= to && slices.Contains(servers, r.Server) {
				out = append(out, Violation{"connection-kept", c.Name, r.At, "connection lost: " + r.Value})
			}
		}
	}
	return out
}
