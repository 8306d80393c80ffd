package krb5

import (
	"bytes"
	"testing"
	"time"
)

// FuzzAccept has a token as it is, and what its encrypted parts hold encrypted anew,
// so that what only the distribution center or a client with a ticket can write is
// reached too.
func FuzzAccept(f *testing.F) {
	issue := newIssue(AES128SHA1)
	c := issue.credentials()
	keys := issue.keytab()
	token, _, err := initiate(c).Step(nil)
	if err != nil {
		f.Fatal(err)
	}
	message, err := unframe(tokenAPReq, token)
	if err != nil {
		f.Fatal(err)
	}
	var req apReq
	if err := unmarshal(message, appAPReq, &req, "request"); err != nil {
		f.Fatal(err)
	}
	var t ticket
	if err := unmarshal(req.Ticket.Bytes, appTicket, &t, "ticket"); err != nil {
		f.Fatal(err)
	}
	part, err := t.decrypt(keys)
	if err != nil {
		f.Fatal(err)
	}
	auth, err := c.Session.decrypt(useAPReqAuthenticator, req.Authenticator.Cipher)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(token, part, auth)
	f.Add(token, part[:len(part)/2], auth)
	f.Add(token, part, auth[:len(auth)/2])
	f.Fuzz(func(t *testing.T, token, part, auth []byte) {
		Accept(token, keys, noon, time.Minute)
		made := der(0x61, derSequence(derField(0, derInt(version)), derField(1, derString("HOME")),
			derField(2, derName(2, server.Components)), derField(3, derEncrypted(issue.key, useTicket, part))))
		a, err := Accept(frame(tokenAPReq, derAPReq(0, made, c.Session, useAPReqAuthenticator, auth)), keys, noon, time.Minute)
		if err != nil {
			return
		}
		if len(a.Client.Components) == 0 || a.Context == nil {
			t.Errorf("accepted %+v", a)
		}
		a.Context.Wrap([]byte("x"))
	})
}

func FuzzUnwrap(f *testing.F) {
	key := randomKey(AES128SHA2)
	f.Add((&Context{key: key, acceptor: true}).Wrap([]byte("data")))
	f.Fuzz(func(t *testing.T, token []byte) {
		data, err := (&Context{key: key}).Unwrap(token)
		if err == nil && !bytes.Contains(append(bytes.Clone(token[wrapHeaderBytes:]), token[wrapHeaderBytes:]...), data) {
			t.Errorf("%x is not in %x", data, token)
		}
	})
}

func FuzzInitiator(f *testing.F) {
	issue := newIssue(AES128SHA1)
	c := issue.credentials()
	i := initiate(c)
	token, _, err := i.Step(nil)
	if err != nil {
		f.Fatal(err)
	}
	a, err := Accept(token, issue.keytab(), noon, time.Minute)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(a.Reply, []byte{0x7b, 0x02, 0x30, 0x00}, a.Context.Wrap([]byte{1, 0, 0, 0}))
	f.Fuzz(func(t *testing.T, reply, part, offer []byte) {
		for _, reply := range [][]byte{reply, frame(tokenAPRep, derApplication(appAPRep, derSequence(
			derField(0, derInt(version)), derField(1, derInt(appAPRep)), derField(2, derEncrypted(c.Session, useAPRep, part)))))} {
			i := initiate(c)
			i.now = func() time.Time { return noon.Add(time.Hour + 7*time.Microsecond) }
			i.Step(nil)
			if _, _, err := i.Step(reply); err == nil && !bytes.Contains(part, []byte("20260304130000Z")) {
				t.Errorf("a reply to another request was taken: %x", reply)
			}
			i.Step(offer)
		}
	})
}
