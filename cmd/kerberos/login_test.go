package kerberos

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"zooraft/protocol/krb5"
)

// How they were made stands beside the keytab. What is in the cache has expired, or has not begun.
const (
	testKeytab = "../../server/kerberos/testdata/server.keytab"
	testCache  = "../../protocol/krb5/testdata/alice.ccache"
)

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestNewRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  Config
		want string
	}{
		{"nothing", Config{}, errNoSource.Error()},
		{"keytab alone", Config{Keytab: testKeytab}, errNoSource.Error()},
		{"no krb5.conf", Config{Cache: testCache, Krb5Conf: "/none"}, "open /none"},
		{"broken krb5.conf", Config{Cache: testCache, Krb5Conf: writeFile(t, "word")}, "line 1: neither"},
		{"no realm", Config{Keytab: testKeytab, Principal: "alice", Krb5Conf: writeFile(t, "")}, `principal "alice": a principal is`},
	} {
		if _, err := New(tt.cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q in it", tt.name, err, tt.want)
		}
	}
	l, err := New(Config{Keytab: testKeytab, Principal: "alice", Krb5Conf: writeFile(t, "[libdefaults]\ndefault_realm = HOME")})
	if err != nil || l.cfg.Principal != "alice@HOME" {
		t.Errorf("got %+v, %v", l, err)
	}
}

// fakeDNS knows one address of a name, and one name of an address.
type fakeDNS struct {
	addrs, names map[string]string
	centers      []*net.SRV
	fault        *net.DNSError // of LookupSRV, if there are no centers
}

func one(from map[string]string, key string) ([]string, error) {
	if value, ok := from[key]; ok {
		return []string{value}, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: key, IsNotFound: true}
}

func (d fakeDNS) LookupHost(_ context.Context, host string) ([]string, error) {
	return one(d.addrs, host)
}
func (d fakeDNS) LookupAddr(_ context.Context, addr string) ([]string, error) {
	return one(d.names, addr)
}

func (d fakeDNS) LookupSRV(_ context.Context, service, proto, name string) (string, []*net.SRV, error) {
	if service != "kerberos" || proto != "tcp" || name != "HOME" || d.centers == nil {
		return "", nil, d.fault
	}
	return "", d.centers, nil
}

func TestServer(t *testing.T) {
	conf := "[domain_realm]\n.away.example = AWAY\n"
	for _, tt := range []struct {
		name string
		cfg  Config
		host string
		want string
	}{
		{"of the client's realm", Config{}, "ZK1.example", "zookeeper/zk1.example@HOME"},
		{"of its domain's", Config{}, "zk1.away.example", "zookeeper/zk1.away.example@AWAY"},
		{"of the realm that is said", Config{Realm: "SAID"}, "zk1.away.example", "zookeeper/zk1.away.example@SAID"},
		{"another service", Config{Service: "kafka"}, "zk1", "kafka/zk1@HOME"},
		{"one for all", Config{Server: "zookeeper/all"}, "zk1", "zookeeper/all@HOME"},
		{"one for all, of the realm that is said", Config{Server: "zookeeper/all", Realm: "SAID"}, "zk1", "zookeeper/all@SAID"},
		{"one for all, with its realm", Config{Server: "zookeeper/all@OWN", Realm: "SAID"}, "zk1", "zookeeper/all@OWN"},
		{"by its whole name", Config{Canonicalize: true}, "ZK1", "zookeeper/zk1.away.example@AWAY"},
		{"a name that is not known", Config{Canonicalize: true}, "zk9", "zookeeper/zk9@HOME"},
		{"an address without a name", Config{Canonicalize: true}, "zk2", "zookeeper/zk2@HOME"},
		{"a name with another address", Config{Canonicalize: true}, "zk3", "zookeeper/zk3@HOME"},
	} {
		tt.cfg.Cache, tt.cfg.Krb5Conf = testCache, writeFile(t, conf)
		l, err := New(tt.cfg)
		if err != nil {
			t.Fatal(err)
		}
		l.dns = fakeDNS{
			addrs: map[string]string{"ZK1": "10.0.0.1", "zk1.away.example": "10.0.0.1", "zk2": "10.0.0.2", "zk3": "10.0.0.3", "zk1": "10.0.0.1"},
			names: map[string]string{"10.0.0.1": "zk1.away.example.", "10.0.0.3": "zk1.away.example."},
		}
		if got, err := l.server(t.Context(), tt.host, "HOME"); err != nil || got.String() != tt.want {
			t.Errorf("%s: got %v, %v, want %s", tt.name, got, err, tt.want)
		}
	}
}

// Of a cache that is of use tickets are taken; of another a keytab takes the place, if there is one.
func TestCache(t *testing.T) {
	within := time.Date(2026, 11, 28, 23, 0, 0, 0, time.UTC)
	conf := writeFile(t, "[libdefaults]\ndns_lookup_kdc = false\n")
	for _, tt := range []struct {
		name string
		cfg  Config
		at   time.Time
		used bool
		want string
	}{
		{"valid", Config{Cache: testCache}, within, true, ""},
		{"of who is meant", Config{Cache: testCache, Principal: "alice@TEST.EXAMPLE"}, within, true, ""},
		{"expired", Config{Cache: testCache}, within.Add(24 * time.Hour), false, "ticket cache " + testCache + ": " + errNoTicket.Error()},
		{"about to expire", Config{Cache: testCache}, time.Date(2026, 11, 29, 21, 57, 30, 0, time.UTC), false, errNoTicket.Error()},
		{"of somebody else", Config{Cache: testCache, Principal: "bob@TEST.EXAMPLE"}, within, false, "it is alice@TEST.EXAMPLE's, not bob@TEST.EXAMPLE's"},
		{"none", Config{Cache: "/none"}, within, false, "ticket cache /none: open /none"},
		{"no cache's format", Config{Cache: testKeytab}, within, false, krb5.ErrCache.Error()},
		{"huge", Config{Cache: writeFile(t, strings.Repeat("x", krb5.MaxFileBytes+1))}, within, false, "larger than 1 MiB"},
		{"expired, with a keytab", Config{Cache: testCache, Keytab: testKeytab, Principal: "alice@TEST.EXAMPLE"}, within.Add(24 * time.Hour), false, ""},
		{"none, with a keytab", Config{Cache: "/none", Keytab: testKeytab, Principal: "alice@TEST.EXAMPLE"}, within, false, ""},
	} {
		tt.cfg.Krb5Conf = conf
		l, err := New(tt.cfg)
		if err != nil {
			t.Fatal(err)
		}
		cache, err := l.cache(tt.at)
		if (cache != nil) != tt.used || (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, %v, want %v, %q", tt.name, cache, err, tt.used, tt.want)
		}
	}
	l, err := New(Config{Keytab: testKeytab, Principal: "alice@TEST.EXAMPLE", Krb5Conf: conf})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Begin(t.Context(), "zk1"); err == nil || !strings.Contains(err.Error(), "no key of alice@TEST.EXAMPLE") {
		t.Errorf("without a key: %v", err)
	}
	l.cfg.Principal = "zookeeper/localhost@TEST.EXAMPLE"
	if _, err := l.Begin(t.Context(), "zk1"); err == nil || !strings.Contains(err.Error(), "krb5.conf names no kdc of the realm TEST.EXAMPLE") {
		t.Errorf("without a center: %v", err)
	}
}

// A ticket that was fetched is used again, also while no center answers, by the client and for the server that it is for.
func TestTicketsAreKept(t *testing.T) {
	l, err := New(Config{Cache: testCache, Krb5Conf: writeFile(t, "[libdefaults]\ndns_lookup_kdc = false\n")})
	if err != nil {
		t.Fatal(err)
	}
	within := time.Date(2026, 11, 28, 23, 0, 0, 0, time.UTC)
	cache, err := l.cache(within)
	if err != nil {
		t.Fatal(err)
	}
	zk2 := krb5.Principal{Components: []string{"zookeeper", "zk2"}, Realm: "TEST.EXAMPLE"}
	kept := &krb5.Credentials{End: within.Add(time.Hour)}
	l.tickets[[2]string{cache.Client.String(), zk2.String()}] = kept
	for _, tt := range []struct {
		client krb5.Principal
		at     time.Time
		want   *krb5.Credentials
	}{{cache.Client, within, kept}, {cache.Client, kept.End, nil}, {zk2, within, nil}} {
		if got, err := l.ticket(t.Context(), cache, tt.client, zk2, tt.at); got != tt.want || (err == nil) != (tt.want != nil) {
			t.Errorf("%v at %v: got %v, %v, want %v", tt.client, tt.at, got, err, tt.want)
		}
	}
}

// listen answers each connection with what answer makes of a message; nil closes it.
func listen(t *testing.T, answer func(message []byte) []byte) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			var size [4]byte
			io.ReadFull(nc, size[:])
			message := make([]byte, binary.BigEndian.Uint32(size[:]))
			io.ReadFull(nc, message)
			nc.Write(answer(message))
			nc.Close()
		}
	}()
	return l.Addr().String()
}

func framed(b []byte) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...) }

// The first center that answers counts.
func TestSend(t *testing.T) {
	echo := listen(t, func(message []byte) []byte { return framed(append([]byte("to "), message...)) })
	mute := listen(t, func([]byte) []byte { return nil })
	torn := listen(t, func([]byte) []byte { return framed([]byte("torn"))[:6] })
	long := listen(t, func([]byte) []byte { return binary.BigEndian.AppendUint32(nil, maxReplyBytes+1) })
	for _, tt := range []struct {
		centers []string
		want    string // of the error
	}{
		{[]string{echo}, ""},
		{[]string{mute, torn, long, echo}, ""},
		{[]string{mute, torn}, fmt.Sprintf("no key distribution center answers: realm HOME: %s: EOF\n%s: unexpected EOF", mute, torn)},
		{[]string{long}, long + ": a reply of 262145 bytes"},
		{nil, "krb5.conf names no kdc of the realm HOME"},
	} {
		l := &Login{conf: &krb5.Config{KDCs: map[string][]string{"HOME": tt.centers}}}
		reply, err := l.send(t.Context(), "HOME", []byte("message"))
		if tt.want == "" && (err != nil || string(reply) != "to message") || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%q: got %q, %v, want %q", tt.centers, reply, err, tt.want)
		}
		if errors.Is(err, ErrNoCenter) != (tt.want != "" && tt.centers != nil) {
			t.Errorf("%q: may pass: %v", tt.centers, err)
		}
	}
}

// A center that says nothing is left with the context.
func TestSendEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	silent := listen(t, func([]byte) []byte {
		cancel()
		<-t.Context().Done()
		return nil
	})
	l := &Login{conf: &krb5.Config{KDCs: map[string][]string{"HOME": {silent, silent}}}}
	if reply, err := l.send(ctx, "HOME", []byte("message")); !errors.Is(err, context.Canceled) || reply != nil {
		t.Errorf("got %q, %v", reply, err)
	}
}

func TestCenters(t *testing.T) {
	named := map[string][]string{"HOME": {"kdc", "kdc:1", "::1", "[::1]", "[::1]:2"}}
	for _, tt := range []struct {
		name string
		conf krb5.Config
		dns  fakeDNS
		want string
		err  string
		pass bool // the error may
	}{
		{"of the file", krb5.Config{KDCs: named, DNS: true}, fakeDNS{}, "kdc:88 kdc:1 [::1]:88 [::1]:88 [::1]:2", "", false},
		{"of DNS", krb5.Config{DNS: true}, fakeDNS{centers: []*net.SRV{{Target: "kdc1.home.", Port: 88}, {Target: "kdc2", Port: 1088}}}, "kdc1.home:88 kdc2:1088", "", false},
		{"not of DNS", krb5.Config{}, fakeDNS{}, "", "names no kdc of the realm HOME", false},
		{"of neither", krb5.Config{DNS: true}, fakeDNS{fault: &net.DNSError{IsNotFound: true}}, "", "nor does DNS", false},
		{"no DNS", krb5.Config{DNS: true}, fakeDNS{fault: &net.DNSError{IsTimeout: true}}, "", "names none of the realm HOME", true},
	} {
		l := &Login{conf: &tt.conf, dns: tt.dns}
		got, err := l.centers(t.Context(), "HOME")
		if strings.Join(got, " ") != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) || errors.Is(err, ErrNoCenter) != tt.pass {
			t.Errorf("%s: got %v, %v, want %s, %q", tt.name, got, err, tt.want, tt.err)
		}
	}
}

func TestDefaultCache(t *testing.T) {
	for name, want := range map[string]string{"": fmt.Sprintf("/tmp/krb5cc_%d", os.Getuid()), "/a": "/a", "FILE:/b": "/b"} {
		t.Setenv("KRB5CCNAME", name)
		if got := DefaultCache(); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}
