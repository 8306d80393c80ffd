package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"zooraft/server"
	"zooraft/zabcompat"
)

// fakeService is a server whose behaviour a test decides.
type fakeService struct {
	serving, done chan struct{}
	err           error
	addr          string
	shutdown      func(context.Context) error
}

func newFakeService() *fakeService {
	return &fakeService{
		serving:  make(chan struct{}),
		done:     make(chan struct{}),
		addr:     "[::]:2181",
		shutdown: func(context.Context) error { return nil },
	}
}

func (f *fakeService) Serving() <-chan struct{}           { return f.serving }
func (f *fakeService) Done() <-chan struct{}              { return f.done }
func (f *fakeService) Err() error                         { return f.err }
func (f *fakeService) Shutdown(ctx context.Context) error { return f.shutdown(ctx) }
func (f *fakeService) ClientAddr() net.Addr {
	addr, err := net.ResolveTCPAddr("tcp", f.addr)
	if err != nil {
		panic(err)
	}
	return addr
}

// lineWriter hands on each write.
type lineWriter chan string

func (w lineWriter) Write(p []byte) (int, error) {
	w <- string(p)
	return len(p), nil
}

func TestServeUntilSignal(t *testing.T) {
	s := newFakeService()
	signals := make(chan os.Signal, 2)
	lines := make(lineWriter)
	hadDeadline := false
	s.shutdown = func(ctx context.Context) error {
		_, hadDeadline = ctx.Deadline()
		return nil
	}
	result := make(chan error)
	go func() { result <- serve(s, server.DefaultConfig(), signals, lines, hclog.NewNullLogger()) }()

	close(s.serving)
	want := "zooraft is serving on 0.0.0.0:2181 (standalone); connect with: zkCli.sh -server 127.0.0.1:2181\n"
	if got := <-lines; got != want {
		t.Errorf("line: got %q, want %q", got, want)
	}
	signals <- syscall.SIGTERM
	// A second line would block serve, and with it this test.
	if err := <-result; exitCode(err) != exitOK {
		t.Errorf("got %v, want a clean stop", err)
	}
	if !hadDeadline {
		t.Error("Shutdown was called without a deadline")
	}
}

func TestServeEndings(t *testing.T) {
	ended := make(chan struct{})
	defer close(ended)
	blocked := func(context.Context) error { <-ended; return nil }
	tests := []struct {
		name    string
		arrange func(*fakeService, chan os.Signal)
		want    int
		is      error
	}{
		{"signal before serving", func(s *fakeService, c chan os.Signal) { c <- syscall.SIGINT }, exitOK, nil},
		{"second signal", func(s *fakeService, c chan os.Signal) {
			s.shutdown = blocked
			go func() {
				for {
					select {
					case c <- syscall.SIGTERM:
						time.Sleep(10 * time.Millisecond)
					case <-ended:
						return
					}
				}
			}()
		}, exitUnexpected, errAborted},
		{"shutdown runs out of time", func(s *fakeService, c chan os.Signal) {
			s.shutdown = func(context.Context) error { return context.DeadlineExceeded }
			c <- syscall.SIGTERM
		}, exitUnexpected, context.DeadlineExceeded},
		{"gives up while it is shut down", func(s *fakeService, c chan os.Signal) {
			s.shutdown = func(context.Context) error { s.err = io.ErrNoProgress; close(s.done); <-ended; return nil }
			c <- syscall.SIGTERM
		}, exitUnexpected, io.ErrNoProgress},
		{"stops with an error", func(s *fakeService, c chan os.Signal) { s.err = io.ErrShortWrite; close(s.done) }, exitUnexpected, io.ErrShortWrite},
		{"stops without one", func(s *fakeService, c chan os.Signal) { close(s.done) }, exitUnexpected, nil},
		{"data directory", func(s *fakeService, c chan os.Signal) {
			s.err = fmt.Errorf("open: %w", server.ErrDataDir)
			close(s.done)
		}, exitDataDir, server.ErrDataDir},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newFakeService()
			signals := make(chan os.Signal, 2)
			tt.arrange(s, signals)
			err := serve(s, server.DefaultConfig(), signals, io.Discard, hclog.NewNullLogger())
			if got := exitCode(err); got != tt.want {
				t.Errorf("exit code: got %d (%v), want %d", got, err, tt.want)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("got %v, want %v", err, tt.is)
			}
		})
	}
}

// One that is sent twice is one.
func TestSignalSentTwice(t *testing.T) {
	s := newFakeService()
	signals := make(chan os.Signal)
	s.shutdown = func(context.Context) error {
		signals <- syscall.SIGTERM
		return nil
	}
	if err := stop(s, signals, time.Hour, hclog.NewNullLogger()); err != nil {
		t.Errorf("got %v, want a clean stop", err)
	}
}

func TestServingLine(t *testing.T) {
	trio := server.DefaultConfig()
	trio.SID = 2
	trio.Servers = []zabcompat.ServerSpec{{ID: 1}, {ID: 2}, {ID: 3}}
	tests := []struct {
		addr string
		cfg  server.Config
		want string
	}{
		{"127.0.0.1:2181", server.DefaultConfig(), "zooraft is serving on 127.0.0.1:2181 (standalone); connect with: zkCli.sh -server 127.0.0.1:2181"},
		{"0.0.0.0:2281", trio, "zooraft is serving on 0.0.0.0:2281 (server 2 of 3); connect with: zkCli.sh -server 127.0.0.1:2281"},
		{"[::1]:2181", server.DefaultConfig(), "zooraft is serving on [::1]:2181 (standalone); connect with: zkCli.sh -server [::1]:2181"},
	}
	for _, tt := range tests {
		s := newFakeService()
		s.addr = tt.addr
		if got := servingLine(s.ClientAddr(), tt.cfg); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

// The server command up to the start of a server, which a fake takes over.
func TestServerCommand(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "zoo.cfg")
	data := filepath.Join(dir, "a", "data")
	if err := os.WriteFile(file, []byte("dataDir="+data+"\nclientPort=2182\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	obstacle := filepath.Join(dir, "obstacle")
	if err := os.WriteFile(obstacle, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("JVMFLAGS", "-Xmx1g -Dzookeeper.snapCount=77 -Djute.maxbuffer=5000")
	t.Setenv("SERVER_JVMFLAGS", "")

	tests := []struct {
		name   string
		args   []string
		fail   error // of the start
		want   int
		stderr string
	}{
		{"good", []string{file, "-D", "maxCnxns=5", "-DmaxClientCnxns=6", "-Djute.maxbuffer=6000"}, nil, exitOK, ""},
		{"start fails", []string{file}, errors.New("no luck"), exitUnexpected, "zooraft: no luck\n"},
		{"election port", []string{file}, fmt.Errorf("%w: in use", server.ErrElectionBind), exitElectionBind, "in use"},
		{"data directory", []string{file}, fmt.Errorf("%w: locked", server.ErrDataDir), exitDataDir, "Unable to access datadir, exiting abnormally\n"},
		{"data directory cannot be made", []string{file, "-D", "dataDir=" + obstacle + "/x"}, nil, exitDataDir, "Unable to access datadir, exiting abnormally\n"},
		{"data directory must exist", []string{file, "-D", "dataDir=" + dir + "/none", "-D", "datadir.autocreate=false"}, nil, exitDataDir, "datadir.autocreate is false"},
		{"fault", []string{file, "-D", "tickTime=x", "-D", "snapCount=y"}, nil, exitInvalid,
			"-D: snapCount: \"y\" is not a number; give the number of transactions, for example 100000\n" +
				"-D: tickTime: \"x\" is not a number; give milliseconds, for example 2000\n" +
				"Invalid config, exiting abnormally\n"},
		{"no such file", []string{file + "x"}, nil, exitInvalid, "file is missing\nInvalid config, exiting abnormally\n"},
		{"two files", []string{file, file}, nil, exitInvalid, "give one configuration file, not 2 arguments; see zooraft server --help\n"},
		{"unknown flag", []string{"--nope"}, nil, exitInvalid, "unknown flag: --nope; see zooraft server --help\n"},
		{"log4j's least level", []string{file, "--log-level", "ALL"}, nil, exitOK, ""},
		{"log4j's highest level", []string{file, "--log-level", "FATAL"}, nil, exitOK, ""},
		{"log level", []string{file, "--log-level", "loud"}, nil, exitInvalid, `log level "loud" is unknown`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got *server.Config
			cmd := newServerCommand(func(cfg server.Config, _ hclog.Logger) (service, error) {
				got = &cfg
				if tt.fail != nil {
					return nil, tt.fail
				}
				s := newFakeService()
				s.err = errStopForTest
				close(s.done)
				return s, nil
			})
			root := newRoot()
			root.RemoveCommand(root.Commands()...)
			root.AddCommand(cmd)
			var stdout, stderr bytes.Buffer
			root.SetOut(&stdout)
			root.SetErr(&stderr)
			root.SetArgs(append([]string{"server"}, tt.args...))
			err := root.Execute()
			if errors.Is(err, errStopForTest) {
				err = nil
			}
			if err != nil {
				complain(&stderr, err)
			}
			if code := exitCode(err); code != tt.want {
				t.Errorf("exit code: got %d (%v), want %d", code, err, tt.want)
			}
			if !strings.Contains(stderr.String(), tt.stderr) {
				t.Errorf("stderr: got %q, want it to contain %q", stderr.String(), tt.stderr)
			}
			if tt.name != "good" {
				return
			}
			if got == nil {
				t.Fatal("no server was started")
			}
			if got.ClientPort != 2182 || got.MaxCnxns != 5 || got.MaxClientCnxns != 6 || got.SnapCount != 77 || got.JuteMaxBuffer != 6000 {
				t.Errorf("configuration: got %+v", *got)
			}
			if info, err := os.Stat(data); err != nil || !info.IsDir() {
				t.Errorf("data directory was not made: %v", err)
			}
		})
	}
}

var errStopForTest = errors.New("end of test")

func TestRoot(t *testing.T) {
	tests := []struct {
		args           []string
		want           int
		stdout, stderr string
	}{
		{nil, exitOK, "zooraft server /etc/zookeeper/zoo.cfg", ""},
		{[]string{"--help"}, exitOK, "Available Commands:", ""},
		{[]string{"version"}, exitOK, runtime.Version(), ""},
		{[]string{"version", "x"}, exitInvalid, "", "zooraft version takes no argument"},
		{[]string{"serve"}, exitInvalid, "", `unknown command "serve"`},
		{[]string{"--nope"}, exitInvalid, "", "unknown flag: --nope; see zooraft --help"},
	}
	for _, tt := range tests {
		var stdout, stderr bytes.Buffer
		if got := run(tt.args, &stdout, &stderr); got != tt.want {
			t.Errorf("%q: exit code: got %d, want %d", tt.args, got, tt.want)
		}
		if !strings.Contains(stdout.String(), tt.stdout) || !strings.Contains(stderr.String(), tt.stderr) {
			t.Errorf("%q: got %q and %q, want %q and %q in them", tt.args, stdout.String(), stderr.String(), tt.stdout, tt.stderr)
		}
		if tt.stderr == "" && stderr.Len() > 0 {
			t.Errorf("%q: unexpected on stderr: %q", tt.args, stderr.String())
		}
	}
}

func TestVersionLine(t *testing.T) {
	platform := fmt.Sprintf(", %s, %s/%s)", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	vcs := func(revision, modified string) *debug.BuildInfo {
		return &debug.BuildInfo{
			Main:     debug.Module{Version: "(devel)"},
			Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: revision}, {Key: "vcs.modified", Value: modified}},
		}
	}
	tests := []struct {
		name, version, commit string
		info                  *debug.BuildInfo
		want                  string
	}{
		{"nothing known", "", "", nil, "zooraft development (commit unknown"},
		{"linker", "1.2.3", "abc", vcs("0123456789abcdef", "true"), "zooraft 1.2.3 (commit abc"},
		{"version control", "", "", vcs("0123456789abcdef", "true"), "zooraft development (commit 0123456789ab, modified"},
		{"module", "", "", &debug.BuildInfo{Main: debug.Module{Version: "v1.0.0"}}, "zooraft v1.0.0 (commit unknown"},
	}
	for _, args := range [][]string{{"version"}, {"--version"}} {
		var out, complaints strings.Builder
		if code := run(args, &out, &complaints); code != exitOK || out.String() != ownVersion()+"\n" || complaints.Len() > 0 {
			t.Errorf("%q: exit code %d, %q, %q", args, code, &out, &complaints)
		}
	}
	defer func(v, c string) { version, commit = v, c }(version, commit)
	for _, tt := range tests {
		version, commit = tt.version, tt.commit
		if got := versionLine(tt.info); got != tt.want+platform {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want+platform)
		}
	}
}

func TestComplainOfPort(t *testing.T) {
	var w strings.Builder
	complain(&w, fmt.Errorf("client port: %w", &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}))
	if want := "address already in use; does another server, or ZooKeeper, still run?\n"; !strings.HasSuffix(w.String(), want) {
		t.Errorf("got %q, want it to end with %q", &w, want)
	}
}

// One that was started with 0.0.0.0 for itself has said so in the membership; the
// others keep the name that they have for it.
func TestRecordKeepsNames(t *testing.T) {
	spec := func(id int, host string) zabcompat.ServerSpec {
		return zabcompat.ServerSpec{ID: id, Host: host, QuorumPort: 2888, ElectionPort: 3888}
	}
	path := writeConfig(t, "dataDir=/tmp/x\nserver.1=0.0.0.0:2888:3888\nserver.2=b:2888:3888\n")
	m := zabcompat.Membership{Servers: []zabcompat.ServerSpec{spec(1, "a"), spec(2, "0.0.0.0")}, Version: 0x100000001}
	record(path, t.TempDir(), 1, []zabcompat.ServerSpec{spec(1, "0.0.0.0"), spec(2, "b")}, hclog.NewNullLogger())(m)
	got, err := os.ReadFile(path + ".dynamic.100000001")
	if want := "server.1=a:2888:3888:participant\nserver.2=b:2888:3888:participant"; err != nil || string(got) != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	if m.Servers[1].Host != "0.0.0.0" {
		t.Error("the membership itself was changed")
	}
}
