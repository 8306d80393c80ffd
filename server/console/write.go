package console

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"zooraft/fsm"
	"zooraft/fsm/acl"
	"zooraft/protocol"
	"zooraft/zabcompat"
)

// writeTimeout is how long the outcome of a write is waited for. Without a leader
// it comes when there is one again.
const (
	writeTimeout = 20 * time.Second
	writeLook    = 500 * time.Millisecond // whether there is still something to wait for
)

// Errors of a write that has no outcome here.
var (
	errUnknownOutcome = errors.New("the outcome is not known: the write may yet take effect")
	errBusy           = errors.New("too many writes of the console are under way")
)

// outcome is what became of a request: a copy of what apply lends.
type outcome struct {
	code protocol.ErrCode
	path string
	stat protocol.Stat
	zxid int64
	sub  protocol.ErrCode // of the operation of a multi that failed
}

// completion hands the outcome over to whoever still waits for it.
type completion chan outcome

// Complete implements fsm.Completion.
func (d completion) Complete(_ fsm.View, r *fsm.Result) {
	o := outcome{code: r.Err, path: strings.Clone(r.Path), stat: r.Stat, zxid: r.Zxid}
	for _, s := range r.Multi {
		if s.Err != protocol.ErrOK && s.Err != protocol.ErrRuntimeInconsistency {
			o.sub = s.Err
			break
		}
	}
	d <- o // it has room for the one outcome there is
}

// propose has a write committed with the rights of s, and waits for what becomes
// of it here. As one of a session that no other server knows of it is in nobody's
// order but its own.
func (c *Console) propose(r *http.Request, s *session, op protocol.OpCode, body []byte) (outcome, error) {
	kind := op
	if op == protocol.OpMulti {
		kind = protocol.OpDelete // there is nothing else in those of the console
	}
	if err := c.src.Writable(kind); err != nil {
		return outcome{}, err
	}
	select {
	case c.writes <- struct{}{}:
	default:
		return outcome{}, errBusy
	}
	defer func() { <-c.writes }()
	ip := acl.IPText(peer(r))
	ids := append([]protocol.ID{{Scheme: "ip", ID: ip}}, s.ids...)
	req := fsm.ClientRequest{Op: op, Options: c.cfg.Options | fsm.LocalSession, IDs: ids, Body: body}
	done := make(completion, 1)
	if err := c.src.Propose(ip, req.Append(nil), done); err != nil {
		return outcome{}, err
	}
	timeout := time.NewTimer(writeTimeout)
	defer timeout.Stop()
	look := time.NewTicker(writeLook)
	defer look.Stop()
	for {
		select {
		case o := <-done:
			return o, nil
		case <-look.C:
			if c.src.Writable(kind) == nil {
				continue
			}
		case <-timeout.C:
		case <-r.Context().Done():
		case <-c.stop:
		}
		return outcome{}, errUnknownOutcome
	}
}

// mayWrite answers if the console may not write at all.
func (c *Console) mayWrite(w http.ResponseWriter) bool {
	if !c.cfg.Write {
		fail(w, http.StatusForbidden, "ReadOnly", "the console may not write here: set admin.uiWrite=true")
	}
	return c.cfg.Write
}

// readWrite reads the body of a write, which base64 makes a third longer than what
// it stands for.
func (c *Console) readWrite(w http.ResponseWriter, r *http.Request, v any) bool {
	return c.mayWrite(w) && decode(w, r, c.cfg.MaxBuffer/3*4+64<<10, v)
}

// statuses are those of outcomes, 400 but for these.
var statuses = map[protocol.ErrCode]int{
	protocol.ErrNoNode: http.StatusNotFound, protocol.ErrNodeExists: http.StatusConflict, protocol.ErrBadVersion: http.StatusConflict,
	protocol.ErrNotEmpty: http.StatusConflict, protocol.ErrNoChildrenForEphemerals: http.StatusConflict,
	protocol.ErrQuotaExceeded: http.StatusConflict, protocol.ErrNoAuth: http.StatusForbidden,
}

// messages are what outcomes mean.
var messages = map[protocol.ErrCode]string{
	protocol.ErrNoNode: "there is no such znode", protocol.ErrNodeExists: "there is one of this name already",
	protocol.ErrBadVersion: "it has been changed meanwhile", protocol.ErrNotEmpty: "it has children",
	protocol.ErrNoChildrenForEphemerals: "an ephemeral znode has no children", protocol.ErrQuotaExceeded: "a hard quota limit would be exceeded",
	protocol.ErrNoAuth: "its ACL does not allow it", protocol.ErrInvalidACL: "the ACL is not valid",
	protocol.ErrBadArguments: "the path or an argument is not valid", protocol.ErrUnimplemented: "this kind of znode is turned off (extendedTypesEnabled)",
}

// refused answers for a write that came to nothing. path is what it was about: if
// others have changed it meanwhile, the answer says to what.
func (c *Console) refused(w http.ResponseWriter, o outcome, err error, path string) {
	switch {
	case errors.Is(err, errUnknownOutcome):
		fail(w, http.StatusGatewayTimeout, "UnknownOutcome", err.Error())
		return
	case errors.Is(err, errBusy):
		fail(w, http.StatusServiceUnavailable, "Busy", err.Error())
		return
	case err != nil:
		fail(w, http.StatusServiceUnavailable, "NotServing", err.Error())
		return
	}
	status := statuses[o.code]
	if status == 0 {
		status = http.StatusBadRequest
	}
	f := failure{Error: o.code.Name(), Message: messages[o.code]}
	if f.Message == "" {
		f.Message = o.code.Error()
	}
	if path != "" && o.code == protocol.ErrBadVersion {
		f.Current = c.look(path)
	}
	answerStatus(w, status, &f)
}

// written is the answer to a write.
type written struct {
	Path string `json:"path"`
	Zxid Hex    `json:"zxid"`
	Stat *stat  `json:"stat,omitempty"`
	// Deleted is how many znodes a deletion took.
	Deleted int `json:"deleted,omitempty"`
}

// creation asks for a znode.
type creation struct {
	Path       string  `json:"path"`
	Data       []byte  `json:"data"` // null for null
	ACL        []entry `json:"acl"`  // null for everything to everyone
	Type       string  `json:"type"` // persistent (""), container or ttl
	Sequential bool    `json:"sequential"`
	TTLMillis  int64   `json:"ttlMillis"`
}

// request makes the operation and body of a client's request out of it.
func (q *creation) request() (protocol.OpCode, []byte, error) {
	list := protocol.OpenACL
	if q.ACL != nil {
		var err error
		if list, err = parseACL(q.ACL); err != nil {
			return 0, nil, err
		}
	}
	r := protocol.CreateRequest{Path: q.Path, Data: q.Data, ACL: list}
	switch {
	case q.Type == "ttl":
		r.Flags = protocol.CreateModePersistentTTL
		if q.Sequential {
			r.Flags = protocol.CreateModePersistentSequentialTTL
		}
		t := protocol.CreateTTLRequest{CreateRequest: r, TTL: q.TTLMillis}
		return protocol.OpCreateTTL, t.Append(nil), nil
	case q.TTLMillis != 0:
		return 0, nil, errors.New("ttlMillis: only a znode of type ttl has one")
	case q.Type == "container" && q.Sequential:
		return 0, nil, errors.New("type: a container cannot be sequential")
	case q.Type == "container":
		r.Flags = protocol.CreateModeContainer
		return protocol.OpCreateContainer, r.Append(nil), nil
	case q.Type != "" && q.Type != "persistent":
		return 0, nil, fmt.Errorf("type: %q is none that can be made here; give persistent, container or ttl", q.Type)
	case q.Sequential:
		r.Flags = protocol.CreateModePersistentSequential
	}
	return protocol.OpCreate2, r.Append(nil), nil
}

func (c *Console) create(w http.ResponseWriter, r *http.Request, s *session) {
	var q creation
	if !c.readWrite(w, r, &q) {
		return
	}
	op, body, err := q.request()
	if err != nil {
		fail(w, http.StatusBadRequest, "BadArguments", err.Error())
		return
	}
	c.write(w, r, s, "create", op, body, written{Path: q.Path})
}

// write has a request committed and answers what became of it. A request larger
// than a client's may be is refused: what it makes could not be read by one. What
// has taken effect, or may yet, stands in the log with who did it. what says what is known before:
// the path that was asked for, and how much a deletion takes.
func (c *Console) write(w http.ResponseWriter, r *http.Request, s *session, act string, op protocol.OpCode, body []byte, what written) {
	if len(body) > c.cfg.MaxBuffer {
		fail(w, http.StatusRequestEntityTooLarge, "TooLarge", fmt.Sprintf("the request has %d bytes, and jute.maxbuffer is %d", len(body), c.cfg.MaxBuffer))
		return
	}
	o, err := c.propose(r, s, op, body)
	if err != nil || o.code != protocol.ErrOK {
		c.noteUnknown(r, s, act, what.Path, err)
		c.refused(w, o, err, what.Path)
		return
	}
	what.Path, what.Zxid = cmp.Or(o.path, what.Path), Hex(o.zxid)
	if op != protocol.OpDelete {
		st := statOf(&o.stat)
		what.Stat = &st
	}
	c.log.Info("console: write", "act", act, "path", protocol.OnOneLine(what.Path), "user", s.user, "client", r.RemoteAddr, "zxid", zabcompat.Zxid(what.Zxid))
	answer(w, what)
}

// noteUnknown logs a write whose outcome was not awaited, if err says that: it may yet
// take effect.
func (c *Console) noteUnknown(r *http.Request, s *session, act, path string, err error) {
	if errors.Is(err, errUnknownOutcome) {
		c.log.Warn("console: write, outcome unknown", "act", act, "path", protocol.OnOneLine(path), "user", s.user, "client", r.RemoteAddr)
	}
}

// setting asks for new data. Version is that of the data it is to replace; -1
// replaces any, and has to be said.
type setting struct {
	Path    string `json:"path"`
	Data    []byte `json:"data"`
	Version *int32 `json:"version"`
}

func (c *Console) set(w http.ResponseWriter, r *http.Request, s *session) {
	var q setting
	if !c.readWrite(w, r, &q) {
		return
	}
	if q.Version == nil {
		fail(w, http.StatusBadRequest, "BadArguments", "version is missing; -1 stands for any")
		return
	}
	body := (&protocol.SetDataRequest{Path: q.Path, Data: q.Data, Version: *q.Version}).Append(nil)
	c.write(w, r, s, "set", protocol.OpSetData, body, written{Path: q.Path})
}

// aclSetting asks for a new ACL, with the version of the old one.
type aclSetting struct {
	Path     string  `json:"path"`
	ACL      []entry `json:"acl"`
	Aversion *int32  `json:"aversion"`
}

func (c *Console) setACL(w http.ResponseWriter, r *http.Request, s *session) {
	var q aclSetting
	if !c.readWrite(w, r, &q) {
		return
	}
	list, err := parseACL(q.ACL)
	if err == nil && q.Aversion == nil {
		err = errors.New("aversion is missing; -1 stands for any")
	}
	if err != nil {
		fail(w, http.StatusBadRequest, "BadArguments", err.Error())
		return
	}
	body := (&protocol.SetACLRequest{Path: q.Path, ACL: list, Version: *q.Aversion}).Append(nil)
	c.write(w, r, s, "setAcl", protocol.OpSetACL, body, written{Path: q.Path})
}

// parseACL reads an ACL; letters of permissions may come in any order.
func parseACL(all []entry) ([]protocol.ACL, error) {
	if len(all) == 0 {
		return nil, errors.New("acl: give at least one entry")
	}
	list := make([]protocol.ACL, len(all))
	for i, e := range all {
		list[i] = protocol.ACL{Scheme: e.Scheme, ID: e.ID}
	letters:
		for j := range len(e.Perms) {
			for _, p := range permLetters {
				if e.Perms[j] == p.letter {
					list[i].Perms |= p.bit
					continue letters
				}
			}
			return nil, fmt.Errorf("acl: %q has other letters than cdrwa", e.Perms)
		}
	}
	return list, nil
}
