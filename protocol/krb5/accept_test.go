package krb5

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"
)

var (
	noon   = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	alice  = Principal{[]string{"alice"}, "HOME"}
	server = Principal{[]string{"zookeeper", "zk1.example"}, "HOME"}
)

// issue is a ticket as a distribution center makes it.
type issue struct {
	e            EType
	key          Key // the server's; kvno is 3
	flags        uint32
	client       Principal
	auth, end    time.Time
	transited    string
	sessionBytes int // of the session key, if not those that it should have
}

func newIssue(e EType) *issue {
	return &issue{e: e, key: randomKey(e), client: alice, auth: noon.Add(-time.Hour), end: noon.Add(time.Hour)}
}

func (i *issue) credentials() *Credentials {
	session := randomKey(i.e)
	told := session
	if i.sessionBytes > 0 {
		told.Value = told.Value[:i.sessionBytes]
	}
	part := derApplication(appEncTicketPart, derSequence(
		derField(0, derBits(i.flags)),
		derField(1, derKey(told)),
		derField(2, derString(i.client.Realm)),
		derField(3, derName(namePrincipal, i.client.Components)),
		derField(4, derSequence(derField(0, derInt(1)), derField(1, derOctets([]byte(i.transited))))),
		derField(5, derTime(i.auth)),
		derField(7, derTime(i.end))))
	sealed := derSequence(derField(0, derInt(int64(i.e))), derField(1, derInt(3)), derField(2, derOctets(i.key.encrypt(useTicket, part))))
	return &Credentials{Client: i.client, Server: server, Session: session, End: i.end,
		Ticket: derApplication(appTicket, derSequence(
			derField(0, derInt(version)),
			derField(1, derString(server.Realm)),
			derField(2, derName(nameInstance, server.Components)),
			derField(3, sealed)))}
}

func (i *issue) keytab() []KeytabEntry {
	other := randomKey(i.e)
	return []KeytabEntry{{server, 2, other.Type, other.Value}, {server, 3, i.key.Type, i.key.Value}}
}

func initiate(c *Credentials) *Initiator {
	return NewInitiator(c, func() time.Time { return noon })
}

func first(t *testing.T, i *Initiator) []byte {
	t.Helper()
	token, done, err := i.Step(nil)
	if err != nil || done {
		t.Fatalf("first step: done %v, %v", done, err)
	}
	return token
}

// Both sides end with one context, in which each takes the other's tokens once, and
// neither its own.
func TestExchange(t *testing.T) {
	for e := range suites {
		t.Run(e.String(), func(t *testing.T) {
			issue := newIssue(e)
			i := initiate(issue.credentials())
			a, err := Accept(first(t, i), issue.keytab(), noon.Add(time.Minute), 5*time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			if a.Client.String() != "alice@HOME" || a.Reply == nil {
				t.Errorf("client %v, reply %x", a.Client, a.Reply)
			}
			if empty, done, err := i.Step(a.Reply); err != nil || done || empty == nil || len(empty) > 0 {
				t.Fatalf("to the reply: %x, %v, %v", empty, done, err)
			}
			offer := a.Context.Wrap([]byte{1, 0, 0, 0})
			if _, err := a.Context.Unwrap(offer); !errors.Is(err, ErrFlags) {
				t.Errorf("the server takes its own token: %v", err)
			}
			choice, done, err := i.Step(offer)
			if err != nil || done {
				t.Fatalf("to the offer: %v, %v", done, err)
			}
			data, err := a.Context.Unwrap(choice)
			if err != nil || string(data) != "\x01\x00\x00\x00alice@HOME" {
				t.Errorf("choice %q, %v", data, err)
			}
			if _, err := a.Context.Unwrap(choice); !errors.Is(err, errRepeat) {
				t.Errorf("the choice once more: %v", err)
			}
			if _, done, err := i.Step(nil); err != nil || !done {
				t.Errorf("at the end: %v, %v", done, err)
			}
			if _, _, err := i.Step([]byte("more")); !errors.Is(err, errSteps) {
				t.Errorf("a token after the end: %v", err)
			}
		})
	}
}

func TestAcceptRefuses(t *testing.T) {
	const skew = 5 * time.Minute
	for _, tt := range []struct {
		name   string
		change func(*issue, *Credentials)
		token  func([]byte) []byte
		at     time.Duration // after noon
		want   error
		said   string
	}{
		{"fine", nil, nil, skew, nil, ""},
		{"fine, the clock behind", nil, nil, -skew, nil, ""},
		{"client's clock behind", nil, nil, skew + time.Second, ErrSkew, "it says 2026-03-04T12:00:00Z, here it is 2026-03-04T12:05:01Z; 5m0s are allowed"},
		{"client's clock ahead", nil, nil, -skew - time.Second, ErrSkew, "here it is 2026-03-04T11:54:59Z"},
		{"expired within the skew", func(i *issue, _ *Credentials) { i.end = noon.Add(-skew) }, nil, 0, nil, ""},
		{"expired", func(i *issue, _ *Credentials) { i.end = noon.Add(-skew - time.Second) }, nil, 0, errExpired, "alice@HOME, at 2026-03-04T11:54:59Z"},
		{"not yet", func(i *issue, _ *Credentials) { i.auth = noon.Add(skew + time.Second) }, nil, 0, errNotYet, "from 2026-03-04T12:05:01Z"},
		{"invalid", func(i *issue, _ *Credentials) { i.flags = flagInvalid }, nil, 0, errNotYet, "alice@HOME"},
		{"by other realms", func(i *issue, _ *Credentials) { i.transited = "MIDDLE" }, nil, 0, errTransited, "alice@HOME"},
		{"by other realms, checked", func(i *issue, _ *Credentials) { i.transited, i.flags = "MIDDLE", flagTransitedChecked }, nil, 0, nil, ""},
		{"another key", func(i *issue, _ *Credentials) { i.key = randomKey(i.e) }, nil, 0, ErrNoKey,
			`it is for "zookeeper/zk1.example@HOME", version 3 of aes256-cts-hmac-sha1-96; the keytab has version 2 of aes256-cts-hmac-sha1-96, version 3 of`},
		{"another client", func(_ *issue, c *Credentials) { c.Client.Components = []string{"bob"} }, nil, 0, errClient, `authenticator of "bob@HOME", ticket of alice@HOME`},
		{"another realm", func(_ *issue, c *Credentials) { c.Client.Realm = "AWAY" }, nil, 0, errClient, ""},
		{"another session", func(_ *issue, c *Credentials) { c.Session = randomKey(AES256SHA1) }, nil, 0, ErrDecrypt, "authenticator"},
		{"session of another type", func(_ *issue, c *Credentials) { c.Session = randomKey(AES128SHA1) }, nil, 0, ErrDecrypt, "aes128-cts-hmac-sha1-96 with a key of aes256-cts-hmac-sha1-96"},
		{"session key too short", func(i *issue, _ *Credentials) { i.sessionBytes = 16 }, nil, 0, nil, "with 16 bytes, not 32"},
		{"two names in one", func(i *issue, c *Credentials) {
			i.client.Components = []string{"alice/admin"}
			c.Client = i.client
		}, nil, 0, errPrincipal, ""},
		{"no name", func(i *issue, c *Credentials) { i.client.Components = nil; c.Client = i.client }, nil, 0, errPrincipal, ""},
		{"cut", nil, func(b []byte) []byte { return b[:len(b)-1] }, 0, ErrToken, ""},
		{"longer", nil, func(b []byte) []byte { return append(b, 0) }, 0, ErrToken, ""},
		{"huge", nil, func(b []byte) []byte { return append(b, make([]byte, maxTokenBytes)...) }, 0, ErrToken, ""},
		{"another mechanism", nil, func(b []byte) []byte { return bytes.Replace(b, mechanism, append(mechanism[:10:10], 3), 1) }, 0, ErrToken, ""},
		{"another kind", nil, func(b []byte) []byte { return bytes.Replace(b, []byte{2, 2, 1, 0, 0x6e}, []byte{2, 2, 2, 0, 0x6e}, 1) }, 0, ErrToken, ""},
		{"user to user", nil, func(b []byte) []byte { return options(b, optionSessionKey) }, 0, errUserToUser, ""},
		{"empty", nil, func([]byte) []byte { return nil }, 0, ErrToken, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			issue := newIssue(AES256SHA1)
			keys := issue.keytab()
			change := func(*Credentials) {}
			if tt.change != nil {
				tt.change(issue, &Credentials{})
				change = func(c *Credentials) { tt.change(issue, c) }
			}
			c := issue.credentials()
			change(c)
			if tt.name == "another key" {
				keys = newIssue(AES256SHA1).keytab()
			}
			token := first(t, initiate(c))
			if tt.token != nil {
				token = tt.token(token)
			}
			a, err := Accept(token, keys, noon.Add(tt.at), skew)
			if tt.want == nil && tt.said == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if a != nil || err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.said) {
				t.Errorf("got %v, %v, want %v with %q", a, err, tt.want, tt.said)
			}
		})
	}
}

// options are changed where they stand in a token, outside of what is encrypted.
func options(token []byte, to uint32) []byte {
	from := derField(2, derBits(optionMutual))
	return bytes.Replace(token, from, derField(2, derBits(to)), 1)
}

// A client that does not ask for proof of the server is not sent any, and the context
// has its key and its numbers.
func TestAcceptWithoutProof(t *testing.T) {
	issue := newIssue(AES128SHA2)
	i := initiate(issue.credentials())
	token := first(t, i)
	// What its flags say is encrypted; the server goes by either.
	if a, err := Accept(options(token, 0), issue.keytab(), noon, time.Minute); err != nil || a.Reply == nil {
		t.Fatalf("asked for in the flags only: %v, %v", a, err)
	}
	c := issue.credentials()
	subkey := randomKey(AES128SHA2)
	sum := make([]byte, 24)
	auth := derApplication(appAuthenticator, derSequence(
		derField(0, derInt(version)), derField(1, derString("HOME")), derField(2, derName(1, []string{"alice"})),
		derField(3, derSequence(derField(0, derInt(checksumGSS)), derField(1, derOctets(sum)))),
		derField(4, derInt(5)), derField(5, derTime(noon)), derField(6, derKey(subkey)), derField(7, derInt(-7))))
	a, err := Accept(frame(tokenAPReq, derAPReq(0, c.Ticket, c.Session, useAPReqAuthenticator, auth)), issue.keytab(), noon, time.Minute)
	if err != nil || a.Reply != nil {
		t.Fatalf("got %+v, %v", a, err)
	}
	far := &Context{key: subkey, send: 1<<32 - 7, receive: 1<<32 - 7}
	if data, err := far.Unwrap(a.Context.Wrap([]byte("offer"))); err != nil || string(data) != "offer" {
		t.Errorf("there: %q, %v", data, err)
	}
	if data, err := a.Context.Unwrap(far.Wrap([]byte("choice"))); err != nil || string(data) != "choice" {
		t.Errorf("back: %q, %v", data, err)
	}
}

// A server that cannot read the ticket cannot fool a client.
func TestInitiatorRefuses(t *testing.T) {
	issue := newIssue(AES256SHA2)
	for _, tt := range []struct {
		name  string
		reply func(token []byte) []byte
		want  error
	}{
		{"nothing", func([]byte) []byte { return nil }, ErrToken},
		{"its own token", func(token []byte) []byte { return token }, ErrToken},
		{"another session's reply", func([]byte) []byte {
			a, err := Accept(first(t, initiate(issue.credentials())), issue.keytab(), noon, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			return a.Reply
		}, errServer},
	} {
		i := initiate(issue.credentials())
		if _, _, err := i.Step(tt.reply(first(t, i))); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
	// The reply to an earlier request with the same ticket.
	c := issue.credentials()
	a, err := Accept(first(t, initiate(c)), issue.keytab(), noon, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	late := initiate(c)
	late.now = func() time.Time { return noon.Add(time.Microsecond) }
	first(t, late)
	if _, _, err := late.Step(a.Reply); !errors.Is(err, errServer) {
		t.Errorf("an earlier reply: got %v, want %v", err, errServer)
	}
	// Layers.
	i := initiate(c)
	if a, err = Accept(first(t, i), issue.keytab(), noon, time.Minute); err != nil {
		t.Fatal(err)
	}
	if _, _, err := i.Step(a.Reply); err != nil {
		t.Fatal(err)
	}
	if _, _, err := i.Step(a.Context.Wrap([]byte{6, 0, 255, 255})); !errors.Is(err, errLayers) {
		t.Errorf("layers only: got %v, want %v", err, errLayers)
	}
}

func TestUnwrapRefuses(t *testing.T) {
	key := randomKey(AES256SHA1)
	far := func() *Context { return &Context{key: key, acceptor: true, send: 5} }
	near := func() *Context { return &Context{key: key, receive: 5} }
	whole := far().Wrap([]byte("data"))
	for turned := range 64 { // to the right, as Windows does
		token := bytes.Clone(whole)
		binary.BigEndian.PutUint16(token[6:], uint16(turned))
		body := token[wrapHeaderBytes:]
		n := turned % len(body)
		copy(body, append(bytes.Clone(body[len(body)-n:]), body[:len(body)-n]...))
		if data, err := near().Unwrap(token); err != nil || string(data) != "data" {
			t.Errorf("turned by %d: %q, %v", turned, data, err)
		}
	}
	for i := range whole {
		token := bytes.Clone(whole)
		token[i] ^= 1
		// By how much it is turned is not protected: 256 is no turn of 16 bytes at all.
		if data, err := near().Unwrap(token); err == nil && i != 6 {
			t.Errorf("byte %d changed: %q", i, data)
		}
		if data, err := near().Unwrap(whole[:i]); err == nil {
			t.Errorf("cut to %d: %q", i, data)
		}
	}
	skip := far()
	skip.Wrap(nil)
	if _, err := near().Unwrap(skip.Wrap([]byte("data"))); !errors.Is(err, errRepeat) {
		t.Errorf("one left out: %v", err)
	}
}
