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

// ran is what a run of lines wrote, and its exit code.
type ran struct {
	out, err string
	code     int
}

// cli runs lines in one session; -json keeps the event of being connected away.
func cli(t *testing.T, address, lines string) ran {
	t.Helper()
	var out, err bytes.Buffer
	code := Run([]string{"-server", address, "-json"}, IO{Stdin: strings.NewReader(lines), Stdout: &out, Stderr: &err})
	return ran{out.String(), err.String(), code}
}

// well runs lines of which none may fail.
func well(t *testing.T, address, lines string) ran {
	t.Helper()
	s := cli(t, address, lines)
	if s.code != exitOK || strings.Contains(s.err, `"error"`) {
		t.Fatalf("%s\n-> exit code %d\n%s%s", lines, s.code, s.out, s.err)
	}
	return s
}

// refused runs lines of which the last has to fail with these texts.
func refused(t *testing.T, address, lines string, texts ...string) ran {
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

// The way from one ensemble to another that docs/operations.md names.
func TestMigration(t *testing.T) {
	old, new := startServer(t), startServer(t)
	well(t, old, "set / top\ncreate /app x\ncreate /app/bobs secret digest:bob:ikIaKsbtGweaHnb/jKn7OHqbunM=:cdrwa\ncreate /zz z\n"+
		"setquota -N 5 /app\nsetquota -b 100 /app\nsetquota -n 7 /zz\n"+asSuper+"setAcl /zookeeper/config world:anyone:w\n")
	dir := t.TempDir()
	lines, files := filepath.Join(dir, "lines.json"), filepath.Join(dir, "files")
	s := well(t, old, asSuper+"export / "+lines+"\nexport -d / "+files+"\n")
	if !strings.Contains(s.err, "/zookeeper is the server's own and is left out, but for the quotas in it (2)\n") {
		t.Errorf("export said %s", s.err)
	}
	config := well(t, new, asSuper+"get -s /zookeeper/config\n").out
	if s := well(t, new, asSuper+"import "+lines+" /\n"); !strings.Contains(s.err, "/ is there already and is left as it is") {
		t.Errorf("import said %s", s.err)
	}
	const quotas = "listquota /app\nlistquota /zz\n"
	const both = asSuper + "getAcl /app/bobs\n" + quotas
	if got, want := well(t, new, both).out, well(t, old, both).out; got != want {
		t.Errorf("imported: got\n%swant\n%s", got, want)
	}
	// Once more: what the quotas use stays as it is counted, and now the root is changed.
	well(t, new, "create /app/more x\n"+asSuper+"import -f "+lines+" /\n")
	if got := well(t, new, "get /\n"+quotas).out; !strings.Contains(got, `"data":"top"`) || !strings.Contains(got, `"used":{"bytes":8,"count":3}`) {
		t.Errorf("imported again: %s", got)
	}
	// A file of an older export has it all; -d has directories where quotas stand.
	older := writeFile(t, `{"path":"/zookeeper"}{"path":"/zookeeper/config","data":"version=0"}{"path":"/zookeeper/quota"}`)
	for _, line := range []string{"import " + older + " /\n", "import -f " + older + " /\n", "import -f " + files + " /\n"} {
		if s := well(t, new, asSuper+line); !strings.Contains(s.err, "the server's own, are skipped\n") {
			t.Errorf("%s said %s", line, s.err)
		}
	}
	if got := well(t, new, asSuper+"get -s /zookeeper/config\n").out; got != config {
		t.Errorf("got the configuration %s, want %s", got, config)
	}
	// Below a chroot, /zookeeper is a name like others, and the root need not be there.
	inner := writeFile(t, `{"path":"/"}{"path":"/zookeeper","data":"x"}`)
	for _, code := range []int{exitOK, exitFailed} {
		if s := cli(t, new+"/inner", "import "+inner+" /\n"); s.code != code {
			t.Errorf("import below a chroot: exit code %d, want %d; said %s", s.code, code, s.err)
		}
	}
	if got := well(t, new+"/inner", "export /\n").out; !strings.Contains(got, `"path":"/zookeeper","data":"x"`) {
		t.Errorf("export below a chroot: %s", got)
	}
}

func TestNumbersBeginAnew(t *testing.T) {
	address := startServer(t)
	well(t, address, "create /a x\ncreate /a/q x\ncreate -s /a/q/n- x\ncreate -s /a/q/n- x\ncreate /a/plain x\ncreate /a/plain/n-123456789 x\n")
	file := filepath.Join(t.TempDir(), "lines.json")
	for _, tt := range []struct{ line, where string }{
		{"cp -R /a /b\n", "/b/q"}, {"mv /b /c\n", "/c/q"}, {"export /a " + file + "\nimport " + file + " /d\n", "/d/q"},
		{"cp -R /a/plain /e\n", ""}, {"cp /a/q /f\n", ""}, {"import -f " + file + " /d\n", ""},
	} {
		want := ""
		if tt.where != "" {
			want = tt.where + ": numbers of create -s begin anew"
		}
		got := well(t, address, tt.line).err
		if strings.Count(got, "begin anew") != strings.Count(want, "begin anew") || !strings.Contains(got, want) {
			t.Errorf("%s said %s, want %q", tt.line, got, want)
		}
	}
}
