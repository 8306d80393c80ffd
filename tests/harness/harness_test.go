package harness

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary plays the server when this is set, so that processes are tested without one of the real servers. The
// zoo.cfg says how: fake.mode is the mode it tells, fake.exit makes it end at once with that code.
const fakeEnv = "ZOORAFT_HARNESS_FAKE"

func TestMain(m *testing.M) {
	if os.Getenv(fakeEnv) != "" {
		os.Exit(runFake(os.Args[1]))
	}
	os.Exit(m.Run())
}

var fake = program{
	name: "fake",
	command: func(s *Server, o *Options) (*exec.Cmd, error) {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		return exec.Command(self, append([]string{s.Config}, o.Args...)...), nil
	},
}

func newFake(t testing.TB, o Options) *Ensemble {
	o.Env = append(o.Env, fakeEnv+"=1")
	if o.StartTimeout == 0 {
		o.StartTimeout = 10 * time.Second
	}
	return newEnsemble(t, fake, o)
}

func runFake(config string) int {
	text, err := os.ReadFile(config)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	cfg := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		cfg[key] = value
	}
	if cfg["fake.exit"] != "" {
		return 7
	}
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	l, err := net.Listen("tcp", net.JoinHostPort(cfg["clientPortAddress"], cfg["clientPort"]))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			word, err := bufio.NewReader(c).Peek(4)
			if err == nil && string(word) == "srvr" {
				fmt.Fprintf(c, "Zookeeper version: fake\nMode: %s\nNode count: 1\n", cfg["fake.mode"])
			}
			c.Close()
		}
	}()
	fmt.Println("fake server is up")
	<-terminated
	return 5
}

func TestZooCfg(t *testing.T) {
	one := newFake(t, Options{TickTime: 1500 * time.Millisecond, Lines: []string{"snapCount=7"}})
	three := newFake(t, Options{Size: 3})
	s := three.Server(2)
	tests := []struct {
		name     string
		cfg      string
		has, not []string
	}{
		{"standalone", string(one.zooCfg(one.Server(1))), []string{"tickTime=1500\n", "snapCount=7\n"}, []string{"server."}},
		{"ensemble", string(three.zooCfg(s)), []string{
			"tickTime=1000\n", "dataDir=" + s.DataDir + "\n", "\nserver.1=", "\nserver.3=",
			fmt.Sprintf("\nserver.2=127.0.0.1:%d:%d\n", s.QuorumPort, s.ElectionPort),
		}, []string{"server.4"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, want := range tt.has {
				if !strings.Contains(tt.cfg, want) {
					t.Errorf("zoo.cfg lacks %q:\n%s", want, tt.cfg)
				}
			}
			for _, unwanted := range tt.not {
				if strings.Contains(tt.cfg, unwanted) {
					t.Errorf("zoo.cfg has %q:\n%s", unwanted, tt.cfg)
				}
			}
		})
	}
	if myid, err := os.ReadFile(s.DataDir + "/myid"); err != nil || string(myid) != "2\n" {
		t.Errorf("myid: got %q, %v; want %q", myid, err, "2\n")
	}
}

func TestLifeOfAServer(t *testing.T) {
	e := newFake(t, Options{Lines: []string{"fake.mode=standalone"}})
	if got := e.Mode(1); got != "" {
		t.Errorf("mode before the start: got %q, want none", got)
	}
	e.StartAll()
	if got := e.Mode(1); got != "standalone" {
		t.Errorf("mode: got %q, want standalone", got)
	}
	if got := e.Leader(); got != 1 {
		t.Errorf("leader: got %d, want 1", got)
	}
	if got := e.FourLetter(1, "srvr"); !strings.Contains(got, "Node count: 1\n") {
		t.Errorf("srvr: got %q", got)
	}
	first := e.PID(1)
	if got := e.Term(1); got != 5 {
		t.Errorf("exit code after SIGTERM: got %d, want 5", got)
	}
	if e.Running(1) {
		t.Error("server runs after Term")
	}
	e.Restart(1)
	if e.PID(1) == first {
		t.Error("restart kept the process")
	}
	e.Kill(1)
	if got := e.Server(1).current().exitCode(); got != -1 {
		t.Errorf("exit code after SIGKILL: got %d, want -1", got)
	}
	log, err := os.ReadFile(e.Server(1).Log)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(log), "fake server is up\n"); got != 2 {
		t.Errorf("starts in the log: got %d, want 2:\n%s", got, log)
	}
}

func TestLeaderPassesOverTheFrozen(t *testing.T) {
	e := newFake(t, Options{Size: 3, Lines: []string{"fake.mode=leader"}})
	e.Start(1)
	e.Start(3)
	e.WaitServing(1, 3)
	e.Stop(1)
	if got := e.Leader(); got != 3 {
		t.Errorf("leader while 1 is frozen: got %d, want 3", got)
	}
	e.Cont(1)
	e.Kill(3)
	if got := e.Leader(); got != 1 {
		t.Errorf("leader after 3 is dead: got %d, want 1", got)
	}
}

// watched is a testing.TB that notes failures instead of having them, and ends the goroutine as the real one does.
type watched struct {
	testing.TB
	failures []string
	logs     []string
	cleanups []func()
}

func (w *watched) Helper()                   {}
func (w *watched) Cleanup(f func())          { w.cleanups = append(w.cleanups, f) }
func (w *watched) Failed() bool              { return len(w.failures) > 0 }
func (w *watched) Logf(f string, a ...any)   { w.logs = append(w.logs, fmt.Sprintf(f, a...)) }
func (w *watched) Errorf(f string, a ...any) { w.failures = append(w.failures, fmt.Sprintf(f, a...)) }
func (w *watched) Fatalf(f string, a ...any) {
	w.Errorf(f, a...)
	panic(w)
}

// run calls f as a test would be run, clean-up included.
func (w *watched) run(f func()) {
	func() {
		defer func() {
			if r := recover(); r != nil && r != any(w) {
				panic(r)
			}
		}()
		f()
	}()
	for _, c := range slices.Backward(w.cleanups) {
		c()
	}
}

func TestServerThatEndsFailsTheTestAtOnce(t *testing.T) {
	w := &watched{TB: t}
	began := time.Now()
	w.run(func() { newFake(w, Options{Lines: []string{"fake.exit=1"}, StartTimeout: 2 * time.Minute}).StartAll() })
	if len(w.failures) != 1 || !strings.Contains(w.failures[0], "exit status 7") {
		t.Errorf("failures: got %q, want one with %q", w.failures, "exit status 7")
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %v to see that the server had ended", took)
	}
	if len(w.logs) != 1 || !strings.Contains(w.logs[0], "end of the log of server 1") {
		t.Errorf("logs of the failed test: got %q", w.logs)
	}
}

func TestCleanupEndsServersAndReportsCrashes(t *testing.T) {
	w, lines := &watched{TB: t}, noteUnforgiven(t)
	var e *Ensemble
	w.run(func() {
		e = newFake(w, Options{Size: 2, Lines: []string{"fake.mode=follower"}})
		e.StartAll()
		e.Stop(2) // a frozen one must go too
		f, err := os.OpenFile(e.Server(1).Log, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		fmt.Fprint(f, "a line\npanic: out of cheese\n")
	})
	for sid := 1; sid <= 2; sid++ {
		if e.Running(sid) {
			t.Errorf("server %d runs after the test", sid)
		}
	}
	if len(w.failures) != 1 || !strings.Contains(w.failures[0], "out of cheese") {
		t.Errorf("failures: got %q, want the panic", w.failures)
	}
	if got, want := lines.String(), "\npanic: panic of server 1\n"; got != want {
		t.Errorf("unforgiven: got %q, want %q", got, want)
	}
}

func TestCrashed(t *testing.T) {
	tests := []struct {
		name    string
		log     string
		crashOK bool
		failure string // the end of it, "" for none
		line    string // what stops a rerun
	}{
		{"nothing", "all is well\n", false, "", ""},
		{"quoted", "error=\"panic: no\"\n", false, "", ""},
		{"panic", "x\npanic: yes\n", false, "panic in its log:\npanic: yes\n", "panic: panic of it\n"},
		{"at once", "fatal error: all asleep", false, "fatal error in its log:\nfatal error: all asleep", "panic: fatal error of it\n"},
		{"allowed panic", "x\npanic: yes\n", true, "", ""},
		{"race", "x\n====\nWARNING: DATA RACE\n", true, "data race in its log:\nWARNING: DATA RACE\n", "WARNING: DATA RACE: data race of it\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, lines := &watched{TB: t}, noteUnforgiven(t)
			Crashed(w, "it", []byte(tt.log), tt.crashOK)
			if got := strings.TrimPrefix(strings.Join(w.failures, ""), "it: "); got != tt.failure {
				t.Errorf("failure: got %q, want %q", got, tt.failure)
			}
			if got := strings.TrimPrefix(lines.String(), "\n"); got != tt.line || got != "" && got == lines.String() {
				t.Errorf("unforgiven: got %q, want %q at the start of a line", lines, tt.line)
			}
		})
	}
}

// noteUnforgiven keeps for the test what would stop a rerun of any other.
func noteUnforgiven(t *testing.T) *bytes.Buffer {
	b, was := &bytes.Buffer{}, unforgiven
	unforgiven = b
	t.Cleanup(func() { unforgiven = was })
	return b
}

func TestZooraftCommand(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("ZOORAFT_BIN", self)
	s := &Server{Config: "/x/zoo.cfg"}
	cmd, err := zooraft.command(s, &Options{Defines: []string{"snapCount=5", "skipACL=yes"}, Args: []string{"--log-format=json"}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{self, "server", "/x/zoo.cfg", "-D", "snapCount=5", "-D", "skipACL=yes", "--log-format=json"}
	if !slices.Equal(cmd.Args, want) {
		t.Errorf("command: got %q, want %q", cmd.Args, want)
	}
}

func TestStockZooKeeperFlags(t *testing.T) {
	if _, err := exec.LookPath("java"); err != nil {
		t.Skip("MISSING: java")
	}
	tests := []struct {
		name string
		o    Options
		want []string
	}{
		{"quick start", Options{Defines: []string{"a=b"}}, append(slices.Clone(quickStart), "-Da=b")},
		{"own flags", Options{JVM: []string{"-Xmx1000m"}, Args: []string{"-verbose"}}, []string{"-Xmx1000m", "-verbose"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cmd, err := stockZooKeeper("/jars").command(&Server{Dir: t.TempDir(), Config: "/x/zoo.cfg"}, &tt.o)
			if err != nil {
				t.Fatal(err)
			}
			if got := cmd.Args[1:slices.Index(cmd.Args, "-cp")]; !slices.Equal(got, tt.want) {
				t.Errorf("flags: got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestObservers(t *testing.T) {
	e := NewZooraft(t, Options{Size: 4, Observers: 1})
	for sid := 1; sid <= 4; sid++ {
		cfg, err := os.ReadFile(e.Server(sid).Config)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(string(cfg), ":observer\n"); got != 1 || !strings.Contains(string(cfg), "server.4=") {
			t.Errorf("server %d: %d observers in its zoo.cfg, want one:\n%s", sid, got, cfg)
		}
		if got, want := strings.Contains(string(cfg), "peerType=observer\n"), sid == 4; got != want {
			t.Errorf("server %d: peerType=observer is there: %v, want %v", sid, got, want)
		}
	}
}
