package quorum

import (
	"testing"

	"zooraft/server/quorum/store"
)

func TestRoomOf(t *testing.T) {
	const (
		mib     = 1 << 20
		gib     = 1 << 30
		segment = 64 * mib
	)
	for _, tt := range []struct {
		name      string
		was       Room
		data, log store.Space
		snapshot  uint64
		want      Room
	}{
		{name: "an empty disk", log: store.Space{Free: 100 * gib, Total: 100 * gib}, want: RoomPlenty},
		{name: "at the mark", log: store.Space{Free: 224 * mib, Total: 100 * gib}, want: RoomPlenty},
		{name: "below it", log: store.Space{Free: 224*mib - 1, Total: 100 * gib}, want: RoomScarce},
		{name: "not quite back", was: RoomScarce, log: store.Space{Free: 251 * mib, Total: 100 * gib}, want: RoomScarce},
		{name: "back", was: RoomScarce, log: store.Space{Free: 252 * mib, Total: 100 * gib}, want: RoomPlenty},
		{name: "a large snapshot needs its place", log: store.Space{Free: 2 * gib, Total: 100 * gib}, snapshot: 2 * gib, want: RoomScarce},
		{name: "the reserve", log: store.Space{Free: 96 * mib, Total: 100 * gib}, want: RoomScarce},
		{name: "below it nothing goes", log: store.Space{Free: 96*mib - 1, Total: 100 * gib}, want: RoomNone},
		{name: "not quite back from there", was: RoomNone, log: store.Space{Free: 107 * mib, Total: 100 * gib}, want: RoomNone},
		{name: "nearly", was: RoomNone, log: store.Space{Free: 108 * mib, Total: 100 * gib}, want: RoomScarce},
		{name: "back at once", was: RoomNone, log: store.Space{Free: gib, Total: 100 * gib}, want: RoomPlenty},
		{name: "a quarter of a small disk is enough", log: store.Space{Free: 128 * mib, Total: 512 * mib}, want: RoomPlenty},
		{name: "and a snapshot", log: store.Space{Free: 328*mib - 1, Total: 512 * mib}, snapshot: 200 * mib, want: RoomScarce},
		{name: "but not less than the reserve", log: store.Space{Free: 95 * mib, Total: 256 * mib}, want: RoomNone},
		{name: "no place for a snapshot", log: store.Space{Free: gib, Total: 2 * gib},
			data: store.Space{Free: 500 * mib, Total: 100 * gib}, snapshot: 500 * mib, want: RoomScarce},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.data == (store.Space{}) {
				tt.data = store.Space{Free: 100 * gib, Total: 100 * gib}
			}
			if got := roomOf(tt.was, tt.data, tt.log, segment, tt.snapshot); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// Spare files are given back before there is little room, and what they give back neither ends
// that nor has them kept again.
func TestThrifty(t *testing.T) {
	const (
		mib     = 1 << 20
		segment = 64 * mib
		spares  = 5 * segment
		total   = 100 << 30
	)
	for _, snapshot := range []uint64{0, 100 * mib, 2 << 30} {
		thrift, room := false, RoomPlenty
		given := uint64(0)
		for free := uint64(8 << 30); room == RoomPlenty; free -= mib {
			now := store.Space{Free: free + given, Total: total}
			room = roomOf(room, now, now, segment, snapshot)
			was := thrift
			thrift = thrifty(was, now, segment, snapshot, spares)
			switch {
			case room != RoomPlenty && !thrift:
				t.Errorf("snapshot %d: %s with spare files", snapshot, room)
			case !was && thrift && given > 0:
				t.Fatalf("snapshot %d: given back twice", snapshot)
			case !was && thrift:
				given = spares
				if room = roomOf(room, now, now, segment, snapshot); room != RoomPlenty {
					t.Errorf("snapshot %d: %s when they are given back", snapshot, room)
				}
			}
		}
		if free := uint64(8 << 30); thrifty(true, store.Space{Free: free, Total: total}, segment, snapshot, spares) {
			t.Errorf("snapshot %d: not kept again with %d bytes", snapshot, free)
		}
	}
}

func TestMajorityRoom(t *testing.T) {
	const p, s, n = RoomPlenty, RoomScarce, RoomNone
	for _, tt := range []struct {
		name   string
		there  []Room
		voters int
		want   Room
	}{
		{"all have", []Room{p, p, p}, 3, p},
		{"one has not", []Room{n, p, p}, 3, p},
		{"one has little and one is down", []Room{s, p}, 3, s},
		{"one has none and one is down", []Room{n, p}, 3, n},
		{"two have little", []Room{s, p, s}, 3, s},
		{"two have none", []Room{n, p, n}, 3, n},
		{"one has little, one none", []Room{n, p, s}, 3, s},
		{"three of five", []Room{p, p, p, n, n}, 5, p},
		{"alone", []Room{p}, 3, p},
		{"alone, and full", []Room{n}, 3, n},
		{"nobody", nil, 3, p},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := majorityRoom(tt.there, tt.voters); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
