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

// refused runs lines of which the last has to fail with these texts.
func refused(t *testing.T, address, lines string, texts ...string) said {
	t.Helper()
	s := cli(t, address, lines)
	if s.code != exitFailed {
		t.Errorf("%s\n-> exit code %d, want %d", lines, s.code, exitFailed)
	}
	for _, text := range texts {
		if !strings.Contains(s.err, text) {
			t.Errorf("%s\n-> said %s, want %q", lines, s.err, text)
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

func TestImportRefusesWhatItCannotRead(t *testing.T) {
	const first = `{"path":"/","data":"x"}` + "\n"
	tests := []struct{ name, line, want string }{
		{"form", `{"path":"/a","acl":["world:anyone"]}`, "/a: its ACL: world:anyone does not have the form scheme:id:perm"},
		{"perms", `{"path":"/a","acl":["world:anyone:r","digest:bob:ikIaKsbtGweaHnb/jKn7OHqbunM=:rq"]}`, "/a: its ACL: Unknown perm type: q"},
		{"empty", `{"path":"/a","acl":[]}`, "/a: its ACL has no entry"},
		{"no path", `{"data":"y"}`, "it has no path"},
		{"relative", `{"path":"a"}`, "a: Path must start with / character"},
		{"invalid", `{"path":"/a//b"}`, `/a//b: Invalid path string`},
		{"base64", `{"path":"/a","base64":"?"}`, "/a: illegal base64"},
	}
	address := startServer(t)
	for _, tt := range tests {
		s := refused(t, address, "import "+writeFile(t, first+tt.line+"\n")+" /app\n")
		if !strings.Contains(s.err, "entry 2: ") || !strings.Contains(strings.ReplaceAll(s.err, `\"`, `"`), tt.want) {
			t.Errorf("%s: said %s, want %q", tt.name, s.err, tt.want)
		}
	}
	refused(t, address, "stat /app\n", "Node does not exist")
}

// An id may have commas, as a distinguished name does; where no ACL is given it is open.
func TestImportReadsACLs(t *testing.T) {
	all, err := readImport("-", strings.NewReader(`{"path":"/"}{"path":"/a","acl":["x509:CN=bob,O=Example:r","world:anyone:cd"]}`))
	if err != nil || len(all) != 2 {
		t.Fatalf("got %+v, %v", all, err)
	}
	if all[0].acl != nil {
		t.Errorf("without an ACL: got %v", all[0].acl)
	}
	if got := strings.Join(aclTexts(all[1].acl), " "); got != "x509:CN=bob,O=Example:r world:anyone:cd" {
		t.Errorf("got %s", got)
	}
	address := startServer(t)
	well(t, address, "import "+writeFile(t, `{"path":"/"}`)+" /app\n")
	if got := well(t, address, "getAcl /app\n").out; !strings.Contains(got, `"acl":["world:anyone:cdrwa"]`) {
		t.Errorf("imported without an ACL: %s", got)
	}
}

func TestImportChangesACLs(t *testing.T) {
	address := startServer(t)
	const open = `"acl":["world:anyone:cdrwa"]`
	well(t, address, "create /app x\ncreate /app/kept x world:anyone:rwa\ncreate /app/same x "+bobs+"\ncreate /app/shut x world:anyone:rw\n")
	quoted := `["` + strings.ReplaceAll(bobs, ",", `","`) + `"]`
	const lines = `{"path":"/","acl":["world:anyone:cdrwa"]}
{"path":"/kept","data":"y"}
{"path":"/new","data":"y","acl":["world:anyone:r"]}
`
	well(t, address, "import -f "+writeFile(t, strings.ReplaceAll(lines, "cdrwa", "crwa"))+" /app\n")
	for path, want := range map[string]string{"/app": "crwa", "/app/kept": "rwa", "/app/new": "r"} {
		if got := well(t, address, "getAcl "+path+"\n").out; !strings.Contains(got, `"acl":["world:anyone:`+want+`"]`) {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
	// The rest is done where one may not be changed, and where nothing is to be changed no permission is needed.
	file := writeFile(t, lines+`{"path":"/same","data":"x","acl":`+quoted+`}
{"path":"/shut","data":"y","acl":["world:anyone:cdrwa"]}
`)
	const bob = "addauth digest bob:pw\n"
	refused(t, address, bob+"import -f "+writeFile(t, `{"path":"/","acl":["world:anyone:cdrwa"]}
{"path":"/same","data":"x","acl":`+quoted+`}
{"path":"/shut","data":"y","acl":["world:anyone:cdrwa"]}
`)+" /app\n", "the ACLs of 1 are as they were:", "Insufficient permission : /app/shut")
	if got := well(t, address, "getAcl /app\nget /app/shut\n").out; !strings.Contains(got, open) || !strings.Contains(got, `"data":"y"`) {
		t.Errorf("beside what may not be changed: %s", got)
	}
	if got := well(t, address, asSuper+"import -f "+file+" /app\ngetAcl -s /app/same\ngetAcl /app/shut\n").out; !strings.Contains(got, `"aclVersion":0`) || !strings.Contains(got, open) {
		t.Errorf("by the super user: %s", got)
	}
}

func TestDiffComparesACLs(t *testing.T) {
	here, there := startServer(t), startServer(t)
	diff := "diff " + there + " /app\n"
	const bob = "addauth digest bob:pw\n"
	well(t, here, "create /app x\ncreate /app/bobs x "+bobs+"\ncreate /app/shut x digest:bob:ikIaKsbtGweaHnb/jKn7OHqbunM=:cdrwa\n")
	well(t, there, "create /app x\ncreate /app/bobs x world:anyone:r,digest:bob:ikIaKsbtGweaHnb/jKn7OHqbunM=:acdrw\n"+
		"create /app/shut x digest:bob:ikIaKsbtGweaHnb/jKn7OHqbunM=:cdrwa\n")
	if got := well(t, here, bob+diff).out; got != "[]\n" {
		t.Errorf("as bob: got %s", got)
	}
	refused(t, here, diff, "Insufficient permission : /app/shut")
	well(t, here, "delete /app/shut\n")
	well(t, there, "delete /app/shut\n")
	if got := refused(t, here, diff, "/app/bobs: the ACLs cannot be compared").out; got != "[]\n" {
		t.Errorf("masked: got %s", got)
	}
	well(t, there, "setAcl /app world:anyone:cdrw\n")
	well(t, there, bob+"setAcl /app/bobs digest:bob:AAAAAAAAAAAAAAAAAAAAAAAAAAA=:cdrwa,world:anyone:r\nset /app y\n")
	want := `[{"path":"/app","kind":"data","hereBytes":1,"thereBytes":1},` +
		`{"path":"/app","kind":"acl","hereBytes":1,"thereBytes":1,"hereACL":["world:anyone:cdrwa"],"thereACL":["world:anyone:cdrw"]},` +
		`{"path":"/app/bobs","kind":"acl","hereBytes":1,"thereBytes":1,"hereACL":["digest:bob:ikIaKsbtGweaHnb/jKn7OHqbunM=:cdrwa","world:anyone:r"],` +
		`"thereACL":["digest:bob:AAAAAAAAAAAAAAAAAAAAAAAAAAA=:cdrwa","world:anyone:r"]}]` + "\n"
	if got := cli(t, here, asSuper+diff); got.out != want || got.code != exitFailed || got.err != "" {
		t.Errorf("as the super user: got %s, said %s; want %s", got.out, got.err, want)
	}
}
