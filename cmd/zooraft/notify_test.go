package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"zooraft/server"
)

// The service manager hears that the server is there before it serves, that it serves, and that it stops.
func TestNotify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	next := func(want string) {
		t.Helper()
		if err := socket.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 1024)
		n, err := socket.Read(b)
		if err != nil || !strings.HasPrefix(string(b[:n]), want) {
			t.Fatalf("message %q, error %v; want %q", b[:n], err, want)
		}
	}

	s := newFakeService()
	signals := make(chan os.Signal, 1)
	lines := make(lineWriter, 1)
	result := make(chan error)
	go func() { result <- serve(s, server.DefaultConfig(), signals, lines, hclog.NewNullLogger()) }()
	next("READY=1\nSTATUS=Waiting for a quorum")
	close(s.serving)
	next("STATUS=zooraft is serving on ")
	signals <- syscall.SIGTERM
	next("STOPPING=1")
	if err := <-result; err != nil {
		t.Error(err)
	}
}
