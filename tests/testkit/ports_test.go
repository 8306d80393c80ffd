package testkit

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"syscall"
	"testing"
)

func TestPortsAreDistinctAndFree(t *testing.T) {
	ports := Ports(t, 200)
	sorted := slices.Clone(ports)
	slices.Sort(sorted)
	if got := len(slices.Compact(sorted)); got != len(ports) {
		t.Errorf("distinct ports: got %d, want %d", got, len(ports))
	}
	for _, p := range ports {
		l, err := net.Listen("tcp", net.JoinHostPort(loopbackAddr, strconv.Itoa(p)))
		if err != nil {
			t.Errorf("reserved port %d: %v", p, err)
			continue
		}
		l.Close()
	}
}

func TestPortIsLockedUntilReleased(t *testing.T) {
	port, release, err := reservePort()
	if err != nil {
		t.Fatal(err)
	}
	lock := fmt.Sprintf("%s/zooraft-ports-%d/%d", os.TempDir(), os.Getuid(), port)
	f, err := os.Open(lock)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
		t.Errorf("lock of reserved port %d: could be taken a second time", port)
	}
	release()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		t.Errorf("lock of released port %d: %v", port, err)
	}
}
