package protocol

import (
	"bytes"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// recordSchemas ties each record to its layout, in the letters of canonical,
// and to examples whose round trip must be exact.
var recordSchemas = map[string]struct {
	schema   string
	examples []record
}{
	"RequestHeader":   {"ii", []record{&RequestHeader{7, OpCreate}, &RequestHeader{-8, OpCloseSession}}},
	"ReplyHeader":     {"ili", []record{&ReplyHeader{7, 1 << 40, ErrNoNode}}},
	"Stat":            {"lllliiiliil", []record{&Stat{1, 2, 3, 4, 5, 6, 7, -8, 9, 10, 11}}},
	"WatcherEvent":    {"iip", []record{&WatcherEvent{EventNodeDeleted, StateSyncConnected, "/ä"}}},
	"ConnectRequest":  {"ililB?", []record{&ConnectRequest{0, 9, 4000, 5, []byte("0123456789abcdef"), true, true}, &ConnectRequest{Timeout: -1}}},
	"ConnectResponse": {"iilP?", []record{&ConnectResponse{0, 4000, 5, bytes.Repeat([]byte{7}, 16), true, true}, &ConnectResponse{Passwd: make([]byte, 16)}}},
	"ACL":             {"isn", []record{&ACL{31, "world", "anyone", false}, &ACL{1, "auth", "", true}}},
	"ID":              {"ss", []record{&ID{"ip", "127.0.0.1"}}},
	"AuthPacket":      {"isB", []record{&AuthPacket{0, "digest", []byte("u:p")}, &AuthPacket{0, "ip", nil}}},
	"SASLPacket":      {"B", []record{&SASLPacket{[]byte{}}, &SASLPacket{nil}}},
	"CreateRequest": {"pBAi", []record{
		&CreateRequest{"/a", []byte("x"), OpenACL, false, CreateModeEphemeralSequential},
		&CreateRequest{"/a", nil, nil, true, 0},
		&CreateRequest{"", []byte{}, []ACL{}, false, -1},
	}},
	"CreateTTLRequest":    {"pBAil", []record{&CreateTTLRequest{CreateRequest{"/t", nil, OpenACL, false, CreateModePersistentTTL}, 60000}}},
	"DeleteRequest":       {"pi", []record{&DeleteRequest{"/a", -1}}},
	"SetDataRequest":      {"pBi", []record{&SetDataRequest{"/a", []byte("yz"), 0}, &SetDataRequest{"/a", nil, 3}}},
	"SetACLRequest":       {"pAi", []record{&SetACLRequest{"/a", OpenACL, false, 2}, &SetACLRequest{"/a", nil, true, -1}}},
	"CheckVersionRequest": {"pi", []record{&CheckVersionRequest{"/a", 9}}},
	"PathWatchRequest":    {"pb", []record{&PathWatchRequest{"/a", true}, &PathWatchRequest{"/", false}}},
	"PathRequest":         {"p", []record{&PathRequest{"/a/b"}}},
	"SyncRequest":         {"n", []record{&SyncRequest{"/", false}, &SyncRequest{"", true}}},
	"ReconfigRequest":     {"ssnl", []record{&ReconfigRequest{"server.4=h:1:2;3", "1,2", "", true, -1}, &ReconfigRequest{NewMembers: "server.1=h:1:2"}}},
	"AddWatchRequest":     {"pi", []record{&AddWatchRequest{"/a", AddWatchPersistentRecursive}}},
	"WatchesRequest":      {"pi", []record{&WatchesRequest{"/a", WatcherTypeAny}}},
	"SetWatches":          {"lVVV", []record{&SetWatches{5, []string{"/a", "/b"}, []string{}, []string{"/c"}}}},
	"SetWatches2":         {"lVVVVV", []record{&SetWatches2{SetWatches{5, []string{"/a"}, []string{"/b"}, []string{}}, []string{"/p"}, []string{"/r", "/"}}}},
	"MultiHeader":         {"ibi", []record{&MultiHeader{OpCreate, false, -1}, &multiEnd}},
}

// fuzzRecord checks that decoding never panics or allocates without bound, that
// it agrees with canonical on what is decodable, on where the record ends and on
// what its fields say, and that what was written reads back the same.
func fuzzRecord(f *testing.F, name string) {
	def, ok := recordSchemas[name]
	if !ok {
		f.Fatalf("no schema for %s", name)
	}
	typ := reflect.TypeOf(def.examples[0]).Elem()
	for _, r := range def.examples {
		f.Add(r.Append(nil))
	}
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0xff}, 64))
	f.Add(bytes.Repeat([]byte{0, 0, 0, 1}, 32))
	f.Add(append([]byte{0, 0, 0, 6}, "/\xf0\x9f\x98\x80\xed\xa0\x80\xc3("...))
	f.Fuzz(func(t *testing.T, in []byte) {
		keep := bytes.Clone(in)
		rec := reflect.New(typ).Interface().(record)
		d := NewDecoder(in)
		limitAlloc(t, len(in), func() { rec.Decode(&d) })
		want, used, ok := canonical(def.schema, in)
		if (d.Err() == nil) != ok {
			t.Fatalf("%x: Decode gives %v, second decoder says ok=%v", in, d.Err(), ok)
		}
		if !ok {
			return
		}
		if left := len(in) - used; d.Remaining() != left {
			t.Fatalf("%x: %d bytes left, want %d", in, d.Remaining(), left)
		}
		got := rec.Append(nil)
		if !bytes.Equal(got, want) {
			t.Fatalf("%x: written again\n got %x\nwant %x", in, got, want)
		}
		if !bytes.Equal(in, keep) {
			t.Fatalf("input changed from %x to %x", keep, in)
		}
		again := reflect.New(typ).Interface().(record)
		d = NewDecoder(got)
		again.Decode(&d)
		if d.Err() != nil || d.Remaining() != 0 {
			t.Fatalf("%x: reading own output: %v, %d bytes left", got, d.Err(), d.Remaining())
		}
		// Surrogates, which a decoder refuses, are the one thing that changes.
		if want, _, _ := canonical(def.schema, got); !bytes.Equal(again.Append(nil), want) {
			t.Fatalf("second round\n got %x\nwant %x", again.Append(nil), want)
		}
	})
}

// limitAlloc fails if run allocates far more than n bytes of input allow. The
// constant part leaves room for what the test binary allocates beside it.
func limitAlloc(t *testing.T, n int, run func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	run()
	runtime.ReadMemStats(&after)
	if got, limit := after.TotalAlloc-before.TotalAlloc, uint64(1<<20+64*n); got > limit {
		t.Fatalf("%d bytes allocated for %d bytes of input", got, n)
	}
}

func FuzzRequestHeader(f *testing.F)       { fuzzRecord(f, "RequestHeader") }
func FuzzReplyHeader(f *testing.F)         { fuzzRecord(f, "ReplyHeader") }
func FuzzStat(f *testing.F)                { fuzzRecord(f, "Stat") }
func FuzzWatcherEvent(f *testing.F)        { fuzzRecord(f, "WatcherEvent") }
func FuzzConnectRequest(f *testing.F)      { fuzzRecord(f, "ConnectRequest") }
func FuzzConnectResponse(f *testing.F)     { fuzzRecord(f, "ConnectResponse") }
func FuzzACL(f *testing.F)                 { fuzzRecord(f, "ACL") }
func FuzzID(f *testing.F)                  { fuzzRecord(f, "ID") }
func FuzzAuthPacket(f *testing.F)          { fuzzRecord(f, "AuthPacket") }
func FuzzSASLPacket(f *testing.F)          { fuzzRecord(f, "SASLPacket") }
func FuzzCreateRequest(f *testing.F)       { fuzzRecord(f, "CreateRequest") }
func FuzzCreateTTLRequest(f *testing.F)    { fuzzRecord(f, "CreateTTLRequest") }
func FuzzDeleteRequest(f *testing.F)       { fuzzRecord(f, "DeleteRequest") }
func FuzzSetDataRequest(f *testing.F)      { fuzzRecord(f, "SetDataRequest") }
func FuzzSetACLRequest(f *testing.F)       { fuzzRecord(f, "SetACLRequest") }
func FuzzCheckVersionRequest(f *testing.F) { fuzzRecord(f, "CheckVersionRequest") }
func FuzzPathWatchRequest(f *testing.F)    { fuzzRecord(f, "PathWatchRequest") }
func FuzzPathRequest(f *testing.F)         { fuzzRecord(f, "PathRequest") }
func FuzzSyncRequest(f *testing.F)         { fuzzRecord(f, "SyncRequest") }
func FuzzReconfigRequest(f *testing.F)     { fuzzRecord(f, "ReconfigRequest") }
func FuzzAddWatchRequest(f *testing.F)     { fuzzRecord(f, "AddWatchRequest") }
func FuzzWatchesRequest(f *testing.F)      { fuzzRecord(f, "WatchesRequest") }
func FuzzSetWatches(f *testing.F)          { fuzzRecord(f, "SetWatches") }
func FuzzSetWatches2(f *testing.F)         { fuzzRecord(f, "SetWatches2") }
func FuzzMultiHeader(f *testing.F)         { fuzzRecord(f, "MultiHeader") }

func FuzzDecodeMulti(f *testing.F)     { fuzzMulti(f, DecodeMulti, false) }
func FuzzDecodeMultiRead(f *testing.F) { fuzzMulti(f, DecodeMultiRead, true) }

func fuzzMulti(f *testing.F, decode func(*Decoder) ([]MultiOp, error), reads bool) {
	for _, tt := range multiTests {
		f.Add(tt.body())
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var (
			ops []MultiOp
			err error
		)
		d := NewDecoder(in)
		limitAlloc(t, len(in), func() { ops, err = decode(&d) })
		want, used, ok := canonicalMulti(in, reads)
		if (err == nil) != ok || err != d.Err() {
			t.Fatalf("%x: error %v, decoder's %v, second decoder says ok=%v", in, err, d.Err(), ok)
		}
		if !ok {
			if ops != nil {
				t.Fatalf("%x: operations %+v beside error %v", in, ops, err)
			}
			return
		}
		if left := len(in) - used; d.Remaining() != left {
			t.Fatalf("%x: %d bytes left, want %d", in, d.Remaining(), left)
		}
		if got := AppendMulti(nil, ops); !bytes.Equal(got, want) {
			t.Fatalf("%x: written again\n got %x\nwant %x", in, got, want)
		}
	})
}

// FuzzDecoder lets the input choose which primitives are read from it.
func FuzzDecoder(f *testing.F) {
	f.Add("ilbBsnpVA", bytes.Repeat([]byte{0, 0, 0, 1}, 30))
	f.Add("nnn", []byte{0, 0, 0, 4, 0xf0, 0x9f, 0x98, 0x80, 0, 0, 0, 2, 0xed, 0xa0, 0xff, 0xff, 0xff, 0xff})
	f.Add("V", []byte{0x7f, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, schema string, in []byte) {
		if strings.Trim(schema, "ilbBsnpVA") != "" {
			return
		}
		d := NewDecoder(in)
		var got []byte
		limitAlloc(t, len(in)+16*len(schema), func() {
			for _, c := range schema {
				switch c {
				case 'i':
					got = AppendInt32(got, d.Int32())
				case 'l':
					got = AppendInt64(got, d.Int64())
				case 'b':
					got = AppendBool(got, d.Bool())
				case 'B':
					got = AppendBuffer(got, d.Buffer())
				case 's':
					got = AppendString(got, d.String())
				case 'n':
					s, isNull := d.StringNull()
					got = appendStringNull(got, s, isNull)
				case 'p':
					got = AppendString(got, d.Path())
				case 'V':
					got = AppendStrings(got, d.Strings())
				case 'A':
					acls, isNull := DecodeACLs(&d)
					got = appendACLsNull(got, acls, isNull)
				}
			}
		})
		want, used, ok := canonical(schema, in)
		if (d.Err() == nil) != ok {
			t.Fatalf("%q of %x: %v, second decoder says ok=%v", schema, in, d.Err(), ok)
		}
		if ok && (!bytes.Equal(got, want) || d.Remaining() != len(in)-used) {
			t.Fatalf("%q of %x: %d bytes left, want %d\n got %x\nwant %x", schema, in, d.Remaining(), len(in)-used, got, want)
		}
	})
}
