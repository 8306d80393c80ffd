package kerberos

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"zooraft/protocol/krb5"
	"zooraft/tests/testkit"
)

const self = "zookeeper/localhost@TEST.EXAMPLE"

// exchange is one that Java's client took part in.
type exchange struct {
	at                   time.Time
	first, offer, choice []byte
	user                 string
}

func javaExchanges(t testing.TB) []exchange {
	t.Helper()
	data, err := os.ReadFile("testdata/java.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []exchange
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Fields(line)
		at, err := time.Parse(time.RFC3339, f[0])
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, exchange{at, testkit.Unhex(t, f[1]), testkit.Unhex(t, f[2]), testkit.Unhex(t, f[3]), f[4]})
	}
	return all
}

// newAcceptor makes one whose clock stands where the pointer says.
func newAcceptor(t testing.TB, now *time.Time, change func(*Config)) *Acceptor {
	t.Helper()
	cfg := Config{Keytab: "testdata/server.keytab", Principal: self, Logger: hclog.NewNullLogger()}
	if change != nil {
		change(&cfg)
	}
	a, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	a.now = func() time.Time { return *now }
	return a
}

// Java's client is known, and answered with what it took when this was recorded. Each of the exchanges has another type
// of encryption.
func TestJavaClient(t *testing.T) {
	for _, x := range javaExchanges(t) {
		for _, empty := range []bool{false, true} { // for clients without an initial response
			e := newAcceptor(t, &x.at, nil).New()
			if empty {
				if reply, user, err := e.Step([]byte{}); err != nil || user != "" || reply == nil || len(reply) > 0 {
					t.Errorf("to nothing: got %x, %q, %v", reply, user, err)
				}
			}
			reply, user, err := e.Step(x.first)
			if err != nil || user != "" || !bytes.Equal(reply, x.offer) {
				t.Fatalf("to the ticket of %s: got %x, %q, %v, want %x", x.user, reply, user, err, x.offer)
			}
			if reply, user, err = e.Step(x.choice); err != nil || user != x.user || reply != nil {
				t.Errorf("at the end: got %x, %q, %v, want %s", reply, user, err, x.user)
			}
			if _, user, err := e.Step(x.choice); !errors.Is(err, errOver) || user != "" {
				t.Errorf("after the end: got %q, %v", user, err)
			}
		}
	}
}

func TestExchangeRefuses(t *testing.T) {
	x := javaExchanges(t)[0]
	changed := func(b []byte, at int) []byte {
		b = bytes.Clone(b)
		b[(at+len(b))%len(b)] ^= 1
		return b
	}
	for _, tt := range []struct {
		name   string
		tokens [][]byte // the last one fails
		want   error
	}{
		{"no ticket", [][]byte{{}, {}}, krb5.ErrToken},
		{"choice first", [][]byte{x.choice}, krb5.ErrToken},
		{"no choice", [][]byte{x.first, {}}, krb5.ErrToken},
		{"ticket again", [][]byte{x.first, x.first}, krb5.ErrToken},
		{"the offer as choice", [][]byte{x.first, x.offer}, krb5.ErrFlags},
		{"choice changed", [][]byte{x.first, changed(x.choice, -1)}, krb5.ErrSum},
		{"layer changed", [][]byte{x.first, changed(x.choice, 16)}, krb5.ErrSum},
		{"ticket changed", [][]byte{changed(x.first, 500)}, krb5.ErrNoKey},
		{"authenticator changed", [][]byte{changed(x.first, -1)}, krb5.ErrDecrypt},
	} {
		e := newAcceptor(t, &x.at, nil).New()
		for i, token := range tt.tokens {
			_, user, err := e.Step(token)
			if last := i == len(tt.tokens)-1; user != "" || last != (err != nil) || last && !errors.Is(err, tt.want) {
				t.Errorf("%s: token %d: got %q, %v, want %v", tt.name, i, user, err, tt.want)
			}
		}
		if _, user, err := e.Step(x.choice); !errors.Is(err, errOver) || user != "" {
			t.Errorf("%s: afterwards: got %q, %v", tt.name, user, err)
		}
	}
}

// prove has an Initiator ask for proof of the server, as MIT's clients do, who are asked themselves in tests/interop,
// and returns both sides when the choice of a layer is due.
func prove(t *testing.T) (*Exchange, *krb5.Initiator, []byte) {
	t.Helper()
	data, err := os.ReadFile("../../protocol/krb5/testdata/alice.ccache")
	if err != nil {
		t.Fatal(err)
	}
	cache, err := krb5.ParseCache(data)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 28, 22, 0, 0, 0, time.UTC)
	i := krb5.NewInitiator(cache.Credentials[1], func() time.Time { return now })
	e := newAcceptor(t, &now, nil).New()
	var challenge []byte
	for range 2 {
		response, done, err := i.Step(challenge)
		if err != nil || done {
			t.Fatal(done, err)
		}
		var user string
		if challenge, user, err = e.Step(response); err != nil || user != "" {
			t.Fatal(user, err)
		}
	}
	return e, i, challenge
}

func TestProof(t *testing.T) {
	e, i, offer := prove(t)
	choice, done, err := i.Step(offer)
	if err != nil || done {
		t.Fatal(done, err)
	}
	reply, user, err := e.Step(choice)
	if err != nil || user != "alice@TEST.EXAMPLE" || reply != nil {
		t.Errorf("got %x, %q, %v", reply, user, err)
	}
	if _, done, err := i.Step(reply); err != nil || !done {
		t.Errorf("at the end: %v, %v", done, err)
	}
}

// plainContext protects nothing, and gives an error for what begins with !.
type plainContext struct{}

func (plainContext) Wrap(data []byte) []byte { return data }

func (plainContext) Unwrap(token []byte) ([]byte, error) {
	if bytes.HasPrefix(token, []byte("!")) {
		return nil, krb5.ErrSum
	}
	return token, nil
}

// No layer is to be had, and whom the client names does not count.
func TestChoice(t *testing.T) {
	for _, tt := range []struct {
		choice string
		want   error
	}{
		{"\x01\x00\x00\x00alice@TEST.EXAMPLE", nil},
		{"\x01\x00\x00\x00", nil},
		{"\x01\x01\x00\x00super", nil}, // with how much the client takes, which does not matter then
		{"\x02\x00\x10\x00alice@TEST.EXAMPLE", errLayer},
		{"\x03\x00\x00\x00", errLayer},
		{"\x00\x00\x00\x00", errLayer},
		{"\x01\x00\x00", errOrder},
		{"", errOrder},
		{"\x01\x00\x00\x00\xff", errOrder},
		{"!", krb5.ErrSum},
	} {
		e := &Exchange{acceptor: newAcceptor(t, new(time.Time), nil), state: waitEmpty, context: plainContext{},
			client: krb5.Principal{Components: []string{"alice"}, Realm: "TEST.EXAMPLE"}}
		if offer, user, err := e.Step(nil); err != nil || user != "" || string(offer) != "\x01\x00\x00\x00" {
			t.Fatalf("offer %x, %q, %v", offer, user, err)
		}
		_, user, err := e.Step([]byte(tt.choice))
		if !errors.Is(err, tt.want) || (user == "alice@TEST.EXAMPLE") != (tt.want == nil) || tt.want != nil && user != "" {
			t.Errorf("choice %q: got %q, %v, want %v", tt.choice, user, err, tt.want)
		}
	}
	e := &Exchange{acceptor: newAcceptor(t, new(time.Time), nil), state: waitEmpty, context: plainContext{}}
	if _, _, err := e.Step([]byte("x")); !errors.Is(err, errOrder) {
		t.Errorf("a token where none belongs: %v", err)
	}
}

func TestReplay(t *testing.T) {
	x := javaExchanges(t)[0]
	now := x.at
	a := newAcceptor(t, &now, nil)
	if _, _, err := a.New().Step(x.first); err != nil {
		t.Fatal(err)
	}
	for _, after := range []time.Duration{0, time.Minute, 4*time.Minute + 50*time.Second} {
		now = x.at.Add(after)
		if _, _, err := a.New().Step(x.first); !errors.Is(err, errReplay) || !strings.Contains(err.Error(), x.user) {
			t.Errorf("again after %v: got %v", after, err)
		}
	}
	now = x.at.Add(6 * time.Minute)
	if _, _, err := a.New().Step(x.first); !errors.Is(err, krb5.ErrSkew) {
		t.Errorf("again after %v: got %v", 6*time.Minute, err)
	}
	// One of many at once is the first.
	now = x.at
	a = newAcceptor(t, &now, nil)
	var wg sync.WaitGroup
	accepted := make(chan error, 16)
	for range cap(accepted) {
		wg.Go(func() {
			_, _, err := a.New().Step(x.first)
			accepted <- err
		})
	}
	wg.Wait()
	close(accepted)
	count := 0
	for err := range accepted {
		if err == nil {
			count++
		} else if !errors.Is(err, errReplay) {
			t.Error(err)
		}
	}
	if count != 1 {
		t.Errorf("%d of the same at once were accepted, want 1", count)
	}
}

// What was accepted is known for a span at least, gone after two, and there is an end to how much is remembered.
func TestReplaysSpan(t *testing.T) {
	const span = 10 * time.Minute
	id := func(n uint64) (b [16]byte) { binary.BigEndian.PutUint64(b[:], n); return b }
	start := time.Unix(1e9, 0)
	for _, added := range []time.Duration{0, time.Second, span, span + time.Second, 5 * span} {
		for _, again := range []time.Duration{0, span / 2, span} {
			r := newReplays(span)
			r.add("alice", id(1), start)
			r.add("alice", id(2), start.Add(added))
			r.add("alice", id(3), start.Add(added+again/2))
			if err := r.add("alice", id(2), start.Add(added+again)); !errors.Is(err, errReplay) {
				t.Errorf("added at %v, again %v later: %v", added, again, err)
			}
		}
	}
	r := newReplays(span)
	for n := range uint64(maxReplays) {
		if err := r.add(strconv.FormatUint(n%16, 10), id(n), start); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.add("new", id(maxReplays), start.Add(span)); !errors.Is(err, errFull) {
		t.Errorf("full: %v", err)
	}
	if err := r.add("new", id(7), start.Add(span)); !errors.Is(err, errReplay) {
		t.Errorf("full, again: %v", err)
	}
	if err := r.add("new", id(maxReplays), start.Add(span+1)); err != nil {
		t.Errorf("a span later: %v", err)
	}
	if err := r.add("new", id(7), start.Add(3*span+2)); err != nil || len(r.now)+len(r.old) != 1 {
		t.Errorf("after two: %v, %d remembered", err, len(r.now)+len(r.old))
	}
}

// One client cannot use up the room of all.
func TestReplaysOfOne(t *testing.T) {
	const span = 10 * time.Minute
	id := func(n uint64) (b [16]byte) { binary.BigEndian.PutUint64(b[:], n); return b }
	start := time.Unix(1e9, 0)
	r := newReplays(span)
	for n := range uint64(maxReplaysOfOne) {
		if err := r.add("eve", id(n), start); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.add("eve", id(maxReplaysOfOne), start.Add(span)); !errors.Is(err, errFull) {
		t.Errorf("one more: %v", err)
	}
	if err := r.add("eve", id(7), start.Add(span)); !errors.Is(err, errReplay) {
		t.Errorf("one again: %v", err)
	}
	if err := r.add("bob", id(maxReplaysOfOne), start.Add(span)); err != nil {
		t.Errorf("another's: %v", err)
	}
	if err := r.add("eve", id(maxReplaysOfOne+1), start.Add(span+1)); err != nil {
		t.Errorf("a span later: %v", err)
	}
}

func TestKeytabReread(t *testing.T) {
	data, err := os.ReadFile("testdata/server.keytab")
	if err != nil {
		t.Fatal(err)
	}
	x := javaExchanges(t)[0]
	file := filepath.Join(t.TempDir(), "keytab")
	age := time.Hour
	write := func(b []byte) {
		t.Helper()
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		age -= time.Minute // for file systems with coarse clocks
		if err := os.Chtimes(file, time.Time{}, time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	other := bytes.Clone(data) // the same, with other keys
	for at := range len(other) - 4 {
		if bytes.Equal(data[at:at+4], []byte{0, 0, 0, 2}) {
			other[at-1] ^= 1
		}
	}
	var log testkit.Buffer
	write(other)
	a := newAcceptor(t, &x.at, func(c *Config) {
		c.Keytab, c.Logger = file, hclog.New(&hclog.LoggerOptions{Output: &log})
	})
	step := func(want error) {
		t.Helper()
		if _, _, err := a.New().Step(x.first); !errors.Is(err, want) {
			t.Errorf("got %v, want %v; log:\n%s", err, want, log.String())
		}
	}
	step(krb5.ErrNoKey)
	write(data)
	step(nil)
	write([]byte("broken"))
	step(errReplay) // the keys are still there
	step(errReplay)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	step(errReplay)
	write(other)
	step(krb5.ErrNoKey)
	for what, want := range map[string]int{"read the changed keytab": 2, "damaged": 1, "no such file": 1, "cannot be read; its last keys stay in use": 2} {
		if got := strings.Count(log.String(), what); got != want {
			t.Errorf("%q is said %d times, want %d; log:\n%s", what, got, want, log.String())
		}
	}
}

func TestNewRefuses(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	rc4 := testkit.Unhex(t, "0502"+"00000038"+"0001"+"000c"+hex.EncodeToString([]byte("TEST.EXAMPLE"))+"0005"+hex.EncodeToString([]byte("alice"))+
		"00000001"+"6929a1a2"+"01"+"0017"+"0010"+strings.Repeat("10", 16)+"00000001")
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"no principal", func(c *Config) { c.Principal = "" }, `principal "": a principal is`},
		{"no realm", func(c *Config) { c.Principal = "zookeeper/localhost" }, `principal "zookeeper/localhost": a principal is`},
		{"no host", func(c *Config) { c.Principal = "zookeeper@TEST.EXAMPLE" }, "principal zookeeper@TEST.EXAMPLE: clients ask for"},
		{"another host", func(c *Config) { c.Principal = "zookeeper/zk1@TEST.EXAMPLE" },
			`testdata/server.keytab: no key of zookeeper/zk1@TEST.EXAMPLE; it has ["zookeeper/localhost@TEST.EXAMPLE"]`},
		{"no keytab", func(c *Config) { c.Keytab = filepath.Join(dir, "none") }, "keytab: open " + filepath.Join(dir, "none")},
		{"a directory", func(c *Config) { c.Keytab = dir }, "is a directory"},
		{"no keytab's format", func(c *Config) { c.Keytab = file("text", []byte("keys")) }, "text: not a keytab"},
		{"rc4", func(c *Config) { c.Keytab = file("rc4", rc4) }, "rc4: no key of " + self},
		{"huge", func(c *Config) { c.Keytab = file("huge", make([]byte, krb5.MaxFileBytes+1)) }, "huge: larger than 1 MiB"},
		{"rules", func(c *Config) { c.Rules = "x" }, "auth_to_local"},
	} {
		cfg := Config{Keytab: "testdata/server.keytab", Principal: self, Logger: hclog.NewNullLogger()}
		tt.change(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q in it", tt.name, err, tt.want)
		}
	}
	_, err := New(Config{Keytab: "testdata/server.keytab", Principal: "zookeeper/localhost", DefaultRealm: "TEST.EXAMPLE", Logger: hclog.NewNullLogger()})
	if err != nil {
		t.Fatal(err)
	}
}

// FuzzExchange has the exchanges of Java's client, at the time of one of them: as they were they prove who somebody is, and
// nothing does without what a client encrypted, which in its first token comes last.
func FuzzExchange(f *testing.F) {
	all := javaExchanges(f)
	for _, x := range all {
		f.Add(x.first, x.choice, []byte{})
		f.Add([]byte{}, x.first, x.choice)
		f.Add(x.first, x.offer, x.choice)
	}
	a := newAcceptor(f, &all[0].at, nil)
	f.Fuzz(func(t *testing.T, one, two, three []byte) {
		a.seen = newReplays(2 * defaultSkew)
		tokens := [][]byte{one, two, three}
		if len(one) == 0 { // from clients without an initial response
			tokens = tokens[1:]
		}
		may, must := "", ""
		for _, x := range all {
			if bytes.Contains(tokens[0], x.first[len(x.first)-100:]) {
				may = x.user
			}
			if bytes.Equal(tokens[0], x.first) && bytes.Equal(tokens[1], x.choice) {
				must = x.user
			}
		}
		e := a.New()
		user := ""
		for _, token := range [][]byte{one, two, three} {
			reply, who, err := e.Step(token)
			if err != nil && (reply != nil || who != "") {
				t.Errorf("got %x, %q, %v", reply, who, err)
			}
			if who != "" {
				user = who
			}
		}
		if user != must && (user != may || must != "") {
			t.Errorf("got the user %q, may be %q, must be %q", user, may, must)
		}
	})
}
