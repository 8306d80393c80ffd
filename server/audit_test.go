package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"zooraft/fsm"
	"zooraft/protocol"
	"zooraft/server/audit"
)

type completed int

func (c *completed) Complete(fsm.View, *fsm.Result) { *c++ }

// What the web console writes is somebody's too, and is noted before it is answered.
func TestConsoleWritesAreAudited(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l, err := audit.Open(audit.Config{File: path, User: "root", Log: hclog.NewNullLogger()})
	if err != nil {
		t.Fatal(err)
	}
	var done completed
	q := protocol.DeleteRequest{Path: "/a", Version: -1}
	a := audited{l, "10.0.0.7", &done}
	a.Complete(fsm.View{}, &fsm.Result{Op: protocol.OpDelete, Request: &fsm.ClientRequest{
		Op: protocol.OpDelete, IDs: []protocol.ID{{Scheme: "ip", ID: "10.0.0.7"}, {Scheme: "digest", ID: "ann:hash"}}, Body: q.Append(nil),
	}})
	l.Close()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := ": user=10.0.0.7,ann\tip=10.0.0.7\toperation=delete\tznode=/a\tresult=success\n"; !strings.HasSuffix(string(b), want) || done != 1 {
		t.Errorf("got %q, %d completions", b, done)
	}
}

// The file is where the keys say.
func TestAuditFile(t *testing.T) {
	for _, tt := range []struct{ dir, name, want string }{
		{"", "", "/log/zookeeper_audit.log"}, {"/logs", "", "/logs/zookeeper_audit.log"}, {"/logs", "a.log", "/logs/a.log"},
	} {
		c := Config{DataDir: "/data", DataLogDir: "/log", Properties: map[string]string{}}
		if tt.dir != "" {
			c.Properties["zookeeper.log.dir"] = tt.dir
		}
		if tt.name != "" {
			c.Properties["zookeeper.auditlog.file"] = tt.name
		}
		if got := c.AuditFile(); got != tt.want {
			t.Errorf("%+v: %s", tt, got)
		}
	}
}
