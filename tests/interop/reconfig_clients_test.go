//go:build interop

package interop

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"zooraft/tests/harness"
)

// startReconfigurable starts three servers that let everybody reconfigure.
func startReconfigurable(t *testing.T) (*harness.Ensemble, named) {
	t.Helper()
	e := startWith(t, harness.Options{Size: 3, Lines: []string{"reconfigEnabled=true", "skipACL=yes"}})
	return e, named{e}
}

// committed is what zkCli prints of a membership, as a pattern.
func committed(n named, lines ...string) string {
	return `Committed new configuration:\n` + published(n, lines...)
}

func published(n named, lines ...string) string {
	return regexp.QuoteMeta(n.fill(strings.Join(lines, "\n"))) + `\nversion=[0-9a-f]+\n`
}

func TestZkCliReconfig(t *testing.T) {
	zooKeeperJars(t)
	testReconfigBy(t, zkCli)
}

func TestCLIReconfig(t *testing.T) { testReconfigBy(t, zooraftCLI) }

// testReconfigBy changes the membership with a command line.
func testReconfigBy(t *testing.T, client cliCommand) {
	e, n := startReconfigurable(t)
	file := filepath.Join(t.TempDir(), "members")
	if err := os.WriteFile(file, []byte(n.fill(line1+"\n"+line2+";c2\n"+line3+"\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	// zkCli makes all it is given lower-case.
	const p = ":participant"
	for _, c := range []struct {
		args string
		want string
	}{
		{"config", published(n, line1+p, line2+p, line3+p)},
		{"config -c", `[0-9a-f]+ (,*)\n`},
		{"config -s", published(n, line1+p, line2+p, line3+p) + `cZxid = 0x0\nctime = Thu Jan 01 00:00:00 .*\nmZxid = 0x[0-9a-f]+\nmtime = .*\npZxid = 0x0\ncversion = 0\ndataVersion = -1\naclVersion = -1\n`},
		{"reconfig -remove 9", committed(n, line1+p, line2+p, line3+p)},
		{"reconfig -add " + n.fill(line3+";c3"), committed(n, line1+p, line2+p, line3+p+";0.0.0.0:c3")},
		{"reconfig -s -members " + n.fill(line1+";c1,"+line2+","+line3), committed(n, line1+p+";0.0.0.0:c1", line2+p, line3+p) + `cZxid = 0x0\n`},
		{"reconfig -file " + file, committed(n, line1+p, line2+p+";0.0.0.0:c2", line3+p)},
		{"reconfig -v 1 -remove 9", `version No is not valid : \n`},
		{"reconfig -remove 1,2", `Arguments are not valid : \n`},
		{"reconfig -add server.4=h:1", `Arguments are not valid : \n`},
		{"reconfig -remove x", `KeeperErrorCode = MarshallingError\n`},
	} {
		stdout, stderr, _ := run(t, client(t, e.ClientAddrs()[0], strings.Fields(c.args)...))
		if !regexp.MustCompile(c.want).MatchString(stdout + stderr) {
			t.Errorf("%s: got\n%s%s\nwant a match of\n%s", c.args, stdout, stderr, c.want)
		}
	}
}

const kazooReconfig = `
import sys
from kazoo.client import KazooClient
from kazoo.exceptions import BadArgumentsError, BadVersionError
hosts, three = sys.argv[1:]
c = KazooClient(hosts=hosts)
c.start()
seen = []
@c.DataWatch("/zookeeper/config")
def watch(data, stat):
    seen.append((data, stat.version, stat.mzxid))
data, stat = c.reconfig(joining=three, leaving=None, new_members=None)
print("joining", data.decode().replace("\n", " "), stat.version, stat.mzxid == int(data.decode().rsplit("=", 1)[1], 16))
data, stat = c.reconfig(joining=None, leaving="9", new_members=None, from_config=stat.mzxid)
print("leaving", data.decode().replace("\n", " "))
for ask in dict(leaving="1,2", joining=None, new_members=None), dict(leaving="9", joining=None, new_members=None, from_config=5):
    try:
        c.reconfig(**ask)
        print("accepted")
    except (BadArgumentsError, BadVersionError) as e:
        print(type(e).__name__)
print("events", len(seen))
c.stop()
`

func TestKazooReconfig(t *testing.T) {
	python := filepath.Join(deps(t), kazooDir, "bin", "python")
	if _, err := os.Stat(python); err != nil {
		lacking(t, "kazoo in "+python)
	}
	e, n := startReconfigurable(t)
	cmd := exec.CommandContext(withDeadline(t, clientTimeout), python, "-B", "-c", kazooReconfig, e.ClientAddrs()[0], n.fill(line3+";c3"))
	stdout, stderr, code := run(t, cmd)
	text := regexp.QuoteMeta(n.fill(line1 + ":participant " + line2 + ":participant " + line3 + ":participant;0.0.0.0:c3"))
	want := fmt.Sprintf(`^joining %s version=[0-9a-f]+ -1 True\nleaving %s version=[0-9a-f]+\nBadArgumentsError\nBadVersionError\nevents [23]\n$`, text, text)
	if code != 0 || !regexp.MustCompile(want).MatchString(stdout) {
		t.Errorf("exit code %d, got\n%s%s\nwant\n%s", code, stdout, stderr, want)
	}
}
