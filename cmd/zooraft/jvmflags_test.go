package main

import (
	"slices"
	"strings"
	"testing"

	"zooraft/cmd/zoocfg"
)

func TestJVMWords(t *testing.T) {
	env := map[string]string{
		"SERVER_JVMFLAGS": "-Xmx512m  -Dzookeeper.snapCount=1 -Dcom.sun.management.jmxremote -Djute.maxbuffer=2\t-Dzookeeper.skipACL",
		"JVMFLAGS":        `-Dzookeeper.log.dir=/l '-Dzookeeper.ensembleAuthName=a, b' -Dzookeeper.4lw.commands.whitelist="ruok,mntr" zookeeper.x=1 -DskipACL=yes`,
	}
	want := []zoocfg.Word{
		{Text: "zookeeper.snapCount=1", Where: "SERVER_JVMFLAGS"},
		{Text: "jute.maxbuffer=2", Where: "SERVER_JVMFLAGS"},
		{Text: "zookeeper.skipACL", Where: "SERVER_JVMFLAGS"},
		{Text: "zookeeper.log.dir=/l", Where: "JVMFLAGS"},
		{Text: "zookeeper.ensembleAuthName=a, b", Where: "JVMFLAGS"},
		{Text: "zookeeper.4lw.commands.whitelist=ruok,mntr", Where: "JVMFLAGS"},
	}
	if got := jvmWords(func(name string) string { return env[name] }); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestShellWords(t *testing.T) {
	for _, tt := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{" \t\n ", nil},
		{"a  b\n\tc", []string{"a", "b", "c"}},
		{`'a b' "c d"`, []string{"a b", "c d"}},
		{`-Dx='a b'"c"d`, []string{"-Dx=a bcd"}},
		{`'' ""`, []string{"", ""}},
		{`a\ b \"c\' \\`, []string{"a b", `"c'`, `\`}},
		{`"a\"b\n\$" 'c\'`, []string{`a"b\n$`, `c\`}},
		{`"$HOME" $HOME`, []string{"$HOME", "$HOME"}},
		{`'open to the end`, []string{"open to the end"}},
		{`end\`, []string{`end\`}},
	} {
		if got := shellWords(tt.text); !slices.Equal(got, tt.want) {
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
	}
}

// What is quoted comes back as it was, whatever is in it.
func FuzzShellWords(f *testing.F) {
	f.Add("-Dzookeeper.x=y", "a b", "'\"\\")
	f.Add("", "\n", "$(x)")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		shellWords(a) // no panic
		want := []string{a, b, c}
		for _, quote := range []func(string) string{
			func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" },
			func(s string) string { return `"` + strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(s) + `"` },
		} {
			text := quote(a) + " " + quote(b) + "\t\n" + quote(c)
			if got := shellWords(text); !slices.Equal(got, want) {
				t.Fatalf("%q: got %q, want %q", text, got, want)
			}
		}
	})
}

// What would encrypt a client's connection is not lost in silence.
func TestClientProperties(t *testing.T) {
	t.Setenv("CLIENT_JVMFLAGS", "-Xmx64m -Dzookeeper.client.secure=true -Dzookeeper.ssl.trustStore.location=/none.pem")
	t.Setenv("JVMFLAGS", "")
	var out, complaints strings.Builder
	code := run([]string{"cli", "-server", "127.0.0.1:1", "ls", "/"}, &out, &complaints)
	if code != exitInvalid || !strings.HasPrefix(complaints.String(), "zookeeper.ssl.trustStore.location: open /none.pem") {
		t.Errorf("exit code %d: %s", code, &complaints)
	}
}
