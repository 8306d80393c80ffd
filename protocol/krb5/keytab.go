package krb5

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// MaxFileBytes is the longest keytab, or credential cache, that is looked at. They hold
// a few keys of 20 to 100 bytes, or tickets of some kilobytes.
const MaxFileBytes = 1 << 20

// maxKeys is how many keys of one principal are tried.
const maxKeys = 64

var (
	// errKeytab is what a file gives that is no keytab, or a damaged one.
	errKeytab = errors.New("not a keytab of version 5.2, or damaged")
	errLarge  = errors.New("larger than 1 MiB")
)

// KeytabEntry is one key of a keytab.
type KeytabEntry struct {
	Principal Principal
	KVNO      uint32 // the key's version
	Type      EType  // maybe one that is not known
	Value     []byte // secret
}

// KeysOf reads a keytab of version 5.2 (MIT Kerberos, "Keytab file format"), and returns
// the keys of a principal that can be used. That there is none is an error, which names
// whose keys there are.
func KeysOf(data []byte, p Principal) ([]KeytabEntry, error) {
	entries, err := parseKeytab(data)
	if err != nil {
		return nil, err
	}
	var keys []KeytabEntry
	var others []string // why not, for a person to read
	for _, e := range entries {
		name := e.Principal.String()
		switch {
		case name == p.String() && e.Type.known():
			if _, err := newKey(e.Type, e.Value); err != nil {
				return nil, err
			}
			keys = append(keys, e)
		case name == p.String():
			others = append(others, fmt.Sprintf("%s with %v, which is not supported", name, e.Type))
		case len(others) < 8 && !slices.Contains(others, name):
			others = append(others, name)
		}
	}
	switch {
	case len(keys) == 0:
		return nil, fmt.Errorf("no key of %v; it has %q", p, others)
	case len(keys) > maxKeys:
		return nil, fmt.Errorf("%d keys of %v, and %d are allowed", len(keys), p, maxKeys)
	}
	return keys, nil
}

// parseKeytab passes over entries that were deleted.
func parseKeytab(data []byte) ([]KeytabEntry, error) {
	if len(data) > MaxFileBytes {
		return nil, errLarge
	}
	if len(data) < 2 || data[0] != 5 || data[1] != 2 {
		return nil, errKeytab
	}
	var entries []KeytabEntry
	r := reader{data[2:], false}
	for len(r.left) > 0 {
		size := int32(r.uint32())
		if size == 0 && !r.short {
			break // nothing counts from here on
		}
		if size < 0 && !r.short { // a hole
			r.bytes(-int64(size))
			continue
		}
		e, ok := parseEntry(r.bytes(int64(size)))
		if r.short || !ok {
			return nil, fmt.Errorf("entry %d: %w", len(entries)+1, errKeytab)
		}
		entries = append(entries, e)
	}
	if r.short {
		return nil, errKeytab
	}
	return entries, nil
}

func parseEntry(data []byte) (KeytabEntry, bool) {
	r := reader{data, false}
	var e KeytabEntry
	n := int(r.uint16())
	if n > maxComponents {
		return e, false
	}
	e.Principal.Realm = string(r.counted())
	for range n {
		e.Principal.Components = append(e.Principal.Components, string(r.counted()))
	}
	r.uint32() // type of the name
	r.uint32() // when it was written
	e.KVNO = uint32(r.uint8())
	e.Type = EType(r.uint16())
	e.Value = r.counted()
	if r.short {
		return e, false
	}
	if len(r.left) >= 4 { // the whole version, where it is not 0
		if v := r.uint32(); v != 0 {
			e.KVNO = v
		}
	}
	return e, true
}

// reader takes big-endian numbers off left, and zeros where there is too little.
type reader struct {
	left  []byte
	short bool
}

func (r *reader) bytes(n int64) []byte {
	if n < 0 || n > int64(len(r.left)) {
		r.short, r.left = true, nil
		return nil
	}
	b := r.left[:n:n]
	r.left = r.left[n:]
	return b
}

func (r *reader) number(n int64) uint32 {
	var b [4]byte
	copy(b[4-n:], r.bytes(n))
	return binary.BigEndian.Uint32(b[:])
}

func (r *reader) uint8() uint8    { return uint8(r.number(1)) }
func (r *reader) uint16() uint16  { return uint16(r.number(2)) }
func (r *reader) uint32() uint32  { return r.number(4) }
func (r *reader) counted() []byte { return r.bytes(int64(r.uint16())) }
