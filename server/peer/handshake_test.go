package peer

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
)

// callee is a Callee of fixed answers.
type callee struct {
	id       Identity
	disks    map[int64]string
	voteless []int64
	taken    []int64
	hosts    map[int64][]string
	security Security
}

func (c callee) Identity() Identity                { return c.id }
func (c callee) KnownDisk(sid int64) string        { return c.disks[sid] }
func (c callee) Voteless(sid int64) bool           { return slices.Contains(c.voteless, sid) }
func (c callee) Taken(sid int64, disk string) bool { return slices.Contains(c.taken, sid) }
func (c callee) Security() Security                { return c.security }
func (c callee) Hosts(sid int64) []string          { return c.hosts[sid] }

func TestHandshake(t *testing.T) {
	server := callee{
		id:       Identity{Cluster: "c1", SID: 2, Disk: "d2"},
		disks:    map[int64]string{1: "d1", 5: "d5"},
		voteless: []int64{5},
		taken:    []int64{6},
	}
	for _, c := range []struct {
		name    string
		own     Identity
		to      int64
		purpose Purpose
		known   string // the disk that the caller knows server 2 by
		refused string // a part of the reason, "" = welcome
	}{
		{name: "member", own: Identity{Cluster: "c1", SID: 1, Disk: "d1"}, to: 2, purpose: PurposeStream},
		{name: "member without an ensemble yet", own: Identity{SID: 3, Disk: "d3"}, to: 2, purpose: PurposeRaft},
		{name: "other ensemble", own: Identity{Cluster: "c9", SID: 1, Disk: "d1"}, to: 2, purpose: PurposeRaft, refused: "belongs to ensemble c9"},
		{name: "a server of no ensemble", own: Identity{SID: 7}, to: 2, purpose: PurposeStream},
		{name: "no server id", own: Identity{SID: 256}, to: 2, purpose: PurposeStream, refused: "256 is no server id"},
		{name: "id in use", own: Identity{SID: 6, Disk: "dx"}, to: 2, purpose: PurposeStream, refused: "another process is connected as server 6"},
		{name: "wrong server", own: Identity{SID: 1, Disk: "d1"}, to: 3, purpose: PurposeStream, refused: "this is server 2, not 3"},
		{name: "other disk", own: Identity{SID: 1, Disk: "dx"}, to: 2, purpose: PurposeRaft, refused: "its disk was lost or exchanged"},
		{name: "other disk, asking", own: Identity{SID: 1, Disk: "dx"}, to: 2, purpose: PurposeStream},
		{name: "other disk without a vote", own: Identity{SID: 5, Disk: "dx"}, to: 2, purpose: PurposeAppend},
		{name: "disk exchanged behind a caller", own: Identity{SID: 1, Disk: "d1"}, to: 2, purpose: PurposeStream, known: "d2"},
		{name: "known by this disk", own: Identity{Cluster: "c1", SID: 1, Disk: "d1"}, to: 2, purpose: PurposeRaft, known: "d2"},
		{name: "status", own: Identity{}, to: 0, purpose: PurposeStatus},
	} {
		t.Run(c.name, func(t *testing.T) {
			here, there := net.Pipe()
			defer here.Close()
			defer there.Close()
			answered := make(chan error, 1)
			go func() {
				_, id, purpose, err := Answer(t.Context(), there, server)
				if err == nil && (id.SID != c.own.SID || purpose != c.purpose) {
					err = errors.New("the answering side saw another caller")
				}
				answered <- err
			}()
			_, id, err := Call(here, "", callee{id: c.own, disks: map[int64]string{2: c.known}}, c.to, c.purpose)
			answer := <-answered
			if c.refused == "" {
				if err != nil || answer != nil {
					t.Fatalf("refused: %v, %v", err, answer)
				}
				if id.SID != 2 {
					t.Errorf("welcomed by %+v", id)
				}
				return
			}
			for _, e := range []error{err, answer} {
				if !errors.Is(e, ErrRefused) || !strings.Contains(e.Error(), c.refused) {
					t.Errorf("error %v, want a refusal with %q", e, c.refused)
				}
			}
		})
	}
}

func TestHandshakeGarbage(t *testing.T) {
	for _, in := range []string{"", "GET / HTTP/1.1\r\n\r\n", "ZOORAFT\n\xff\xff\xff\xff", "ZOORAFT\n\x00\x00\x00\x02{]", "ZOORAFT\n\x00\x00\x00\x09{}"} {
		here, there := net.Pipe()
		go func() {
			here.Write([]byte(in))
			here.Close()
		}()
		if _, _, _, err := Answer(t.Context(), there, callee{}); err == nil {
			t.Errorf("%q was taken for a handshake", in)
		}
		there.Close()
	}
}

// What a ZooKeeper's ports do: on the election port it calls with the version of its
// protocol, its id and its address; on the quorum port a leader hangs up, for what it
// was sent is no request of a follower.
func TestHandshakeZooKeeper(t *testing.T) {
	for _, call := range []string{
		"\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x0e127.0.0.1:3888",
		"\xff\xff\xff\xff\xff\xff\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x0e127.0.0.1:3888",
	} {
		here, there := net.Pipe()
		go func() {
			here.Write([]byte(call))
			here.Close()
		}()
		_, _, _, err := Answer(t.Context(), there, callee{})
		there.Close()
		want := "it is a ZooKeeper server; ZooKeeper and Zooraft cannot be in one ensemble"
		if !errors.Is(err, ErrRefused) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("the call %q: got error %v, want a refusal with %q", call, err, want)
		}
	}

	here, there := net.Pipe()
	go func() {
		readHandshake(there, new(hello))
		there.Close()
	}()
	_, _, err := Call(here, "", callee{id: Identity{SID: 1}}, 2, PurposeStream)
	here.Close()
	if want := "it hung up before it answered, as a ZooKeeper server does"; !errors.Is(err, io.EOF) || !strings.Contains(err.Error(), want) {
		t.Errorf("a hangup: got error %v, want io.EOF and %q", err, want)
	}
}

func FuzzHandshake(f *testing.F) {
	var good bytes.Buffer
	if err := writeHandshake(&good, hello{Identity: Identity{Version: 1, SID: 3}, Purpose: PurposeRaft, To: 2}); err != nil {
		f.Fatal(err)
	}
	f.Add(good.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		var h hello
		if err := readHandshake(bytes.NewReader(data), &h); err == nil && !bytes.HasPrefix(data, []byte(handshakeMagic)) {
			t.Errorf("taken without the magic")
		}
	})
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte{0, 0, 0, 3, 9, 'h', 'i', 0, 0, 0, 1, 7})
	f.Fuzz(func(t *testing.T, data []byte) {
		total := 0
		receive(bytes.NewReader(data), func(_ byte, body []byte) { total += 5 + len(body) })
		if total > len(data) {
			t.Errorf("%d bytes of frames out of %d", total, len(data))
		}
	})
}
