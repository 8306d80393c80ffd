package blackbox

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"zooraft/protocol"
	"zooraft/tests/harness"
)

// webConsole is somebody who is signed in to the console of one server.
type webConsole struct {
	t      *testing.T
	base   string
	cookie *http.Cookie
}

const consoleToken = "a token of some length"

// startConsoles starts servers whose consoles may write.
func startConsoles(t *testing.T, size int) *harness.Ensemble {
	t.Helper()
	token := filepath.Join(t.TempDir(), "token")
	must(t, "write the token", os.WriteFile(token, []byte(consoleToken+"\n"), 0o600))
	return harness.StartZooraft(t, harness.Options{Size: size, Lines: []string{
		"admin.enableServer=true", "admin.serverPort=0", "admin.uiWrite=true", "admin.uiTokenFile=" + token,
		"DigestAuthenticationProvider.superDigest=super:lK75jTNcA+U9vtVEw5vB51mj/w4=", // super:secret
		"4lw.commands.whitelist=*",
	}})
}

func signIn(t *testing.T, s *harness.Server, credentials string) *webConsole {
	t.Helper()
	c := &webConsole{t: t, base: harness.Page(t, s, "Started AdminServer") + "/ui/api/"}
	resp := c.send("POST", "session", credentials)
	if resp.StatusCode != 200 || len(resp.Cookies()) != 1 {
		t.Fatalf("sign-in: %s", resp.Status)
	}
	c.cookie = resp.Cookies()[0]
	return c
}

func (c *webConsole) send(method, call, body string) *http.Response {
	c.t.Helper()
	req, err := http.NewRequest(method, c.base+call, strings.NewReader(body))
	must(c.t, "make a request", err)
	req.Header.Set("Content-Type", "application/json")
	if c.cookie != nil {
		req.AddCookie(c.cookie)
	}
	resp, err := http.DefaultClient.Do(req)
	must(c.t, method+" "+call, err)
	b, err := io.ReadAll(resp.Body)
	must(c.t, method+" "+call, err)
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(b))
	return resp
}

// ask expects 200 and an object.
func (c *webConsole) ask(method, call, body string) map[string]any {
	c.t.Helper()
	resp := c.send(method, call, body)
	b, _ := io.ReadAll(resp.Body)
	var v map[string]any
	if err := json.Unmarshal(b, &v); resp.StatusCode != 200 || err != nil {
		c.t.Fatalf("%s %s: %s, %v: %s", method, call, resp.Status, err, b)
	}
	return v
}

func (c *webConsole) get(call string) map[string]any { c.t.Helper(); return c.ask("GET", call, "") }

func (c *webConsole) post(call, body string) map[string]any {
	c.t.Helper()
	return c.ask("POST", call, body)
}

// events calls hear with each event until it returns true.
func (c *webConsole) events(query string, ready func(), hear func(name, data string) bool) {
	c.t.Helper()
	req, err := http.NewRequest("GET", c.base+"events?"+query, nil)
	must(c.t, "make a request", err)
	req.AddCookie(c.cookie)
	resp, err := http.DefaultClient.Do(req)
	must(c.t, "listen", err)
	defer resp.Body.Close()
	watchdog := time.AfterFunc(startTimeout, func() { resp.Body.Close() })
	defer watchdog.Stop()
	name := ""
	for in := bufio.NewScanner(resp.Body); in.Scan(); {
		line := in.Text()
		if strings.HasPrefix(line, "retry:") {
			ready()
		}
		if n, ok := strings.CutPrefix(line, "event: "); ok {
			name = n
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok && hear(name, data) {
			return
		}
	}
	c.t.Fatalf("the stream of %s has ended", query)
}

// What the console writes clients see, and what they write it shows: znodes,
// sessions, watches, events.
func TestConsole(t *testing.T) {
	e := startConsoles(t, 1)
	c := signIn(t, e.Server(1), `{"user":"super","password":"secret"}`)
	zk := mustConnect(t, e.Server(1).ClientAddr)

	c.post("create", `{"path":"/web","data":"aGVsbG8="}`)
	zk.mustHold(t, "/web", "hello")
	must(t, "set", zk.set("/web", "world"))
	n := c.get("node?path=/web")
	if n["data"] != "d29ybGQ=" || n["type"] != "persistent" || n["stat"].(map[string]any)["version"] != 1.0 {
		t.Errorf("/web: %v", n)
	}
	if got := c.send("POST", "set", `{"path":"/web","data":"","version":0}`).StatusCode; got != 409 {
		t.Errorf("a set of an old version: %d, want 409", got)
	}
	// The super user's rights, where nobody has any.
	_, err := zk.call(protocol.OpCreate, &protocol.CreateRequest{Path: "/locked", ACL: []protocol.ACL{{Perms: protocol.PermRead, Scheme: "ip", ID: "192.0.2.1"}}})
	must(t, "create", err)
	c.post("set", `{"path":"/locked","data":"eA==","version":0}`)

	c.events("path="+url.QueryEscape("/web"), func() {
		must(t, "create", zk.create("/web/child", ""))
		must(t, "set", zk.set("/web", "again"))
	}, func() func(name, data string) bool {
		seen := make(map[string]bool)
		return func(name, data string) bool {
			var node struct{ Path, Kind, Zxid string }
			if name == "node" && json.Unmarshal([]byte(data), &node) == nil && strings.HasPrefix(node.Zxid, "0x") {
				seen[node.Kind+" "+node.Path] = true
			}
			return seen["created /web/child"] && seen["children /web"] && seen["changed /web"]
		}
	}())

	_, err = zk.call(protocol.OpCreate, &protocol.CreateRequest{Path: "/eph", ACL: protocol.OpenACL, Flags: protocol.CreateModeEphemeral})
	must(t, "create an ephemeral", err)
	_, err = zk.call(protocol.OpGetData, &protocol.PathWatchRequest{Path: "/web", Watch: true})
	must(t, "watch", err)
	owner := c.get("node?path=/eph")["stat"].(map[string]any)["ephemeralOwner"].(string)
	s := c.get("sessions/" + owner)
	if s["ephemerals"] != 1.0 || fmt.Sprint(s["ephemeralPaths"]) != "[/eph]" || s["watches"] != 1.0 || s["server"] != 1.0 || s["connection"] == nil {
		t.Errorf("session: %v", s)
	}
	if fmt.Sprint(s["watchPaths"]) != "[map[kind:data path:/web]]" {
		t.Errorf("watches: %v", s["watchPaths"])
	}
	if all := c.get("sessions"); all["total"] != 1.0 || all["sessions"].([]any)[0].(map[string]any)["id"] != owner {
		t.Errorf("sessions: %v", all)
	}
	if all := c.get("connections"); all["total"] != 1.0 || all["connections"].([]any)[0].(map[string]any)["session"] != owner {
		t.Errorf("connections: %v", all)
	}
	if n := c.get("node?path=/web"); n["watches"].(map[string]any)["data"] != 1.0 {
		t.Errorf("watchers of /web: %v", n["watches"])
	}
	if got := c.send("GET", "sessions/0x7", "").StatusCode; got != 404 {
		t.Errorf("a session that is not there: %d", got)
	}
	if all := c.get("ensemble"); all["standalone"] != true || len(all["members"].([]any)) != 1 {
		t.Errorf("ensemble: %v", all)
	}
	harness.Eventually(t, startTimeout, "samples that show the requests", func() error {
		for _, n := range c.get("history")["series"].(map[string]any)["writes"].([]any) {
			if n.(float64) > 0 {
				return nil
			}
		}
		return fmt.Errorf("no writes in the history")
	})
	for _, set := range c.get("config")["settings"].([]any) {
		if text := fmt.Sprint(set); strings.Contains(text, "lK75jTNc") || strings.Contains(text, consoleToken) {
			t.Errorf("a secret is shown: %s", text)
		}
	}
	if d := c.post("delete", `{"path":"/web","version":-1,"recursive":true}`); d["deleted"] != 2.0 {
		t.Errorf("deleted: %v", d)
	}
	if _, err := zk.get("/web"); err == nil {
		t.Error("/web is still there")
	}
	if log, err := os.ReadFile(e.Server(1).Log); err != nil || bytes.Contains(log, []byte("secret")) || bytes.Contains(log, []byte(consoleToken)) {
		t.Errorf("the log holds a secret, or cannot be read: %v", err)
	}
}

// Every member's console shows all of them and writes through the leader; the page
// goes on when the leader dies.
func TestConsoleOfEnsemble(t *testing.T) {
	harness.SkipShort(t)
	e := startConsoles(t, 3)
	leader := e.Leader()
	follower, other := leader%3+1, (leader+1)%3+1
	c := signIn(t, e.Server(follower), `{"token":"`+consoleToken+`"}`)
	zk := mustConnect(t, e.Server(other).ClientAddr)
	c.post("create", `{"path":"/web","data":"aGVsbG8="}`)
	zk.mustSync(t)
	zk.mustHold(t, "/web", "hello")

	members := func() map[float64]map[string]any {
		all := make(map[float64]map[string]any)
		for _, m := range c.get("ensemble")["members"].([]any) {
			m := m.(map[string]any)
			all[m["sid"].(float64)] = m
		}
		return all
	}
	harness.Eventually(t, startTimeout, "members at one zxid", func() error {
		all := members()
		for sid := 1; sid <= 3; sid++ {
			m := all[float64(sid)]
			if m == nil || m["problem"] != "" || m["zxid"] != all[1]["zxid"] || m["lag"] != 0.0 || m["leader"] != (sid == leader) || m["serving"] != true {
				return fmt.Errorf("member %d: %v", sid, m)
			}
		}
		return nil
	})
	for _, w := range c.get("warnings")["warnings"].([]any) {
		if code := w.(map[string]any)["code"]; code != "DiskSpace" && code != "SlowDisk" { // those are the machine's
			t.Errorf("a warning of an ensemble that is well: %v", w)
		}
	}
	// The session is another server's.
	owner := "0x"
	for _, s := range c.get("sessions")["sessions"].([]any) {
		if s := s.(map[string]any); s["server"] == float64(other) {
			owner = s["id"].(string)
		}
	}
	if s := c.get("sessions/" + owner); s["connection"] != nil || s["watches"] != nil {
		t.Errorf("session of another server: %v", s)
	}

	c.events("path=/", func() { e.Kill(leader) }, func(name, data string) bool {
		var st struct {
			Leader  int
			Serving bool
		}
		return name == "status" && json.Unmarshal([]byte(data), &st) == nil && st.Leader != leader && st.Leader != 0 && st.Serving
	})
	harness.Eventually(t, startTimeout, "a write after the election", func() error {
		if resp := c.send("POST", "set", `{"path":"/web","data":"bmV3","version":-1}`); resp.StatusCode != 200 {
			return fmt.Errorf("%s", resp.Status)
		}
		return nil
	})
	harness.Eventually(t, startTimeout, "that the dead member is shown", func() error {
		if m := members()[float64(leader)]; m["connected"] != false || m["zxid"] != nil || m["problem"] == "" {
			return fmt.Errorf("%v", m)
		}
		return nil
	})
	harness.Eventually(t, startTimeout, "that the warnings say so", func() error {
		if w := fmt.Sprint(c.get("warnings")); !strings.Contains(w, "MemberGone") || !strings.Contains(w, "QuorumThin") {
			return fmt.Errorf("%s", w)
		}
		return nil
	})
	if el := c.get("ensemble")["elections"].([]any); len(el) < 2 || el[0].(map[string]any)["leader"] == float64(leader) {
		t.Errorf("elections: %v", el)
	}
	// Without a quorum nothing is written, and the page says so.
	second := e.Leader()
	if second == follower {
		second = other
	}
	e.Kill(second)
	harness.Eventually(t, startTimeout, "that writes are refused", func() error {
		if resp := c.send("POST", "set", `{"path":"/web","data":"","version":-1}`); resp.StatusCode != 503 {
			return fmt.Errorf("%s", resp.Status)
		}
		return nil
	})
	if n := c.get("node?path=/web"); n["data"] != "bmV3" {
		t.Errorf("what is still shown: %v", n["data"])
	}
	harness.Eventually(t, startTimeout, "that the warnings say so", func() error {
		if w := fmt.Sprint(c.get("warnings")); !strings.Contains(w, "NoQuorum") || !strings.Contains(w, "QuorumLost") {
			return fmt.Errorf("%s", w)
		}
		return nil
	})
	if me := c.get("me"); me["writeProblem"] == "" || me["serving"] != false {
		t.Errorf("me: %v", me)
	}
}
