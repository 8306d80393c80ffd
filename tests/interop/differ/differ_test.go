package differ

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"

	"zooraft/tests/testkit"
)

func TestParse(t *testing.T) {
	text := `# what it is about
size 3
line a=b

== first
connect a timeout=400
a+ create $/x "two words" flags=1
a getData $/x watch
  differs reply 1

== second
restart
`
	all, err := Parse("file.txt", text)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || all[0].Name != "file/first" || all[1].Name != "file/second" {
		t.Fatalf("scenarios %+v", all)
	}
	s := all[0]
	if s.Config.Size != 3 || !slices.Equal(s.Config.Lines, []string{"a=b"}) || len(s.Steps) != 3 ||
		!slices.Equal(s.Steps[2].Differs, []string{"reply 1"}) || s.Steps[1].Line != 7 {
		t.Errorf("first scenario %+v", s)
	}
	again, err := Parse("file.txt", s.Text())
	if err != nil || again[0].Text() != s.Text() {
		t.Errorf("written and read again: %v\n%s\nwant\n%s", err, again[0].Text(), s.Text())
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		"nonsense 3", "== a\n== a", "== a b", "== a\nfoo", "== a\na nonsense $", "== a\na create", "== a\ndiffers x",
		"== a\na create \"unclosed", "== a\nconnect", "== a\na until NoNode", "== a\na=b create $/x",
	} {
		if all, err := Parse("file.txt", text); err == nil {
			t.Errorf("%q: %+v, want an error", text, all)
		}
	}
}

func TestFrames(t *testing.T) {
	e := &env{root: "/d", zxid: func(string) (int64, error) { return 5, nil }}
	for _, tt := range []struct{ step, want string }{
		{"a ping", "00000007 0000000b"},
		{"a exists $/x watch", "00000007 00000003 00000004 2f642f78 01"},
		{"a getData ~", "00000007 00000004 ffffffff 00"},
		{`a create $ "x" acl=world:anyone:31 flags=1`, "00000007 00000001 00000002 2f64 00000001 78 00000001 0000001f 00000005 776f726c64 00000006 616e796f6e65 00000001"},
		{"a create $ ~ acl=~", "00000007 00000001 00000002 2f64 ffffffff ffffffff 00000000"},
		{"a create $ hex:00ff acl=digest:u:h:-1,~:~:2", "00000007 00000001 00000002 2f64 00000002 00ff 00000002 ffffffff 00000006 646967657374 00000003 753a68 00000002 ffffffff ffffffff 00000000"},
		{"a createTTL $ ttl=9 acl=none", "00000007 00000015 00000002 2f64 00000000 00000000 00000005 0000000000000009"},
		{"a delete $ version=3 cut=4", "00000007 00000002 00000002 2f64"},
		{"a delete $ extra=ff", "00000007 00000002 00000002 2f64 ffffffff ff"},
		{"a setWatches data=$,~ exist=~", "00000007 00000065 0000000000000005 00000002 00000002 2f64 ffffffff ffffffff 00000000"},
		{"a multi check $ ; open", "00000007 0000000e 0000000d 00 ffffffff 00000002 2f64 ffffffff"},
		{"a multi", "00000007 0000000e ffffffff 01 ffffffff"},
		{"a op 99 00ff", "00000007 00000063 00ff"},
		{"a auth digest u:p", "00000007 00000064 00000000 00000006 646967657374 00000003 753a70"},
	} {
		c, err := parseCommand(tt.step)
		if err != nil {
			t.Errorf("%s: %v", tt.step, err)
			continue
		}
		got, _, err := frame(7, &c, e)
		if want := strings.ReplaceAll(tt.want, " ", ""); err != nil || hex.EncodeToString(got) != want {
			t.Errorf("%s:\n got %x, %v\nwant %s", tt.step, got, err, want)
		}
	}
}

func TestReplies(t *testing.T) {
	for _, tt := range []struct {
		op          int32
		reply, want string
	}{
		{2, "00000001 0000000000000012 00000000", "reply 1 z+2 ok"},
		{2, "00000001 0000000000000010 ffffff9b", "reply 1 z+0 NoNode"},
		{2, "00000001 000000000000000f ffffff9b", "reply 1 old NoNode"},
		{2, "00000001 0000000000000012 00000000 00", "reply 1 z+2 ok TRAILING 00"},
		{1, "00000001 0000000000000012 00000000 00000002 2f61", `reply 1 z+2 ok "/a"`},
		{8, "00000001 0000000000000012 00000000 00000002 00000001 62 00000001 61", `reply 1 z+2 ok ["a" "b"]`},
		{8, "00000001 0000000000000012 00000000 ffffffff", "reply 1 z+2 ok list(-1)"},
		{14, "00000001 0000000000000012 00000000 ffffffff 00 ffffff9b ffffff9b ffffffff 01 ffffffff", "reply 1 z+2 ok {-1,-101 -101} end(-1,-1)"},
		{102, "00000001 0000000000000000 00000000 ffffffff", "reply 1 0 ok null"},
	} {
		if got, _, _ := reply(newNormal(16), tt.op, testkit.Unhex(t, tt.reply)); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.reply, got, tt.want)
		}
	}
	short := "00000001 0000000000000012 00000000 00000005 2f61"
	if got, _, _ := reply(newNormal(16), 1, testkit.Unhex(t, short)); !strings.Contains(got, "UNDECODABLE") {
		t.Errorf("a short reply reads %q", got)
	}
}

func TestTimes(t *testing.T) {
	n := newNormal(10)
	now := time.Now().UnixMilli()
	for _, tt := range []struct {
		zxid, ms int64
		want     string
	}{
		{0, 0, "0"},
		{5, 1000, "old"},
		{11, now, "t"},
		{11, now, "t"},
		{11, now + 1, "another"},
		{13, now + 10, "t"},
		{12, now + 11, "disorder"},
		{14, now - 60000, "not-now"},
	} {
		if got := n.time(tt.zxid, tt.ms); got != tt.want {
			t.Errorf("zxid %d at now%+d: %s, want %s", tt.zxid, tt.ms-now, got, tt.want)
		}
	}
}

func TestSettleSortsOnlyWhatIsNotDetermined(t *testing.T) {
	n := newNormal(0)
	n.own[5] = true
	got := n.settle([]record{
		{"b", true, 5}, {"a", true, 5}, // of a request: in order
		{"d", true, 6}, {"c", true, 6}, // of none
		{"z", true, 7}, {"y", true, 8}, {"reply", false, 0},
		{"f", true, -1}, {"e", true, -1}, // catch-up
	})
	want := []string{"b", "a", "c", "d", "z", "y", "reply", "f", "e"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestCompare(t *testing.T) {
	s := &Scenario{Name: "f/s", Steps: []Step{{1, "a ping", nil}, {2, "a ping", []string{"mine"}}, {3, "a ping", nil}}}
	tr := func(steps ...[]string) *Transcript { return &Transcript{Steps: steps} }
	one := []string{"one"}
	want := tr(one, one, one, one)
	for _, tt := range []struct {
		name string
		got  *Transcript
		step int
	}{
		{"as meant", tr(one, []string{"mine"}, one, one), -1},
		{"the first", tr(nil, []string{"mine"}, one, one), 0},
		{"not as meant", tr(one, []string{"other"}, one, one), 1},
		{"no longer", tr(one, one, one, one), 1},
		{"at the end", tr(one, []string{"mine"}, one, []string{"one", "more"}), 3},
	} {
		d := Compare(s, want, tt.got)
		switch {
		case tt.step < 0 && d != nil:
			t.Errorf("%s: %s", tt.name, d)
		case tt.step >= 0 && (d == nil || d.Step != tt.step):
			t.Errorf("%s: %v, want step %d", tt.name, d, tt.step)
		}
	}
}

// A generated scenario can be written and read again, is the same for the same seed, and uses no connection before it
// is opened.
func TestGenerate(t *testing.T) {
	for _, size := range []int{1, 3} {
		p := &Profile{Name: "test", Config: Config{Size: size, TickTime: defaultTick}, Weights: map[string]int{"expire": 1}}
		for seed := range uint64(300) {
			s := Generate(p, seed)
			if !sound(s.Steps) {
				t.Fatalf("seed %d is not sound:\n%s", seed, s.Text())
			}
			again, err := Parse("generated.txt", s.Text())
			if err != nil || len(again) != 1 || len(again[0].Steps) != len(s.Steps) {
				t.Fatalf("seed %d: %v\n%s", seed, err, s.Text())
			}
			if Generate(p, seed).Text() != s.Text() {
				t.Fatalf("seed %d makes two scenarios", seed)
			}
		}
	}
}

func TestShrink(t *testing.T) {
	s := Generate(&Profile{Name: "test", Config: Config{Size: 1, TickTime: defaultTick}}, 3)
	s.Steps = append(s.Steps, Step{Text: "a setData $ \"needle\""}, Step{Text: "a getData $"})
	// It differs if the last two are there and a is open.
	try := func(s *Scenario) *Difference {
		for i := range s.Steps {
			if i > 0 && strings.Contains(s.Steps[i-1].Text, "needle") && s.Steps[i].Text == "a getData $" {
				return &Difference{Scenario: s, Step: i}
			}
		}
		return nil
	}
	d := Shrink(s, time.Minute, try)
	if d == nil || len(d.Scenario.Steps) != 3 || !strings.HasPrefix(d.Scenario.Steps[0].Text, "connect a") {
		t.Errorf("shrunk to\n%v", d)
	}
}
