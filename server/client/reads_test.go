package client

import (
	"testing"

	"zooraft/protocol"
	"zooraft/zabcompat/metrics"
)

// However many reads come at once, all of them are counted that succeed.
func TestReadsAreCounted(t *testing.T) {
	m := new(metrics.Metrics)
	f := start(t, func(c *Config) { c.Metrics = m })
	p := f.connect()
	p.mustCall(1, protocol.OpCreate, create("/app", "data"))
	want := int64(0)
	for n := range int32(70) {
		var at []byte
		for i := range n {
			at = append(at, request(10+2*i, protocol.OpGetData, get("/app"))...)
			at = append(at, request(11+2*i, protocol.OpGetData, get("/none"))...)
		}
		if _, err := p.nc.Write(at); err != nil {
			t.Fatal(err)
		}
		for i := range 2 * n {
			if h, _ := p.reply(); h.Xid != 10+i {
				t.Fatalf("reply %+v, want xid %d", h, 10+i)
			}
		}
		want += int64(n)
		f := m.ReadPerNamespace.For("app").Figures()
		if f.Count != want || f.Sum != int64(len("/app")+4)*want {
			t.Fatalf("after %d at once: %d reads of %d bytes, want %d", n, f.Count, f.Sum, want)
		}
	}
}

// Bytes of replies are those of requests: pings have none, nor have the events
// that come before a reply, and lengths of frames count nowhere.
func TestReplyBytes(t *testing.T) {
	m := new(metrics.Metrics)
	f := start(t, func(c *Config) { c.Metrics = m })
	p := f.connect()
	const header = 16
	p.mustCall(1, protocol.OpCreate, create("/a", "")) // answers the path
	p.mustCall(protocol.XidPing, protocol.OpPing, nil)
	want := int64(header + 4 + len("/a"))
	if got := m.ResponseBytes.Value(); got != want {
		t.Errorf("%d bytes of replies after a create and a ping, want %d", got, want)
	}
	p.send(2, protocol.OpSetWatches, &protocol.SetWatches{Data: []string{"/a", "/none"}})
	for _, xid := range []int32{protocol.XidNotification, protocol.XidNotification, 2} {
		if h, _ := p.reply(); h.Xid != xid {
			t.Fatalf("reply %+v, want xid %d", h, xid)
		}
	}
	want += header
	events := int64(2*(header+4+4+4) + len("/a") + len("/none"))
	if got := m.ResponseBytes.Value(); got != want {
		t.Errorf("%d bytes of replies, want %d", got, want)
	}
	if got := m.WatchBytes.Value(); got != events {
		t.Errorf("%d bytes of events, want %d", got, events)
	}
}
