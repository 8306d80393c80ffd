package protocol

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strings"
	"testing"
)

// recordTypes returns the names of all types of this package with Decode.
func recordTypes(t *testing.T) map[string]bool {
	t.Helper()
	fset := token.NewFileSet()
	names := map[string]bool{}
	for _, file := range []string{"record.go", "connect.go", "acl.go", "request.go", "watches.go", "multi.go"} {
		f, err := parser.ParseFile(fset, file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range f.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Recv == nil || fn.Name.Name != "Decode" {
				continue
			}
			names[fn.Recv.List[0].Type.(*ast.StarExpr).X.(*ast.Ident).Name] = true
		}
	}
	return names
}

func TestEveryRecordIsTested(t *testing.T) {
	types := recordTypes(t)
	if len(types) < 20 {
		t.Fatalf("only %d records found: %v", len(types), types)
	}
	for name := range types {
		if _, ok := recordSchemas[name]; !ok {
			t.Errorf("%s has no entry in recordSchemas", name)
		}
	}
	for name := range recordSchemas {
		if !types[name] {
			t.Errorf("recordSchemas has %s, which is no record", name)
		}
	}
}

func TestRecordRoundTrip(t *testing.T) {
	for name, def := range recordSchemas {
		t.Run(name, func(t *testing.T) {
			for _, r := range def.examples {
				if got := reflect.TypeOf(r).Elem().Name(); got != name {
					t.Fatalf("example is a %s", got)
				}
				b := r.Append([]byte("head"))
				if string(b[:4]) != "head" {
					t.Fatalf("Append changed what stood before: %q", b[:4])
				}
				// Decoding into a used record must leave nothing of it behind.
				used := reflect.New(reflect.TypeOf(r).Elem()).Interface().(record)
				last := NewDecoder(def.examples[len(def.examples)-1].Append(nil))
				used.Decode(&last)

				d := NewDecoder(append(b[4:], "trailing bytes"...))
				if strings.HasSuffix(def.schema, "?") {
					d = NewDecoder(b[4:]) // the end of the frame is part of the layout
				}
				rest := d.Remaining() - len(b[4:])
				used.Decode(&d)
				if d.Err() != nil || d.Remaining() != rest {
					t.Errorf("%+v: err %v, %d bytes left, want %d", r, d.Err(), d.Remaining(), rest)
				}
				if !reflect.DeepEqual(used, r) {
					t.Errorf("got  %+v\nwant %+v", used, r)
				}
			}
		})
	}
}

// Every record cut short at any byte is an error, save that the handshake may
// end before its last bool.
func TestTruncatedRecords(t *testing.T) {
	for name, def := range recordSchemas {
		t.Run(name, func(t *testing.T) {
			for _, r := range def.examples {
				whole := r.Append(nil)
				for n := range whole {
					if n == len(whole)-1 && strings.HasSuffix(def.schema, "?") && hasReadOnly(r) {
						continue
					}
					d := NewDecoder(whole[:n])
					reflect.New(reflect.TypeOf(r).Elem()).Interface().(record).Decode(&d)
					if d.Err() != ErrShort {
						t.Errorf("%d of %d bytes: err %v, want %v", n, len(whole), d.Err(), ErrShort)
					}
				}
			}
		})
	}
}

func hasReadOnly(r record) bool {
	switch r := r.(type) {
	case *ConnectRequest:
		return r.HasReadOnly
	case *ConnectResponse:
		return r.HasReadOnly
	}
	return false
}

func TestConnectRequestEnding(t *testing.T) {
	base := (&ConnectRequest{Timeout: 4000, Passwd: make([]byte, 16)}).Append(nil)
	if len(base) != 44 {
		t.Fatalf("request without the read-only byte has %d bytes, want 44", len(base))
	}
	tests := []struct {
		name              string
		tail              []byte
		wantRO, wantHasRO bool
	}{
		{"3.3 client", nil, false, false},
		{"read-write", []byte{0}, false, true},
		{"read-only", []byte{1}, true, true},
		{"any byte but 0 is true", []byte{0x80}, true, true},
		{"extra bytes", []byte{0, 1, 2, 3}, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var r ConnectRequest
			d := NewDecoder(append(base[:44:44], tt.tail...))
			r.Decode(&d)
			if d.Err() != nil || r.ReadOnly != tt.wantRO || r.HasReadOnly != tt.wantHasRO || r.Timeout != 4000 {
				t.Errorf("got %+v, err %v; want ReadOnly %v, HasReadOnly %v", r, d.Err(), tt.wantRO, tt.wantHasRO)
			}
		})
	}
}

func TestNames(t *testing.T) {
	tests := []struct{ got, want string }{
		{OpCreate.String(), "create"},
		{OpGetACL.String(), "getACL"},
		{OpGetAllChildrenNumber.String(), "getAllChildrenNumber"},
		{OpCloseSession.String(), "closeSession"},
		{OpCode(10).String(), "unknown(10)"},
		{SessionID(-1).String(), "0xffffffffffffffff"},
		{SessionID(0x100001eefec0000).String(), "0x100001eefec0000"},
		{ErrNoNode.Name(), "NoNode"},
		{ErrNoNode.Error(), "zookeeper: NoNode (-101)"},
		{ErrCode(-126).Error(), "zookeeper: -126 (-126)"},
		{EventNodeChildrenChanged.String(), "NodeChildrenChanged"},
		{EventType(9).String(), "None"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}

func TestCreateModes(t *testing.T) {
	tests := []struct {
		flags                             int32
		valid, sequential, ephemeral, ttl bool
	}{
		{-1, false, false, false, false},
		{CreateModePersistent, true, false, false, false},
		{CreateModeEphemeral, true, false, true, false},
		{CreateModePersistentSequential, true, true, false, false},
		{CreateModeEphemeralSequential, true, true, true, false},
		{CreateModeContainer, true, false, false, false},
		{CreateModePersistentTTL, true, false, false, true},
		{CreateModePersistentSequentialTTL, true, true, false, true},
		{7, false, false, false, false},
	}
	for _, tt := range tests {
		got := [4]bool{ValidCreateMode(tt.flags), Sequential(tt.flags), Ephemeral(tt.flags), HasTTL(tt.flags)}
		if want := [4]bool{tt.valid, tt.sequential, tt.ephemeral, tt.ttl}; got != want {
			t.Errorf("flags %d: valid, sequential, ephemeral, ttl = %v, want %v", tt.flags, got, want)
		}
	}
}
