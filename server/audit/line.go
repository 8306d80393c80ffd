package audit

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"zooraft/fsm"
	"zooraft/fsm/tree"
	"zooraft/protocol"
)

// Who is a client: its session, and its address without the port.
type Who struct {
	Session protocol.SessionID
	IP      string
}

// Operations of ZooKeeper's audit log (org.apache.zookeeper.audit.AuditConstants).
const (
	opStart     = "serverStart"
	opStop      = "serverStop"
	opCreate    = "create"
	opDelete    = "delete"
	opSetData   = "setData"
	opSetACL    = "setAcl"
	opMulti     = "multiOperation"
	opReconfig  = "reconfig"
	opEphemeral = "ephemeralZNodeDeletionOnSessionCloseOrExpire"
	opLost      = "auditLost" // this server's own
)

// Results.
const (
	Success = "success"
	Failure = "failure"
	Invoked = "invoked" // whatever then comes of it
)

// event is what makes a line. Empty fields are left out, but for those that are
// there and empty.
type event struct {
	session  protocol.SessionID
	user, ip string
	op       string
	znode    string
	hasZnode bool
	mode     string
	acl      string
	hasACL   bool
	count    int // of opLost
	result   string
}

// append writes the line. The class stands as ZooKeeper's logback.xml abbreviates it.
func (e *event) append(b []byte, now time.Time) []byte {
	level := "INFO"
	if e.result == Failure {
		level = "ERROR"
	}
	b = now.AppendFormat(b, "2006-01-02 15:04:05")
	b = fmt.Appendf(b, ",%03d %s o.a.z.a.Slf4jAuditLogger: ", now.Nanosecond()/1e6, level)
	if e.session != 0 {
		b = append(b, "session=0x"...)
		b = strconv.AppendUint(b, uint64(e.session), 16)
		b = append(b, '\t')
	}
	field := func(key, value string, there bool) {
		if there {
			b = append(append(b, key...), '=')
			b = append(appendPlain(b, value), '\t')
		}
	}
	field("user", e.user, true)
	field("ip", e.ip, e.ip != "")
	field("operation", e.op, true)
	field("znode", e.znode, e.hasZnode)
	field("znode_type", e.mode, e.mode != "")
	field("acl", e.acl, e.hasACL)
	if e.op == opLost {
		field("count", strconv.Itoa(e.count), true)
	}
	return append(append(append(b, "result="...), e.result...), '\n')
}

// appendPlain appends text with what could end a line or a field, or hide one,
// escaped. ZooKeeper writes it as it is.
func appendPlain(b []byte, text string) []byte {
	for _, r := range text {
		switch {
		case r == '\t':
			b = append(b, `\t`...)
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Cf, r):
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = append(b, string(r)...)
		}
	}
	return b
}

// users is what ZooKeeper calls a session's identities: without their schemes, a
// digest without its hash; the super user by the digest that made it one
// (org.apache.zookeeper.server.util.AuthUtil), or by the id that says what else did.
func users(ids []protocol.ID) string {
	var names []string
	for _, id := range ids {
		switch id.Scheme {
		case "super":
			if id.ID != "" {
				names = append(names, id.ID)
			}
		case "digest":
			name, _, _ := strings.Cut(id.ID, ":")
			names = append(names, name)
		default:
			names = append(names, id.ID)
		}
	}
	return strings.Join(names, ",")
}

// modes are the create modes as AuditHelper writes them.
var modes = map[int32]string{
	protocol.CreateModePersistent:              "persistent",
	protocol.CreateModeEphemeral:               "ephemeral",
	protocol.CreateModePersistentSequential:    "persistent_sequential",
	protocol.CreateModeEphemeralSequential:     "ephemeral_sequential",
	protocol.CreateModeContainer:               "container",
	protocol.CreateModePersistentTTL:           "persistent_with_ttl",
	protocol.CreateModePersistentSequentialTTL: "persistent_sequential_with_ttl",
}

func aclText(acls []protocol.ACL) string {
	var b strings.Builder
	for _, a := range acls {
		b.WriteString(a.Scheme + ":" + a.ID + ":")
		for i, perm := range [...]int32{protocol.PermCreate, protocol.PermDelete, protocol.PermRead, protocol.PermWrite, protocol.PermAdmin} {
			if a.Perms&perm != 0 {
				b.WriteByte("cdrwa"[i])
			}
		}
	}
	return b.String()
}

// events yields the lines of a request (org.apache.zookeeper.audit.AuditHelper). As
// there, one that does not decode has none, nor has one with flags that are no create
// mode, and the parts of a multi have a type only where it was asked for under the
// path that came out, by other than createTTL.
func events(op protocol.OpCode, body []byte, r *fsm.Result, yield func(event)) {
	d := protocol.NewDecoder(body)
	e := event{result: Success, hasZnode: true}
	if r.Err != protocol.ErrOK {
		e.result = Failure
	}
	switch op {
	case protocol.OpCreate, protocol.OpCreate2, protocol.OpCreateContainer, protocol.OpCreateTTL:
		var q protocol.CreateRequest
		q.Decode(&d)
		e.op, e.znode, e.mode = opCreate, q.Path, modes[q.Flags]
		if e.mode == "" {
			return
		}
		if r.Err == protocol.ErrOK {
			e.znode = r.Path // with the sequence number
		}
	case protocol.OpDelete:
		var q protocol.DeleteRequest
		q.Decode(&d)
		e.op, e.znode = opDelete, q.Path
	case protocol.OpSetData:
		var q protocol.SetDataRequest
		q.Decode(&d)
		e.op, e.znode = opSetData, q.Path
	case protocol.OpSetACL:
		var q protocol.SetACLRequest
		q.Decode(&d)
		e.op, e.znode, e.acl, e.hasACL = opSetACL, q.Path, aclText(q.ACL), true
	case protocol.OpReconfig:
		e.op, e.hasZnode = opReconfig, r.Err == protocol.ErrOK
		if e.hasZnode {
			e.znode = tree.ConfigPath
		}
	case protocol.OpMulti:
		ops, err := protocol.DecodeMulti(&d)
		if err == nil {
			multiEvents(ops, r, yield)
		}
		return
	default:
		return
	}
	if d.Err() == nil {
		yield(e)
	}
}

func multiEvents(ops []protocol.MultiOp, r *fsm.Result, yield func(event)) {
	failed := r.Err != protocol.ErrOK
	for i := range r.Multi {
		failed = failed || r.Multi[i].Op == protocol.OpError || r.Multi[i].Err != protocol.ErrOK
	}
	if failed {
		yield(event{op: opMulti, result: Failure})
		return
	}
	asked := make(map[string]string)
	for i := range ops {
		if op := &ops[i]; op.Type == protocol.OpCreate || op.Type == protocol.OpCreate2 || op.Type == protocol.OpCreateContainer {
			asked[op.Create.Path] = modes[op.Create.Flags]
		}
	}
	for i := range ops {
		e := event{hasZnode: true, result: Success}
		switch op := &ops[i]; op.Type {
		case protocol.OpCreate, protocol.OpCreate2, protocol.OpCreateContainer, protocol.OpCreateTTL:
			e.op, e.znode = opCreate, op.Create.Path
			if i < len(r.Multi) {
				e.znode = r.Multi[i].Path
			}
			e.mode = asked[e.znode]
		case protocol.OpDelete:
			e.op, e.znode = opDelete, op.Delete.Path
		case protocol.OpSetData:
			e.op, e.znode = opSetData, op.SetData.Path
		default:
			continue
		}
		yield(e)
	}
}
