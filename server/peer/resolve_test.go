package peer

import (
	"context"
	"net"
	"testing"
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
			Answer(conn, callee{id: Identity{SID: 2}})
			conn.Close()
		}
	}()
	names, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer names.Close()
	go serveNames(names, [4]byte{127, 0, 0, 9}, [4]byte{127, 0, 0, 1})
	stock := net.DefaultResolver
	defer func() { net.DefaultResolver = stock }()
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		time.Sleep(dialTimeout + dialTimeout/8)
		return (&net.Dialer{}).DialContext(ctx, "udp", names.LocalAddr().String())
	}}
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	conn, id, err := Dial(t.Context(), net.JoinHostPort("zk-2.test.", port), callee{id: Identity{SID: 1}}, 2, PurposeStream)
	if err != nil || id.SID != 2 {
		t.Fatalf("dialled server %d, %v", id.SID, err)
	}
	conn.Close()
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
