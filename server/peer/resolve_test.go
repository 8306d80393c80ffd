package peer

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// TestDialBehindSlowNames: a nameserver that is dead costs the resolver more time than
// a dial may take. The name has an address where nobody answers, too.
func TestDialBehindSlowNames(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return // closed
			}
			Answer(t.Context(), conn, callee{id: Identity{SID: 2}})
			conn.Close()
		}
	}()
	resolve(t, dialTimeout+dialTimeout/8, [4]byte{127, 0, 0, 9}, [4]byte{127, 0, 0, 1})
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	conn, id, err := Dial(t.Context(), net.JoinHostPort("zk-2.test.", port), callee{id: Identity{SID: 1}}, 2, PurposeStream)
	if err != nil || id.SID != 2 {
		t.Fatalf("dialled server %d, %v", id.SID, err)
	}
	conn.Close()
}

// TestFirst: an address that says nothing is not waited for alone, and one that refuses
// not at all. A connection that comes too late is closed.
func TestFirst(t *testing.T) {
	errDead, errRefused := errors.New("no answer"), errors.New("refused")
	for _, tt := range []struct {
		ips  []string
		took time.Duration
		want string
		err  error
	}{
		{ips: []string{"good"}, want: "good"},
		{ips: []string{"dead", "good"}, took: addressHead, want: "good"},
		{ips: []string{"refuses", "good", "dead"}, want: "good"},
		{ips: []string{"late", "good"}, took: addressHead, want: "good"},
		{ips: []string{"dead", "dead", "late"}, took: 2*addressHead + dialTimeout/2, want: "late"},
		{ips: []string{"dead", "refuses"}, took: dialTimeout, err: errRefused},
		{ips: []string{"refuses", "refuses"}, err: errRefused},
	} {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			made := make(map[string]*closable)
			began := time.Now()
			conn, err := first(t.Context(), tt.ips, func(ctx context.Context, ip string) (net.Conn, error) {
				switch ip {
				case "refuses":
					return nil, errRefused
				case "dead":
					select {
					case <-ctx.Done():
					case <-time.After(dialTimeout):
					}
					return nil, errDead
				case "late":
					time.Sleep(dialTimeout / 2) // whatever ctx says
				}
				mu.Lock()
				defer mu.Unlock()
				made[ip] = new(closable)
				return made[ip], nil
			})
			took := time.Since(began)
			mu.Lock()
			want := made[tt.want]
			mu.Unlock()
			if got, _ := conn.(*closable); took != tt.took || got != want || err != tt.err {
				t.Errorf("%v: %v and %v after %v, want %s, %v after %v", tt.ips, conn, err, took, tt.want, tt.err, tt.took)
			}
			time.Sleep(dialTimeout)
			synctest.Wait()
			for ip, c := range made {
				if c.closed == (ip == tt.want) {
					t.Errorf("%v: %s is closed: %v", tt.ips, ip, c.closed)
				}
			}
		})
	}
}

type closable struct {
	net.Conn
	closed bool
}

func (c *closable) Close() error {
	c.closed = true
	return nil
}

// resolve has all names that this machine's files do not have stand for addrs, during a
// test. A nameserver says so after a pause.
func resolve(t *testing.T, pause time.Duration, addrs ...[4]byte) {
	t.Helper()
	names, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go serveNames(names, addrs...)
	stock := net.DefaultResolver
	t.Cleanup(func() {
		net.DefaultResolver = stock
		names.Close()
	})
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
			return (&net.Dialer{}).DialContext(ctx, "udp", names.LocalAddr().String())
		}
	}}
}

// serveNames gives every name the addresses.
func serveNames(conn net.PacketConn, addrs ...[4]byte) {
	b := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFrom(b)
		if err != nil {
			return // closed
		}
		var m dnsmessage.Message
		if m.Unpack(b[:n]) != nil {
			continue
		}
		m.Response, m.Additionals = true, nil
		if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
			for _, a := range addrs {
				m.Answers = append(m.Answers, dnsmessage.Resource{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
					Body:   &dnsmessage.AResource{A: a},
				})
			}
		}
		if answer, err := m.Pack(); err == nil {
			conn.WriteTo(answer, from)
		}
	}
}
