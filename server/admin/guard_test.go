package admin

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// listening is an admin server on a port of its own that waits for nobody longer
// than stall.
func listening(t *testing.T, src Source, stall time.Duration) *Page {
	t.Helper()
	p := NewHTTP(HTTPConfig{Addr: "127.0.0.1:0", CommandURL: "/commands", IdleTimeout: stall}, src, hclog.NewNullLogger())
	if err := p.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func dialPage(t *testing.T, p *Page) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(2 * time.Minute))
	return c.(*net.TCPConn)
}

// Who sends a part of a request and then nothing, or takes nothing of the answer,
// loses the connection.
func TestStandingStill(t *testing.T) {
	src := sample(StateStandalone)
	for i := range 50000 {
		src.watches = append(src.watches, Watch{1, fmt.Sprintf("/a/long/path/to/%s/%d", strings.Repeat("x", 500), i)})
	}
	p := listening(t, src, 500*time.Millisecond)
	for name, send := range map[string]string{
		"idle":      "GET /commands/ruok HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"body":      "POST /commands/ruok HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nabc",
		"big chunk": "POST /commands/ruok HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\nabc",
	} {
		c := dialPage(t, p)
		io.WriteString(c, send)
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the connection is still there", name)
		}
	}

	_, whole := get(t, newTestHTTP(src), "GET", "/commands/wchc")
	c := dialPage(t, p)
	io.WriteString(c, "GET /commands/wchc HTTP/1.1\r\nHost: localhost\r\n\r\n")
	io.ReadFull(c, make([]byte, 1))
	time.Sleep(2 * time.Second) // four times as long as it is waited for
	n, err := io.Copy(io.Discard, c)
	if errors.Is(err, os.ErrDeadlineExceeded) || n >= int64(len(whole)) {
		t.Errorf("a reader that stood still got %d bytes, %v", n, err)
	}

	// Who reads slowly, but reads, gets all of it: of some tries, since this machine may stand still itself.
	slow := func() error {
		c := dialPage(t, p)
		defer c.Close()
		io.WriteString(c, "GET /commands/wchc HTTP/1.1\r\nHost: localhost\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReaderSize(slowly{c}, 256<<10), nil)
		if err != nil {
			return err
		}
		if n, err := io.Copy(io.Discard, resp.Body); err != nil || n != int64(len(whole)) {
			return fmt.Errorf("a slow reader got %d bytes of %d, %v", n, len(whole), err)
		}
		return nil
	}
	for try := 1; ; try++ {
		if err = slow(); err == nil {
			break
		}
		if try == 10 {
			t.Fatal(err)
		}
	}
}

// Who is refused hears so at once, however slowly the body comes that nobody wants;
// a body that was read to its end does not end the connection.
func TestRefusedAtOnce(t *testing.T) {
	page := NewHTTP(HTTPConfig{Addr: "127.0.0.1:0", CommandURL: "/commands", IdleTimeout: time.Minute, UI: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, err)
	})}, sample(StateStandalone), hclog.NewNullLogger())
	if err := page.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(page.Close)
	for name, head := range map[string]string{
		"large":   "Content-Length: 100000000",
		"small":   "Content-Length: 1000",
		"chunked": "Transfer-Encoding: chunked",
	} {
		c := dialPage(t, page)
		fmt.Fprintf(c, "POST /commands/ruok HTTP/1.1\r\nHost: localhost\r\n%s\r\n\r\n3\r\n", head)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if b, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusMethodNotAllowed || !resp.Close {
			t.Errorf("%s: %s, %q, %v; the connection ends: %v", name, resp.Status, b, err, resp.Close)
		}
	}
	c := dialPage(t, page)
	for range 2 {
		io.WriteString(c, "POST /ui/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "3 <nil>" || resp.Close {
			t.Errorf("a body that was read: %q, %v; the connection ends: %v", b, err, resp.Close)
		}
	}
}

// TestAnswerArrives: a client that goes on sending what was refused gets the answer,
// not a reset connection.
func TestAnswerArrives(t *testing.T) {
	page := NewHTTP(HTTPConfig{Addr: "127.0.0.1:0", CommandURL: "/commands", IdleTimeout: time.Minute}, sample(StateStandalone), hclog.NewNullLogger())
	if err := page.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(page.Close)
	for range 20 {
		q, err := http.NewRequest(http.MethodPost, "http://"+page.Addr().String()+"/commands/ruok", zeros{})
		if err != nil {
			t.Fatal(err)
		}
		q.ContentLength = 1 << 40
		resp, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusMethodNotAllowed {
			t.Fatalf("got %s", resp.Status)
		}
	}
}

// zeros never end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// slowly reads a little less at a time than is there.
type slowly struct{ r io.Reader }

func (s slowly) Read(p []byte) (int, error) {
	time.Sleep(10 * time.Millisecond)
	return s.r.Read(p)
}

// However many come, the server's descriptors are not all used up, and who comes last
// is answered: those who hold connections, and are silent, make room.
func TestPageConnections(t *testing.T) {
	for name, held := range map[string]string{
		"idle":    "",
		"kept":    "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"bodies":  "POST /commands/ruok HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\na",
		"headers": "GET /livez HTTP/1.1\r\nHost: local",
	} {
		t.Run(name, func(t *testing.T) {
			p := listening(t, sample(StateStandalone), time.Minute)
			for range maxPageConns + 10 {
				io.WriteString(dialPage(t, p), held)
			}
			for range 3 {
				late := dialPage(t, p)
				io.WriteString(late, "GET /livez HTTP/1.0\r\n\r\n")
				if b, err := io.ReadAll(late); err != nil || !strings.Contains(string(b), "200 OK") {
					t.Errorf("who comes last: %q, %v", b, err)
				}
			}
			// Full, it can be closed.
			p.Close()
		})
	}
}

// Of those that may be ended it is the one that has been silent longest.
func TestLongestSilentIsEnded(t *testing.T) {
	g := guard(nil, time.Minute, nil)
	var all []*patient
	for _, last := range []int64{3, 2, 1, 4} {
		c, _ := net.Pipe()
		p := &patient{Conn: c}
		p.last.Store(last)
		g.conns[p] = struct{}{}
		all = append(all, p)
	}
	all[2].spared.Store(true)
	for n, want := range []int{1, 0, 3} {
		g.endLongestSilent()
		if _, kept := g.conns[all[want]]; kept || len(g.conns) != len(all)-1-n {
			t.Fatalf("%d ended: got %d connections, with that of %d: %v", n+1, len(g.conns), all[want].last.Load(), kept)
		}
		if _, err := all[want].Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("that of %d is open: %v", all[want].last.Load(), err)
		}
	}
	if g.endLongestSilent(); len(g.conns) != 1 {
		t.Error("one that is spared was ended")
	}
}

// What is carried out for somebody is not ended to make room; and if nothing else is
// there, others wait.
func TestPageSparesWork(t *testing.T) {
	working, done := make(chan struct{}, maxPageConns), make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/work" {
			defer unhurried(r)()
			working <- struct{}{}
			<-done
		}
		fmt.Fprint(w, "done")
	})
	p := newPage("127.0.0.1:0", "%s %s", h, time.Minute, nil, hclog.NewNullLogger())
	if err := p.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	var all []net.Conn
	for range maxPageConns {
		c := dialPage(t, p)
		io.WriteString(c, "GET /work HTTP/1.0\r\n\r\n")
		all = append(all, c)
		<-working
	}
	late := dialPage(t, p)
	io.WriteString(late, "GET /late HTTP/1.0\r\n\r\n")
	late.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	if _, err := late.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("one connection too many: %v", err)
	}
	close(done)
	late.SetReadDeadline(time.Now().Add(time.Minute))
	for _, c := range append(all, late) {
		if b, err := io.ReadAll(c); err != nil || !strings.Contains(string(b), "200 OK") {
			t.Fatalf("%q, %v", b, err)
		}
	}
}

// A body that comes bit by bit ends with its time, but for those of the unhurried.
func TestSlowBody(t *testing.T) {
	type read struct {
		n   int
		err error
	}
	reads := make(chan read, 1)
	const whole = 200 * time.Millisecond
	srv := httptest.NewServer(paced(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/large" {
			defer unhurried(r)()
		}
		b, err := io.ReadAll(r.Body)
		reads <- read{len(b), err}
	}), time.Minute, whole))
	defer srv.Close()
	for path, ends := range map[string]bool{"/": true, "/large": false} {
		c, err := net.Dial("tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60\r\n\r\n", path)
		for range 60 {
			io.WriteString(c, "x")
			time.Sleep(whole / 20)
		}
		if got := <-reads; (got.err != nil) != ends || (got.n == 60) == ends {
			t.Errorf("%s: %d bytes, %v", path, got.n, got.err)
		}
	}
}
