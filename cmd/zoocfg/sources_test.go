package zoocfg

import (
	"slices"
	"strings"
	"testing"
	"time"

	"zooraft/server"
)

// Who wins, as ZooKeeper 3.9.5 decides it.
func TestPrecedence(t *testing.T) {
	const file = "dataDir=/d\nclientPort=2181\n"
	for _, tt := range []struct {
		name, text string
		words      []Word
		got        func(server.Config) any
		want       any
		warning    string // part of the only one; empty for none
	}{
		{"property", "", []Word{{"zookeeper.maxCnxns=1", "JVMFLAGS"}}, func(c server.Config) any { return c.MaxCnxns }, 1, ""},
		{"the later property", "", []Word{{"zookeeper.maxCnxns=1", "SERVER_JVMFLAGS"}, {"zookeeper.maxCnxns=2", "JVMFLAGS"}},
			func(c server.Config) any { return c.MaxCnxns }, 2, ""},
		{"file over property", "maxCnxns=3\n", []Word{{"zookeeper.maxCnxns=1", "JVMFLAGS"}}, func(c server.Config) any { return c.MaxCnxns }, 3,
			"JVMFLAGS: zookeeper.maxCnxns does nothing: /zoo.cfg:3 sets it, and counts"},
		{"file and property agree", "maxCnxns=3\n", []Word{{"zookeeper.maxCnxns=3", "JVMFLAGS"}}, func(c server.Config) any { return c.MaxCnxns }, 3, ""},
		{"override over file", "maxCnxns=3\n", []Word{{"maxCnxns=1", "-D"}}, func(c server.Config) any { return c.MaxCnxns }, 1, ""},
		{"override over property", "", []Word{{"maxCnxns=1", "-D"}, {"zookeeper.maxCnxns=2", "-D"}}, func(c server.Config) any { return c.MaxCnxns }, 1, ""},
		{"property of a key of the file", "", []Word{{"zookeeper.tickTime=1", "JVMFLAGS"}}, func(c server.Config) any { return c.TickTime }, 3 * time.Second,
			"JVMFLAGS: zookeeper.tickTime does nothing: it is no property, but a key of zoo.cfg"},
		{"bare over file", "jute.maxbuffer=1\n", []Word{{"jute.maxbuffer=0x10", "JVMFLAGS"}}, func(c server.Config) any { return c.JuteMaxBuffer }, 16, ""},
		{"bare with prefix", "", []Word{{"zookeeper.jute.maxbuffer=1", "JVMFLAGS"}}, func(c server.Config) any { return c.JuteMaxBuffer }, 1048575,
			"JVMFLAGS: zookeeper.jute.maxbuffer does nothing: the property is called jute.maxbuffer"},
		{"no value", "", []Word{{"zookeeper.skipACL", "JVMFLAGS"}}, func(c server.Config) any { return c.SkipACL }, false, `JVMFLAGS: skipACL: "" counts as no`},
		{"none of ours", "", []Word{{"com.sun.management.jmxremote", "-D"}}, func(c server.Config) any { return c.SkipACL }, false,
			"-D: com.sun.management.jmxremote is unknown, and has no effect"},
		{"missing, but off", "admin.enableServer=false\n", nil, func(c server.Config) any { return 0 }, 0, ""},
		{"missing", "forceSync=no\n", nil, func(c server.Config) any { return 0 }, 0, "/zoo.cfg:3: forceSync has no effect: the log is always synced"},
		{"inert", "preAllocSize=100\nautopurge.purgeInterval=1\n", nil, func(c server.Config) any { return 0 }, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			loaded, err := load(Sources{Path: "/zoo.cfg", Words: tt.words}, files{"/zoo.cfg": file + tt.text}.read)
			if err != nil {
				t.Fatal(err)
			}
			if got := tt.got(loaded.Config); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			w := loaded.Warnings
			if len(w) > 1 || (len(w) == 1) != (tt.warning != "") || len(w) == 1 && !strings.Contains(w[0], tt.warning) {
				t.Errorf("warnings %q, want %q", w, tt.warning)
			}
		})
	}
}

func TestSettings(t *testing.T) {
	loaded, err := load(Sources{Path: "/zoo.cfg", Words: []Word{
		{"zookeeper.snapCount=7", "JVMFLAGS"}, {"tickTime=1000", "-D"}, {"zookeeper.ssl.keyStore.password=hunter2", "JVMFLAGS"},
	}}, files{"/zoo.cfg": "dataDir=/d\nclientPort=2181\nfoo=1\n"}.read)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range loaded.Settings {
		line := s.Name + "=" + s.Value + " " + s.Origin + " " + s.Effect.String()
		if s.FromFile() {
			line += " file"
		}
		got = append(got, line)
	}
	want := []string{
		"clientPort=2181 /zoo.cfg:2 same as in ZooKeeper file",
		"dataDir=/d /zoo.cfg:1 same as in ZooKeeper file",
		"foo=1 /zoo.cfg:3 unknown file",
		"snapCount=7 JVMFLAGS mapped",
		"ssl.keyStore.password=*** JVMFLAGS same as in ZooKeeper",
		"tickTime=1000 -D same as in ZooKeeper",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
