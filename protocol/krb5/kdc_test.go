package krb5

import (
	"context"
	"encoding/asn1"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

type (
	kdcReq struct {
		Version int           `asn1:"explicit,tag:1"`
		Type    int           `asn1:"explicit,tag:2"`
		Padata  []padata      `asn1:"explicit,optional,tag:3"`
		Body    asn1.RawValue `asn1:"explicit,tag:4"`
	}
	kdcReqBody struct {
		Options asn1.BitString `asn1:"explicit,tag:0"`
		Client  principalName  `asn1:"explicit,optional,tag:1"`
		Realm   string         `asn1:"explicit,tag:2"`
		Server  principalName  `asn1:"explicit,tag:3"`
		Till    time.Time      `asn1:"explicit,generalized,tag:5"`
		Nonce   int64          `asn1:"explicit,tag:7"`
		ETypes  []EType        `asn1:"explicit,tag:8"`
	}
)

// center is a key distribution center of some realms, which checks what it is sent.
type center struct {
	t         testing.TB
	keys      map[string]Key    // of principals
	referrals map[string]string // realms by the servers that are not its own, each with the realm that says so
	preauth   []EType           // that it names, if it wants proof
	change    func(reply []byte) []byte
	asked     []string
}

func newCenter(t testing.TB) *center {
	return &center{t: t, referrals: map[string]string{}, keys: map[string]Key{
		"alice@HOME": randomKey(AES128SHA2), "zookeeper/zk1@HOME": randomKey(AES256SHA1), "zookeeper/zk2@AWAY": randomKey(AES256SHA1),
		"krbtgt/HOME@HOME": randomKey(AES256SHA1), "krbtgt/AWAY@AWAY": randomKey(AES256SHA1), "krbtgt/AWAY@HOME": randomKey(AES128SHA1),
	}}
}

func (c *center) keytab(name string) []KeytabEntry {
	k := c.keys[name]
	p, err := ParsePrincipal(name, "")
	if err != nil {
		c.t.Fatal(err)
	}
	old := randomKey(k.Type)
	return []KeytabEntry{{p, 1, old.Type, old.Value}, {p, 2, k.Type, k.Value}}
}

func (c *center) refuse(code int, data []byte) []byte {
	fields := [][]byte{
		derField(0, derInt(version)), derField(1, derInt(appError)), derField(4, derTime(noon)), derField(5, derInt(0)),
		derField(6, derInt(int64(code))), derField(9, derString("HOME")), derField(10, derName(nameInstance, []string{"krbtgt", "HOME"})),
		derField(11, derString("so\nsaid"))}
	if data != nil {
		fields = append(fields, derField(12, derOctets(data)))
	}
	return derApplication(appError, derSequence(fields...))
}

func (c *center) send(_ context.Context, realm string, message []byte) ([]byte, error) {
	reply := c.answer(realm, message)
	if c.change != nil {
		reply = c.change(reply)
	}
	return reply, nil
}

func (c *center) answer(realm string, message []byte) []byte {
	c.t.Helper()
	app := int(message[0] &^ 0x60)
	var req kdcReq
	var body kdcReqBody
	if err := unmarshal(message, app, &req, "request"); err != nil {
		c.t.Fatal(err)
	}
	if rest, err := asn1.Unmarshal(req.Body.Bytes, &body); err != nil || len(rest) > 0 || req.Type != app || body.Realm != realm {
		c.t.Fatalf("request %d of %q at %q: %v", req.Type, body.Realm, realm, err)
	}
	server := body.Server.in(realm).String()
	c.asked = append(c.asked, server)
	if app == appASReq {
		client := body.Client.in(realm)
		key, known := c.keys[client.String()]
		if !known {
			return c.refuse(6, nil)
		}
		if !slices.Equal(body.ETypes, []EType{key.Type}) {
			c.t.Errorf("asks for %v", body.ETypes)
		}
		if c.preauth != nil {
			if len(req.Padata) == 0 {
				var infos [][]byte
				for _, e := range c.preauth {
					infos = append(infos, derSequence(derField(0, derInt(int64(e))), derField(1, derString("salt"))))
				}
				return c.refuse(codePreauthRequired, derSequence(derPadata(11, nil), derPadata(padataETypes2, derSequence(infos...))))
			}
			var e encryptedData
			if _, err := asn1.Unmarshal(req.Padata[0].Value, &e); err != nil || req.Padata[0].Type != padataTime {
				c.t.Fatal(err)
			}
			if _, err := key.decrypt(useTime, e.Cipher); err != nil {
				return c.refuse(codePreauthFailed, nil)
			}
		}
		return c.issue(appASRep, appEncASRep, client, body.Server.in(realm), randomKey(AES256SHA2), key, useASRep, body.Nonce)
	}
	var ap apReq
	var tgt ticket
	if err := unmarshal(req.Padata[0].Value, appAPReq, &ap, "proof"); err != nil || req.Padata[0].Type != padataTGSReq {
		c.t.Fatal(err)
	}
	if err := unmarshal(ap.Ticket.Bytes, appTicket, &tgt, "ticket"); err != nil {
		c.t.Fatal(err)
	}
	part, session, err := openTicket(ap.Ticket.Bytes, c.keytab(tgt.Server.in(tgt.Realm).String()))
	if err != nil || tgt.Server.Name[1] != realm {
		c.t.Fatalf("a ticket for %v at %s: %v", tgt.Server, realm, err)
	}
	plain, err := decryptPart(session, useTGSAuthenticator, &ap.Authenticator)
	var auth authenticator
	if err == nil {
		err = unmarshal(plain, appAuthenticator, &auth, "authenticator")
	}
	if err != nil || auth.Client.in(auth.Realm).String() != part.Client.in(part.Realm).String() ||
		int64(auth.Checksum.Type) != sumTypes[session.Type] || string(auth.Checksum.Sum) != string(session.sum(useTGSBody, req.Body.Bytes)) {
		c.t.Fatalf("authenticator %+v, %v", auth, err)
	}
	got := body.Server.in(realm)
	if next, ok := c.referrals[server]; ok {
		got = Principal{[]string{"krbtgt", next}, realm}
	}
	if _, known := c.keys[got.String()]; !known {
		return c.refuse(7, nil)
	}
	return c.issue(appTGSRep, appEncTGSRep, part.Client.in(part.Realm), got, randomKey(AES128SHA1), session, useTGSRep, body.Nonce)
}

func (c *center) issue(app, part byte, client, server Principal, session, key Key, use uint32, nonce int64) []byte {
	end := noon.Add(time.Hour)
	inTicket := derApplication(appEncTicketPart, derSequence(
		derField(0, derBits(0)), derField(1, derKey(session)), derField(2, derString(client.Realm)), derField(3, derName(1, client.Components)),
		derField(4, derSequence(derField(0, derInt(1)), derField(1, derOctets(nil)))), derField(5, derTime(noon)), derField(7, derTime(end))))
	made := derApplication(appTicket, derSequence(derField(0, derInt(version)), derField(1, derString(server.Realm)),
		derField(2, derName(2, server.Components)), derField(3, derEncrypted(c.keys[server.String()], useTicket, inTicket))))
	told := derApplication(part, derSequence(
		derField(0, derKey(session)), derField(1, derSequence()), derField(2, derInt(nonce)), derField(4, derBits(0)), derField(5, derTime(noon)),
		derField(7, derTime(end)), derField(9, derString(server.Realm)), derField(10, derName(2, server.Components))))
	return derApplication(app, derSequence(derField(0, derInt(version)), derField(1, derInt(int64(app))), derField(3, derString(client.Realm)),
		derField(4, derName(1, client.Components)), derField(5, made), derField(6, derEncrypted(key, use, told))))
}

// A client with a keytab gets a ticket that the server takes, by whatever way.
func TestAskForTickets(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*center)
		server string
		got    string // the server's principal in the end
		asked  string
	}{
		{"at once", nil, "zookeeper/zk1@HOME", "zookeeper/zk1@HOME", "krbtgt/HOME@HOME zookeeper/zk1@HOME"},
		{"with proof", func(c *center) { c.preauth = []EType{AES256SHA1, AES128SHA2} }, "zookeeper/zk1@HOME", "zookeeper/zk1@HOME", "krbtgt/HOME@HOME krbtgt/HOME@HOME zookeeper/zk1@HOME"},
		{"with proof of any type", func(c *center) { c.preauth = []EType{} }, "zookeeper/zk1@HOME", "", ""},
		{"another realm", nil, "zookeeper/zk2@AWAY", "zookeeper/zk2@AWAY", "krbtgt/HOME@HOME krbtgt/AWAY@HOME zookeeper/zk2@AWAY"},
		{"a realm that the center knows", func(c *center) { c.referrals["zookeeper/zk2@HOME"] = "AWAY" }, "zookeeper/zk2@HOME", "zookeeper/zk2@AWAY",
			"krbtgt/HOME@HOME zookeeper/zk2@HOME zookeeper/zk2@AWAY"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCenter(t)
			if tt.change != nil {
				tt.change(c)
			}
			server, err := ParsePrincipal(tt.server, "")
			if err != nil {
				t.Fatal(err)
			}
			granting, err := AskFirst(t.Context(), c.send, alice, c.keytab("alice@HOME"), noon)
			if tt.got == "" {
				if !errors.Is(err, errPassword) {
					t.Errorf("got %v, want %v", err, errPassword)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := AskTicket(t.Context(), c.send, granting, server, noon)
			if err != nil || got.Server.String() != tt.got || !got.End.Equal(noon.Add(time.Hour)) {
				t.Fatalf("got %+v, %v", got, err)
			}
			if asked := strings.Join(c.asked, " "); asked != tt.asked {
				t.Errorf("asked for %s, want %s", asked, tt.asked)
			}
			a, err := Accept(first(t, initiate(got)), c.keytab(tt.got), noon, time.Minute)
			if err != nil || a.Client.String() != "alice@HOME" {
				t.Errorf("the server takes it as %+v, %v", a, err)
			}
		})
	}
}

func TestAskRefused(t *testing.T) {
	zk1 := Principal{[]string{"zookeeper", "zk1"}, "HOME"}
	for _, tt := range []struct {
		name   string
		change func(*center)
		client string
		want   error
		said   string
	}{
		{"unknown client", nil, "eve@HOME", nil, `the client is not known there (so\nsaid)`},
		{"wrong key, no proof", func(c *center) { c.keys["alice@HOME"] = randomKey(AES128SHA2) }, "", errPassword, "version 0 of aes128-cts-hmac-sha256-128; the keytab has version 1 of"},
		{"wrong key, proof", func(c *center) { c.preauth = []EType{AES128SHA2}; c.keys["alice@HOME"] = randomKey(AES128SHA2) }, "", errPassword, "the key is wrong"},
		{"rc4 only", func(c *center) { c.preauth = []EType{23} }, "", errPassword, "the center wants one of [arcfour-hmac]"},
		{"unknown server", func(c *center) { delete(c.keys, "zookeeper/zk1@HOME") }, "", nil, "ticket for zookeeper/zk1@HOME: the key distribution center refuses: the server is not known there"},
		{"back and forth", func(c *center) {
			c.keys["krbtgt/HOME@AWAY"] = randomKey(AES128SHA1)
			c.referrals["zookeeper/zk1@HOME"], c.referrals["zookeeper/zk1@AWAY"] = "AWAY", "HOME"
		}, "", errReferral, "zookeeper/zk1"},
		{"to itself", func(c *center) { c.referrals["zookeeper/zk1@HOME"] = "HOME" }, "", errReply, "zookeeper/zk1"},
		{"some other error", func(c *center) { c.change = func([]byte) []byte { return c.refuse(99, nil) } }, "", nil, "error 99"},
		{"nothing", func(c *center) { c.change = func([]byte) []byte { return nil } }, "", nil, "reply of a key distribution center"},
		{"torn", func(c *center) { c.change = func(b []byte) []byte { return b[:len(b)-1] } }, "", nil, "reply of a key distribution center"},
		{"an error, torn", func(c *center) { c.change = func([]byte) []byte { return c.refuse(6, nil)[:20] } }, "", nil, "error of a key distribution center"},
		{"an old reply", func(c *center) {
			var old []byte
			c.change = func(b []byte) []byte {
				if old == nil {
					old = b
				}
				return old
			}
			if _, err := AskFirst(c.t.Context(), c.send, alice, c.keytab("alice@HOME"), noon); err != nil {
				c.t.Fatal(err)
			}
		}, "", errReply, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCenter(t)
			keys := c.keytab("alice@HOME")
			if tt.change != nil {
				tt.change(c)
			}
			client := alice
			if tt.client != "" {
				client = Principal{[]string{"eve"}, "HOME"}
			}
			first, err := AskFirst(t.Context(), c.send, client, keys, noon)
			if err == nil {
				_, err = AskTicket(t.Context(), c.send, first, zk1, noon)
			}
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.said) {
				t.Errorf("got %v, want %v with %q", err, tt.want, tt.said)
			}
		})
	}
	lost := errors.New("lost")
	if _, err := AskFirst(t.Context(), func(context.Context, string, []byte) ([]byte, error) { return nil, lost }, alice, nil, noon); !errors.Is(err, lost) {
		t.Errorf("got %v, want %v", err, lost)
	}
}

func FuzzReply(f *testing.F) {
	c := newCenter(f)
	keys := c.keytab("alice@HOME")
	f.Add(c.refuse(codePreauthRequired, derSequence(derPadata(padataETypes2, nil))), []byte{0x79, 2, 0x30, 0})
	f.Add([]byte{0x6b, 2, 0x30, 0}, []byte{0x7a, 2, 0x30, 0})
	f.Fuzz(func(t *testing.T, reply, part []byte) {
		sealed := derApplication(appASRep, derSequence(derField(0, derInt(version)), derField(1, derInt(appASRep)), derField(3, derString("HOME")),
			derField(4, derName(1, []string{"alice"})), derField(5, derApplication(appTicket)), derField(6, derEncrypted(c.keys["alice@HOME"], useASRep, part))))
		for _, reply := range [][]byte{reply, sealed} {
			got, err := AskFirst(t.Context(), func(context.Context, string, []byte) ([]byte, error) { return reply, nil }, alice, keys, noon)
			if err == nil {
				t.Errorf("got %+v", got)
			}
		}
	})
}
