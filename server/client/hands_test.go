package client

import (
	"bytes"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// goroutine names the caller's.
func goroutine() string {
	b := make([]byte, 64)
	name, _, _ := bytes.Cut(b[:runtime.Stack(b, false)], []byte(" ["))
	return string(name)
}

// A goroutine whose connection is at its end takes the next one, as long as one
// comes; one more is there for each that comes meanwhile.
func TestHands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var wg sync.WaitGroup
		stop := make(chan struct{})
		h := newHands(stop, &wg)
		led := make(map[*conn]string) // which goroutine led it
		var mu sync.Mutex
		lead := func(busy time.Duration) *conn {
			c := new(conn)
			h.take(life{c, func(got *conn) {
				mu.Lock()
				led[got] += goroutine()
				mu.Unlock()
				time.Sleep(busy)
			}})
			return c
		}
		first, second := lead(time.Second), lead(2*time.Second)
		synctest.Wait()
		if led[first] == "" || led[second] == "" || led[first] == led[second] {
			t.Fatalf("two at once: %q and %q", led[first], led[second])
		}
		time.Sleep(time.Second + handPatience/2)
		third := lead(0)
		synctest.Wait()
		if led[third] != led[first] {
			t.Errorf("the third is led by %q, not by %q, which is free", led[third], led[first])
		}
		time.Sleep(handPatience / 2)
		fourth := lead(0)
		synctest.Wait()
		if led[fourth] != led[first] {
			t.Errorf("the fourth is led by %q: %q should have waited for longer", led[fourth], led[first])
		}
		time.Sleep(2*time.Second + handPatience)
		wg.Wait() // or all of this would never move again
		fifth := lead(0)
		synctest.Wait()
		if led[fifth] == "" || led[fifth] == led[first] || led[fifth] == led[second] {
			t.Errorf("the fifth, long after, is led by %q", led[fifth])
		}
		began := time.Now()
		close(stop)
		wg.Wait()
		if waited := time.Since(began); waited > 0 {
			t.Errorf("a goroutine without a connection has kept Close for %v", waited)
		}
		if len(led) != 5 {
			t.Errorf("%d connections were led", len(led))
		}
	})
}
