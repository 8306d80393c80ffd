package server

import (
	"maps"
	"testing"
	"time"

	"zooraft/server/admin"
)

// A slow request is shown with the parts that took any of its time.
func TestSlowOnThePage(t *testing.T) {
	p := &pageSource{s: &Server{cfg: DefaultConfig(), slow: &slowLog{ring: []admin.SlowRequest{
		{Op: "setData", Path: "/a", Session: -1, Total: 1500 * time.Millisecond, Fsync: 1200 * time.Millisecond, Apply: 300 * time.Millisecond},
		{Op: "sync", Total: 2 * time.Second, Sync: 2 * time.Second},
	}}}}
	got := p.Slow()
	if got.ThresholdMs != 1000 || len(got.Requests) != 2 || got.Requests[0].Op != "sync" {
		t.Fatalf("%+v", got)
	}
	if r := got.Requests[1]; r.TookMs != 1500 || !maps.Equal(r.Parts, map[string]float64{"fsync": 1200, "apply": 300}) || uint64(r.Session) != 1<<64-1 {
		t.Errorf("%+v", r)
	}
}
