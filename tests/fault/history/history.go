package history

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"zooraft/protocol"
)

// Kind says what a record tells of.
type Kind string

// The kinds of records.
const (
	Connected Kind = "connected" // a handshake was answered with a session
	Refused   Kind = "refused"   // a handshake was not answered, or the server not reached
	Expired   Kind = "expired"   // a handshake was answered: there is no such session
	Call      Kind = "call"      // a request is about to be sent
	Reply     Kind = "reply"     // a request was answered, well or with an error
	Event     Kind = "event"     // a watch fired
	Lost      Kind = "lost"      // the connection ended, and not by the client's wish; calls without a reply stay open
	Left      Kind = "left"      // the client ended the connection
	Broken    Kind = "broken"    // the server sent what no server may send; Value says what
)

// Record is one thing that a client did or saw. Fields that do not belong to its kind are zero.
type Record struct {
	At     time.Duration `json:"at"`
	Kind   Kind          `json:"kind"`
	Conn   int           `json:"conn,omitempty"`   // the client's connections, counted from 1
	Server int           `json:"server,omitempty"` // sid of the server at the other end

	// Of a handshake. Began is when it was begun, Zxid the last that the client had seen.
	Began   time.Duration      `json:"began,omitempty"`
	Session protocol.SessionID `json:"session,omitempty"`
	Timeout time.Duration      `json:"timeout,omitempty"` // negotiated

	// Of a call, and repeated in its reply.
	Xid     int32                `json:"xid,omitempty"`
	Op      protocol.OpCode      `json:"op,omitempty"`
	Path    string               `json:"path,omitempty"`  // in a reply to a create: the path created; of an event: its path
	Value   string               `json:"value,omitempty"` // data written; in the reply to a getData: data read
	Watch   bool                 `json:"watch,omitempty"`
	Flags   int32                `json:"flags,omitempty"`
	Version int32                `json:"version,omitempty"`
	Watches *protocol.SetWatches `json:"watches,omitempty"` // of setWatches

	// Of a reply or event. Call is the index of the call's record, among those of the same client.
	Call     int                `json:"call,omitempty"`
	Zxid     int64              `json:"zxid,omitempty"`
	Err      protocol.ErrCode   `json:"err,omitempty"`
	Stat     *protocol.Stat     `json:"stat,omitempty"`
	Children []string           `json:"children,omitempty"`
	Event    protocol.EventType `json:"event,omitempty"`
}

// OK tells whether the record is a reply without an error.
func (r *Record) OK() bool { return r.Kind == Reply && r.Err == protocol.ErrOK }

// Write tells whether the record is a call for, or a reply to, a change of the tree.
func (r *Record) Write() bool {
	switch r.Op {
	case protocol.OpCreate2, protocol.OpSetData, protocol.OpDelete:
		return true
	}
	return false
}

// Client is what one client saw.
type Client struct {
	Name    string
	Records []Record
}

// History is what all clients saw, and what it needs to be made again.
type History struct {
	Seed    uint64
	Clients []Client
}

// Violation is a rule that was broken, and where.
type Violation struct {
	Rule   string
	Client string
	At     time.Duration
	Text   string
}

// String is one line.
func (v Violation) String() string {
	return fmt.Sprintf("%s: %s at %.3fs: %s", v.Rule, v.Client, v.At.Seconds(), v.Text)
}

// Unbroken finds frames that no server may send.
func Unbroken(h *History) []Violation {
	var out []Violation
	for _, c := range h.Clients {
		for i := range c.Records {
			if r := &c.Records[i]; r.Kind == Broken {
				out = append(out, Violation{"unbroken", c.Name, r.At, r.Value})
			}
		}
	}
	return out
}

// errHistory says that a file is no history.
var errHistory = errors.New("history: malformed file")

// header precedes the records of each client in a file, and alone the whole.
type header struct {
	Seed    uint64 `json:"seed,omitempty"`
	Client  string `json:"client,omitempty"`
	Records int    `json:"records"`
}

// WriteFile saves a history: gzipped JSON, one line for each record.
func (h *History) WriteFile(name string) (err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	z := gzip.NewWriter(f)
	e := json.NewEncoder(z)
	if err := e.Encode(header{Seed: h.Seed, Records: len(h.Clients)}); err != nil {
		return err
	}
	for _, c := range h.Clients {
		if err := e.Encode(header{Client: c.Name, Records: len(c.Records)}); err != nil {
			return err
		}
		for i := range c.Records {
			if err := e.Encode(&c.Records[i]); err != nil {
				return err
			}
		}
	}
	return z.Close()
}

// ReadFile reads what WriteFile has written.
func ReadFile(name string) (*History, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errHistory, err)
	}
	h, err := read(z)
	if err == nil {
		_, err = io.Copy(io.Discard, z) // to the checksum
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errHistory, err)
	}
	return h, nil
}

func read(r io.Reader) (*History, error) {
	d := json.NewDecoder(r)
	var head header
	if err := d.Decode(&head); err != nil {
		return nil, err
	}
	h := &History{Seed: head.Seed}
	for range head.Records {
		var one header
		if err := d.Decode(&one); err != nil {
			return nil, err
		}
		c := Client{Name: one.Client}
		for range one.Records {
			var rec Record
			if err := d.Decode(&rec); err != nil {
				return nil, err
			}
			if rec.Call < 0 || rec.Call > len(c.Records) {
				return nil, errHistory
			}
			c.Records = append(c.Records, rec)
		}
		h.Clients = append(h.Clients, c)
	}
	return h, nil
}
