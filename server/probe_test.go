package server

import (
	"errors"
	"testing"
)

func TestUnsafe(t *testing.T) {
	gone, behind := errors.New("server 1: connection refused"), errors.New("server 2 is catching up: applied 1 of 5000")
	for _, tt := range []struct {
		name         string
		good, voters int
		problems     []error
		want         string
	}{
		{"the other two are fit", 2, 3, nil, ""},
		{"the only voter", 0, 1, nil, "without this server 0 of 1 voters are fit and 1 are needed"},
		{"one of two", 1, 2, nil, "without this server 1 of 2 voters are fit and 2 are needed"},
		{"one is gone", 1, 3, []error{gone}, "without this server 1 of 3 voters are fit and 2 are needed: server 1: connection refused"},
		{"one of five is gone", 3, 5, []error{gone}, "a member is catching up or gone: server 1: connection refused"},
		{"on one line", 2, 5, []error{gone, behind}, "without this server 2 of 5 voters are fit and 3 are needed: server 1: connection refused; server 2 is catching up: applied 1 of 5000"},
	} {
		got := ""
		if err := unsafe(tt.good, tt.voters, tt.problems); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
