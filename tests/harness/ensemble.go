package harness

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"zooraft/tests/testkit"
)

const (
	defaultTickTime     = time.Second
	defaultStartTimeout = 60 * time.Second
)

// Options says what ensemble to make. The zero value is one standalone server.
type Options struct {
	// Size is the number of servers; 1 (or 0) has no server lines and so is standalone.
	Size int
	// Observers says how many of the servers, the last ones, have no vote.
	Observers int
	// TickTime is zoo.cfg's tickTime, to the millisecond. Default 1 s: sessions of 2 to 20 s.
	TickTime time.Duration
	// Lines are added at the end of each zoo.cfg. Of two lines with one key the later counts, so they also override.
	Lines []string
	// Defines are properties ("key=value") given as -D on the command line.
	Defines []string
	// Args are further arguments of the command line (of the JVM, for a stock ZooKeeper).
	Args []string
	// JVM are a stock ZooKeeper's flags in place of those that make its start quick and its work slow.
	JVM []string
	// Env is added to the environment of each server, as "KEY=value".
	Env []string
	// StartTimeout bounds how long a server may take until it serves. Default 60 s.
	StartTimeout time.Duration
	// CrashOK keeps a panic in a server's log from failing the test. A data race always fails it.
	CrashOK bool
}

// Server is one member: what a test may need to know of it. All of it is fixed when the ensemble is made.
type Server struct {
	SID          int    // its server.N and myid, from 1
	Dir          string // its own directory, with all that follows in it
	DataDir      string
	Config       string // its zoo.cfg
	Log          string // what it wrote to stdout and stderr, over all its starts
	ClientAddr   string // host:port
	QuorumPort   int    // 0 when standalone
	ElectionPort int    // 0 when standalone

	observer bool
	members  []*Server // that its zoo.cfg names

	mu      sync.Mutex
	process *process // nil before the first start
}

// Ensemble is a set of servers, each a process. Its methods name a server by its sid, 1 to Size, and fail the test when
// something does not come about; so they are for the test's goroutine, or for others that may be ended by a failure.
type Ensemble struct {
	t       testing.TB
	program program
	options Options
	root    string
	servers []*Server
}

// NewZooraft makes an ensemble of Zooraft servers, none of them started. They end with the test.
func NewZooraft(t testing.TB, o Options) *Ensemble {
	t.Helper()
	return newEnsemble(t, zooraft, o)
}

// NewZooKeeper makes an ensemble of stock ZooKeeper servers, none of them started, from the jars in a directory: those
// of ZooKeeper and of all that it needs. They end with the test.
func NewZooKeeper(t testing.TB, jars string, o Options) *Ensemble {
	t.Helper()
	return newEnsemble(t, stockZooKeeper(jars), o)
}

// StartZooraft is NewZooraft and StartAll.
func StartZooraft(t testing.TB, o Options) *Ensemble {
	t.Helper()
	e := NewZooraft(t, o)
	e.StartAll()
	return e
}

// StartZooKeeper is NewZooKeeper and StartAll.
func StartZooKeeper(t testing.TB, jars string, o Options) *Ensemble {
	t.Helper()
	e := NewZooKeeper(t, jars, o)
	e.StartAll()
	return e
}

func newEnsemble(t testing.TB, p program, o Options) *Ensemble {
	t.Helper()
	o.Size = max(o.Size, 1)
	if o.TickTime == 0 {
		o.TickTime = defaultTickTime
	}
	if o.StartTimeout == 0 {
		o.StartTimeout = defaultStartTimeout
	}
	e := &Ensemble{t: t, program: p, options: o}
	root := workDir(t)
	t.Cleanup(e.close) // after workDir: the processes end before their directories go
	e.root = root
	for sid := 1; sid <= o.Size; sid++ {
		s := e.newServer(sid)
		s.observer = sid > o.Size-o.Observers
		e.servers = append(e.servers, s)
	}
	for _, s := range e.servers {
		if o.Size > 1 {
			s.members = e.servers
		}
		if err := e.writeFiles(s); err != nil {
			t.Fatalf("prepare server %d: %v", s.SID, err)
		}
	}
	return e
}

// newServer thinks of a server: where its files are and its ports.
func (e *Ensemble) newServer(sid int) *Server {
	e.t.Helper()
	dir := filepath.Join(e.root, fmt.Sprintf("%s-%d", e.program.name, sid))
	s := &Server{
		SID:     sid,
		Dir:     dir,
		DataDir: filepath.Join(dir, "data"),
		Config:  filepath.Join(dir, "zoo.cfg"),
		Log:     filepath.Join(dir, "server.log"),
	}
	if e.options.Size == 1 {
		s.ClientAddr = hostPort(testkit.Ports(e.t, 1)[0])
		return s
	}
	ports := testkit.Ports(e.t, 3)
	s.ClientAddr, s.QuorumPort, s.ElectionPort = hostPort(ports[0]), ports[1], ports[2]
	return s
}

// Join makes one more server, which is to join the ensemble: its zoo.cfg names the members given and itself. Its sid is
// the next one. It is not started, and no member until a reconfig makes it one.
func (e *Ensemble) Join(members ...int) *Server {
	e.t.Helper()
	s := e.newServer(len(e.servers) + 1)
	for _, sid := range members {
		s.members = append(s.members, e.Server(sid))
	}
	s.members = append(s.members, s)
	if err := e.writeFiles(s); err != nil {
		e.t.Fatalf("prepare server %d: %v", s.SID, err)
	}
	e.servers = append(e.servers, s)
	return s
}

// Line is the server's line as a reconfig takes it: server.N=host:quorumPort:electionPort:role;clientHost:clientPort.
func (s *Server) Line() string {
	role := "participant"
	if s.observer {
		role = "observer"
	}
	return fmt.Sprintf("server.%d=%s:%d:%d:%s;%s", s.SID, loopbackAddr, s.QuorumPort, s.ElectionPort, role, s.ClientAddr)
}

// workDir is the directory of a test's servers: its own temporary one, or one that stays, under ZOORAFT_KEEP.
func workDir(t testing.TB) string {
	keep := os.Getenv("ZOORAFT_KEEP")
	if keep == "" {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(keep, strings.NewReplacer("/", "_", "*", "_").Replace(t.Name())+"-")
	if err != nil {
		t.Fatalf("make directory under ZOORAFT_KEEP: %v", err)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		t.Fatal(err)
	}
	t.Logf("server directories: %s", dir)
	return dir
}

func (e *Ensemble) writeFiles(s *Server) error {
	if err := os.MkdirAll(s.DataDir, 0o700); err != nil {
		return err
	}
	if e.options.Size > 1 {
		if err := os.WriteFile(filepath.Join(s.DataDir, "myid"), fmt.Appendf(nil, "%d\n", s.SID), 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(s.Config, e.zooCfg(s), 0o600)
}

// zooCfg is the text of a member's zoo.cfg.
func (e *Ensemble) zooCfg(s *Server) []byte {
	_, clientPort, _ := net.SplitHostPort(s.ClientAddr)
	var b bytes.Buffer
	fmt.Fprintf(&b, "tickTime=%d\n", e.options.TickTime.Milliseconds())
	b.WriteString("initLimit=10\nsyncLimit=5\n")
	fmt.Fprintf(&b, "dataDir=%s\n", s.DataDir)
	fmt.Fprintf(&b, "clientPort=%s\nclientPortAddress=%s\n", clientPort, loopbackAddr)
	b.WriteString("maxClientCnxns=0\n4lw.commands.whitelist=*\n")
	b.WriteString("admin.enableServer=false\n") // its port is a fixed one
	if e.options.Size > 1 {
		for _, m := range s.members {
			role := ""
			if m.observer {
				role = ":observer"
			}
			fmt.Fprintf(&b, "server.%d=%s:%d:%d%s\n", m.SID, loopbackAddr, m.QuorumPort, m.ElectionPort, role)
		}
		if s.observer {
			b.WriteString("peerType=observer\n")
		}
	}
	for _, line := range e.options.Lines {
		b.WriteString(line + "\n")
	}
	return b.Bytes()
}

// Size is the number of servers, running or not.
func (e *Ensemble) Size() int { return len(e.servers) }

// Server tells what there is to know of one server.
func (e *Ensemble) Server(sid int) *Server {
	e.t.Helper()
	if sid < 1 || sid > len(e.servers) {
		e.t.Fatalf("no server %d in an ensemble of %d", sid, len(e.servers))
	}
	return e.servers[sid-1]
}

// Connect is the connect string of the whole ensemble, as clients take it: "host:port,host:port".
func (e *Ensemble) Connect() string { return strings.Join(e.ClientAddrs(), ",") }

// ClientAddrs are the client addresses of all servers, in the order of their sids.
func (e *Ensemble) ClientAddrs() []string {
	addrs := make([]string, len(e.servers))
	for i, s := range e.servers {
		addrs[i] = s.ClientAddr
	}
	return addrs
}

func (s *Server) current() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process
}

const loopbackAddr = "127.0.0.1"

func hostPort(port int) string { return net.JoinHostPort(loopbackAddr, strconv.Itoa(port)) }
