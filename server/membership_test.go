package server

import (
	"slices"
	"testing"

	"zooraft/fsm"
	"zooraft/zabcompat"
)

func TestDifferences(t *testing.T) {
	one := zabcompat.ServerSpec{ID: 1, Host: "a", QuorumPort: 1, ElectionPort: 2}
	two := zabcompat.ServerSpec{ID: 2, Host: "b", QuorumPort: 1, ElectionPort: 2}
	moved := two
	moved.Host = "c"
	for _, c := range []struct {
		name string
		a, b []zabcompat.ServerSpec
		want []string
	}{
		{"equal", []zabcompat.ServerSpec{one, two}, []zabcompat.ServerSpec{one, two}, nil},
		{"removed", []zabcompat.ServerSpec{one, two}, []zabcompat.ServerSpec{two}, []string{"-server.1=a:1:2:participant"}},
		{"changed", []zabcompat.ServerSpec{one, two}, []zabcompat.ServerSpec{one, moved}, []string{"-server.2=b:1:2:participant", "+server.2=c:1:2:participant"}},
	} {
		if got := differences(c.a, c.b); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestReconfigOptions(t *testing.T) {
	c := DefaultConfig()
	if got := c.requestOptions(); got != 0 {
		t.Errorf("defaults: got %b, want none, for an earlier release knows no others", got)
	}
	c.ReconfigEnabled, c.StandaloneEnabled = true, false
	if got, want := c.requestOptions(), fsm.Reconfig|fsm.NoStandalone; got != want {
		t.Errorf("got %b, want %b", got, want)
	}
}
