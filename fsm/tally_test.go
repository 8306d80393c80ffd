package fsm

import (
	"slices"
	"strconv"
	"testing"

	"zooraft/protocol"
)

// tally notes paths and bytes.
type tally []string

func (t *tally) NoteRead(path string, bytes int) {
	*t = append(*t, path+" "+strconv.Itoa(bytes))
}

// What succeeds is reported with its size, and nothing else.
func TestSizesAreReported(t *testing.T) {
	m := newMachine(t)
	m.open(100, 1)
	m.wrote = nil
	m.create("/a", 0)
	m.create("/a/bcd", 1) // an ephemeral
	m.set("/a", "12345", -1)
	m.set("/a", "123", 99) // of no such version
	m.delete("/none", -1)
	m.do((&CloseSession{Session: 100, Conn: 1}).Append(nil))
	if want := []string{"/a 1", "/a/bcd 1", "/a 5", "/a/bcd 0"}; !slices.Equal(m.wrote, want) {
		t.Errorf("writes: got %q, want %q", m.wrote, want)
	}

	m.open(100, 1)
	m.create("/a/xy", 0)
	m.create("/a/z", 0)
	var seen tally
	r := &Reader{Session: 100, Tally: &seen}
	at := func(path string) record { return &protocol.PathWatchRequest{Path: path} }
	m.read(protocol.OpGetData, at("/a"), r)
	m.read(protocol.OpExists, at("/a"), r)
	m.read(protocol.OpGetChildren, at("/a"), r)
	m.read(protocol.OpGetChildren2, at("/a"), r)
	m.read(protocol.OpGetData, at("/none"), r)
	if want := []string{"/a 5", "/a 0", "/a 3", "/a 3"}; !slices.Equal(seen, want) {
		t.Errorf("reads: got %q, want %q", []string(seen), want)
	}
}
