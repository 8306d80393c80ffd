// Package tests holds what needs the whole source: here, the rules on who may
// import whom; below, tests of running servers.
package tests

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const (
	module  = "zooraft"
	testkit = module + "/tests/testkit"
)

// tags makes go list see the files that are built on request only.
const tags = "interop"

// listed is what these rules need of go list's output.
type listed struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

// Imports point down: cmd -> server -> server/* -> fsm -> fsm/* -> protocol and
// zabcompat. These import the standard library only, a child of server neither
// server nor another child, except quorum, which has peer; and only quorum and
// fsm know raft, only certs go-pkcs12 and fsnotify. All tests may import testkit,
// which imports the standard library only.
func TestImports(t *testing.T) {
	packages := listPackages(t)
	if len(packages) < 5 {
		t.Fatalf("go list names %d packages; the rules were checked on next to nothing", len(packages))
	}
	for _, p := range packages {
		from := strings.TrimPrefix(p.ImportPath, module+"/")
		for _, path := range p.Imports {
			if why := forbidden(from, path); why != "" {
				t.Errorf("%s imports %s: %s", from, path, why)
			}
		}
		// Tests may use what the package may use, any other module, and what is made for all of them.
		for _, path := range slices.Concat(p.TestImports, p.XTestImports) {
			if inModule(path) && path != p.ImportPath && path != testkit {
				if why := forbidden(from, path); why != "" {
					t.Errorf("a test of %s imports %s: %s", from, path, why)
				}
			}
		}
	}
}

func listPackages(t *testing.T) []listed {
	t.Helper()
	// Without the profile, which would make the packages that it optimizes others than their names say.
	cmd := exec.Command("go", "list", "-pgo=off", "-e", "-tags", tags, "-json=ImportPath,Imports,TestImports,XTestImports", module+"/...")
	cmd.Dir = ".."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var packages []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatalf("output of go list: %v", err)
		}
		packages = append(packages, p)
	}
}

func inModule(path string) bool { return path == module || strings.HasPrefix(path, module+"/") }

// standard reports whether a path is of the standard library: its first element
// has no dot.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !inModule(path) && !strings.Contains(first, ".")
}

// below reports whether a package is dir or stands below it.
func below(pkg, dir string) bool { return pkg == dir || strings.HasPrefix(pkg, dir+"/") }

// forbidden says why the package from (without the module's name) must not
// import path, or "" if it may.
func forbidden(from, path string) string {
	if standard(path) {
		return ""
	}
	if !inModule(path) {
		switch {
		case below(from, "protocol") || below(from, "zabcompat") || from == "tests/testkit":
			return "it imports the standard library only"
		case strings.HasPrefix(path, "github.com/hashicorp/raft") &&
			!below(from, "fsm") && !below(from, "server/quorum") && !below(from, "tests"):
			return "only fsm and server/quorum know raft"
		case (below(path, "software.sslmate.com/src/go-pkcs12") || below(path, "github.com/fsnotify/fsnotify")) && from != "server/certs":
			return "only server/certs knows how files of keys are read and watched"
		}
		return ""
	}
	to := strings.TrimPrefix(path, module+"/")
	if below(from, "tests") {
		if from == "tests/testkit" {
			return "it imports the standard library only"
		}
		return ""
	}
	if below(to, "tests") {
		return "only tests import tests"
	}

	lower := func(dirs ...string) string {
		if slices.ContainsFunc(dirs, func(dir string) bool { return below(to, dir) }) {
			return ""
		}
		return "imports point down; it may import " + strings.Join(dirs, ", ")
	}
	switch {
	case below(from, "protocol"), below(from, "zabcompat"):
		return "it imports the standard library only"
	case from == "fsm":
		return lower("fsm", "protocol", "zabcompat")
	case below(from, "fsm"):
		return lower(child(from), "protocol", "zabcompat")
	case from == "server":
		return lower("server", "fsm", "protocol", "zabcompat")
	case below(from, "server/quorum"):
		return lower("server/quorum", "server/peer", "fsm", "protocol", "zabcompat")
	case below(from, "server"):
		return lower(child(from), "fsm", "protocol", "zabcompat")
	case below(from, "cmd"):
		// What lies below server is not a command's to know; of the wire it may
		// know what a client knows.
		if to != "server" && below(to, "server") {
			return "a command knows server and nothing below it"
		}
		return lower("cmd", "server", "protocol", "zabcompat")
	}
	return "its place in the order of packages is not known; name it here"
}

// child returns the first two elements of a path: server/client for
// server/client/throttle.
func child(path string) string {
	parts := strings.SplitN(path, "/", 3)
	return strings.Join(parts[:2], "/")
}

func TestForbidden(t *testing.T) {
	const (
		raft     = "github.com/hashicorp/raft"
		pkcs12   = "software.sslmate.com/src/go-pkcs12"
		fsnotify = "github.com/fsnotify/fsnotify"
	)
	tests := []struct {
		from, path string
		allowed    bool
	}{
		{"protocol", "fmt", true},
		{"protocol", "encoding/binary", true},
		{"protocol", "zooraft/zabcompat", false},
		{"zabcompat", raft, false},
		{"zabcompat", "golang.org/x/exp/slices", false},
		{"fsm", "zooraft/fsm/tree", true},
		{"fsm", raft, true},
		{"fsm", "zooraft/server", false},
		{"fsm/tree", "zooraft/protocol", true},
		{"fsm/tree", "zooraft/fsm", false},
		{"fsm/tree", "zooraft/fsm/watch", false},
		{"server", "zooraft/server/quorum", true},
		{"server", "zooraft/fsm/tree", true},
		{"server", raft, false},
		{"server", "zooraft/cmd/zoocfg", false},
		{"server/quorum", "zooraft/server/peer", true},
		{"server/quorum", "zooraft/server/quorum/store", true},
		{"server/quorum", "zooraft/server/client", false},
		{"server/quorum/store", raft + "-boltdb/v2", true},
		{"server/peer", "zooraft/server/quorum", false},
		{"server/client", "zooraft/server", false},
		{"server/client", "zooraft/server/session", false},
		{"server/client", "zooraft/fsm/watch", true},
		{"server/client", raft, false},
		{"server/clients", "zooraft/server/client", false},
		{"server/certs", pkcs12, true},
		{"server/certs", fsnotify, true},
		{"server", pkcs12, false},
		{"cmd/zooraft", fsnotify, false},
		{"cmd/zooraft", "zooraft/server", true},
		{"cmd/zooraft", "zooraft/cmd/zoocfg", true},
		{"cmd/zooraft", "zooraft/server/quorum", false},
		{"cmd/zooraft", "zooraft/fsm", false},
		{"cmd/zooraft", "github.com/spf13/cobra", true},
		{"tests/harness", "zooraft/server/client", true},
		{"tests/fault", raft, true},
		{"tests/fault", testkit, true},
		{"tests/testkit", raft, false},
		{"tests/testkit", "zooraft/protocol", false},
		{"server", testkit, false},
		{"server", "zooraft/tests/harness", false},
		{"util", "zooraft/protocol", false},
	}
	for _, tt := range tests {
		if why := forbidden(tt.from, tt.path); (why == "") != tt.allowed {
			t.Errorf("%s imports %s: got %q, want allowed %v", tt.from, tt.path, why, tt.allowed)
		}
	}
}
