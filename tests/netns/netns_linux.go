package netns

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	prefix   = "zooraft-test-"
	runDir   = "/run/netns"
	filesDir = "/etc/netns" // of which ip netns exec puts files over those in /etc
)

// made keeps the names apart of namespaces in one process.
var made atomic.Int64

// Need skips the test, with word in front, where namespaces cannot be made. It fails the test if that is so although
// .ci/run, which sets CI, has installed what is needed.
func Need(t *testing.T, word string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skipf("%s: network namespaces need root", word)
	}
	if _, err := exec.LookPath("ip"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s: no ip command, which .ci/run installs", word)
		}
		t.Skipf("%s: no ip command (package iproute2)", word)
	}
}

// Namespace is a network namespace with a thread that lives in it: whatever opens a socket or starts a process there
// has to run on that thread. Sockets stay in the namespace that they were opened in.
type Namespace struct {
	Name  string // as ip netns knows it
	calls chan func()
}

// New makes a namespace, with its loopback up, that goes with the test. The name says what it is to the test.
func New(t *testing.T, name string) *Namespace {
	t.Helper()
	removeStale(t)
	n := &Namespace{Name: fmt.Sprintf("%s%d-%d-%s", prefix, os.Getpid(), made.Add(1), name), calls: make(chan func())}
	run(t, "ip", "netns", "add", n.Name)
	entered := make(chan error)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		entered <- n.enter()
		for call := range n.calls {
			call()
		}
	}()
	t.Cleanup(func() {
		close(n.calls)
		<-ended
		remove(t, n.Name)
	})
	if err := <-entered; err != nil {
		t.Fatalf("enter namespace %s: %v", n.Name, err)
	}
	n.IP(t, "link", "set", "lo", "up")
	return n
}

func (n *Namespace) enter() error {
	f, err := os.Open(filepath.Join(runDir, n.Name))
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Setns(int(f.Fd()), unix.CLONE_NEWNET)
}

// Do runs a function on the namespace's thread, and waits for it.
func (n *Namespace) Do(call func()) {
	done := make(chan struct{})
	n.calls <- func() { defer close(done); call() }
	<-done
}

// Dial opens a TCP connection from within the namespace; addr must be numeric, since a resolver has threads of its own.
func (n *Namespace) Dial(ctx context.Context, addr string) (conn net.Conn, err error) {
	n.Do(func() { conn, err = new(net.Dialer).DialContext(ctx, "tcp", addr) })
	return conn, err
}

// Start starts a command in the namespace.
func (n *Namespace) Start(cmd *exec.Cmd) (err error) {
	n.Do(func() { err = cmd.Start() })
	return err
}

// Command is a command that runs in the namespace however it is started, under the host name, unless that is empty, and
// with the files of [Namespace.File].
func (n *Namespace) Command(hostname, name string, args ...string) *exec.Cmd {
	command := []string{"netns", "exec", n.Name}
	if hostname != "" {
		// Each step becomes the next, so the process is name's in the end.
		command = append(command, "unshare", "--uts", "sh", "-c", `echo "$0" >/proc/sys/kernel/hostname && exec "$@"`, hostname)
	}
	return exec.Command("ip", append(append(command, name), args...)...)
}

// File puts a file over one in /etc (hosts, resolv.conf) for what [Namespace.Command] runs. It must be there before.
func (n *Namespace) File(t *testing.T, name, text string) {
	t.Helper()
	dir := filepath.Join(filesDir, n.Name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// IP changes the network of the namespace.
func (n *Namespace) IP(t *testing.T, args ...string) {
	t.Helper()
	run(t, "ip", append([]string{"-n", n.Name}, args...)...)
}

// Plug connects the namespace's device dev to a bridge in the hub, and gives it an address ("10.0.0.1/24").
func (n *Namespace) Plug(t *testing.T, hub *Namespace, bridge, port, dev, addr string) {
	t.Helper()
	hub.IP(t, "link", "add", port, "type", "veth", "peer", "name", dev, "netns", n.Name)
	hub.IP(t, "link", "set", port, "master", bridge, "up")
	n.IP(t, "addr", "add", addr, "dev", dev)
	n.IP(t, "link", "set", dev, "up")
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}

func remove(t *testing.T, name string) {
	t.Helper()
	run(t, "ip", "netns", "del", name)
	if err := os.RemoveAll(filepath.Join(filesDir, name)); err != nil {
		t.Error(err)
	}
	_ = os.Remove(filesDir) // if it is empty
}

// removeStale deletes what a test process left that was killed.
func removeStale(t *testing.T) {
	t.Helper()
	left, _ := filepath.Glob(filepath.Join(runDir, prefix+"*"))
	for _, file := range left {
		name := filepath.Base(file)
		owner, _, _ := strings.Cut(strings.TrimPrefix(name, prefix), "-")
		pid, err := strconv.Atoi(owner)
		if err != nil {
			continue
		}
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); os.IsNotExist(err) {
			remove(t, name)
		}
	}
}
