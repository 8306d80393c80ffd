package server

import (
	"testing"

	"zooraft/protocol"
	"zooraft/server/client"
)

func TestShortName(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   client.ConnInfo
		want string
	}{
		{"opened", client.ConnInfo{Op: protocol.OpCreateSession}, "SESS"},
		{"taken up", client.ConnInfo{}, "null"},
		{"begun anew", client.ConnInfo{Op: protocol.OpError}, "NA"},
		{"a write", client.ConnInfo{Op: protocol.OpSetData}, "SETD"},
		{"a write that has failed", client.ConnInfo{Op: protocol.OpSetData, Refused: true}, "NA"},
	} {
		if got := shortName(&tt.in); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}
