package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "zoo.cfg")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConfigCheck(t *testing.T) {
	t.Setenv("JVMFLAGS", "")
	t.Setenv("SERVER_JVMFLAGS", "-Xmx1g -Dzookeeper.snapCount=7")
	good := writeConfig(t, "dataDir=/tmp/x\nclientPort=2181\npreAllocSize=64\nquorum.auth.serverRequireSasl=false\nDigestAuthenticationProvider.superDigest=super:secret=\n")
	var out, complaints strings.Builder
	if code := run([]string{"config", "check", good}, &out, &complaints); code != 0 {
		t.Fatalf("exit code %d: %s", code, &complaints)
	}
	for _, want := range []string{"would start", good + ":3  preAllocSize", "no effect",
		good + ":4 quorum.auth.serverRequireSasl no effect as it is; other values are refused: servers prove", "SERVER_JVMFLAGS  snapCount", "mapped"} {
		if !strings.Contains(strings.Join(strings.Fields(out.String()), " "), strings.Join(strings.Fields(want), " ")) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}

	out.Reset()
	if code := run([]string{"config", "print", "--json", good, "-D", "maxCnxns=9"}, &out, &complaints); code != 0 {
		t.Fatalf("print: exit code %d: %s", code, &complaints)
	}
	if text := out.String(); strings.Contains(text, "secret") || !strings.Contains(text, `"origin": "-D"`) || !strings.Contains(text, `"value": "***"`) {
		t.Errorf("print: %s", text)
	}

	bad := writeConfig(t, "dataDir=/tmp/x\ntickTime=abc\nserver.1=x\nquorum.auth.serverRequireSasl=maybe\n")
	out.Reset()
	complaints.Reset()
	if code := run([]string{"config", "check", bad}, &out, &complaints); code != exitInvalid || strings.Contains(out.String(), "would start") {
		t.Errorf("exit code %d, %s", code, &out)
	}
	if want := bad + ":4  quorum.auth.serverRequireSasl  refused"; !strings.Contains(out.String(), want) {
		t.Errorf("no %q in\n%s", want, &out)
	}
	for _, want := range []string{bad + ":2: tickTime:", bad + ":3: server.1:", bad + ":4: ", "Invalid config, exiting abnormally"} {
		if !strings.Contains(complaints.String(), want) {
			t.Errorf("no %q in\n%s", want, &complaints)
		}
	}
}

// Check, print and what the server logs say the same of a key that asks for what is
// so anyhow.
func TestConfigAsItIs(t *testing.T) {
	path := writeConfig(t, "dataDir=/tmp/x\nclientPort=2181\nforceSync=yes\nelectionAlg=3\n")
	for _, args := range [][]string{{"config", "check", path}, {"config", "print", "--set", path}} {
		var out, complaints strings.Builder
		if code := run(args, &out, &complaints); code != 0 || complaints.Len() > 0 {
			t.Fatalf("%v: exit code %d, said %q", args, code, &complaints)
		}
		found := 0
		for line := range strings.Lines(out.String()) {
			if strings.Contains(line, "forceSync") || strings.Contains(line, "electionAlg") {
				found++
				if !strings.Contains(line, "no effect") {
					t.Errorf("%v: %s", args, line)
				}
			}
		}
		if found != 2 {
			t.Errorf("%v: %s", args, &out)
		}
	}
}

// A server would not start on directories that it refuses.
func TestConfigCheckLooksAtTheData(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "version-2"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "version-2", "snapshot.0"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, text, want string }{
		{"a ZooKeeper's", "dataDir=" + dir + "\nclientPort=2181\n", "holds the data of a ZooKeeper"},
		{"missing", "dataDir=" + filepath.Join(dir, "none") + "\nclientPort=2181\ndatadir.autocreate=false\n", "make it, for datadir.autocreate is false"},
	} {
		var out, complaints strings.Builder
		code := run([]string{"config", "check", writeConfig(t, tt.text)}, &out, &complaints)
		if code != exitDataDir || strings.Contains(out.String(), "would start") || !strings.Contains(complaints.String(), tt.want) {
			t.Errorf("%s: exit code %d, said %q and %q", tt.name, code, &out, &complaints)
		}
	}
}

// A configuration may be looked at where its data directory is not, or is another
// user's: a server's id is not needed for that.
func TestConfigElsewhere(t *testing.T) {
	t.Setenv("JVMFLAGS", "")
	dir := t.TempDir()
	lines := "\ninitLimit=10\nsyncLimit=5\npreAllocSize=64\nserver.1=127.0.0.1:1:2;2181\nserver.2=127.0.0.1:3:4;2182\nserver.3=127.0.0.1:5:6;2183\n"
	for _, tt := range []struct {
		name, dataDir string
		check         int
	}{
		{"no data directory", filepath.Join(dir, "none"), exitOK},
		{"without myid", dir, exitInvalid},
	} {
		path := writeConfig(t, "dataDir="+tt.dataDir+lines)
		var out, complaints strings.Builder
		if code := run([]string{"config", "check", path}, &out, &complaints); code != tt.check ||
			!strings.Contains(out.String(), "preAllocSize") || !strings.Contains(complaints.String(), "myid file is missing") {
			t.Errorf("%s: check: exit code %d, said %q and %q", tt.name, code, &out, &complaints)
		}
		out.Reset()
		complaints.Reset()
		if code := run([]string{"config", "print", path}, &out, &complaints); code != exitOK ||
			!strings.Contains(out.String(), "preAllocSize") || !strings.Contains(complaints.String(), "warning: the id of this server") {
			t.Errorf("%s: print: exit code %d, said %q and %q", tt.name, code, &out, &complaints)
		}
		out.Reset()
		complaints.Reset()
		if code := run([]string{"status", path}, &out, &complaints); code != exitUnexpected || strings.Contains(complaints.String(), "myid") ||
			!strings.Contains(out.String(), "ensemble of 3") {
			t.Errorf("%s: status: exit code %d, said %q and %q", tt.name, code, &out, &complaints)
		}
	}
}

// The page is made by config keys --markdown.
func TestConfigurationPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	var keys strings.Builder
	if code := run([]string{"config", "keys", "--markdown"}, &keys, &keys); code != 0 {
		t.Fatalf("exit code %d: %s", code, &keys)
	}
	if !strings.HasSuffix(string(page), keys.String()) {
		t.Error("docs/configuration.md is behind: replace its table by what zooraft config keys --markdown prints")
	}
}

// Each row of the page for operators says what became of a thing in one of the page's words, and the files that it
// names are there.
func TestOperationsPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	rows, counted := 0, false
	for i, line := range strings.Split(string(page), "\n") {
		cells := strings.Split(strings.ReplaceAll(line, `\|`, "/"), "|")
		switch {
		case !strings.HasPrefix(line, "|"):
			counted = false
		case len(cells) == 5 && strings.TrimSpace(cells[2]) == "here":
			counted = true
		case counted && !strings.HasPrefix(line, "|---"):
			rows++
			if len(cells) != 5 || !slices.Contains([]string{"done", "mapped", "ignored", "refused"}, strings.TrimSpace(cells[2])) {
				t.Errorf("line %d: %s", i+1, line)
			}
		}
	}
	if rows < 100 {
		t.Errorf("%d rows", rows)
	}
	for _, script := range regexp.MustCompile(`\bzk[A-Z][A-Za-z-]*\.sh\b`).FindAllString(string(page), -1) {
		if _, err := os.Stat("../../deploy/bin/" + script); err != nil {
			t.Errorf("the page names %s: %v", script, err)
		}
	}
}
