package server

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"zooraft/fsm"
)

func TestExcessText(t *testing.T) {
	for want, x := range map[string]fsm.Excess{
		"Quota exceeded: /s [current count=2, softCountLimit=1]":  {Path: "/s", Used: 2, Limit: 1},
		"Quota exceeded: /a [current bytes=21, hardByteLimit=20]": {Path: "/a", Used: 21, Limit: 20, Bytes: true, Hard: true},
	} {
		if got := excessText(&x); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestExcessLog(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(1000, 0)
	l := newExcessLog(hclog.New(&hclog.LoggerOptions{Output: &out}))
	l.now = func() time.Time { return now }
	lines := func(when string, want int) {
		t.Helper()
		if got := strings.Count(out.String(), "\n"); got != want {
			t.Errorf("%s: %d lines, want %d:\n%s", when, got, want, &out)
		}
		out.Reset()
	}
	for i := range 5 {
		l.note(&fsm.Excess{Path: "/a", Used: int64(i), Limit: 1})
		l.note(&fsm.Excess{Path: "/a", Used: int64(i), Limit: 1, Bytes: true})
	}
	lines("one for each limit", 2)
	now = now.Add(excessPause)
	l.note(&fsm.Excess{Path: "/a", Used: 9, Limit: 1})
	if !strings.Contains(out.String(), "unsaid=4") {
		t.Errorf("it is not said how many were left out: %s", &out)
	}
	lines("a pause later", 1)
	now = now.Add(excessPause)
	for i := range 3 * excessForget {
		l.note(&fsm.Excess{Path: fmt.Sprintf("/%d", i)})
	}
	lines("many quotas at once", maxExcesses)
	if len(l.said) > excessForget {
		t.Errorf("%d limits are remembered", len(l.said))
	}
}
