package server

import (
	"fmt"
	"slices"
	"testing"
)

func TestDuty(t *testing.T) {
	touch := func(on bool) func(*duty) { return func(d *duty) { d.inTouch = on } }
	lead := func(on bool) func(*duty) { return func(d *duty) { d.leads = on } }
	for _, tt := range []struct {
		name         string
		leaderServes bool
		steps        []func(*duty)
		want         []string
	}{
		{"leader serves", true, []func(*duty){touch(true), lead(true), lead(false), touch(false)}, []string{"true 0", "false 3"}},
		{"leader does not", false, []func(*duty){touch(true), lead(true), lead(true), lead(false), touch(false)}, []string{"true 0", "false 1", "true 3", "false 4"}},
		{"leads first", false, []func(*duty){lead(true), touch(true), touch(false), lead(false), touch(true)}, []string{"true 4"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			d := duty{leaderServes: tt.leaderServes, tell: func(on bool, why string) { got = append(got, fmt.Sprint(on, why)) }}
			for i, step := range tt.steps {
				d.change(fmt.Sprintf(" %d", i), step)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
