package differ

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// reader takes a frame apart; its first failure sticks.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.bad, r.b = true, nil
		return make([]byte, max(n, 0)&0xff)
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) i32() int32 {
	if v := r.take(4); !r.bad {
		return int32(binary.BigEndian.Uint32(v))
	}
	return 0
}

func (r *reader) i64() int64 {
	if v := r.take(8); !r.bad {
		return int64(binary.BigEndian.Uint64(v))
	}
	return 0
}

func (r *reader) byte() string {
	if v := r.take(1); !r.bad {
		return strconv.Itoa(int(v[0]))
	}
	return ""
}

// str is a string or buffer as a Go string, or null. What is long is told by its length and its ends.
func (r *reader) str() string {
	n := r.i32()
	if n == -1 {
		return "null"
	}
	v := r.take(int(n))
	if r.bad {
		return "?"
	}
	if len(v) > 256 {
		return fmt.Sprintf("%q...%q(%d)", v[:16], v[len(v)-16:], len(v))
	}
	return strconv.Quote(string(v))
}

func (r *reader) list(sorted bool, element func() string) string {
	n := r.i32()
	if n < 0 {
		return fmt.Sprintf("list(%d)", n)
	}
	var all []string
	for i := int32(0); i < n && !r.bad; i++ {
		all = append(all, element())
	}
	if sorted {
		slices.Sort(all)
	}
	return "[" + strings.Join(all, " ") + "]"
}

func (r *reader) stat(n *normal) string {
	czxid, mzxid, ctime, mtime := r.i64(), r.i64(), r.i64(), r.i64()
	version, cversion, aversion := r.i32(), r.i32(), r.i32()
	owner, length, children, pzxid := r.i64(), r.i32(), r.i32(), r.i64()
	if r.bad {
		return "stat?"
	}
	return fmt.Sprintf("stat{c=%s m=%s p=%s ctime=%s mtime=%s v=%d cv=%d av=%d owner=%s len=%d kids=%d}",
		n.zxid(czxid), n.zxid(mzxid), n.zxid(pzxid), n.time(czxid, ctime), n.time(mzxid, mtime),
		version, cversion, aversion, n.owner(owner), length, children)
}

func (r *reader) acl() string {
	perms := r.i32()
	return fmt.Sprintf("%s:%s:%d", r.str(), r.str(), perms)
}

// body is what follows the header of a reply to op.
func (r *reader) body(n *normal, op int32) string {
	switch op {
	case 1, 9: // create, sync
		return r.str()
	case 15, 19, 21: // create2, createContainer, createTTL
		return r.str() + " " + r.stat(n)
	case 3, 5, 7: // exists, setData, setACL
		return r.stat(n)
	case 4, 16: // getData, reconfig
		return r.str() + " " + r.stat(n)
	case 6: // getACL
		return r.list(false, r.acl) + " " + r.stat(n)
	case 8: // getChildren
		return r.list(true, r.str)
	case 12: // getChildren2
		return r.list(true, r.str) + " " + r.stat(n)
	case 14, 22:
		return r.multi(n)
	case 102: // sasl
		return r.str()
	case 103: // getEphemerals
		return r.list(true, r.str)
	case 104, 106: // getAllChildrenNumber, addWatch
		return strconv.Itoa(int(r.i32()))
	case 107: // whoAmI
		return r.list(true, func() string { return r.str() + ":" + r.str() })
	}
	return ""
}

func (r *reader) multi(n *normal) string {
	var all []string
	for !r.bad {
		op, done, code := r.i32(), r.byte(), r.i32()
		if done != "0" {
			all = append(all, fmt.Sprintf("end(%d,%d)", op, code))
			break
		}
		text := fmt.Sprintf("{%d,%d", op, code)
		if op == -1 {
			text += fmt.Sprintf(" %d", r.i32())
		} else if b := r.body(n, op); b != "" {
			text += " " + b
		}
		all = append(all, text+"}")
	}
	return strings.Join(all, " ")
}

// rest tells of what was left over or lacking.
func (r *reader) rest(text string, payload []byte) string {
	if r.bad {
		return text + " UNDECODABLE " + hex.EncodeToString(payload)
	}
	if len(r.b) > 0 {
		return text + " TRAILING " + hex.EncodeToString(r.b)
	}
	return text
}

// reply is the text of a reply to op, and its zxid and error.
func reply(n *normal, op int32, payload []byte) (text string, zxid int64, code int32) {
	r := &reader{b: payload}
	xid := r.i32()
	zxid = r.i64()
	code = r.i32()
	text = fmt.Sprintf("reply %d %s %s", xid, n.zxid(zxid), errorName(code))
	if code == 0 || len(r.b) > 0 && (op == 14 || op == 22 || op == 102) {
		if b := r.body(n, op); b != "" {
			text += " " + b
		}
	}
	return r.rest(text, payload), zxid, code
}

// event is the text of a watch event.
func event(n *normal, payload []byte) (text string, zxid int64) {
	r := &reader{b: payload}
	xid := r.i32()
	zxid = r.i64()
	code := r.i32()
	typ, state := r.i32(), r.i32()
	name := strconv.Itoa(int(typ))
	switch typ {
	case 1:
		name = "created"
	case 2:
		name = "deleted"
	case 3:
		name = "changed"
	case 4:
		name = "children"
	}
	text = fmt.Sprintf("event %s %s %s", n.zxid(zxid), name, r.str())
	if xid != -1 || code != 0 || state != 3 {
		text += fmt.Sprintf(" xid=%d err=%d state=%d", xid, code, state)
	}
	return r.rest(text, payload), zxid
}

// connected is the text of a ConnectResponse. The password's bytes are the server's own affair.
func connected(n *normal, who string, payload []byte) (text string, id int64, passwd []byte) {
	r := &reader{b: payload}
	version, timeout := r.i32(), r.i32()
	id = r.i64()
	length := r.i32()
	if length > 0 {
		passwd = slices.Clone(r.take(int(length)))
	}
	ro := "none"
	if len(r.b) > 0 {
		ro = r.byte()
	}
	secret := fmt.Sprintf("%d bytes", length)
	if length > 0 && !slices.ContainsFunc(passwd, func(b byte) bool { return b != 0 }) {
		secret = fmt.Sprintf("%d zeros", length)
	}
	if _, known := n.sessions[id]; !known && id != 0 {
		n.sessions[id] = who
	}
	text = fmt.Sprintf("connected version=%d timeout=%d %s passwd=%s ro=%s", version, timeout, n.owner(id), secret, ro)
	return r.rest(text, payload), id, passwd
}

// errorName is an error's name in words that are easy to read in a difference.
func errorName(code int32) string {
	if name, ok := errorNames[code]; ok {
		return name
	}
	return strconv.Itoa(int(code))
}

var errorNames = map[int32]string{
	0: "ok", -5: "Marshalling", -6: "Unimplemented", -8: "BadArguments", -13: "NewConfigNoQuorum", -14: "ReconfigInProgress",
	-101: "NoNode", -102: "NoAuth", -103: "BadVersion", -108: "NoChildrenForEphemerals", -110: "NodeExists",
	-111: "NotEmpty", -112: "SessionExpired", -114: "InvalidACL", -115: "AuthFailed", -119: "NotReadOnly",
	-120: "EphemeralOnLocalSession", -121: "NoWatcher", -123: "ReconfigDisabled", -124: "SessionClosedRequireAuth",
	-125: "QuotaExceeded", -127: "ThrottledOp",
}
