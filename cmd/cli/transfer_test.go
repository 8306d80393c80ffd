package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"zooraft/server"
)

// superDigest is that of super:secret, as asSuper says it.
const (
	superDigest = "super:lK75jTNcA+U9vtVEw5vB51mj/w4="
	asSuper     = "addauth digest super:secret\n"
)

// startServer starts a server with an empty tree and returns its address.
func startServer(t *testing.T) string {
	t.Helper()
	cfg := server.DefaultConfig()
	cfg.DataDir, cfg.LogStore = t.TempDir(), server.LogStoreBoltDB
	cfg.ClientPort, cfg.ClientPortAddress = 0, "127.0.0.1"
	cfg.AdminEnabled, cfg.SuperDigest = false, superDigest
	s, err := server.New(cfg, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Shutdown(context.Background()) })
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.Serving():
	case <-time.After(30 * time.Second):
		t.Fatal("the server does not serve")
	}
	return s.ClientAddr().String()
}

// said is what a run of lines wrote, and its exit code.
type said struct {
	out, err string
	code     int
}

// cli runs lines in one session; -json keeps the event of being connected away.
func cli(t *testing.T, address, lines string) said {
	t.Helper()
	var out, err bytes.Buffer
	code := Run([]string{"-server", address, "-json"}, IO{Stdin: strings.NewReader(lines), Stdout: &out, Stderr: &err})
	return said{out.String(), err.String(), code}
}

// well runs lines of which none may fail.
func well(t *testing.T, address, lines string) said {
	t.Helper()
	s := cli(t, address, lines)
	if s.code != exitOK || strings.Contains(s.err, `"error"`) {
		t.Fatalf("%s\n-> exit code %d\n%s%s", lines, s.code, s.out, s.err)
	}
	return s
}

// refused runs lines of which the last has to fail with a text.
func refused(t *testing.T, address, lines string, texts ...string) said {
	t.Helper()
	s := cli(t, address, lines)
	for _, text := range texts {
		if s.code != exitFailed || !strings.Contains(s.err, text) {
			t.Errorf("%s\n-> exit code %d, want %d and %q\n%s%s", lines, s.code, exitFailed, text, s.out, s.err)
		}
	}
	return s
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "lines.json")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// bobs is a list of which bob alone may see whose it is; the others may read.
const bobs = "digest:bob:ikIaKsbtGweaHnb/jKn7OHqbunM=:cdrwa,world:anyone:r"

func TestMaskedACLsAreNotCopied(t *testing.T) {
	address := startServer(t)
	well(t, address, "create /app x\ncreate /app/bobs y "+bobs+"\n")
	file := filepath.Join(t.TempDir(), "out.json")
	for _, line := range []string{"mv /app /moved\n", "cp -R /app /copy\n", "export /app\n", "export /app " + file + "\n"} {
		refused(t, address, line, "/app/bobs", "masked", "addauth")
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("export of a masked ACL left a file")
	}
	if got := well(t, address, "ls /\n").out; got != `{"path":"/","children":["app","zookeeper"]}`+"\n" {
		t.Errorf("behind what was refused: %s", got)
	}
	well(t, address, "cp /app /top\nexport -d /app "+filepath.Join(t.TempDir(), "out")+"\n") // no masked one is copied
	well(t, address, asSuper+"mv /app /moved\n")
	if got := well(t, address, asSuper+"getAcl /moved/bobs\n").out; !strings.Contains(got, strings.Split(bobs, ",")[0]) {
		t.Errorf("moved by the super user: %s", got)
	}
	refused(t, address, "import "+writeFile(t, `{"path":"/","data":"x"}
{"path":"/bobs","data":"y","acl":["digest:bob:x:cdrwa"]}
`)+" /app\n", "entry 2", "/bobs", "masked")
	refused(t, address, "stat /app\n", "Node does not exist")
}
