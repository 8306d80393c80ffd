package client

import (
	"slices"
	"sync"
	"testing"
	"time"

	"zooraft/protocol"
)

// What takes long is told of once, whatever it waited for, and nothing else is.
func TestSlowRequestsAreTold(t *testing.T) {
	const after = time.Second // what is quick must take less, on a busy machine too
	var mu sync.Mutex
	var told []Slow
	f := start(t, func(cfg *Config) {
		cfg.SlowAfter = after
		cfg.Slow = func(w *Slow) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, *w)
		}
	})
	p := f.connect()
	p.call(1, protocol.OpCreate, create("/quick", "x"))
	f.b.hold(true)
	p.send(2, protocol.OpCreate, create("/a", "x"))
	p.send(3, protocol.OpGetData, get("/a"))
	p.send(protocol.XidPing, protocol.OpPing, nil)
	p.send(4, protocol.OpSync, &protocol.SyncRequest{Path: "/s"})
	time.Sleep(2 * after) // what is awaited is that time passes
	f.b.hold(false)
	for range 4 {
		p.reply()
	}
	p.call(5, protocol.OpGetData, get("/quick"))

	held := make(chan struct{})
	f.b.onOpened = func(protocol.SessionID) { close(held); time.Sleep(2 * after) } // with the state lock
	other := make(chan struct{})
	go func() { defer close(other); f.connect() }()
	<-held
	p.call(6, protocol.OpGetData, get("/quick"))
	<-other

	mu.Lock()
	defer mu.Unlock()
	type line struct {
		xid   int32
		path  string
		entry bool
		sync  bool
		turn  bool
	}
	var got []line
	for _, w := range told {
		got = append(got, line{w.Xid, w.Path, w.Index != 0, w.Sync, !w.Turn.IsZero()})
		if d := w.Replied.Sub(w.Arrived); d < after || w.Session == 0 || w.Client == "" || w.Zxid == 0 {
			t.Errorf("%+v took %v", w, d)
		}
	}
	want := []line{{2, "/a", true, false, false}, {3, "/a", false, false, true}, {4, "/s", false, true, true}, {6, "/quick", false, false, false}}
	if !slices.Equal(got, want) {
		t.Errorf("told of %+v\nwant %+v", got, want)
	}
}
