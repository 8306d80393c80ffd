package store

import (
	"bytes"
	"testing"

	"github.com/hashicorp/raft"
)

// The entries of one write are as entryCodec has them and take no memory; a
// write that is too large, and one that was not announced, takes its own.
func TestScratch(t *testing.T) {
	c := new(scratchCodec)
	for _, tt := range []struct {
		name      string
		logs      []*raft.Log
		announced int // bytes, -1: what they take
		own       int // buffers of their own
	}{
		{"several", entries(1, 5, 1000), -1, 0},
		{"more", entries(6, 20, 3000), -1, 0},
		{"fewer", entries(21, 22, 10), -1, 0},
		{"one too many", entries(23, 25, 100), 2 * entryLen(entry(23, 100)), 0}, // there is more room than was asked for
		{"not announced", entries(26, 27, 100), 0, 2},
		{"too large", []*raft.Log{entry(28, 10), entry(29, scratchBytes)}, -1, 2},
		{"after that", entries(30, 31, 10), -1, 0},
	} {
		n := tt.announced
		if n < 0 {
			n = 0
			for _, l := range tt.logs {
				n += entryLen(l)
			}
		}
		if tt.announced != 0 {
			c.begin(n)
		}
		got := make([]bytes.Buffer, len(tt.logs))
		for i, l := range tt.logs {
			must(t, c.Encode(l, &got[i]))
		}
		c.end()
		own := 0
		for i, l := range tt.logs {
			var want bytes.Buffer
			must(t, entryCodec{}.Encode(l, &want))
			if !bytes.Equal(got[i].Bytes(), want.Bytes()) {
				t.Errorf("%s: entry %d is not as it should be", tt.name, l.Index)
			}
			if !within(got[i].Bytes(), c.buf) {
				own++
			}
		}
		if own != tt.own {
			t.Errorf("%s: %d buffers beside the scratch, want %d", tt.name, own, tt.own)
		}
	}
	if len(c.buf) > scratchBytes {
		t.Errorf("%d bytes stay", len(c.buf))
	}
}

// within reports whether b lies in the memory of buf.
func within(b, buf []byte) bool {
	for i := range buf {
		if &buf[i] == &b[0] {
			return true
		}
	}
	return false
}
