package protocol

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime"
	"testing"

	"zooraft/tests/testkit"
)

func TestMalformedInput(t *testing.T) {
	acls := func(d *Decoder) any { v, null := DecodeACLs(d); return []any{v, null} }
	null := func(d *Decoder) any { s, null := d.StringNull(); return []any{s, null} }
	tests := []struct {
		name  string
		in    string
		read  func(*Decoder) any
		want  any
		err   error
		after int // bytes left
	}{
		{"int32 short", "000000", func(d *Decoder) any { return d.Int32() }, int32(0), ErrShort, 0},
		{"int64 short", "00000000000000", func(d *Decoder) any { return d.Int64() }, int64(0), ErrShort, 0},
		{"bool short", "", func(d *Decoder) any { return d.Bool() }, false, ErrShort, 0},
		{"bool not 0 or 1", "42 00", func(d *Decoder) any { return d.Bool() }, true, nil, 1},
		{"buffer null", "ffffffff 00", func(d *Decoder) any { return d.Buffer() }, []byte(nil), nil, 1},
		{"buffer empty", "00000000 00", func(d *Decoder) any { return d.Buffer() }, []byte{}, nil, 1},
		{"buffer empty at the end", "00000000", func(d *Decoder) any { return d.Buffer() }, []byte{}, nil, 0},
		{"buffer of -2", "fffffffe 00", func(d *Decoder) any { return d.Buffer() }, []byte(nil), ErrLength, 0},
		{"buffer of minus 2 GiB", "80000000 00", func(d *Decoder) any { return d.Buffer() }, []byte(nil), ErrLength, 0},
		{"buffer longer than the input", "00000003 0000", func(d *Decoder) any { return d.Buffer() }, []byte(nil), ErrShort, 0},
		{"buffer of 2 GiB", "7fffffff 0000", func(d *Decoder) any { return d.Buffer() }, []byte(nil), ErrShort, 0},
		{"buffer without length", "0000", func(d *Decoder) any { return d.Buffer() }, []byte(nil), ErrShort, 0},
		{"string null", "ffffffff", func(d *Decoder) any { return d.String() }, "", nil, 0},
		{"string of -2", "fffffffe", func(d *Decoder) any { return d.String() }, "", ErrLength, 0},
		{"string null told apart", "ffffffff", null, []any{"", true}, nil, 0},
		{"string empty told apart", "00000000", null, []any{"", false}, nil, 0},
		{"string missing is not null", "", null, []any{"", false}, ErrShort, 0},
		{"path null", "ffffffff 00", func(d *Decoder) any { return d.Path() }, "", ErrNull, 1},
		{"path empty", "00000000", func(d *Decoder) any { return d.Path() }, "", nil, 0},
		{"shared path null", "ffffffff 00", func(d *Decoder) any { return d.pathShared() }, "", ErrNull, 1},
		{"shared path empty", "00000000", func(d *Decoder) any { return d.pathShared() }, "", nil, 0},
		{"shared path", "00000002 2f61 00", func(d *Decoder) any { return d.pathShared() }, "/a", nil, 1},
		{"shared path repaired", "00000003 2fff61", func(d *Decoder) any { return d.pathShared() }, "/\ufffda", nil, 0},
		{"shared path too long", "00000003 2f", func(d *Decoder) any { return d.pathShared() }, "", ErrShort, 0},
		{"strings null", "ffffffff 00", func(d *Decoder) any { return d.Strings() }, []string(nil), ErrNull, 0},
		{"strings of -2 is empty", "fffffffe 00", func(d *Decoder) any { return d.Strings() }, []string{}, nil, 1},
		{"strings with null", "00000002 00000001 61 ffffffff", func(d *Decoder) any { return d.Strings() }, []string(nil), ErrNull, 0},
		{"strings one too few", "00000002 00000001 61", func(d *Decoder) any { return d.Strings() }, []string(nil), ErrShort, 0},
		{"strings of minus 2 G is empty", "80000000 00", func(d *Decoder) any { return d.Strings() }, []string{}, nil, 1},
		{"strings of 2 G", "7fffffff 00000001 61", func(d *Decoder) any { return d.Strings() }, []string(nil), ErrShort, 0},
		{"acls null", "ffffffff", acls, []any{[]ACL(nil), true}, nil, 0},
		{"acls of -3 is empty", "fffffffd", acls, []any{[]ACL{}, false}, nil, 0},
		{"acls of 2 G", "7fffffff", acls, []any{[]ACL(nil), false}, ErrShort, 0},
		{"acl with null scheme and id", "00000001 00000000 ffffffff ffffffff", acls, []any{[]ACL{{NullID: true}}, false}, nil, 0},
		{"acl cut", "00000001 00000000 ffffffff fffffffe", acls, []any{[]ACL(nil), false}, ErrLength, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := NewDecoder(testkit.Unhex(t, tt.in))
			got := tt.read(&d)
			if g, w := fmt.Sprintf("%#v", got), fmt.Sprintf("%#v", tt.want); g != w {
				t.Errorf("got %s, want %s", g, w)
			}
			if d.Err() != tt.err || d.Remaining() != tt.after {
				t.Errorf("err %v, want %v; %d bytes left, want %d", d.Err(), tt.err, d.Remaining(), tt.after)
			}
			s := NewSharingDecoder(testkit.Unhex(t, tt.in))
			if g, w := fmt.Sprintf("%#v", tt.read(&s)), fmt.Sprintf("%#v", tt.want); g != w || s.Err() != tt.err || s.Remaining() != tt.after {
				t.Errorf("sharing: got %s, err %v, %d bytes left; want %s, %v, %d", g, s.Err(), s.Remaining(), w, tt.err, tt.after)
			}
		})
	}
}

func TestFirstErrorSticks(t *testing.T) {
	d := NewDecoder(testkit.Unhex(t, "fffffffe 00000001 00000002 00000003 01"))
	d.Buffer()
	s, sNull := d.StringNull()
	acls, aNull := DecodeACLs(&d)
	if d.Int32() != 0 || d.Int64() != 0 || d.Bool() || d.Buffer() != nil || d.String() != "" || d.Path() != "" ||
		d.Strings() != nil || s != "" || sNull || acls != nil || aNull || d.Remaining() != 0 {
		t.Error("a read after an error gave something")
	}
	if d.Err() != ErrLength {
		t.Errorf("err %v, want the first, %v", d.Err(), ErrLength)
	}
}

func TestBufferAliasesInput(t *testing.T) {
	in := testkit.Unhex(t, "00000002 6162 63")
	d := NewDecoder(in)
	b := d.Buffer()
	if &b[0] != &in[4] {
		t.Error("Buffer copied")
	}
	_ = append(b, 'x')
	if in[6] != 'c' {
		t.Error("appending to a Buffer wrote into the input")
	}
	d = NewDecoder(in)
	s := d.String()
	in[4] = 'z'
	if s != "ab" {
		t.Errorf("String is no copy: %q", s)
	}
}

// The right-hand sides were printed by Java 17.
func TestMalformedUTF8IsReplacedAsInJava(t *testing.T) {
	tests := []struct{ in, want string }{
		{"c3", "�"},
		{"c328", "�("},
		{"e28228a1", "�(�"},
		{"eda080", "�"},
		{"eda0", "�"},
		{"eda041", "�A"},
		{"eda080edb080", "��"},
		{"eda0c3a9", "�é"},
		{"f09f9880", "😀"},
		{"f09f98", "�"},
		{"f09f9841", "�A"},
		{"f08080", "���"},
		{"f4908080", "����"},
		{"c080", "��"},
		{"e08080", "���"},
		{"6180f0904261", "a��Ba"},
		{"efbfbd", "�"},
		{"2f6100", "/a\x00"},
	}
	for _, tt := range tests {
		d := NewDecoder(AppendBuffer(nil, testkit.Unhex(t, tt.in)))
		if got := d.String(); got != tt.want || d.Err() != nil {
			t.Errorf("%s: got %q, err %v; want %q", tt.in, got, d.Err(), tt.want)
		}
	}
}

// All strings of one to four bytes from an alphabet of edge cases, against the
// digest of what Java 17 makes of them (new String(bytes, UTF_8), back to UTF-8,
// one line "input output" each, in hexadecimal).
func TestMalformedUTF8Exhaustively(t *testing.T) {
	const java = "6b1b5c1f9f746734e6734809fe43681f981f2e2828e21c522ece66693310ae8d"
	alphabet := testkit.Unhex(t, "41 80 8f 90 9f a0 bf c0 c2 df e0 e1 ed ef f0 f1 f4 f5 ff")
	h := sha256.New()
	var walk func(prefix []byte, n int)
	walk = func(prefix []byte, n int) {
		if n == 0 {
			d := NewDecoder(AppendBuffer(nil, prefix))
			fmt.Fprintf(h, "%x %x\n", prefix, d.String())
			return
		}
		for _, c := range alphabet {
			walk(append(prefix, c), n-1)
		}
	}
	for n := 1; n <= 4; n++ {
		walk(make([]byte, 0, 4), n)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != java {
		t.Errorf("digest %s, Java's is %s", got, java)
	}
}

func TestAppendString(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"empty", "", "00000000"},
		{"ascii", "/a", "00000002 2f61"},
		{"nul is one byte", "\x00", "00000001 00"},
		{"two and three bytes", "é€", "00000005 c3a9 e282ac"},
		{"last of the basic plane", "\uffff", "00000003 efbfbf"},
		{"first above it", "\U00010000", "00000006 eda080 edb080"},
		{"emoji between others", "a😀é", "00000009 61 eda0bd edb880 c3a9"},
		{"last of all", "\U0010ffff", "00000006 edafbf edbfbf"},
		{"not UTF-8 stays", "\xff\xf0😀\x80", "00000009 fff0 eda0bd edb880 80"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, want := AppendString(nil, tt.in), testkit.Unhex(t, tt.want); !bytes.Equal(got, want) {
				t.Errorf("got %x, want %x", got, want)
			}
		})
	}
}

func TestAppendNulls(t *testing.T) {
	tests := []struct {
		name string
		got  []byte
		want string
	}{
		{"nil buffer is null", AppendBuffer(nil, nil), "ffffffff"},
		{"empty buffer is empty", AppendBuffer(nil, []byte{}), "00000000"},
		{"nil strings are empty", AppendStrings(nil, nil), "00000000"},
		{"strings", AppendStrings(nil, []string{"a", ""}), "00000002 00000001 61 00000000"},
		{"nil acls are empty", AppendACLs(nil, nil), "00000000"},
		{"null acls", (&SetACLRequest{Path: "/", ACLNull: true}).Append(nil), "00000001 2f ffffffff 00000000"},
		{"null id", (&ACL{Perms: 1, Scheme: "auth", NullID: true}).Append(nil), "00000001 00000004 61757468 ffffffff"},
	}
	for _, tt := range tests {
		if want := testkit.Unhex(t, tt.want); !bytes.Equal(tt.got, want) {
			t.Errorf("%s: got %x, want %x", tt.name, tt.got, want)
		}
	}
}

// Counts and lengths that promise more than the input holds must fail before
// memory is taken for them; what is honestly there costs a bounded multiple.
func TestAllocationIsBounded(t *testing.T) {
	hostile := testkit.Unhex(t, "00000001 2f 00000000 7fffffff 00000000")
	bigMulti := make([]MultiOp, 20000)
	for i := range bigMulti {
		bigMulti[i] = MultiOp{Type: OpCheck}
	}
	bigReads := make([]MultiOp, 20000)
	for i := range bigReads {
		bigReads[i] = MultiOp{Type: OpGetData}
	}
	tests := []struct {
		name  string
		in    []byte
		read  func(*Decoder)
		limit uint64 // bytes allocated
	}{
		{"strings of 2 G", testkit.Unhex(t, "7fffffff 00000001 61"), func(d *Decoder) { d.Strings() }, 0},
		{"acls of 2 G", hostile, func(d *Decoder) { (&CreateRequest{}).Decode(d) }, 64},
		{"buffer of 2 GiB", testkit.Unhex(t, "7fffffff 61"), func(d *Decoder) { d.Buffer() }, 0},
		{"many empty strings", AppendStrings(nil, make([]string, 1<<18)), func(d *Decoder) { d.Strings() }, 1<<22 + 1<<13},
		{"multi of many checks", AppendMulti(nil, bigMulti), func(d *Decoder) { DecodeMulti(d) }, 20000 * 17 * 64},
		{"multi of many reads", AppendMulti(nil, bigReads), func(d *Decoder) { DecodeMultiRead(d) }, 20000 * 14 * 64},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			least := ^uint64(0) // of several runs: the runtime allocates now and then
			for range 5 {
				var before, after runtime.MemStats
				d := NewDecoder(tt.in)
				runtime.ReadMemStats(&before)
				tt.read(&d)
				runtime.ReadMemStats(&after)
				least = min(least, after.TotalAlloc-before.TotalAlloc)
			}
			if least > tt.limit {
				t.Errorf("%d bytes allocated for %d of input, limit %d", least, len(tt.in), tt.limit)
			}
		})
	}
}
