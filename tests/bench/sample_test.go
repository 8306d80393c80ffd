package bench

import (
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"
)

// asked skips a test that takes minutes, unless it is wanted.
func asked(t *testing.T) {
	t.Helper()
	if os.Getenv("ZOORAFT_BENCH") != "1" {
		t.Skip("set ZOORAFT_BENCH=1 to measure")
	}
}

// setting is a number from the environment.
func setting(t *testing.T, key string, otherwise int) int {
	t.Helper()
	text := os.Getenv(key)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n <= 0 {
		t.Fatalf("%s=%q: want a positive number", key, text)
	}
	return n
}

// sample is one operation: when it began, and how long it took.
type sample struct {
	start time.Time
	took  time.Duration
}

type samples []sample

// within returns those that were under way at any moment from a to b.
func (s samples) within(a, b time.Time) samples {
	var in samples
	for _, x := range s {
		if x.start.Before(b) && x.start.Add(x.took).After(a) {
			in = append(in, x)
		}
	}
	return in
}

// quantiles returns the durations below which the given parts of all lie; 1 asks for the longest.
func (s samples) quantiles(parts ...float64) []time.Duration {
	took := make([]time.Duration, len(s))
	for i, x := range s {
		took[i] = x.took
	}
	slices.Sort(took)
	result := make([]time.Duration, len(parts))
	for i, part := range parts {
		if len(took) > 0 {
			result[i] = took[min(int(part*float64(len(took))), len(took)-1)]
		}
	}
	return result
}

func (s samples) longest() time.Duration { return s.quantiles(1)[0] }

// closedLoop does op again and again, one after the other, until stop, and times each. Between two it waits for the next
// multiple of every; with 0 it does not wait.
func closedLoop(stop <-chan struct{}, every time.Duration, op func() error) (samples, error) {
	var s samples
	var pace <-chan time.Time
	if every > 0 {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		pace = ticker.C
	} else {
		always := make(chan time.Time)
		close(always)
		pace = always
	}
	for {
		select {
		case <-stop:
			return s, nil
		case <-pace:
		}
		start := time.Now()
		if err := op(); err != nil {
			return s, err
		}
		s = append(s, sample{start, time.Since(start)})
	}
}

// probe is a closedLoop in a goroutine of its own.
type probe struct {
	name string
	stop chan struct{}
	done chan struct{}
	s    samples
	err  error
}

func startProbe(name string, every time.Duration, op func() error) *probe {
	p := &probe{name: name, stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.s, p.err = closedLoop(p.stop, every, op)
	}()
	return p
}

// finish ends the probe and returns what it saw.
func (p *probe) finish(t *testing.T) samples {
	t.Helper()
	close(p.stop)
	<-p.done
	if p.err != nil {
		t.Errorf("%s: %v", p.name, p.err)
	}
	return p.s
}

// echo returns an operation that sends 100 bytes to this process itself and back, through the loopback: what the machine
// and this process add to a latency.
func echo(t *testing.T) func() error {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close() })
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	go func() {
		defer far.Close()
		b := make([]byte, len(b))
		for {
			if _, err := io.ReadFull(far, b); err != nil {
				return
			}
			if _, err := far.Write(b); err != nil {
				return
			}
		}
	}()
	return func() error {
		if _, err := near.Write(b); err != nil {
			return err
		}
		_, err := io.ReadFull(near, b)
		return err
	}
}

// ms prints a duration in milliseconds.
func ms(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d)/float64(time.Millisecond)) }
