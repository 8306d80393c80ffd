package protocol

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// record is what all records of this package have in common.
type record interface {
	Decode(*Decoder)
	Append([]byte) []byte
}

// Bodies that are no record of their own.
type (
	bufferBody   struct{ v []byte }
	aclsBody     struct{ v []ACL }
	multiErrBody struct{ code ErrCode }
)

func (r *bufferBody) Decode(d *Decoder)      { r.v = d.Buffer() }
func (r *bufferBody) Append(b []byte) []byte { return AppendBuffer(b, r.v) }
func (r *aclsBody) Decode(d *Decoder)        { r.v, _ = DecodeACLs(d) }
func (r *aclsBody) Append(b []byte) []byte   { return AppendACLs(b, r.v) }

func (r *multiErrBody) Append(b []byte) []byte { return AppendMultiError(b, r.code) }
func (r *multiErrBody) Decode(d *Decoder) {
	var h MultiHeader
	h.Decode(d)
	r.code = ErrCode(d.Int32())
	if h.Type != OpError || h.Done || h.Err != r.code {
		d.fail(ErrMultiOp)
	}
}

// readHex returns the bytes of a file in testdata.
func readHex(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".hex"))
	if err != nil {
		t.Fatal(err)
	}
	var digits strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") {
			digits.WriteString(strings.Join(strings.Fields(line), ""))
		}
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return b
}

func TestGoldenFrames(t *testing.T) {
	stat := &Stat{Czxid: 2, Mzxid: 2, Ctime: 0x1a2011fb2a7, Mtime: 0x1a2011fb2a7, DataLength: 1, Pzxid: 2}
	passwd := []byte{0xf6, 0xe5, 0x20, 0x7b, 0x4b, 0x1f, 0xfa, 0x1a, 0xc4, 0x80, 0xc1, 0xbf, 0x0c, 0x34, 0x66, 0xc1}
	zeros := make([]byte, PasswdBytes)
	end := &MultiHeader{Type: OpError, Done: true, Err: -1}

	tests := []struct {
		name string // of the file; a body has neither length nor header
		recs []record
	}{
		{"connect_request", []record{&ConnectRequest{Timeout: 4000, Passwd: zeros, HasReadOnly: true}}},
		{"connect_response", []record{&ConnectResponse{Timeout: 4000, SessionID: 0x0100001eefec0000, Passwd: passwd, HasReadOnly: true}}},
		{"connect_response_refused", []record{&ConnectResponse{Passwd: zeros, HasReadOnly: true}}},
		{"create2_request", []record{&RequestHeader{1, OpCreate2}, &CreateRequest{Path: "/a", Data: []byte("x"), ACL: OpenACL}}},
		{"create2_reply", []record{&ReplyHeader{1, 2, ErrOK}, &PathRequest{"/a"}, stat}},
		{"create_reply_node_exists", []record{&ReplyHeader{2, 3, ErrNodeExists}}},
		{"get_data_request", []record{&RequestHeader{3, OpGetData}, &PathWatchRequest{"/a", true}}},
		{"get_data_reply", []record{&ReplyHeader{3, 3, ErrOK}, &bufferBody{[]byte("x")}, stat}},
		{"set_data_request", []record{&RequestHeader{4, OpSetData}, &SetDataRequest{"/a", []byte("yz"), 0}}},
		{"event_data_changed", []record{&ReplyHeader{XidNotification, -1, ErrOK}, &WatcherEvent{EventNodeDataChanged, StateSyncConnected, "/a"}}},
		{"delete_request", []record{&RequestHeader{6, OpDelete}, &DeleteRequest{"/a", -1}}},
		{"delete_reply", []record{&ReplyHeader{6, 5, ErrOK}}},
		{"ping_request", []record{&RequestHeader{XidPing, OpPing}}},
		{"ping_reply", []record{&ReplyHeader{XidPing, 5, ErrOK}}},
		{"auth_request", []record{&RequestHeader{XidAuth, OpAuth}, &AuthPacket{0, "digest", []byte("u:p")}}},
		{"auth_reply", []record{&ReplyHeader{XidAuth, 0, ErrOK}}},
		{"multi_bad_version_body", []record{&multiErrBody{ErrOK}, &multiErrBody{ErrBadVersion}, &multiErrBody{ErrRuntimeInconsistency}, end}},
		{"multi_quota_body", []record{&multiErrBody{ErrQuotaExceeded}, &multiErrBody{ErrRuntimeInconsistency}, end}},
		{"multi_empty_body", []record{end}},
		{"get_acl_body", []record{&aclsBody{[]ACL{{PermRead, "world", "anyone", false}}}, &Stat{Aversion: -1}}},
	}
	covered := map[string]bool{}
	for _, tt := range tests {
		covered[tt.name+".hex"] = true
		t.Run(tt.name, func(t *testing.T) {
			want := readHex(t, tt.name)
			framed := !strings.HasSuffix(tt.name, "_body")

			var got []byte
			mark := 0
			if framed {
				got, mark = BeginFrame(got)
			}
			for _, r := range tt.recs {
				got = r.Append(got)
			}
			if framed {
				got = EndFrame(got, mark)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("encoded\n got %x\nwant %x", got, want)
			}

			d := NewDecoder(want)
			if framed {
				if n := d.Int32(); int(n) != d.Remaining() {
					t.Errorf("length prefix %d before %d bytes", n, d.Remaining())
				}
			}
			for i, r := range tt.recs {
				fresh := reflect.New(reflect.TypeOf(r).Elem()).Interface().(record)
				fresh.Decode(&d)
				if !reflect.DeepEqual(fresh, r) {
					t.Errorf("record %d\n got %+v\nwant %+v", i, fresh, r)
				}
			}
			if d.Err() != nil || d.Remaining() != 0 {
				t.Errorf("after the last record: err %v, %d bytes left", d.Err(), d.Remaining())
			}
		})
	}
	files, err := filepath.Glob("testdata/*.hex")
	if err != nil || len(files) != len(covered) {
		t.Errorf("%d files in testdata, %d tested, err %v", len(files), len(covered), err)
	}
}

// A refused handshake is all zeros but for the password's length, and that is
// what the zero response encodes to.
func TestZeroConnectResponseRefuses(t *testing.T) {
	b, mark := BeginFrame(nil)
	b = EndFrame((&ConnectResponse{HasReadOnly: true}).Append(b), mark)
	if want := readHex(t, "connect_response_refused"); !bytes.Equal(b, want) {
		t.Errorf("got  %x\nwant %x", b, want)
	}
	if n := len((&ConnectResponse{}).Append(nil)); n != 36 {
		t.Errorf("response to a client without the read-only byte: %d bytes, want 36", n)
	}
}

func TestEndFrameKeepsWhatStandsBefore(t *testing.T) {
	b := []byte("before")
	b, mark := BeginFrame(b)
	b = EndFrame(append(b, "body"...), mark)
	b, mark = BeginFrame(b)
	b = EndFrame(b, mark)
	if want := "before\x00\x00\x00\x04body\x00\x00\x00\x00"; string(b) != want {
		t.Errorf("got %q, want %q", b, want)
	}
}
