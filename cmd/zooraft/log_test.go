package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
)

func TestLogFormats(t *testing.T) {
	lines := func(format string) []string {
		var out bytes.Buffer
		log, named, err := newLog(format, hclog.Info, &out)
		if err != nil {
			t.Fatal(err)
		}
		log.Info("before it is known")
		named(3)
		quorum := log.Named("quorum").With("sid", 3)
		quorum.Debug("not to be seen")
		quorum.Warn("it hurts", "error", errors.New("a b"), "count", 7)
		log.SetLevel(hclog.Debug)
		quorum.Debug("to be seen")
		return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	}
	if got := lines(logText); len(got) != 3 || !strings.HasSuffix(got[1], `zooraft.quorum: it hurts: sid=3 error="a b" count=7`) {
		t.Errorf("text: %q", got)
	}
	got := lines(logJSON)
	var line map[string]any
	if err := json.Unmarshal([]byte(got[1]), &line); err != nil || line["@message"] != "it hurts" || line["count"] != 7.0 {
		t.Errorf("json: %q, %v", got, err)
	}
	got = lines(logZooKeeper)
	for i, want := range []string{
		` \[myid:\] - INFO  \[zooraft:log_test.go@\d+\] - before it is known`,
		` \[myid:3\] - WARN  \[quorum:log_test.go@\d+\] - it hurts sid=3 error="a b" count=7`,
		` \[myid:3\] - DEBUG \[quorum:log_test.go@\d+\] - to be seen sid=3`,
	} {
		if i >= len(got) || !regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}`+want+`$`).MatchString(got[i]) {
			t.Errorf("zookeeper: %q, want %s at %d", got, want, i)
		}
	}
	if _, _, err := newLog("xml", hclog.Info, nil); err == nil {
		t.Error("xml is taken for a format")
	}
}
