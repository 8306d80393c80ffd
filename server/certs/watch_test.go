package certs

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"software.sslmate.com/src/go-pkcs12"

	"zooraft/tests/testkit"
)

// lines gives each line that is logged to who awaits it.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

func (l lines) next(t *testing.T) string {
	t.Helper()
	select {
	case line := <-l:
		return line
	case <-time.After(20 * time.Second):
		t.Fatal("nothing was logged")
		return ""
	}
}

// wantNext awaits a line of a level with all of the words.
func (l lines) wantNext(t *testing.T, words ...string) {
	t.Helper()
	line := l.next(t)
	for _, word := range words {
		if !strings.Contains(line, word) {
			t.Fatalf("logged %q, want %q", line, words)
		}
	}
}

// openWatched has changes that are noticed taken over, and tells of them in what it
// returns.
func openWatched(t *testing.T, cfg Config) (*Certs, lines) {
	t.Helper()
	return openLooking(t, cfg, time.Hour)
}

// openLooking is openWatched, and looks for changes that often.
func openLooking(t *testing.T, cfg Config, every time.Duration) (*Certs, lines) {
	t.Helper()
	cfg.Reload = true
	logged := make(lines, 100)
	c, err := openEvery(cfg, every, hclog.New(&hclog.LoggerOptions{Output: logged, Level: hclog.Trace}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, logged
}

// wantShown dials c and looks at what it shows.
func wantShown(t *testing.T, c *Certs, ca *testkit.CA, want testkit.Certificate) {
	t.Helper()
	e := meet(t, c, open(t, Config{Trust: Store{File: ca.File}}), "zk")
	if e.dialledErr != nil || e.acceptedErr != nil {
		t.Fatalf("dialled with %v, accepted with %v", e.dialledErr, e.acceptedErr)
	}
	if got := Leaf(e.dialled); !got.Equal(want.TLS.Leaf) {
		t.Errorf("the server has shown number %d, want %d", got.SerialNumber, want.TLS.Leaf.SerialNumber)
	}
}

func write(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// relink makes name a link to target, in one step.
func relink(t *testing.T, target, name string) {
	t.Helper()
	if err := os.Symlink(target, name+".tmp"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".tmp", name); err != nil {
		t.Fatal(err)
	}
}

// A volume of Kubernetes holds links through a link to a directory, which is changed
// for another as a whole.
func TestReloadOfKubernetes(t *testing.T) {
	t.Parallel()
	root := testkit.NewCA(t)
	dir := t.TempDir()
	put := func(version string, own testkit.Certificate) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, version, "key.pem"), own.PEM)
		relink(t, version, filepath.Join(dir, "..data"))
	}
	first := root.Issue("zk")
	put("..1", first)
	file := filepath.Join(dir, "key.pem")
	if err := os.Symlink(filepath.Join("..data", "key.pem"), file); err != nil {
		t.Fatal(err)
	}

	c, logged := openWatched(t, Config{Key: Store{File: file}, ClientAuth: NoClientAuth})
	wantShown(t, c, root, first)
	for _, version := range []string{"..2", "..3"} {
		own := root.Issue("zk")
		put(version, own)
		if version == "..2" {
			if err := os.RemoveAll(filepath.Join(dir, "..1")); err != nil {
				t.Fatal(err)
			}
		}
		logged.wantNext(t, "[INFO]", file)
		wantShown(t, c, root, own)
	}
}

// A file that is linked to from elsewhere may change where it is.
func TestReloadBehindLinks(t *testing.T) {
	t.Parallel()
	root := testkit.NewCA(t)
	first, second := root.Issue("zk"), root.Issue("zk")
	file, link := testkit.WriteFile(t, "key.pem", first.PEM), filepath.Join(t.TempDir(), "link.pem")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	c, logged := openWatched(t, Config{Key: Store{File: link}, ClientAuth: NoClientAuth})
	write(t, file, second.PEM)
	logged.wantNext(t, "[INFO]", link)
	wantShown(t, c, root, second)
}

// A link to a directory that stands in the file's name is nowhere on the way from the
// name to the file.
func TestReloadBehindDirectories(t *testing.T) {
	t.Parallel()
	root := testkit.NewCA(t)
	current := filepath.Join(t.TempDir(), "current")
	relink(t, filepath.Dir(testkit.WriteFile(t, "key.pem", root.Issue("zk").PEM)), current)
	file := filepath.Join(current, "key.pem")
	c, logged := openLooking(t, Config{Key: Store{File: file}, ClientAuth: NoClientAuth}, 10*time.Millisecond)
	for range 2 { // the first may be seen by the look behind Open
		own := root.Issue("zk")
		relink(t, filepath.Dir(testkit.WriteFile(t, "key.pem", own.PEM)), current)
		logged.wantNext(t, "[INFO]", file)
		wantShown(t, c, root, own)
	}
}

// Where a link leads to a file that cannot be read, that one is watched from then on.
func TestReloadBehindLinksToUnreadable(t *testing.T) {
	t.Parallel()
	root := testkit.NewCA(t)
	first, second := root.Issue("zk"), root.Issue("zk")
	link, broken := filepath.Join(t.TempDir(), "link.pem"), testkit.WriteFile(t, "key.pem", []byte("nothing"))
	relink(t, testkit.WriteFile(t, "key.pem", first.PEM), link)
	c, logged := openWatched(t, Config{Key: Store{File: link}, ClientAuth: NoClientAuth})
	relink(t, broken, link)
	logged.wantNext(t, "[ERROR]", link, "no certificate")
	testkit.Until(t, "the new place is watched", func() bool { return slices.Contains(c.watch.fs.WatchList(), filepath.Dir(broken)) })
	write(t, broken, second.PEM)
	logged.wantNext(t, "[INFO]", link)
	wantShown(t, c, root, second)
}

func TestReloadOfUnreadable(t *testing.T) {
	t.Parallel()
	root := testkit.NewCA(t)
	first, second := root.Issue("zk"), root.Issue("zk")
	file := testkit.WriteFile(t, "key.pem", first.PEM)
	c, logged := openWatched(t, Config{Key: Store{File: file}, ClientAuth: NoClientAuth})

	write(t, file, []byte("nothing"))
	logged.wantNext(t, "[ERROR]", file, "no certificate")
	wantShown(t, c, root, first)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	logged.wantNext(t, "[ERROR]", file, "no such file")
	wantShown(t, c, root, first)
	// What happens beside the files has nothing read, so the next line is of the file.
	write(t, filepath.Join(filepath.Dir(file), "other"), nil)
	write(t, file, second.PEM)
	logged.wantNext(t, "[INFO]", file)
	wantShown(t, c, root, second)
}

func TestReloadOfTrust(t *testing.T) {
	t.Parallel()
	root, other := testkit.NewCA(t), testkit.NewCA(t)
	trust := Store{File: root.File}
	server, logged := openWatched(t, Config{Key: Store{File: root.Issue("zk").File}, Trust: trust, ClientAuth: NeedClientAuth})
	client := open(t, Config{Key: Store{File: other.Issue("alice").File}, Trust: Store{File: root.File}})
	if e := meet(t, server, client, "zk"); e.acceptedErr == nil {
		t.Fatal("a stranger was let in")
	}
	write(t, trust.File, slices.Concat(root.PEM, other.PEM))
	logged.wantNext(t, "[INFO]", trust.File)
	if e := meet(t, server, client, "zk"); e.acceptedErr != nil || e.dialledErr != nil {
		t.Errorf("accepted with %v, dialled with %v", e.acceptedErr, e.dialledErr)
	}
}

func TestReloadOfPassword(t *testing.T) {
	t.Parallel()
	root := testkit.NewCA(t)
	own := root.Issue("zk")
	b, err := pkcs12.Modern.Encode(own.TLS.PrivateKey, own.TLS.Leaf, []*x509.Certificate{root.Cert}, "new")
	if err != nil {
		t.Fatal(err)
	}
	store := Store{File: testkit.WriteFile(t, "key.p12", readTestdata(t, "keytool-key.p12")), PasswordFile: testkit.WriteFile(t, "password", []byte("changeit"))}
	c, logged := openWatched(t, Config{Key: store, ClientAuth: NoClientAuth})
	write(t, store.File, b)
	logged.wantNext(t, "[ERROR]", store.File, "password")
	write(t, store.PasswordFile, []byte("new\n"))
	logged.wantNext(t, "[INFO]", store.PasswordFile)
	wantShown(t, c, root, own)
}

func readTestdata(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestClose(t *testing.T) {
	var none *Certs
	none.Close()
	root := testkit.NewCA(t)
	c, _ := openWatched(t, Config{Key: Store{File: root.Issue("a").File}})
	c.Close()
	select {
	case <-c.watch.done:
	default:
		t.Error("Close has left its goroutine running")
	}
	c.Close()
	if _, err := Open(Config{Key: Store{File: filepath.Join(t.TempDir(), "none.pem")}, Reload: true}, hclog.NewNullLogger()); err == nil {
		t.Error("opened without its file")
	}
}
