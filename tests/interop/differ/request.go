package differ

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// wire is bytes in the making, in ZooKeeper's encoding. It and the reader in reply.go are a second implementation, so
// that a fault of package protocol cannot hide from itself.
type wire []byte

func (w *wire) i32(v int32) { *w = binary.BigEndian.AppendUint32(*w, uint32(v)) }
func (w *wire) i64(v int64) { *w = binary.BigEndian.AppendUint64(*w, uint64(v)) }
func (w *wire) bool(v bool) {
	if v {
		*w = append(*w, 1)
	} else {
		*w = append(*w, 0)
	}
}
func (w *wire) str(a arg) {
	if a.null {
		w.i32(-1)
		return
	}
	w.i32(int32(len(a.val)))
	*w = append(*w, a.val...)
}

// operation is a kind of request: its number and how its body comes out of a step's arguments.
type operation struct {
	number int32
	arity  int
	body   func(w *wire, e *env, args []arg) error
}

// env is what a request may refer to besides its arguments.
type env struct {
	root    string // what $ stands for
	zxid    func(text string) (int64, error)
	digests *digests
}

var operations map[string]operation

func init() {
	operations = map[string]operation{
		"create":               {1, 1, createBody(false)},
		"delete":               {2, 1, pathVersion},
		"exists":               {3, 1, pathWatch},
		"getData":              {4, 1, pathWatch},
		"setData":              {5, 1, setDataBody},
		"getACL":               {6, 1, pathOnly},
		"setACL":               {7, 1, setACLBody},
		"getChildren":          {8, 1, pathWatch},
		"sync":                 {9, 1, pathOnly},
		"ping":                 {11, 0, noBody},
		"getChildren2":         {12, 1, pathWatch},
		"check":                {13, 1, pathVersion},
		"multi":                {14, 0, multiBody},
		"create2":              {15, 1, createBody(false)},
		"reconfig":             {16, 0, reconfigBody},
		"checkWatches":         {17, 2, pathNumber},
		"removeWatches":        {18, 2, pathNumber},
		"createContainer":      {19, 1, createBody(false)},
		"deleteContainer":      {20, 1, pathOnly},
		"createTTL":            {21, 1, createBody(true)},
		"multiRead":            {22, 0, multiBody},
		"auth":                 {100, 1, authBody},
		"setWatches":           {101, 0, setWatchesBody(false)},
		"sasl":                 {102, 1, pathOnly},
		"digest":               {102, 2, digestBody},
		"getEphemerals":        {103, 1, pathOnly},
		"getAllChildrenNumber": {104, 1, pathOnly},
		"setWatches2":          {105, 0, setWatchesBody(true)},
		"addWatch":             {106, 2, pathNumber},
		"whoAmI":               {107, 0, noBody},
		"createSession":        {-10, 1, pathOnly},
		"close":                {-11, 0, noBody},
		// op NUMBER HEX: any operation with any body.
		"op": {0, 1, func(w *wire, _ *env, args []arg) error {
			if p := positional(args); len(p) > 1 {
				b, err := hex.DecodeString(p[1].val)
				*w = append(*w, b...)
				return err
			}
			return nil
		}},
		// frame HEX: a frame with this payload, header and all. bytes HEX: no frame at all.
		"frame": {0, 1, nil},
		"bytes": {0, 1, nil},
	}
}

func (e *env) expand(args []arg) []arg {
	out := make([]arg, len(args))
	for i, a := range args {
		if !a.null {
			a.val = strings.ReplaceAll(a.val, "$", e.root)
		}
		out[i] = a
	}
	return out
}

func noBody(*wire, *env, []arg) error { return nil }

func pathOnly(w *wire, _ *env, args []arg) error {
	w.str(positional(args)[0])
	return nil
}

// pathWatch: PATH [watch].
func pathWatch(w *wire, _ *env, args []arg) error {
	p := positional(args)
	w.str(p[0])
	w.bool(len(p) > 1 && p[1].val == "watch")
	return nil
}

// pathVersion: PATH [version=N].
func pathVersion(w *wire, _ *env, args []arg) error {
	w.str(positional(args)[0])
	return number32(w, args, "version", -1)
}

// pathNumber: PATH N.
func pathNumber(w *wire, _ *env, args []arg) error {
	p := positional(args)
	w.str(p[0])
	n, err := strconv.ParseInt(p[1].val, 0, 32)
	w.i32(int32(n))
	return err
}

func setDataBody(w *wire, _ *env, args []arg) error {
	p := positional(args)
	w.str(p[0])
	if err := data(w, p[1:]); err != nil {
		return err
	}
	return number32(w, args, "version", -1)
}

func setACLBody(w *wire, _ *env, args []arg) error {
	w.str(positional(args)[0])
	if err := aclList(w, args); err != nil {
		return err
	}
	return number32(w, args, "version", -1)
}

// createBody: PATH [DATA] [acl=...] [flags=N] [ttl=N].
func createBody(ttl bool) func(*wire, *env, []arg) error {
	return func(w *wire, _ *env, args []arg) error {
		p := positional(args)
		w.str(p[0])
		if err := data(w, p[1:]); err != nil {
			return err
		}
		if err := aclList(w, args); err != nil {
			return err
		}
		flags := "0"
		if ttl {
			flags = "5"
		}
		if f, ok := named(args, "flags"); ok {
			flags = f.val
		}
		n, err := strconv.ParseInt(flags, 0, 32)
		if err != nil {
			return err
		}
		w.i32(int32(n))
		if !ttl {
			return nil
		}
		t, ok := named(args, "ttl")
		if !ok {
			t.val = "60000"
		}
		v, err := strconv.ParseInt(t.val, 0, 64)
		w.i64(v)
		return err
	}
}

// data: a string, ~ for null, nothing for empty, hex:..., or fill:N for N bytes.
func data(w *wire, p []arg) error {
	if len(p) == 0 {
		w.i32(0)
		return nil
	}
	a := p[0]
	if a.quoted || a.null {
		w.str(a)
		return nil
	}
	if h, ok := strings.CutPrefix(a.val, "hex:"); ok {
		b, err := hex.DecodeString(h)
		w.str(arg{val: string(b)})
		return err
	}
	if f, ok := strings.CutPrefix(a.val, "fill:"); ok {
		n, err := strconv.Atoi(f)
		if err != nil || n < 0 || n > 4<<20 {
			return fmt.Errorf("bad size in %s", a.val)
		}
		w.str(arg{val: strings.Repeat("x", n)})
		return nil
	}
	w.str(a)
	return nil
}

// aclList: acl=SCHEME:ID:PERMS,... with ~ for null in place of a scheme, an id or the list, or acl=none for the empty
// one. Without it everyone may do everything.
func aclList(w *wire, args []arg) error {
	a, ok := named(args, "acl")
	switch {
	case !ok:
		a.val = "world:anyone:31"
	case a.null:
		w.i32(-1)
		return nil
	case a.val == "none":
		w.i32(0)
		return nil
	}
	entries := strings.Split(a.val, ",")
	w.i32(int32(len(entries)))
	for _, entry := range entries {
		scheme, rest, ok := strings.Cut(entry, ":")
		i := strings.LastIndexByte(rest, ':')
		if !ok || i < 0 {
			return fmt.Errorf("bad ACL %q", entry)
		}
		perms, err := strconv.ParseInt(rest[i+1:], 0, 32)
		if err != nil {
			return err
		}
		w.i32(int32(perms))
		w.str(arg{val: scheme, null: scheme == "~"})
		w.str(arg{val: rest[:i], null: rest[:i] == "~"})
	}
	return nil
}

func number32(w *wire, args []arg, key string, otherwise int32) error {
	a, ok := named(args, key)
	if !ok {
		w.i32(otherwise)
		return nil
	}
	n, err := strconv.ParseInt(a.val, 0, 32)
	w.i32(int32(n))
	return err
}

// authBody: SCHEME [DATA].
func authBody(w *wire, _ *env, args []arg) error {
	p := positional(args)
	if err := number32(w, args, "type", 0); err != nil {
		return err
	}
	w.str(p[0])
	return data(w, p[1:])
}

// reconfigBody: [joining=...] [leaving=...] [new=...] [config=N].
func reconfigBody(w *wire, e *env, args []arg) error {
	for _, key := range []string{"joining", "leaving", "new"} {
		a, ok := named(args, key)
		a.null = a.null || !ok
		w.str(a)
	}
	a, ok := named(args, "config")
	if !ok {
		w.i64(-1)
		return nil
	}
	v, err := e.zxid(a.val)
	w.i64(v)
	return err
}

// setWatchesBody: zxid=Z [data=A,B] [exist=...] [child=...] [persistent=...] [recursive=...]; ~ is the null list.
func setWatchesBody(two bool) func(*wire, *env, []arg) error {
	return func(w *wire, e *env, args []arg) error {
		a, ok := named(args, "zxid")
		if !ok {
			a.val = "last"
		}
		v, err := e.zxid(a.val)
		if err != nil {
			return err
		}
		w.i64(v)
		lists := []string{"data", "exist", "child"}
		if two {
			lists = append(lists, "persistent", "recursive")
		}
		for _, key := range lists {
			a, ok := named(args, key)
			switch {
			case !ok || a.val == "":
				w.i32(0)
			case a.null:
				w.i32(-1)
			default:
				paths := strings.Split(a.val, ",")
				w.i32(int32(len(paths)))
				for _, p := range paths {
					w.str(arg{val: p, null: p == "~"})
				}
			}
		}
		return nil
	}
}

// multiBody: sub-operations parted by ";". The word open at the end leaves out the end mark.
func multiBody(w *wire, e *env, args []arg) error {
	open := false
	for len(args) > 0 {
		end := 0
		for end < len(args) && (args[end].val != ";" || args[end].quoted) {
			end++
		}
		sub := args[:end]
		args = args[min(end+1, len(args)):]
		if len(sub) == 0 {
			continue
		}
		if sub[0].val == "open" {
			open = true
			continue
		}
		op, ok := operations[sub[0].val]
		if !ok || op.body == nil || len(positional(sub))-1 < op.arity {
			return fmt.Errorf("bad sub-operation %q", sub[0].val)
		}
		if sub[0].val == "op" {
			n, err := strconv.ParseInt(positional(sub)[1].val, 0, 32)
			if err != nil {
				return err
			}
			op.number = int32(n)
		}
		w.i32(op.number)
		w.bool(false)
		w.i32(-1)
		if err := op.body(w, e, sub[1:]); err != nil {
			return err
		}
	}
	if !open {
		w.i32(-1)
		w.bool(true)
		w.i32(-1)
	}
	return nil
}

// frame is a request's payload: header and body. cut=N takes bytes off its end, extra=HEX adds some.
func frame(xid int32, c *command, e *env) (payload []byte, op int32, err error) {
	o := operations[c.verb]
	args := e.expand(c.args)
	if c.verb == "op" {
		n, err := strconv.ParseInt(positional(args)[0].val, 0, 32)
		if err != nil {
			return nil, 0, err
		}
		o.number = int32(n)
	}
	var w wire
	w.i32(xid)
	w.i32(o.number)
	if err := o.body(&w, e, args); err != nil {
		return nil, 0, err
	}
	if a, ok := named(args, "cut"); ok {
		n, err := strconv.Atoi(a.val)
		if err != nil || n < 0 || n > len(w) {
			return nil, 0, fmt.Errorf("bad cut %q", a.val)
		}
		w = w[:len(w)-n]
	}
	if a, ok := named(args, "extra"); ok {
		b, err := hex.DecodeString(a.val)
		if err != nil {
			return nil, 0, err
		}
		w = append(w, b...)
	}
	return w, o.number, nil
}
