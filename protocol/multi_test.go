package protocol

import (
	"errors"
	"reflect"
	"testing"
)

// rawOp is a sub-operation as a client may send it, well-formed or not.
type rawOp struct {
	typ  OpCode
	body record
}

type multiTest struct {
	name string
	ops  []rawOp
	want []MultiOp // of DecodeMulti, if err is nil
	err  error
	read bool // for DecodeMultiRead
	once bool // the operations cannot be written again as they came out
}

// body returns the request's body; the server looks at done and type only, so
// the err field holds some other number than clients send.
func (tt *multiTest) body() []byte {
	var b []byte
	for _, op := range tt.ops {
		h := MultiHeader{Type: op.typ, Err: 77}
		b = op.body.Append(h.Append(b))
	}
	return AppendMultiEnd(b)
}

var multiTests = func() []multiTest {
	create := func(flags int32) *CreateRequest {
		return &CreateRequest{Path: "/a", Data: []byte("x"), ACL: OpenACL, Flags: flags}
	}
	ttl := func(flags int32) *CreateTTLRequest { return &CreateTTLRequest{*create(flags), 1000} }
	nullACL := &CreateRequest{Path: "/a", ACLNull: true}
	emptyACL := &CreateRequest{Path: "/a", ACL: []ACL{}}
	del, set, check := &DeleteRequest{"/b", 3}, &SetDataRequest{"/c", nil, -1}, &CheckVersionRequest{"/d", 0}
	get := &PathWatchRequest{"/e", true}
	return []multiTest{
		{name: "empty", want: []MultiOp{}},
		{name: "every write", ops: []rawOp{
			{OpCreate, create(0)}, {OpCreate2, create(3)}, {OpCreateContainer, create(4)}, {OpCreateTTL, ttl(6)},
			{OpDelete, del}, {OpSetData, set}, {OpCheck, check},
		}, want: []MultiOp{
			{Type: OpCreate, Create: *create(0)}, {Type: OpCreate2, Create: *create(3)},
			{Type: OpCreateContainer, Create: *create(4)}, {Type: OpCreateTTL, Create: *create(6), TTL: 1000},
			{Type: OpDelete, Delete: *del}, {Type: OpSetData, SetData: *set}, {Type: OpCheck, Check: *check},
		}},
		{name: "create with container flag", ops: []rawOp{{OpCreate, create(4)}, {OpCreate2, create(4)}},
			want: []MultiOp{{Type: OpCreateContainer, Create: *create(4)}, {Type: OpCreateContainer, Create: *create(4)}}},
		{name: "createTTL without TTL flag", ops: []rawOp{{OpCreateTTL, ttl(2)}},
			want: []MultiOp{{Type: OpCreate, Create: *create(2)}}},
		{name: "empty ACL is an error of its operation only", ops: []rawOp{{OpCreate, emptyACL}},
			want: []MultiOp{{Type: OpCreate, Create: *emptyACL}}},
		{name: "null ACL", ops: []rawOp{{OpCreate, nullACL}}, err: ErrMultiACL},
		{name: "null ACL after good ones", ops: []rawOp{{OpDelete, del}, {OpCreate2, nullACL}}, err: ErrMultiACL},
		{name: "flags 7", ops: []rawOp{{OpCreate, create(7)}}, err: ErrMultiOp},
		{name: "flags -1", ops: []rawOp{{OpCreate, create(-1)}}, err: ErrMultiOp},
		{name: "flags -1 and 7 under createTTL are errors of their operation only", ops: []rawOp{{OpCreateTTL, ttl(-1)}, {OpCreateTTL, ttl(7)}},
			want: []MultiOp{{Type: OpCreate, Create: *create(-1)}, {Type: OpCreate, Create: *create(7)}}, once: true},
		{name: "so is a null ACL there", ops: []rawOp{{OpCreateTTL, &CreateTTLRequest{CreateRequest: *nullACL, TTL: 7}}},
			want: []MultiOp{{Type: OpCreate, Create: *nullACL}}, once: true},
		{name: "TTL flags under create", ops: []rawOp{{OpCreate, create(5)}}, err: ErrMultiOp},
		{name: "TTL flags under create2", ops: []rawOp{{OpCreate2, create(6)}}, err: ErrMultiOp},
		{name: "TTL flags under createContainer", ops: []rawOp{{OpCreateContainer, create(5)}}, err: ErrMultiOp},
		{name: "read under multi", ops: []rawOp{{OpGetData, get}}, err: ErrMultiOp},
		{name: "write, then read", ops: []rawOp{{OpDelete, del}, {OpGetChildren, get}}, err: ErrMultiOp},
		{name: "setACL", ops: []rawOp{{OpSetACL, &SetACLRequest{Path: "/a", ACL: OpenACL}}}, err: ErrMultiOp},
		{name: "null path", ops: []rawOp{{OpSetData, &SyncRequest{Null: true}}}, err: ErrNull},
		{name: "nested multi", ops: []rawOp{{OpMulti, del}}, err: ErrMultiOp},
		{name: "error as operation", ops: []rawOp{{OpError, del}}, err: ErrMultiOp},

		{name: "no reads", read: true, want: []MultiOp{}},
		{name: "reads", read: true, ops: []rawOp{{OpGetData, get}, {OpGetChildren, get}},
			want: []MultiOp{{Type: OpGetData, Read: *get}, {Type: OpGetChildren, Read: *get}}},
		{name: "getChildren2 under multiRead", read: true, ops: []rawOp{{OpGetChildren2, get}}, err: ErrMultiOp},
		{name: "exists under multiRead", read: true, ops: []rawOp{{OpExists, get}}, err: ErrMultiOp},
		{name: "write under multiRead", read: true, ops: []rawOp{{OpGetData, get}, {OpDelete, del}}, err: ErrMultiOp},
	}
}()

func TestDecodeMulti(t *testing.T) {
	for _, tt := range multiTests {
		t.Run(tt.name, func(t *testing.T) {
			decode := DecodeMulti
			if tt.read {
				decode = DecodeMultiRead
			}
			body := tt.body()
			d := NewDecoder(append(body, "trailing"...))
			got, err := decode(&d)
			if !errors.Is(err, tt.err) || d.Err() != err {
				t.Fatalf("err %v, decoder's %v, want %v", err, d.Err(), tt.err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Fatalf("got  %+v\nwant %+v", got, tt.want)
			}
			if err != nil {
				return
			}
			if d.Remaining() != len("trailing") {
				t.Errorf("%d bytes left, want those behind the end mark", d.Remaining())
			}
			if !tt.read {
				used := []MultiOp{{Type: OpCheck, Check: CheckVersionRequest{"/used", 1}, TTL: 9}, {Type: OpDelete, Delete: DeleteRequest{"/used", 1}}}
				d = NewSharingDecoder(body)
				if into, err := DecodeMultiInto(used, &d); err != nil || !reflect.DeepEqual(into, got) {
					t.Errorf("into used storage: err %v\n got %+v\nwant %+v", err, into, got)
				}
			}
			d = NewDecoder(AppendMulti(nil, got))
			again, err := decode(&d)
			if !tt.once && (err != nil || d.Remaining() != 0 || !reflect.DeepEqual(again, got)) {
				t.Errorf("written and read again: err %v, %d bytes left\n got %+v\nwant %+v", err, d.Remaining(), again, got)
			}
			// Without the end mark, or any part of it, the body does not decode.
			for n := range body {
				d = NewDecoder(body[:n])
				if ops, err := decode(&d); err != ErrShort || ops != nil {
					t.Fatalf("%d of %d bytes: %+v, err %v, want %v", n, len(body), ops, err, ErrShort)
				}
			}
		})
	}
}
