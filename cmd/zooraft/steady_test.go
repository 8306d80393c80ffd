package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// reader takes what is written while it is let, or fails.
type reader struct {
	let    chan struct{} // closed while it reads
	failed error
	got    bytes.Buffer
}

func (r *reader) Write(b []byte) (int, error) {
	<-r.let
	if r.failed != nil {
		return 0, r.failed
	}
	return r.got.Write(b)
}

func newReader() *reader {
	r := &reader{let: make(chan struct{})}
	close(r.let)
	return r
}

// TestSteadyWriter: a line is there when Write returns, unless the reader is stuck:
// then no more than one is waited for, what is too much is lost, and that is told.
func TestSteadyWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReader()
		w := newSteadyWriter(r)
		told := make(chan int, 1)
		w.OnLoss(func(lines int) { told <- lines })
		for i := range 3 {
			fmt.Fprintf(w, "line %d\n", i)
			if want := fmt.Sprintf("line %d\n", i); !strings.HasSuffix(r.got.String(), want) {
				t.Fatalf("Write has returned, and %q is not in %q", want, r.got.String())
			}
		}

		r.let = make(chan struct{})
		begun := time.Now()
		long := strings.Repeat("x", 1<<20-1) + "\n"
		for range 3 + maxUnread>>20 {
			w.Write([]byte(long))
		}
		if took := time.Since(begun); took != stallAfter {
			t.Errorf("a reader that is stuck has held those who log up for %v", took)
		}
		close(r.let)
		if lost := <-told; lost != 2 {
			t.Errorf("%d lines are said to be lost, want 2", lost)
		}
		synctest.Wait()
		w.Write([]byte("the last\n"))
		w.Close()
		w.Write([]byte("behind it\n"))
		if got := r.got.String(); !strings.HasSuffix(got, long+"the last\n") || strings.Count(got, long) != 1+maxUnread>>20 {
			t.Errorf("%d long lines, and then %q", strings.Count(got, long), got[len(got)-20:])
		}
	})
}

func TestSteadyWriterFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReader()
		r.failed = errors.New("broken pipe")
		w := newSteadyWriter(r)
		told := make(chan int, 1)
		w.OnLoss(func(lines int) { told <- lines })
		for range 3 {
			if n, err := w.Write([]byte("a\n")); n != 2 || err != nil {
				t.Errorf("Write: %d, %v", n, err)
			}
		}
		synctest.Wait()
		r.failed = nil
		w.Write([]byte("b\n"))
		if lost := <-told; lost != 3 {
			t.Errorf("%d lines are said to be lost, want 3", lost)
		}

		// The process can end, for all that.
		r.let = make(chan struct{})
		w.Write([]byte("c\n"))
		begun := time.Now()
		if w.Close(); time.Since(begun) != closeLimit {
			t.Errorf("Close took %v", time.Since(begun))
		}
		close(r.let)
	})
}
