package blackbox

import (
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"zooraft/tests/netns"
)

// dnsServer answers for a cluster's pods: A records that a test sets, and for other names that there are none.
type dnsServer struct {
	conn  net.PacketConn
	mu    sync.Mutex
	addrs map[string]netip.Addr // by name in lower case, with the final dot
}

// newDNSServer serves on an address of the namespace until the test ends.
func newDNSServer(t *testing.T, in *netns.Namespace, addr string) *dnsServer {
	t.Helper()
	s := &dnsServer{addrs: make(map[string]netip.Addr)}
	var err error
	in.Do(func() { s.conn, err = net.ListenPacket("udp", net.JoinHostPort(addr, "53")) })
	must(t, "serve DNS", err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b := make([]byte, 1500)
		for {
			n, from, err := s.conn.ReadFrom(b)
			if err != nil {
				return // closed
			}
			if answer, err := s.answer(b[:n]); err == nil {
				_, _ = s.conn.WriteTo(answer, from) // who gets none asks again
			}
		}
	}()
	t.Cleanup(func() {
		s.conn.Close()
		<-ended
	})
	return s
}

// set gives a name its address, or with an empty one none.
func (s *dnsServer) set(name, addr string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if addr == "" {
		delete(s.addrs, name)
		return
	}
	s.addrs[name] = netip.MustParseAddr(addr)
}

func (s *dnsServer) answer(query []byte) ([]byte, error) {
	var p dnsmessage.Parser
	head, err := p.Start(query)
	if err != nil {
		return nil, err
	}
	q, err := p.Question()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	addr, known := s.addrs[strings.ToLower(q.Name.String())]
	s.mu.Unlock()
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: head.ID, Response: true, Authoritative: true, RecursionDesired: head.RecursionDesired},
		Questions: []dnsmessage.Question{q},
	}
	switch {
	case !known:
		m.RCode = dnsmessage.RCodeNameError
	case q.Type == dnsmessage.TypeA:
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 30},
			Body:   &dnsmessage.AResource{A: addr.As4()},
		}}
	}
	return m.Pack()
}
