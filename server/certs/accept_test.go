package certs

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"zooraft/tests/testkit"
)

// accepted is what Accept gives.
type accepted struct {
	conn net.Conn
	err  error
}

// accepting has c accept conn and tells of it.
func accepting(c *Certs, conn net.Conn, plainToo bool) <-chan accepted {
	done := make(chan accepted, 1)
	go func() {
		got, err := c.Accept(conn, plainToo)
		done <- accepted{got, err}
	}()
	return done
}

func TestAcceptPlainToo(t *testing.T) {
	root := testkit.NewCA(t)
	own := root.Issue("zk")
	c := open(t, Config{Key: Store{File: own.File}, Trust: Store{File: root.File}, ClientAuth: NeedClientAuth, VerifyServer: true})

	t.Run("plain", func(t *testing.T) {
		dialled, raw := sockets(t)
		done := accepting(c, raw, true)
		if _, err := dialled.Write([]byte("ruok")); err != nil {
			t.Fatal(err)
		}
		got := <-done
		if got.err != nil || got.conn != raw {
			t.Fatalf("got %T with %v, want the connection itself", got.conn, got.err)
		}
		b := make([]byte, 4)
		if _, err := io.ReadFull(got.conn, b); err != nil || string(b) != "ruok" {
			t.Errorf("read %q with %v, want what was sent", b, err)
		}
		if Leaf(got.conn) != nil {
			t.Error("there is a certificate")
		}
	})
	t.Run("TLS", func(t *testing.T) {
		dialled, raw := sockets(t)
		done := accepting(c, raw, true)
		if _, err := c.Dial(dialled, "zk"); err != nil {
			t.Fatal(err)
		}
		if got := <-done; got.err != nil || !Leaf(got.conn).Equal(own.TLS.Leaf) {
			t.Errorf("got %T with %v, want the caller's certificate", got.conn, got.err)
		} else if within := (struct{ *tls.Conn }{got.conn.(*tls.Conn)}); !Leaf(within).Equal(own.TLS.Leaf) {
			t.Error("there is no certificate of what embeds TLS")
		}
	})
	t.Run("plain where it is not spoken", func(t *testing.T) {
		dialled, raw := sockets(t)
		done := accepting(c, raw, false)
		if _, err := dialled.Write([]byte("\x00\x00\x00\x2d\x00\x00\x00\x00")); err != nil {
			t.Fatal(err)
		}
		if got := <-done; got.err == nil || !strings.Contains(got.err.Error(), "TLS handshake") {
			t.Errorf("got %v", got.err)
		}
	})
	t.Run("closed", func(t *testing.T) {
		dialled, raw := sockets(t)
		dialled.Close()
		if got := <-accepting(c, raw, true); !errors.Is(got.err, io.EOF) {
			t.Errorf("got %v, want its end", got.err)
		}
	})
	t.Run("silent", func(t *testing.T) {
		for _, plainToo := range []bool{true, false} {
			_, raw := sockets(t)
			raw.SetDeadline(time.Now().Add(10 * time.Millisecond))
			if got := <-accepting(c, raw, plainToo); !errors.Is(got.err, os.ErrDeadlineExceeded) {
				t.Errorf("got %v, want a time-out", got.err)
			}
		}
	})
	t.Run("no socket", func(t *testing.T) {
		_, pipe := net.Pipe()
		if got := <-accepting(c, pipe, true); got.err == nil || !strings.Contains(got.err.Error(), "no socket") {
			t.Errorf("got %v", got.err)
		}
	})
}

func TestVerifyClient(t *testing.T) {
	root := testkit.NewCA(t)
	own := root.Issue("zk")
	tests := []struct {
		name   string
		verify bool
		auth   string
		client testkit.Certificate
		want   string // of the error
	}{
		{"address", true, NeedClientAuth, root.Issue("127.0.0.1"), ""},
		{"other address", true, NeedClientAuth, root.Issue("127.0.0.2"), "not 127.0.0.1"},
		{"name only", true, NeedClientAuth, root.Issue("localhost"), "127.0.0.1"},
		{"not verified", false, NeedClientAuth, root.Issue("alice"), ""},
		{"none wanted", true, WantClientAuth, testkit.Certificate{}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := open(t, Config{Key: Store{File: own.File}, Trust: Store{File: root.File}, ClientAuth: tt.auth, VerifyClient: tt.verify})
			client := open(t, Config{Key: Store{File: tt.client.File}, Trust: Store{File: root.File}})
			e := meet(t, server, client, "zk")
			if tt.want == "" {
				if e.acceptedErr != nil || e.dialledErr != nil {
					t.Errorf("accepted with %v, dialled with %v", e.acceptedErr, e.dialledErr)
				}
			} else if e.acceptedErr == nil || !strings.Contains(e.acceptedErr.Error(), tt.want) {
				t.Errorf("accepted with %v, want %q", e.acceptedErr, tt.want)
			}
		})
	}
}

func TestAcceptWithoutKey(t *testing.T) {
	root := testkit.NewCA(t)
	c := open(t, Config{Trust: Store{File: root.File}})
	if e := meet(t, c, c, "zk"); !errors.Is(e.acceptedErr, errNoKey) {
		t.Errorf("accepted with %v, want %v", e.acceptedErr, errNoKey)
	}
}
