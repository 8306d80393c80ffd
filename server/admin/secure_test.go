package admin

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"zooraft/tests/testkit"
)

// secureBy is a Secure that shows a certificate; with plainToo, who begins with a G is
// taken for plain text.
func secureBy(cert testkit.Certificate, plainToo bool) Secure {
	return func(nc net.Conn) (net.Conn, error) {
		if plainToo {
			first, unread, err := testkit.Peek(nc)
			if err != nil {
				return nil, err
			}
			if nc = unread; first == 'G' {
				return nc, nil
			}
		}
		t := tls.Server(nc, &tls.Config{Certificates: []tls.Certificate{cert.TLS}})
		return t, t.Handshake()
	}
}

// listeningTLS is a page that says how it was asked.
func listeningTLS(t *testing.T, secure Secure) *Page {
	t.Helper()
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer unhurried(r)()
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "TLS %v, %d bytes%s", r.TLS != nil && r.TLS.HandshakeComplete, n, strings.Repeat(" ", 200_000))
	})
	p := newPage("127.0.0.1:0", "%s %s", h, time.Minute, secure, hclog.NewNullLogger())
	if err := p.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func TestPageOverTLS(t *testing.T) {
	ca := testkit.NewCA(t)
	cert := ca.Issue("127.0.0.1")
	web := &http.Client{Transport: &http.Transport{TLSClientConfig: ca.Client("")}, Timeout: 2 * time.Minute}
	t.Cleanup(web.CloseIdleConnections)
	ask := func(scheme string, p *Page) (string, error) {
		resp, err := web.Post(scheme+"://"+p.Addr().String(), "text/plain", strings.NewReader(strings.Repeat("x", 300_000)))
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return strings.TrimSpace(string(b)), err
	}
	p := listeningTLS(t, secureBy(cert, false))
	for range 2 { // the second by the same connection
		if got, err := ask("https", p); err != nil || got != "TLS true, 300000 bytes" {
			t.Errorf("https: %q, %v", got, err)
		}
	}
	if got, err := ask("http", p); err == nil {
		t.Errorf("plain text is answered: %q", got)
	}

	p = listeningTLS(t, secureBy(cert, true))
	if got, err := ask("https", p); err != nil || got != "TLS true, 300000 bytes" {
		t.Errorf("https on a port for both: %q, %v", got, err)
	}
	resp, err := web.Get("http://" + p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || !strings.HasPrefix(string(b), "TLS false") {
		t.Errorf("http on a port for both: %.20q, %v", b, err)
	}
}

// Of an answer to what is no TLS not a byte is sent, and who says nothing keeps nobody
// from being answered, nor the page from being closed.
func TestSilentTLS(t *testing.T) {
	ca := testkit.NewCA(t)
	for _, plainToo := range []bool{false, true} {
		p := listeningTLS(t, secureBy(ca.Issue("127.0.0.1"), plainToo))
		var silent []net.Conn
		for range maxPageConns + 1 {
			silent = append(silent, dialPage(t, p))
		}
		c := tls.Client(dialPage(t, p), ca.Client("127.0.0.1"))
		io.WriteString(c, "GET / HTTP/1.0\r\n\r\n")
		if b, err := io.ReadAll(c); err != nil || !strings.Contains(string(b), "TLS true") {
			t.Errorf("both %v: beside silent ones: %.100q, %v", plainToo, b, err)
		}
		if !plainToo {
			c := dialPage(t, p)
			io.WriteString(c, "GET / HTTP/1.0\r\n\r\n")
			// Of TLS an alert may come, which is no letter.
			if b, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) || strings.Contains(string(b), "HTTP") {
				t.Errorf("plain text: %q, %v", b, err)
			}
		}
		closed := make(chan struct{})
		go func() { p.Close(); close(closed) }()
		testkit.Await(t, closed, "end of Close")
		if _, err := io.Copy(io.Discard, silent[len(silent)-1]); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("both %v: a silent connection is still there", plainToo)
		}
	}
}

// offered is a listener that gives one connection.
type offered struct {
	net.Listener
	conn net.Conn
}

func (o offered) Accept() (net.Conn, error) { return o.conn, nil }
func (offered) Close() error                { return nil }

// Once a page ends, it does not take leave of those who do not listen.
func TestEndOfAPageIsNotHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := testkit.NewCA(t)
		near, far := net.Pipe()
		g := guard(offered{conn: near}, time.Minute, secureBy(ca.Issue("localhost"), false))
		c, err := g.Accept()
		if err != nil {
			t.Fatal(err)
		}
		client := tls.Client(far, ca.Client("localhost"))
		go client.Write([]byte("x"))
		if _, err := c.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		g.Close()
		start := time.Now()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("closing took %v", took)
		}
		if n, err := far.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("got %d bytes, %v; want the end", n, err)
		}
	})
}
