package quorum

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
)

type spoken struct{}

func (*spoken) String() string { return "Node at 1 [Follower]" }

// What has a text has it in JSON too.
func TestRaftLogSpellsOut(t *testing.T) {
	var out bytes.Buffer
	log := raftLog{hclog.New(&hclog.LoggerOptions{Output: &out, JSONFormat: true})}
	log.Info("entering follower state", "follower", &spoken{}, "term", 2)
	if got := out.String(); !strings.Contains(got, `"follower":"Node at 1 [Follower]"`) || !strings.Contains(got, `"term":2`) {
		t.Error(got)
	}
}
