// Package testkit is what the tests of any package may share: it imports nothing but the
// standard library.
package testkit

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// errNoPort says that every port tried was taken.
var errNoPort = errors.New("no free port")

const (
	lowestPort     = 10000
	highestPort    = 32767 // where the kernel does not say where its outgoing range begins
	portAttempts   = 4096
	loopbackAddr   = "127.0.0.1"
	localRangeFile = "/proc/sys/net/ipv4/ip_local_port_range"
)

// Ports reserves n distinct free ports on 127.0.0.1 for the rest of the test. Nothing listens on them: that is for
// whoever asked. A file lock per port keeps parallel test processes of one user apart.
func Ports(t testing.TB, n int) []int {
	t.Helper()
	ports := make([]int, 0, n)
	for range n {
		port, release, err := reservePort()
		if err != nil {
			t.Fatalf("reserve port: %v", err)
		}
		t.Cleanup(release)
		ports = append(ports, port)
	}
	return ports
}

// reservePort finds a port on which it could listen, and whose lock file it holds until release is called.
func reservePort() (port int, release func(), err error) {
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("zooraft-ports-%d", os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, nil, err
	}
	top := highestOwnPort()
	for range portAttempts {
		port := lowestPort + rand.IntN(top-lowestPort+1)
		lock, err := os.OpenFile(filepath.Join(dir, strconv.Itoa(port)), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return 0, nil, err
		}
		// The lock comes first, so that of two processes only one goes on to bind. The file stays behind, empty:
		// removing it would let a third process lock a file that is no longer there.
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
			lock.Close()
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort(loopbackAddr, strconv.Itoa(port)))
		if err != nil {
			lock.Close()
			continue
		}
		l.Close()
		return port, func() { lock.Close() }, nil
	}
	return 0, nil, errNoPort
}

// highestOwnPort is the last port below the range from which the kernel takes ports for outgoing connections: one of
// those could be taken by any client between the reservation and the server's start.
func highestOwnPort() int {
	b, err := os.ReadFile(localRangeFile)
	if err != nil {
		return highestPort
	}
	low, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\t")
	first, err := strconv.Atoi(strings.TrimSpace(low))
	if err != nil || first <= lowestPort+1000 {
		return highestPort
	}
	return first - 1
}
