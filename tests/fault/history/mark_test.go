package history

import (
	"testing"
	"time"

	"zooraft/protocol"
)

func TestMarks(t *testing.T) {
	tests := []struct {
		name     string
		children []string
		want     []string
	}{
		{"all, with the unanswered one", []string{"2-0000000002", "0-0000000000", "1-0000000001"}, nil},
		{"without the unanswered one", []string{"0-0000000000", "2-0000000001"}, []string{"lost"}}, // 2 was answered as number 2
		{"lost", []string{"0-0000000000", "1-0000000001"}, []string{"lost"}},
		{"number left out", []string{"0-0000000000", "2-0000000002"}, []string{"order"}},
		{"twice", []string{"0-0000000000", "1-0000000001", "2-0000000002", "2-0000000003"}, []string{"twice"}},
		{"unanswered one late", []string{"0-0000000000", "2-0000000002", "1-0000000003"}, []string{"order"}},
		{"never asked for", []string{"0-0000000000", "1-0000000001", "2-0000000002", "7-0000000003"}, []string{"unasked"}},
		{"no mark", []string{"0-0000000000", "1-0000000001", "2-0000000002", "x"}, []string{"unasked"}},
		{"all gone", nil, []string{"lost"}},
	}
	c := newScript("a").connect(1)
	sequential := func(mark int) int {
		return c.call(Record{Op: protocol.OpCreate2, Path: MarkPath("/d", mark), Flags: protocol.CreateModePersistentSequential})
	}
	c.reply(sequential(0), Record{Zxid: 5, Path: "/d/0-0000000000", Stat: stat(5, 5, 5)})
	sequential(1)
	c.mark(Lost).connect(1)
	c.reply(sequential(2), Record{Zxid: 9, Path: "/d/2-0000000002", Stat: stat(9, 9, 9)})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { expectRules(t, Marks(&c.Client, "/d", tt.children), tt.want...) })
	}

	// The unanswered one was not carried out, so the next took its number.
	c.Records[len(c.Records)-1].Path = "/d/2-0000000001"
	expectRules(t, Marks(&c.Client, "/d", []string{"0-0000000000", "2-0000000001"}))
}

func TestLongestPause(t *testing.T) {
	c := newScript("a").connect(1)
	for _, at := range []int{10, 20, 60, 65} {
		c.at(time.Duration(at)*ms).set("/x", "", int64(at))
	}
	c.at(90*ms).get("/x", 90, 65, "")
	h := historyOf(c)
	tests := []struct {
		name     string
		from, to time.Duration
		servers  []int
		gap      time.Duration
		acks     int
	}{
		{"between two", 0, 70 * ms, []int{1}, 40 * ms, 4},
		{"at the end", 0, 200 * ms, []int{1}, 133 * ms, 4},
		{"at the beginning", 25 * ms, 70 * ms, []int{1}, 37 * ms, 2},
		{"a server without any", 0, 70 * ms, []int{1, 2}, 70 * ms, 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := LongestPause(h, tt.from, tt.to, tt.servers)
			if got.Gap != tt.gap || got.Acks != tt.acks {
				t.Errorf("pause: got %v with %d acks, want %v with %d", got.Gap, got.Acks, tt.gap, tt.acks)
			}
		})
	}
}

func TestLosses(t *testing.T) {
	c := newScript("a").connect(1).at(10 * ms).mark(Lost).connect(1).at(50 * ms).mark(Left)
	h := historyOf(c)
	expectRules(t, Losses(h, 0, time.Second, []int{1}), "connection-kept")
	expectRules(t, Losses(h, 0, time.Second, []int{2, 3}))
	expectRules(t, Losses(h, 20*ms, time.Second, []int{1}))
}
