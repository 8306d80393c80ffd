package protocol

import (
	"fmt"
	"testing"
)

func BenchmarkDecode(b *testing.B) {
	for _, size := range []int{0, 1024} {
		b.Run(fmt.Sprintf("op=create/bytes=%d", size), func(b *testing.B) {
			in := (&RequestHeader{1, OpCreate}).Append(nil)
			in = (&CreateRequest{Path: "/services/a/b", Data: make([]byte, size), ACL: OpenACL}).Append(in)
			b.ReportAllocs()
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				var (
					h RequestHeader
					r CreateRequest
				)
				d := NewDecoder(in)
				h.Decode(&d)
				r.Decode(&d)
				if d.Err() != nil || len(r.Data) != size {
					b.Fatal(d.Err())
				}
			}
		})
	}
	b.Run("op=getData", func(b *testing.B) {
		in := (&RequestHeader{1, OpGetData}).Append(nil)
		in = (&PathWatchRequest{"/services/a/b", true}).Append(in)
		b.ReportAllocs()
		b.SetBytes(int64(len(in)))
		for b.Loop() {
			var (
				h RequestHeader
				r PathWatchRequest
			)
			d := NewDecoder(in)
			h.Decode(&d)
			r.Decode(&d)
			if d.Err() != nil || !r.Watch {
				b.Fatal(d.Err())
			}
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	b.Run("reply=stat", func(b *testing.B) {
		stat := Stat{Czxid: 1, Mzxid: 2, Version: 3, DataLength: 4}
		buf := make([]byte, 0, 256)
		b.ReportAllocs()
		for b.Loop() {
			out, mark := BeginFrame(buf[:0])
			h := ReplyHeader{Xid: 1, Zxid: 2}
			out = stat.Append(h.Append(out))
			buf = EndFrame(out, mark)
		}
		if len(buf) != 4+16+statBytes {
			b.Fatal(len(buf))
		}
	})
}

// The path of every request and reply takes no memory but for the strings it
// keeps.
func TestHotPathAllocations(t *testing.T) {
	get := (&PathWatchRequest{"/services/a/b", true}).Append((&RequestHeader{1, OpGetData}).Append(nil))
	create := (&CreateRequest{Path: "/a", Data: make([]byte, 1024), ACL: OpenACL}).Append(nil)
	createFor := (&CreateRequest{Path: "/a", ACL: []ACL{{Perms: PermAll, Scheme: "ip", ID: "10.0.0.1"}}}).Append(nil)
	buf := make([]byte, 0, 4096)
	tests := []struct {
		name string
		run  func()
		want float64
	}{
		{"getData: the path", func() {
			var (
				h RequestHeader
				r PathWatchRequest
			)
			d := NewDecoder(get)
			h.Decode(&d)
			r.Decode(&d)
		}, 1},
		{"getData, shared: nothing", func() {
			var r PathWatchRequest
			d := NewSharingDecoder(get[8:])
			r.Decode(&d)
		}, 0},
		{"create, open to all: path", func() {
			var r CreateRequest
			d := NewDecoder(create)
			r.Decode(&d)
		}, 1},
		{"create: path, ACL, scheme, id", func() {
			var r CreateRequest
			d := NewDecoder(createFor)
			r.Decode(&d)
		}, 4},
		{"ping: nothing", func() {
			var h RequestHeader
			d := NewDecoder(get)
			h.Decode(&d)
		}, 0},
		{"reply with Stat: nothing", func() {
			h, stat := ReplyHeader{Xid: 1}, Stat{Czxid: 5}
			out, mark := BeginFrame(buf[:0])
			EndFrame(stat.Append(h.Append(out)), mark)
		}, 0},
		{"event: nothing", func() {
			h, e := ReplyHeader{Xid: XidNotification}, WatcherEvent{EventNodeCreated, StateSyncConnected, "/a"}
			e.Append(h.Append(buf[:0]))
		}, 0},
	}
	for _, tt := range tests {
		if got := testing.AllocsPerRun(200, tt.run); got > tt.want {
			t.Errorf("%s: %v allocations, want at most %v", tt.name, got, tt.want)
		}
	}
}
