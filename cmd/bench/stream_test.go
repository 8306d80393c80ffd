package bench

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
)

// gatherer takes what a stream brings, until it has want bytes.
type gatherer struct {
	buf   [1000]byte
	got   []byte
	want  int
	fails error
}

func (g *gatherer) free() []byte { return g.buf[:] }

func (g *gatherer) arrived(n int) (ended bool, err error) {
	g.got = append(g.got, g.buf[:n]...)
	return g.fails == nil && len(g.got) >= g.want, g.fails
}

// streamPairs are both ends of connections with and without raw access.
func streamPairs(t *testing.T) map[string][2]net.Conn {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	a, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c, d := net.Pipe()
	pairs := map[string][2]net.Conn{"socket": {a, b}, "pipe": {c, d}}
	t.Cleanup(func() {
		for _, p := range pairs {
			p[0].Close()
			p[1].Close()
		}
	})
	return pairs
}

// More than a socket holds arrives as it was written, whichever side waits.
func TestStreamCarries(t *testing.T) {
	sent := make([]byte, 16<<20)
	for i := range sent {
		sent[i] = byte(i * 7 >> 3)
	}
	for name, ends := range streamPairs(t) {
		t.Run(name, func(t *testing.T) {
			var from, to stream
			from.init(ends[0])
			to.init(ends[1])
			wrote := make(chan error, 1)
			go func() { wrote <- from.write(sent) }()
			g := &gatherer{want: len(sent)}
			if err := to.follow(g); err != nil {
				t.Fatal(err)
			}
			if err := <-wrote; err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(g.got, sent) {
				t.Errorf("got %d bytes, want the %d that were sent", len(g.got), len(sent))
			}
		})
	}
}

func TestStreamEnds(t *testing.T) {
	broken := errors.New("broken")
	tests := map[string]struct {
		act  func(ends [2]net.Conn) // before the reading of ends[1]
		g    gatherer
		want error
	}{
		"the peer closes":  {func(e [2]net.Conn) { e[0].Close() }, gatherer{want: 1}, io.EOF},
		"closed here":      {func(e [2]net.Conn) { go e[1].Close() }, gatherer{want: 1}, nil},
		"what comes fails": {func(e [2]net.Conn) { go e[0].Write([]byte("x")) }, gatherer{fails: broken}, broken},
	}
	for name, tt := range tests {
		for kind, ends := range streamPairs(t) {
			t.Run(name+"/"+kind, func(t *testing.T) {
				var s stream
				s.init(ends[1])
				tt.act(ends)
				g := tt.g
				if err := s.follow(&g); err == nil || tt.want != nil && !errors.Is(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
			})
		}
	}
}

func TestStreamWriteFails(t *testing.T) {
	for name, ends := range streamPairs(t) {
		t.Run(name, func(t *testing.T) {
			var s stream
			s.init(ends[0])
			ends[0].Close()
			if err := s.write([]byte("x")); err == nil {
				t.Error("wrote to a closed connection")
			}
		})
	}
}
