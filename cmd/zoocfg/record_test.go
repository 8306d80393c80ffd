package zoocfg

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"zooraft/zabcompat"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func written(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = string(b)
	}
	return all
}

// What is compared with is what a ZooKeeper 3.9.5 has written, but for the order
// of the keys in zoo.cfg.
func TestRecord(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "zoo.cfg")
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(data, "myid"), "1\n")
	first := `# a comment
tickTime=2000
initLimit=10
syncLimit=5
dataDir=` + data + `
clientPort=27181
reconfigEnabled=true
peerType=participant
server.1=127.0.0.1:27281:27381
server.2=127.0.0.1:27282:27382:participant
server.10=127.0.0.1:27283:27383
zookeeper.some\ key : a\\b
`
	write(t, path, first)
	cfg, _, err := loadWords(path, nil, readRegular)
	if err != nil {
		t.Fatal(err)
	}
	m := zabcompat.Membership{Servers: cfg.Servers, Version: 0x100000000}
	for range 2 { // the second time it is there
		if err := Record(path, 1, m); err != nil {
			t.Fatal(err)
		}
	}
	static := `tickTime=2000
initLimit=10
syncLimit=5
dataDir=` + data + `
clientPort=27181
reconfigEnabled=true
zookeeper.some\ key=a\\b
dynamicConfigFile=` + path + `.dynamic.100000000
`
	dynamic := `server.10=127.0.0.1:27283:27383:participant
server.1=127.0.0.1:27281:27381:participant
server.2=127.0.0.1:27282:27382:participant`
	check := func(want map[string]string) {
		t.Helper()
		got := written(t, dir)
		for name, text := range want {
			if got[name] != text {
				t.Errorf("%s: got %q, want %q", name, got[name], text)
			}
		}
		if len(got) != len(want) {
			t.Errorf("files %q, want %q", got, want)
		}
	}
	want := map[string]string{"zoo.cfg": static, "zoo.cfg.bak": first, "zoo.cfg.dynamic.100000000": dynamic}
	check(want)
	again, _, err := loadWords(path, nil, readRegular)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := again.Servers, cfg.Servers; len(a) != 3 || a[0] != b[0] || a[1] != b[1] || a[2] != b[2] || again.ClientPort != 27181 {
		t.Errorf("read back as %+v, port %d", a, again.ClientPort)
	}

	one, err := zabcompat.ParseServerSpec(1, "127.0.0.1:27281:27381;27181", false)
	if err != nil {
		t.Fatal(err)
	}
	m = zabcompat.Membership{Servers: append([]zabcompat.ServerSpec{one}, cfg.Servers[1]), Version: 0x100000003}
	if err := Record(path, 1, m); err != nil {
		t.Fatal(err)
	}
	want["zoo.cfg"] = strings.ReplaceAll(strings.Replace(static, "clientPort=27181\n", "", 1), ".100000000", ".100000003")
	want["zoo.cfg.dynamic.100000003"] = "server.1=127.0.0.1:27281:27381:participant;0.0.0.0:27181\nserver.2=127.0.0.1:27282:27382:participant"
	check(want)
	if again, _, err = loadWords(path, nil, readRegular); err != nil || len(again.Servers) != 2 || again.ClientPort != 27181 {
		t.Errorf("read back as %+v, port %d, %v", again.Servers, again.ClientPort, err)
	}
}

func TestRecordWhereNothingMayBeWritten(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "none", "zoo.cfg")
	m := zabcompat.Membership{Servers: []zabcompat.ServerSpec{{ID: 1, Host: "a", QuorumPort: 1, ElectionPort: 2}}}
	if err := Record(path, 1, m); err == nil {
		t.Error("no error without a file")
	}
	path = filepath.Join(dir, "zoo.cfg")
	write(t, path, "dataDir=/x\n")
	// A directory where the file is to go fails for the superuser too.
	if err := os.Mkdir(path+".dynamic.0", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Record(path, 1, m); err == nil {
		t.Error("no error where the file cannot be written")
	}
	if got := written(t, dir); len(got) != 1 || got["zoo.cfg"] != "dataDir=/x\n" {
		t.Errorf("left behind: %q", got)
	}
}

// What is written is read as what was read before.
func FuzzEscape(f *testing.F) {
	f.Add("a b", " c\\d\n")
	f.Add("#x", "=:")
	f.Fuzz(func(t *testing.T, key, value string) {
		key = strings.TrimSpace(key)
		props := zabcompat.ParseProperties([]byte(escape(key, true) + "=" + escape(value, false) + "\n"))
		if len(props) != 1 && (key != "" || len(props) > 1) {
			t.Fatalf("%q=%q reads as %+v", key, value, props)
		}
		if len(props) == 1 && utf8.ValidString(key) && utf8.ValidString(value) && !strings.Contains(key+value, "\ufeff") &&
			(props[0].Key != key || props[0].Value != value) {
			t.Fatalf("%q=%q reads as %+v", key, value, props[0])
		}
	})
}

// The copy of a zoo.cfg that not all may read is not for all either.
func TestRecordKeepsSecrets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "zoo.cfg")
	write(t, path, "dataDir=/d\nssl.keyStore.password=hunter2\nserver.1=a:1:2\n")
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Record(path, 1, zabcompat.Membership{Version: 1}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, path + ".bak"} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

func TestRecordAside(t *testing.T) {
	dir := t.TempDir()
	spec, err := zabcompat.ParseServerSpec(1, "a:1:2", false)
	if err != nil {
		t.Fatal(err)
	}
	file, err := RecordAside(dir, "/read-only/zoo.cfg", zabcompat.Membership{Version: 0x100000000, Servers: []zabcompat.ServerSpec{spec}})
	if err != nil || filepath.Base(file) != "zoo.cfg.dynamic.100000000" {
		t.Fatalf("file %q, %v", file, err)
	}
	if got := written(t, dir); len(got) != 1 || got["zoo.cfg.dynamic.100000000"] != "server.1=a:1:2:participant" {
		t.Errorf("written: %q", got)
	}
	if _, err := RecordAside(filepath.Join(dir, "none"), "/read-only/zoo.cfg", zabcompat.Membership{}); err == nil {
		t.Error("no error for a directory that is not there")
	}
}
