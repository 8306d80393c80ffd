package sasl

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// exchanges were captured from Java 17's SaslClient and SaslServer, in all of which it
// took part as the one side or the other, and was content.
var exchanges = []struct {
	java, user, password string
	nonce, clientNonce   string
	challenge            string
	response             string
	proof                string
}{
	{
		"server", "bob", "secret", "vxYgfFpHgl5qW9rrHzuAA3BNaqnxVAiHecCwLStK", "VqltxcDkBRAR1y+y5OYnqhKbhU2k9ai57/1flvLC",
		`realm="zk-sasl-md5",nonce="vxYgfFpHgl5qW9rrHzuAA3BNaqnxVAiHecCwLStK",charset=utf-8,algorithm=md5-sess`,
		`charset=utf-8,username="bob",realm="zk-sasl-md5",nonce="vxYgfFpHgl5qW9rrHzuAA3BNaqnxVAiHecCwLStK",nc=00000001,cnonce="VqltxcDkBRAR1y+y5OYnqhKbhU2k9ai57/1flvLC",digest-uri="zookeeper/zk-sasl-md5",maxbuf=65536,response=c9f5ad6143b6a2f1c5d7f0b546be8c2d,qop=auth,authzid="bob"`,
		"rspauth=6cc9bcc709d2b91172e836223c467060",
	},
	{
		"client", "bob", "secret", "T9IYaVF1veb54y0NU2j8YymeD9RtBw72dhydkjAU", "dyn3af1O/4qpb+Sp9+y3/jfRtaKlIsc93ZD5WMSA",
		`realm="zk-sasl-md5",nonce="T9IYaVF1veb54y0NU2j8YymeD9RtBw72dhydkjAU",charset=utf-8,algorithm=md5-sess`,
		`charset=utf-8,username="bob",realm="zk-sasl-md5",nonce="T9IYaVF1veb54y0NU2j8YymeD9RtBw72dhydkjAU",nc=00000001,cnonce="dyn3af1O/4qpb+Sp9+y3/jfRtaKlIsc93ZD5WMSA",digest-uri="zookeeper/zk-sasl-md5",maxbuf=65536,response=71bb72b6508f78d4f86b733b6d30290f,qop=auth,authzid="bob"`,
		"rspauth=cf7849f5e8e52bd10af64247de1dfca5",
	},
	// Some of it can be said in ISO 8859-1, some cannot.
	{
		"client", `b"ö\€`, `pä"ß`, "YBn0DUdbKDZhraBQuAIrNgHL5Rywl7A867Pom2EL", "j0UJJwGjbfRmaKfYTBMjkrq6QpG3jXU/GtDf3crs",
		`realm="zk-sasl-md5",nonce="YBn0DUdbKDZhraBQuAIrNgHL5Rywl7A867Pom2EL",charset=utf-8,algorithm=md5-sess`,
		`charset=utf-8,username="b\"ö\\€",realm="zk-sasl-md5",nonce="YBn0DUdbKDZhraBQuAIrNgHL5Rywl7A867Pom2EL",nc=00000001,cnonce="j0UJJwGjbfRmaKfYTBMjkrq6QpG3jXU/GtDf3crs",digest-uri="zookeeper/zk-sasl-md5",maxbuf=65536,response=4a31d0c8bcc1cd621b2b1ce8ef2d90e2,qop=auth,authzid="b\"ö\\€"`,
		"rspauth=afa5207fd09ef6a91e71a1b99d1b5ef8",
	},
	{
		"server", "bö", "€uro", "aFK6IqG4Por8IjbPgg7t7tEN00IuLHYbEnLl3mJa", "nCFwXq0HchJJPIwmZ3c8FwMZzYs4lZW6u1bajkXZ",
		`realm="zk-sasl-md5",nonce="aFK6IqG4Por8IjbPgg7t7tEN00IuLHYbEnLl3mJa",charset=utf-8,algorithm=md5-sess`,
		`charset=utf-8,username="bö",realm="zk-sasl-md5",nonce="aFK6IqG4Por8IjbPgg7t7tEN00IuLHYbEnLl3mJa",nc=00000001,cnonce="nCFwXq0HchJJPIwmZ3c8FwMZzYs4lZW6u1bajkXZ",digest-uri="zookeeper/zk-sasl-md5",maxbuf=65536,response=63683b98cca105092d3868956b40dc44,qop=auth,authzid="bö"`,
		"rspauth=06a6d8f6ab45cbb1394927d07a7416a7",
	},
}

func passwords(user, password string) func(string) (string, bool) {
	return func(name string) (string, bool) { return password, name == user }
}

func TestExchangesWithJava(t *testing.T) {
	for _, x := range exchanges {
		t.Run(x.java+" "+x.user, func(t *testing.T) {
			s, c := NewDigestServer(passwords(x.user, x.password)), NewDigestClient(x.user, x.password)
			s.nonce, c.clientNonce = x.nonce, x.clientNonce
			nothing, _, err := c.Step(nil)
			if err != nil || len(nothing) > 0 {
				t.Fatalf("the client begins with %q, %v", nothing, err)
			}
			challenge, user, err := s.Step(nothing)
			if err != nil || user != "" || string(challenge) != x.challenge {
				t.Fatalf("challenge %s, user %q, %v; want %s", challenge, user, err, x.challenge)
			}
			response, done, err := c.Step(challenge)
			if err != nil || done || string(response) != x.response {
				t.Fatalf("response %s, done %v, %v; want %s", response, done, err, x.response)
			}
			proof, user, err := s.Step(response)
			if err != nil || user != x.user || string(proof) != x.proof {
				t.Fatalf("proof %s, user %q, %v; want %s", proof, user, err, x.proof)
			}
			last, done, err := c.Step(proof)
			if err != nil || !done || len(last) > 0 {
				t.Fatalf("the client ends with %q, done %v, %v", last, done, err)
			}
			if _, _, err := s.Step(response); !errors.Is(err, errOver) {
				t.Errorf("the server takes more: %v", err)
			}
			if _, _, err := c.Step(proof); !errors.Is(err, errOver) {
				t.Errorf("the client takes more: %v", err)
			}
		})
	}
}

// Java's server takes and refuses these alike, except where a comment says so.
func TestServerReadsResponses(t *testing.T) {
	const user, password = "bob", "hunter2"
	proof := func(change func(*credentials)) string {
		c := credentials{user: user, realm: serverName, password: password, nonce: "n", clientNonce: "c"}
		if change != nil {
			change(&c)
		}
		return c.digest("AUTHENTICATE")
	}
	own := proof(nil)
	// With neither charset nor authzid nor maxbuf, as kazoo sends it.
	plain := `username="bob",realm="zk-sasl-md5",nonce="n",nc=00000001,cnonce="c",digest-uri="zookeeper/zk-sasl-md5",qop=auth,response=` + own
	replace := func(old, with string) string {
		if !strings.Contains(plain, old) {
			t.Fatalf("%s is not in %s", old, plain)
		}
		return strings.Replace(plain, old, with, 1)
	}
	tests := []struct{ name, token, err string }{
		{"plain", plain, ""},
		{"charset", plain + ",charset=utf-8", ""},
		{"charset in quotation marks", plain + `,charset="utf-8"`, ""},
		{"without qop", replace(",qop=auth", ""), ""},
		{"blanks and empty elements", strings.ReplaceAll(replace("nc=", "nc = "), ",", " ,\r\n, ") + ",", ""},
		{"names in upper case", strings.Replace(replace("username", "UserName"), "nc=", "NC=", 1), ""},
		{"quoted pairs", replace(`"bob"`, `"\b\o\b"`), ""},
		{"unknown directives", plain + `,foo=,bar="",cipher=des`, ""},
		{"to act for another", replace(own, proof(func(c *credentials) { c.authzID = "alice" })) + `,authzid="alice"`, ""},
		{"another's name not hashed", plain + `,authzid="alice"`, "wrong password"},
		{"wrong password", replace(own, proof(func(c *credentials) { c.password = "hunter3" })), "wrong password"},
		{"wrong user", strings.Replace(replace(own, proof(func(c *credentials) { c.user = "eve" })), "bob", "eve", 1), `user "eve": unknown user`},
		{"unknown user, no password", strings.Replace(replace(own, proof(func(c *credentials) { c.user, c.password = "eve", "" })), "bob", "eve", 1), "unknown user"},
		{"no user", replace(`username="bob",`, ""), "no username"},
		{"empty user", replace(`"bob"`, `""`), "the name of the user"},
		{"user is no UTF-8", replace(`"bob"`, "\"b\xf6b\""), "the name of the user"},
		{"response in upper case", replace(own, strings.ToUpper(own)), "wrong password"},
		{"no response", replace("response="+own, ""), "no response"},
		{"no client nonce", replace(`,cnonce="c"`, ""), "no cnonce"},
		{"another nonce", replace(`nonce="n"`, `nonce="m"`), "nonce is"},
		{"a used nonce", replace("00000001", "00000002"), "nc is"},
		{"short count", replace("00000001", "1"), "nc is"}, // Java takes it
		{"no count", replace(",nc=00000001", ""), ""},
		{"no realm", replace(`realm="zk-sasl-md5",`, ""), "realm is"},
		{"another realm", replace(`realm="zk-sasl-md5"`, `realm="x"`), "realm is"},
		{"another server", replace("zookeeper/zk-sasl-md5", "zookeeper/localhost"), "digest-uri is"},
		{"integrity", replace("qop=auth", "qop=auth-int"), "qop is"},
		{"another charset", plain + ",charset=UTF-8", "charset is"},
		{"a user twice", plain + `,username="bob"`, "username stands there more than once"},
		{"a realm twice", plain + `,realm="zk-sasl-md5"`, "realm stands there more than once"},
		{"open quotation mark", plain + `,foo="`, `"foo" is not closed`},
		{"open quoted pair", plain + `,foo="\`, `"foo" is not closed`},
		{"no comma", plain + ` foo=x`, `no comma`},
		{"no name", plain + `,=x`, `has no name`},
		{"no value", plain + `,foo`, `has no name`},
		{"nothing", "", "realm is"},
		{"too long", plain + "," + strings.Repeat(" ", maxTokenBytes), "4096 are allowed"},
	}
	for _, tt := range tests {
		s := NewDigestServer(func(name string) (string, bool) {
			if name == user {
				return password, true
			}
			return "", false
		})
		s.nonce = "n"
		if _, _, err := s.Step(nil); err != nil {
			t.Fatal(err)
		}
		reply, got, err := s.Step([]byte(tt.token))
		switch {
		case tt.err == "":
			if err != nil || got != user || !strings.HasPrefix(string(reply), "rspauth=") {
				t.Errorf("%s: got %q, user %q, %v", tt.name, reply, got, err)
			}
		case err == nil || got != "" || reply != nil || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), password):
			t.Errorf("%s: got %q, user %q, %v; want the error %q", tt.name, reply, got, err, tt.err)
		}
		if _, _, err := s.Step([]byte(plain)); !errors.Is(err, errOver) {
			t.Errorf("%s: there is a second try: %v", tt.name, err)
		}
	}
}

// What a client begins with is not looked at.
func TestServerBegins(t *testing.T) {
	for _, first := range []string{"", "x", strings.Repeat("x", maxTokenBytes+1)} {
		s := NewDigestServer(passwords("bob", "x"))
		challenge, user, err := s.Step([]byte(first))
		if err != nil || user != "" {
			t.Fatalf("%.9q: got user %q, %v", first, user, err)
		}
		c := NewDigestClient("bob", "x")
		c.Step(nil)
		response, _, err := c.Step(challenge)
		if err != nil {
			t.Fatal(err)
		}
		if _, user, err := s.Step(response); err != nil || user != "bob" {
			t.Errorf("%.9q: got user %q, %v", first, user, err)
		}
	}
}

func TestClientReadsChallenges(t *testing.T) {
	tests := []struct{ name, challenge, realm, err string }{
		{"several realms", `realm="a\"b",realm=c,nonce=n,charset=utf-8,algorithm=md5-sess`, `"a\"b"`, ""},
		{"no realm", `nonce="n",qop="auth-int, auth",charset="utf-8",algorithm="md5-sess",stale=true`, `"zk-sasl-md5"`, ""},
		{"no nonce", `charset=utf-8,algorithm=md5-sess`, "", "no nonce"},
		{"two nonces", `nonce=a,nonce=b,charset=utf-8,algorithm=md5-sess`, "", "nonce stands there more than once"},
		{"no algorithm", `nonce=n,charset=utf-8`, "", "no algorithm"},
		{"another algorithm", `nonce=n,charset=utf-8,algorithm=md5`, "", "algorithm is"},
		{"no charset", `nonce=n,algorithm=md5-sess`, "", "no charset"},
		{"integrity alone", `nonce=n,charset=utf-8,algorithm=md5-sess,qop="auth-int"`, "", "qop is"},
		{"nothing", "", "", "offers no DIGEST-MD5"},
		{"open quotation mark", `nonce="n`, "", "is not closed"},
	}
	for _, tt := range tests {
		c := NewDigestClient("bob", "hunter2")
		if _, _, err := c.Step(nil); err != nil {
			t.Fatal(err)
		}
		response, done, err := c.Step([]byte(tt.challenge))
		switch {
		case done:
			t.Errorf("%s: done too early", tt.name)
		case tt.err == "":
			if err != nil || !bytes.Contains(response, []byte(",realm="+tt.realm+",")) {
				t.Errorf("%s: got %s, %v; want the realm %s", tt.name, response, err, tt.realm)
			}
		case err == nil || response != nil || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "hunter2"):
			t.Errorf("%s: got %s, %v; want the error %q", tt.name, response, err, tt.err)
		}
	}
	if _, _, err := NewDigestClient("bob", "x").Step([]byte("x")); !errors.Is(err, errToken) {
		t.Errorf("a server that begins: got %v", err)
	}
}

func TestClientChecksTheServer(t *testing.T) {
	x := exchanges[0]
	for _, tt := range []struct {
		proof string
		want  error
	}{
		{"rspauth=" + strings.Repeat("0", 32), errServer},
		{"", errToken},
		{x.proof + "," + x.proof, errToken},
		{"rspauth", errToken},
	} {
		c := NewDigestClient(x.user, x.password)
		c.clientNonce = x.clientNonce
		c.Step(nil)
		if _, _, err := c.Step([]byte(x.challenge)); err != nil {
			t.Fatal(err)
		}
		if _, done, err := c.Step([]byte(tt.proof)); done || !errors.Is(err, tt.want) {
			t.Errorf("%q: done %v, %v; want %v", tt.proof, done, err, tt.want)
		}
		if _, done, err := c.Step([]byte(x.proof)); done || !errors.Is(err, errOver) {
			t.Errorf("%q: there is a second try: %v", tt.proof, err)
		}
	}
}

func TestNoncesDiffer(t *testing.T) {
	if a, b := NewDigestServer(nil).nonce, NewDigestServer(nil).nonce; a == b || len(a) < 40 {
		t.Errorf("got the nonces %s and %s", a, b)
	}
	if a, b := NewDigestClient("a", "b").clientNonce, NewDigestClient("a", "b").clientNonce; a == b || len(a) < 40 {
		t.Errorf("got the client's nonces %s and %s", a, b)
	}
}
