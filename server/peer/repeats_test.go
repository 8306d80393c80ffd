package peer

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
)

func TestRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := hclog.New(&hclog.LoggerOptions{Output: &out, DisableTime: true})
		var r Repeats
		for i := range 121 {
			r.Warn(log, "a", "refusing a", "sid", 3)
			if i == 30 {
				r.Warn(log, "b", "refusing b")
			}
			time.Sleep(time.Second)
		}
		time.Sleep(time.Hour)
		r.Warn(log, "a", "refusing a", "sid", 3)
		want := "[WARN]  refusing a: sid=3\n[WARN]  refusing b\n" + strings.Repeat("[WARN]  refusing a: sid=3 count=60\n", 2) + "[WARN]  refusing a: sid=3\n"
		if got := out.String(); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
		for i := range 10 * maxRepeats {
			r.note(fmt.Sprint(i), time.Now())
		}
		if len(r.seen) > maxRepeats {
			t.Errorf("%d are remembered", len(r.seen))
		}
	})
}

// A server that is refused again and again is one line of the log of who refuses it.
func TestRefusalsAreToldOnce(t *testing.T) {
	var out bytes.Buffer
	m := single(t, 1)
	m.mesh.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.mesh = New(ln, nil, m, hclog.New(&hclog.LoggerOptions{Output: &out}))
	m.mesh.Start()
	for _, version := range []int{98, 98, 99, 98, 99} {
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		err = writeHandshake(conn, hello{Identity: Identity{SID: 3, Version: version}, Purpose: PurposeStream})
		if err == nil {
			err = readHandshake(conn, new(welcome))
		}
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
	m.mesh.Close()
	if n := strings.Count(out.String(), "refusing a peer"); n != 2 {
		t.Errorf("%d lines for two reasons:\n%s", n, &out)
	}
}
