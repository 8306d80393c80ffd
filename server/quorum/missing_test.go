package quorum

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"zooraft/server/quorum/store"
	"zooraft/tests/testkit"
)

// Without a quorum the log says who is missing, at the beginning and not at each try
// to be elected.
func TestMissingVotersAreTold(t *testing.T) {
	all := newEnsemble(t, 3, store.KindWAL)
	one := all[0]
	var log testkit.Buffer
	count := func(text string) int { return strings.Count(log.String(), text) }
	one.cfg.Log = hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Info})
	line := func(missing ...int) string {
		var who []string
		for _, i := range missing {
			m := one.cfg.Members[i]
			who = append(who, fmt.Sprintf("%d (%s)", m.ID, m.QuorumAddr()))
		}
		return fmt.Sprintf("no quorum: too few voters are connected: missing=%q connected=1 voters=3", strings.Join(who, ", "))
	}
	one.start()
	testkit.Until(t, "who is missing for a first quorum", func() bool { return count(line(1, 2)) == 1 })
	for _, s := range all[1:] {
		s.start()
	}
	for _, s := range all {
		testkit.Await(t, s.serving, "service")
	}
	all[1].node.Close()
	all[2].node.Close()
	testkit.Until(t, "who is missing for another", func() bool { return count(line(1, 2)) == 2 })
	begun := time.Now()
	testkit.Until(t, "some tries", func() bool { return time.Since(begun) > 4*one.cfg.Heartbeat })
	for _, text := range []string{"Election timeout reached", "entering candidate state", "failed to make"} {
		if n := count(text); n > 0 {
			t.Errorf("%q is logged %d times", text, n)
		}
	}
	if n := count("no quorum:"); n != 2 {
		t.Errorf("who is missing is logged %d times", n)
	}
}
