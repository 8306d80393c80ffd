package fault

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
	"testing"

	"golang.org/x/sys/unix"
)

const (
	namespacePrefix = "zooraft-fault-"
	namespaceDir    = "/run/netns"
)

// namespace is a network namespace with a thread that lives in it: whatever opens a socket or starts a process there
// has to run on that thread. Sockets stay in the namespace that they were opened in.
type namespace struct {
	name  string
	calls chan func()
}

// newNamespace makes a namespace that goes with the test.
func newNamespace(t *testing.T, name string) *namespace {
	t.Helper()
	n := &namespace{name: fmt.Sprintf("%s%d-%s", namespacePrefix, os.Getpid(), name), calls: make(chan func())}
	run(t, "ip", "netns", "add", n.name)
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
		run(t, "ip", "netns", "del", n.name)
	})
	if err := <-entered; err != nil {
		t.Fatalf("enter namespace %s: %v", n.name, err)
	}
	n.ip(t, "link", "set", "lo", "up")
	return n
}

func (n *namespace) enter() error {
	f, err := os.Open(filepath.Join(namespaceDir, n.name))
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Setns(int(f.Fd()), unix.CLONE_NEWNET)
}

// do runs a function on the namespace's thread, and waits for it.
func (n *namespace) do(call func()) {
	done := make(chan struct{})
	n.calls <- func() { defer close(done); call() }
	<-done
}

// dial opens a TCP connection from within the namespace; addr must be numeric, since a resolver has threads of its own.
func (n *namespace) dial(ctx context.Context, addr string) (conn net.Conn, err error) {
	n.do(func() { conn, err = new(net.Dialer).DialContext(ctx, "tcp", addr) })
	return conn, err
}

// start starts a command in the namespace.
func (n *namespace) start(cmd *exec.Cmd) (err error) {
	n.do(func() { err = cmd.Start() })
	return err
}

// ip changes the network of the namespace.
func (n *namespace) ip(t *testing.T, args ...string) {
	t.Helper()
	run(t, "ip", append([]string{"-n", n.name}, args...)...)
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}

// removeStaleNamespaces deletes what a test process left that was killed.
func removeStaleNamespaces(t *testing.T) {
	t.Helper()
	left, _ := filepath.Glob(filepath.Join(namespaceDir, namespacePrefix+"*"))
	for _, file := range left {
		name := filepath.Base(file)
		owner, _, _ := strings.Cut(strings.TrimPrefix(name, namespacePrefix), "-")
		pid, err := strconv.Atoi(owner)
		if err != nil {
			continue
		}
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); os.IsNotExist(err) {
			run(t, "ip", "netns", "del", name)
		}
	}
}

// network is three hosts on two networks: one between servers, on which each can be cut off, and one from the clients,
// which stays. The clients are in the hub.
//
//	10.99.1.N   server N on the servers' network
//	10.99.2.N   server N on the clients' network
type network struct {
	hub   *namespace
	hosts []*namespace // by sid - 1
}

func newNetwork(t *testing.T, size int) *network {
	t.Helper()
	removeStaleNamespaces(t)
	n := &network{hub: newNamespace(t, "hub")}
	for _, bridge := range []string{"servers", "clients"} {
		n.hub.ip(t, "link", "add", bridge, "type", "bridge")
		n.hub.ip(t, "link", "set", bridge, "up")
	}
	n.hub.ip(t, "addr", "add", "10.99.2.254/24", "dev", "clients")
	for sid := 1; sid <= size; sid++ {
		host := newNamespace(t, strconv.Itoa(sid))
		n.hosts = append(n.hosts, host)
		for i, bridge := range []string{"servers", "clients"} {
			port := bridge + strconv.Itoa(sid)
			n.hub.ip(t, "link", "add", port, "type", "veth", "peer", "name", bridge, "netns", host.name)
			n.hub.ip(t, "link", "set", port, "master", bridge, "up")
			host.ip(t, "addr", "add", fmt.Sprintf("10.99.%d.%d/24", i+1, sid), "dev", bridge)
			host.ip(t, "link", "set", bridge, "up")
		}
	}
	return n
}

// cut takes a server off the servers' network: nothing reaches it, nothing is refused, as with a broken switch.
func (n *network) cut(t *testing.T, sid int) {
	t.Helper()
	n.hub.ip(t, "link", "set", "servers"+strconv.Itoa(sid), "down")
}

// heal undoes cut.
func (n *network) heal(t *testing.T, sid int) {
	t.Helper()
	n.hub.ip(t, "link", "set", "servers"+strconv.Itoa(sid), "up")
}
