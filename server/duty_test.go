package server

import (
	"fmt"
	"slices"
	"testing"

	"zooraft/server/client"
)

func TestDuty(t *testing.T) {
	quorum := func(allows client.Service) func(*duty) { return func(d *duty) { d.quorum = allows } }
	const none, reads, full = client.NoService, client.ReadOnly, client.FullService
	lead := func(on bool) func(*duty) { return func(d *duty) { d.leads = on } }
	for _, tt := range []struct {
		name         string
		leaderServes bool
		steps        []func(*duty)
		want         []string
	}{
		{"leader serves", true, []func(*duty){quorum(full), lead(true), lead(false), quorum(none)}, []string{"2 0", "0 3"}},
		{"leader does not", false, []func(*duty){quorum(full), lead(true), lead(true), lead(false), quorum(none)}, []string{"2 0", "0 1", "2 3", "0 4"}},
		{"leads first", false, []func(*duty){lead(true), quorum(full), quorum(none), lead(false), quorum(full)}, []string{"2 4"}},
		{"reads alone", true, []func(*duty){quorum(reads), quorum(full), quorum(reads), quorum(none)}, []string{"1 0", "2 1", "1 2", "0 3"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			d := duty{leaderServes: tt.leaderServes, tell: func(now client.Service, why string) { got = append(got, fmt.Sprint(int(now), why)) }}
			for i, step := range tt.steps {
				d.change(fmt.Sprintf(" %d", i), step)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
