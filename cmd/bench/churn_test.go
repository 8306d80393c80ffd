package bench

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"zooraft/protocol"
)

// Where a socket cannot do without the Go runtime, sessions are opened and closed
// by a goroutine each.
func TestChurnByGoroutines(t *testing.T) {
	s := newFakeServer(t)
	c := s.config(Workload{Name: Connect, Connections: 2}).WithDefaults()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var closed atomic.Int64
	s.answer = func(h protocol.RequestHeader, _ string) ([]byte, bool) {
		if h.Op == protocol.OpCloseSession && closed.Add(1) == 20 {
			cancel(nil)
		}
		return nil, false
	}
	r := &run{Config: c, clock: clock{time.Now()}, rec: newRecorder(kindsOf(Connect)), cancel: cancel}
	for i := range 2 {
		r.loops.Go(func() { r.churn(ctx, i) })
	}
	r.loops.Wait()
	total := newTally(r.rec.kinds)
	r.rec.take(total)
	// The other of the two may have been about to open one when it was over.
	if got := total.histograms[kindSession].TotalCount(); got < 18 || got > closed.Load() {
		t.Errorf("%d sessions counted, and the server has seen %d; errors: %v", got, closed.Load(), total.errors)
	}
}

// Sessions that fail count as errors, and the others go on.
func TestChurnOverFailures(t *testing.T) {
	s := newFakeServer(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := ln.Addr().String()
	ln.Close()
	var n atomic.Int64
	s.answer = func(h protocol.RequestHeader, _ string) ([]byte, bool) {
		if h.Op != protocol.OpCloseSession || n.Add(1)%3 != 0 {
			return nil, false
		}
		return replyFrame(h.Xid, protocol.ErrConnectionLoss, nil), true
	}
	c := s.config(Workload{Name: Connect, Connections: 4})
	c.Servers = append(c.Servers, nobody)
	c.Reconnect = true
	c.Duration = time.Second
	run := execute(t, c)
	check(t, run)
	if run.Errors[errNameRefused] == 0 || len(run.Errors) != 1 {
		t.Errorf("errors: got %v, want some %s", run.Errors, errNameRefused)
	}
}

func TestChurnFails(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // its backlog takes connections
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	tests := map[string]struct {
		bye  []byte // in place of the answer to closeSession
		want error  // nil: any
	}{
		"malformed":   {bye: []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), want: errMalformed},
		"too long":    {bye: []byte{0, 0, 9, 0}, want: errMalformed},
		"another xid": {bye: replyFrame(7, protocol.ErrOK, nil), want: errMalformed},
		"refused":     {bye: replyFrame(closeXid, protocol.ErrSystemError, nil), want: protocol.ErrSystemError},
		"silent":      {},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newFakeServer(t)
			c := s.config(Workload{Name: Connect, Connections: 2})
			c.Duration = time.Minute
			if tt.bye == nil {
				c.Servers = append(c.Servers, silent.Addr().String())
				c.SessionTimeout = 2 * time.Second
			} else {
				s.answer = func(h protocol.RequestHeader, _ string) ([]byte, bool) {
					return tt.bye, h.Op == protocol.OpCloseSession && h.Xid == closeXid
				}
			}
			if _, err := Execute(t.Context(), c); err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}
