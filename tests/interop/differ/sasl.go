package differ

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
)

// digests is the client's side of DIGEST-MD5 on one connection, for requests that a step says what is wrong with.
type digests struct {
	nonce string // of the last challenge
	proof string // that the server is to send for the last response
}

var challengeNonce = regexp.MustCompile(`nonce="([^"]*)"`)

// heard takes down what a token of the server's says, and returns its text without what no two servers have alike.
func (d *digests) heard(token []byte, text string) string {
	if m := challengeNonce.FindSubmatch(token); m != nil {
		d.nonce = string(m[1])
		text = strings.ReplaceAll(text, d.nonce, fmt.Sprintf("NONCE(%d)", len(d.nonce)))
	}
	if d.proof != "" {
		text = strings.ReplaceAll(text, d.proof, "PROOF")
	}
	return text
}

// digestBody: USER PASSWORD [realm=...] [uri=...] [nc=...] [qop=...] [authzid=...] [charset=...] [nonce=...]. What a key
// says is sent, and part of the digest; ~ leaves it out of what is sent.
func digestBody(w *wire, e *env, args []arg) error {
	p := positional(args)
	user, password := p[0].val, p[1].val
	says := map[string]string{
		"realm": "zk-sasl-md5", "uri": "zookeeper/zk-sasl-md5", "nc": "00000001", "qop": "auth", "authzid": "", "charset": "utf-8",
		"nonce": e.digests.nonce,
	}
	left := map[string]bool{}
	for key := range says {
		if a, ok := named(args, key); ok && a.null {
			left[key] = true
		} else if ok {
			says[key] = a.val
		}
	}
	const cnonce = "an arbitrary text"
	inner := md5.Sum([]byte(user + ":" + says["realm"] + ":" + password))
	a1 := string(inner[:]) + ":" + says["nonce"] + ":" + cnonce
	if says["authzid"] != "" {
		a1 += ":" + says["authzid"]
	}
	digest := func(method string) string {
		return md5Hex(strings.Join([]string{md5Hex(a1), says["nonce"], says["nc"], cnonce, says["qop"], md5Hex(method + ":" + says["uri"])}, ":"))
	}
	e.digests.proof = digest("")
	parts := []string{`username="` + user + `"`, `cnonce="` + cnonce + `"`, "response=" + digest("AUTHENTICATE"), "maxbuf=65536"}
	for _, d := range []struct{ key, format string }{
		{"charset", "charset=%s"}, {"realm", `realm="%s"`}, {"nonce", `nonce="%s"`}, {"nc", "nc=%s"}, {"qop", "qop=%s"},
		{"uri", `digest-uri="%s"`}, {"authzid", `authzid="%s"`},
	} {
		if !left[d.key] && (d.key != "authzid" || says[d.key] != "") {
			parts = append(parts, fmt.Sprintf(d.format, says[d.key]))
		}
	}
	w.str(arg{val: strings.Join(parts, ",")})
	return nil
}

func md5Hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}
