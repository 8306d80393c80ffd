//go:build interop

package console

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/go-zookeeper/zk"

	"zooraft/tests/harness"
	"zooraft/tests/testkit"
)

const token = "a-token-that-only-these-tests-know"

// superDigest is super:test.
const superDigest = "super:D/InIHSb7yEEbrWz8b9l71RjZJU="

// start starts servers with a console that may write, and with more lines in their
// zoo.cfg. It returns the addresses of their consoles, by sid.
func start(t testing.TB, size int, lines ...string) (*harness.Ensemble, map[int]string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	e := harness.NewZooraft(t, harness.Options{Size: size})
	bases := make(map[int]string)
	for sid := 1; sid <= size; sid++ {
		port := testkit.Ports(t, 1)[0]
		bases[sid] = fmt.Sprintf("http://127.0.0.1:%d", port)
		f, err := os.OpenFile(e.Server(sid).Config, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = fmt.Fprintf(f, "admin.enableServer=true\nadmin.serverAddress=127.0.0.1\nadmin.serverPort=%d\nadmin.uiWrite=true\nadmin.uiTokenFile=%s\n"+
			"DigestAuthenticationProvider.superDigest=%s\n%s\n", port, file, superDigest, strings.Join(lines, "\n"))
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	e.StartAll()
	return e, bases
}

// connect is another client.
func connect(t testing.TB, e *harness.Ensemble) *zk.Conn {
	t.Helper()
	c, _, err := zk.Connect(e.ClientAddrs(), 20*time.Second, zk.WithLogInfo(false))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func create(t testing.TB, c *zk.Conn, path, data string) {
	t.Helper()
	if _, err := c.Create(path, []byte(data), 0, zk.WorldACL(zk.PermAll)); err != nil {
		t.Fatalf("create %q: %v", path, err)
	}
}

func set(t testing.TB, c *zk.Conn, path, data string) {
	t.Helper()
	if _, err := c.Set(path, []byte(data), -1); err != nil {
		t.Fatalf("set %q: %v", path, err)
	}
}

// in opens a window and signs in with the token, on the way to an address.
func in(t testing.TB, base, address string, o options) *page {
	t.Helper()
	p := open(t, base, o)
	p.visit(address)
	p.signIn()
	return p
}

func (p *page) signIn() {
	p.t.Helper()
	p.click("label", "Token")
	p.fill("input[name=token]", token)
	p.click("button[type=submit]", "Sign in")
	p.shows("nav.views a", "Tree")
}

func znode(path string) string {
	return "/ui/tree?path=" + strings.ReplaceAll(url.QueryEscape(path), "+", "%20")
}

func TestSignIn(t *testing.T) {
	_, bases := start(t, 1)
	p := open(t, bases[1], options{})
	p.visit("/ui/sessions")
	p.await("the form has the focus", `document.activeElement?.name === "user"`) // it takes it a moment after it is drawn
	p.fill("input[name=password]", "wrong")
	p.click("button[type=submit]", "Sign in")
	p.shows("[role=alert]", "WrongCredentials")
	p.fill("input[name=password]", "test")
	p.press(kb.Enter)
	p.shows("h1", "Sessions") // where one was going
	p.shows(".user", "super")
	p.shows("[data-test=state]", "standalone")

	p.click("button", "Sign out")
	p.shows("main.signin h1", "Zooraft console")
	p.visit("/ui/tree")
	p.shows("main.signin h1", "Zooraft console")
	p.signIn()
	p.shows(".user", "console")
}

func TestBrowse(t *testing.T) {
	e, bases := start(t, 1)
	c := connect(t, e)
	create(t, c, "/app", "")
	create(t, c, "/app/config", `{"name":"orders","big":12345678901234567890}`)
	create(t, c, "/app/text", "two\nlines")
	create(t, c, "/app/bytes", "\xff\x00\x01")
	if _, err := c.Create("/app/mine", nil, zk.FlagEphemeral, zk.WorldACL(zk.PermAll)); err != nil {
		t.Fatal(err)
	}
	p := in(t, bases[1], "/ui/", options{})

	p.run(chromedp.Focus("[role=tree]"))
	p.await("the root", row("/app")+` !== undefined`)
	for _, key := range []string{kb.Home, kb.ArrowDown, kb.ArrowRight} {
		p.press(key)
	}
	p.await("the children", row("/app/text")+` !== undefined`)
	p.goTo(kb.Home+kb.ArrowDown, "con", "/app/config")
	p.press(kb.Enter)
	p.shows("pre[data-format=json]", `  "big": 12345678901234567890`)
	p.await("an address", `location.search === "?path=/app/config"`)
	p.await("a title", `document.title.startsWith("config")`)
	p.await("the row is marked", row("/app/config")+`?.getAttribute("aria-selected") === "true"`)

	p.click("[role=treeitem]", "text")
	p.shows("pre[data-format=text]", "two\nlines")
	p.click("[role=treeitem]", "bytes")
	p.shows("pre[data-format=hex]", "ff 00 01")
	p.run(chromedp.NavigateBack())
	p.shows("pre[data-format=text]", "two\nlines")
	p.run(chromedp.NavigateForward())
	p.shows("pre[data-format=hex]", "ff 00 01")

	p.click("[role=treeitem]", "mine")
	p.shows(".stat dd", "ephemeral")
	p.click(".stat a", "0x")
	p.shows("h1", "Session 0x")
	p.click(".paths a", "/app/mine")
	p.await("back at the znode", `location.search === "?path=/app/mine"`)

	// The slash key leads to the search.
	p.run(chromedp.Focus("[role=tree]"))
	p.press("/")
	p.press("onfi")
	p.shows("[role=option]", "/app/config")
	p.press(kb.ArrowDown + kb.Enter)
	p.shows("pre[data-format=json]", "orders")
	p.press("/")
	p.press("/app/te")
	p.shows("[role=option]", "/app/text")
	p.press(kb.Tab)
	p.await("completed", `document.querySelector("[role=combobox]").value === "/app/text"`)

	p.visit(znode("/no/such"))
	p.shows(".node", "There is no znode of this path")
	for view, text := range map[string]string{
		"ensemble": "stands alone", "sessions": "1 session", "requests": "Requests per second", "config": "dataDir", "warnings": "Warnings",
	} {
		p.visit("/ui/" + view)
		p.shows("main", text)
	}
}

func TestWrite(t *testing.T) {
	e, bases := start(t, 1)
	c := connect(t, e)
	create(t, c, "/app", "")
	p := in(t, bases[1], znode("/app"), options{})

	p.click("button", "Create child")
	p.fill("input[name=name]", "new one")
	p.fill("dialog textarea", "first")
	p.click("button[type=submit]", "Create")
	p.closed()
	p.shows("h1", "new one")
	p.shows("pre.data", "first")
	p.await("a row", row("/app/new one")+` !== undefined`)

	p.click("button", "Edit data")
	p.fill("dialog textarea", "second")
	p.click("button[type=submit]", "Save")
	p.closed()
	p.shows("pre.data", "second")
	p.shows("[data-test=version]", "1")
	if data, _, err := c.Get("/app/new one"); err != nil || string(data) != "second" {
		t.Fatalf("the server has %q, %v; want second", data, err)
	}

	// Somebody else is quicker: nothing is lost on either side.
	p.click("button", "Edit data")
	p.fill("dialog textarea", "mine\nof three\nlines")
	set(t, c, "/app/new one", "theirs\nof three\nlines")
	p.shows("[data-test=newer]", "version 2")
	p.click("button[type=submit]", "Save")
	p.shows("[data-test=conflict]", "you edited version 1, the server has version 2")
	p.shows("[data-test=theirs] .theirs", "theirs")
	p.shows("[data-test=mine] .mine", "mine")
	if got := eval[int](p, `document.querySelectorAll("[data-test=mine] .mine").length`); got != 1 {
		t.Errorf("%d lines are marked as different; want the one that is", got)
	}
	p.click("button", "Go on editing mine")
	p.fill("dialog textarea", "mine again")
	set(t, c, "/app/new one", "theirs again")
	p.shows("[data-test=newer]", "version 3")
	p.click("button", "Compare")
	p.shows("[data-test=theirs]", "theirs again")
	p.click("button", "Overwrite with mine")
	p.closed()
	p.shows("pre.data", "mine again")
	p.click("button", "Edit data")
	p.fill("dialog textarea", "not to be written")
	set(t, c, "/app/new one", "kept")
	p.shows("[data-test=newer]", "version 5")
	p.click("button[type=submit]", "Save")
	p.click("button", "Keep the server's")
	p.closed()
	p.shows("pre.data", "kept")

	p.click("button", "Edit ACL")
	p.click(".perm-boxes label", "admin")
	p.click("button[type=submit]", "Save")
	p.closed()
	p.shows(".acl", "create, delete, read, write")

	// With children it takes the name.
	create(t, c, "/app/new one/child", "")
	create(t, c, "/app/new one/child/grandchild", "")
	p.shows(".stat dd", "1, version 1")
	p.click("button", "Delete")
	p.shows("dialog", "1 children")
	if !eval[bool](p, `document.querySelector("dialog button[type=submit]").disabled`) {
		t.Error("it can be deleted without its name")
	}
	p.fill("input[name=confirm]", "new one")
	set(t, c, "/app/new one", "not seen yet")
	p.shows("dialog [data-test=newer]", "has changed")
	if !eval[bool](p, `document.querySelector("dialog button[type=submit]").disabled`) {
		t.Error("what was not seen can be deleted")
	}
	p.click("button", "Take it as it is now")
	p.click("dialog button[type=submit]", "Delete all")
	p.await("the parent", `location.search === "?path=/app"`)
	p.await("no row", row("/app/new one")+` === undefined`)
	if ok, _, err := c.Exists("/app/new one"); err != nil || ok {
		t.Errorf("it is still there: %v, %v", ok, err)
	}
}

func TestLive(t *testing.T) {
	e, bases := start(t, 1)
	c := connect(t, e)
	create(t, c, "/app", "")
	create(t, c, "/app/a", "one")
	create(t, c, "/app/b", "")
	p := in(t, bases[1], znode("/app/a"), options{still: true})
	p.shows("pre.data", "one")
	p.await("rows", row("/app/b")+` !== undefined`)

	told := p.notice("it says so", element("[data-test=changed]", "Changed just now"))
	set(t, c, "/app/a", "two")
	p.shows("pre.data", "two")
	told()
	marked := p.notice("the row is marked", row("/app/b")+`?.classList.contains("flash")`)
	set(t, c, "/app/b", "changed")
	marked()
	create(t, c, "/app/0", "")
	p.await("a new row", row("/app/0")+` !== undefined`)
	create(t, c, "/other", "")
	p.await("a new row", row("/other")+` !== undefined`)
	if err := c.Delete("/other", -1); err != nil {
		t.Fatal(err)
	}
	p.await("no row", row("/other")+` === undefined`)

	if err := c.Delete("/app/a", -1); err != nil {
		t.Fatal(err)
	}
	p.shows("[data-test=gone]", "has been deleted")
	p.shows("pre.data", "two") // what it was
	create(t, c, "/app/a", "again")
	p.shows("pre.data", "again")
	p.await("it is back", `document.querySelector("[data-test=gone]") === null`)
}

// What clients have called their znodes, and written into them, is shown and never
// obeyed.
func TestHostile(t *testing.T) {
	e, bases := start(t, 1)
	c := connect(t, e)
	create(t, c, "/h", "")
	p := in(t, bases[1], znode("/h"), options{})
	p.await("its row", row("/h")+` !== undefined`)
	p.run(chromedp.Focus("[role=tree]"))
	create(t, c, "/h/first", "")
	p.await("it can be opened", row("/h")+`?.getAttribute("aria-expanded") === "false"`)
	p.press(kb.ArrowRight)
	p.await("it is open", row("/h/first")+` !== undefined`)
	for name, shown := range map[string]string{
		`<img src=x onerror="window.owned=1">`: `<img src=x onerror="window.owned=1">`,
		`"quoted' & &amp;`:                     `"quoted' & &amp;`,
		"gnp.\u202eexe":                        "gnp.202Eexe",
		"zero\u200bwidth":                      "zero200Bwidth",
		"a%2Fb":                                "a%2Fb",
		"a+b?c#d&path=x":                       "a+b?c#d&path=x",
		`back\slash`:                           `back\slash`,
		"...":                                  "...",
		" spaces ":                             "␣spaces␣",
		"javascript:window.owned=1":            "javascript:window.owned=1",
		"עברית":                                "עברית",
		strings.Repeat("long", 500):            strings.Repeat("long", 500),
	} {
		path := "/h/" + name
		create(t, c, path, `</pre><script>window.owned=1</script>`+"\u202e\n"+`<img src=x onerror="window.owned=1">`)
		p.await("its row", row(path)+` !== undefined`)
		p.do(row(path) + `.click()`)
		p.shows("h1", shown)
		p.await("its address says which it is", `new URLSearchParams(location.search).get("path") === `+quote(path))
		p.shows("pre.data", `<script>window.owned=1</script>202E`)
		p.visit(znode(path))
		p.shows("h1", shown)
		p.shows("pre.data", "<script>")
	}
	for _, data := range []string{"\xff\xfe\x00\x80", "caf\xe9", strings.Repeat("{", 5000), "\u202e\u2066\x1b[31m", strings.Repeat("x", 900_000)} {
		set(t, c, "/h", data)
		p.visit(znode("/h"))
		p.shows("[data-test=version]", "")
		p.shows("pre.data", "")
		p.click(".segments button", "Text")
		p.shows("pre[data-format=text]", "")
	}
	if eval[bool](p, `"owned" in window`) {
		t.Error("something of a znode was run")
	}
	if n := eval[int](p, `document.querySelectorAll("main img, main script").length`); n != 0 {
		t.Errorf("there are %d elements that come from znodes", n)
	}
}

// A parent of 100,000 makes a page no larger than one of ten. What was asked for comes
// after each step; the log says how soon.
func TestManyChildren(t *testing.T) {
	const total = 100_000
	e, bases := start(t, 1)
	c := connect(t, e)
	create(t, c, "/many", "")
	const batch = 1000
	for from := 0; from < total; from += batch {
		ops := make([]any, 0, batch)
		for i := from; i < from+batch; i++ {
			ops = append(ops, &zk.CreateRequest{Path: fmt.Sprintf("/many/n%05d", i), Acl: zk.WorldACL(zk.PermAll)})
		}
		if _, err := c.Multi(ops...); err != nil {
			t.Fatal(err)
		}
	}
	p := in(t, bases[1], znode("/many"), options{})
	p.await("its row", row("/many")+` !== undefined`)
	p.run(chromedp.Focus("[role=tree]"))

	step := func(what string, do func(), path string) {
		t.Helper()
		began := time.Now()
		do()
		p.await(what, row(path)+` !== undefined`)
		nodes := eval[int](p, `document.querySelectorAll("*").length`)
		t.Logf("%s: %v, %d elements in the page", what, time.Since(began).Round(time.Millisecond), nodes)
		if nodes > 1500 {
			t.Errorf("%s: the page has %d elements", what, nodes)
		}
	}
	step("open it", func() { p.press(kb.ArrowRight) }, "/many/n00000")
	step("jump to the end", func() { p.press(kb.End + kb.ArrowUp) }, "/many/n99999")
	step("jump to the parent", func() { p.goTo(kb.Home, "many", "/many") }, "/many/n00000")
	step("type a name", func() { p.goTo(kb.Home+kb.ArrowDown+kb.ArrowDown, "n4711", "/many/n47110") }, "/many/n47110")
	step("scroll through it", func() {
		p.do(`(async () => {
			const e = document.querySelector(".rows");
			for (let i = 0; i <= 60; i++) { e.scrollTop = e.scrollHeight * i / 60; await new Promise(requestAnimationFrame); }
			e.scrollTop = e.scrollHeight / 2;
		})()`)
	}, "/many/n50000")
	step("follow a link into it", func() { p.visit(znode("/many/n77777")) }, "/many/n77777")
	p.await("in sight", fmt.Sprintf(`(e => { const r = e.getBoundingClientRect(); return r.top > 0 && r.bottom < innerHeight; })(%s)`, row("/many/n77777")))

	// What comes before what one looks at does not push it away.
	top := `Math.round(` + row("/many/n77777") + `?.getBoundingClientRect().top ?? -1)`
	was := eval[float64](p, top)
	create(t, c, "/many/a-first", "")
	p.await("it is counted", row("/many")+` === undefined && document.querySelector("[role=treeitem][aria-level='3']")?.getAttribute("aria-setsize") === "100001"`)
	if is := eval[float64](p, top); is != was {
		t.Errorf("the row was at %v px and is at %v", was, is)
	}
}

// The leader dies under the console of another server, then the server whose console
// it is.
func TestLostLeader(t *testing.T) {
	e, bases := start(t, 3)
	c := connect(t, e)
	create(t, c, "/app", "before")
	// told waits until the page names the leader, which may change on a busy machine.
	told := func(p *page) (leader int) {
		t.Helper()
		harness.Eventually(t, patience, "the page names the leader", func() error {
			leader = e.Leader()
			text := eval[string](p, `document.querySelector("[data-test=summary]")?.textContent ?? ""`)
			if !strings.Contains(text, fmt.Sprintf("Server %d leads", leader)) {
				return fmt.Errorf("server %d leads; the page says %q", leader, text)
			}
			return nil
		})
		return leader
	}
	var p *page
	leader, here := 0, 0
	for leader == here {
		here = e.Leader()%3 + 1
		p = in(t, bases[here], "/ui/ensemble", options{})
		leader = told(p)
	}
	p.shows("[data-test=summary]", "3 of 3 voters")
	p.shows(fmt.Sprintf("tr[data-sid='%d'] [data-test=member-state]", leader), "LEADING")
	e.Kill(leader)
	p.shows(fmt.Sprintf("tr[data-sid='%d'] [data-test=member-state]", leader), "unreachable")
	next := told(p)
	p.shows("[data-test=summary]", "2 of 3 voters")
	p.await("the header", fmt.Sprintf(`document.querySelector("[data-test=leader]")?.textContent.startsWith("%d")`, next))
	p.await("the time line has both", fmt.Sprintf(`[%d, %d].every(sid => document.querySelector(".elections svg")?.getAttribute("aria-label").includes("server " + sid))`, leader, next))
	p.await("no banner is left", `document.querySelector("[data-test=banner]") === null`)

	// A second one: there is no quorum, and the page says so.
	third := 6 - leader - here
	e.Kill(third)
	p.shows("[data-test=banner]", "no leader")
	// Who opens a page now is told since when, too.
	late := in(t, bases[here], "/ui/ensemble", options{})
	late.await("how long there has been no leader", `/no leader .*for \d.* s, since \d\d:\d\d:\d\d/.test(document.querySelector("[data-test=banner]")?.textContent)`)
	e.Start(third)
	e.Start(leader)
	e.WaitServing(1, 2, 3)
	p.await("it has recovered", `document.querySelector("[data-test=banner]") === null`)
	p.shows("[data-test=summary]", "3 of 3 voters")

	p.visit(znode("/app"))
	p.shows("pre.data", "before")
	e.Kill(here)
	p.shows("[data-test=banner]", "No connection to this server")
	p.shows("pre.data", "before") // what was there stays
	e.Start(here)
	e.WaitServing(here)
	p.shows("dialog h1", "Sign in again")
	p.signIn()
	p.await("it has recovered", `document.querySelector("[data-test=banner]") === null`)
	set(t, c, "/app", "after")
	p.shows("pre.data", "after")
}

// A write that waits for followers is in the list of slow requests, with that.
func TestSlow(t *testing.T) {
	e, bases := start(t, 3, "slowRequest.thresholdMs=100")
	leader := 0
	slow := func() error {
		leader = e.Leader()
		c, _, err := zk.Connect([]string{e.ClientAddrs()[leader-1]}, 20*time.Second, zk.WithLogInfo(false))
		if err != nil {
			return err
		}
		defer c.Close()
		if _, err := c.Create("/slow one", nil, 0, zk.WorldACL(zk.PermAll)); err != nil && !errors.Is(err, zk.ErrNodeExists) {
			return err
		}
		var followers []int
		for sid := 1; sid <= 3; sid++ {
			if sid != leader {
				followers = append(followers, sid)
				e.Stop(sid)
			}
		}
		var going sync.WaitGroup
		going.Go(func() {
			time.Sleep(300 * time.Millisecond) // slow, and mostly too short for an election
			for _, sid := range followers {
				e.Cont(sid)
			}
		})
		began := time.Now()
		_, err = c.Set("/slow one", []byte("written"), -1)
		took := time.Since(began)
		going.Wait()
		if err == nil && took < 200*time.Millisecond {
			return fmt.Errorf("the write took %v", took)
		}
		return err
	}
	harness.Eventually(t, patience, "a slow write", slow)
	p := in(t, bases[leader], "/ui/requests", options{})
	p.shows("table.slow td", "setData")
	p.shows("table.slow .split", "replicate")
	p.shows("table.slow td[data-name=zxid]", "0x")
	p.click("table.slow a", "/slow one")
	p.shows("pre.data", "written")
}

func TestNothingSlow(t *testing.T) {
	_, bases := start(t, 1, "slowRequest.thresholdMs=3600000")
	p := in(t, bases[1], "/ui/requests", options{})
	p.shows(".page", "No request has taken")
}

// Both themes, wide and narrow: nothing sticks out, and texts can be read.
func TestLooks(t *testing.T) {
	e, bases := start(t, 1)
	c := connect(t, e)
	create(t, c, "/app", `{"a":[1,"x",true]}`)
	create(t, c, "/app/"+strings.Repeat("w", 400), "")
	create(t, c, "/large", strings.Repeat("x", 900_000)) // something to warn of
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{1280, 390, 360, 320} {
			t.Run(fmt.Sprintf("%s %d", scheme, width), func(t *testing.T) {
				p := in(t, bases[1], "/ui/", options{width: width, height: 844, scheme: scheme})
				for _, address := range []string{"tree", "tree?path=/app", "tree?path=/app/" + strings.Repeat("w", 400), "ensemble", "sessions", "requests", "config", "warnings"} {
					p.visit("/ui/" + address)
					p.shows("nav.views a", "Tree")
					p.await("what it shows", `document.querySelector(".spinner") === null && document.querySelector("main").textContent.length > 0`)
					if over := eval[int](p, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
						t.Errorf("%s: %d px wider than the screen", address, over)
					}
					p.shows("nav.views .badge", "")
					if over := eval[float64](p, `document.querySelector("nav.views .badge").getBoundingClientRect().right - innerWidth`); over > 0 {
						t.Errorf("%s: the number of warnings is %v px out of sight", address, over)
					}
					if lines := eval[int](p, `new Set([...document.querySelectorAll("nav.views a")].map(a => a.getBoundingClientRect().top)).size`); lines != 1 {
						t.Errorf("%s: the views stand in %d lines", address, lines)
					}
					for _, low := range eval[[]string](p, lowContrast) {
						t.Errorf("%s: %s", address, low)
					}
				}
			})
		}
	}
	p := in(t, bases[1], "/ui/ensemble", options{scheme: "light"})
	ground := `getComputedStyle(document.documentElement).backgroundColor`
	light := eval[string](p, ground)
	p.do(`(s => { s.value = "dark"; s.dispatchEvent(new Event("change", {bubbles: true})); })(document.querySelector(".theme select"))`)
	p.await("dark", ground+` !== `+quote(light))
	p.run(chromedp.Reload())
	p.shows("h1", "Ensemble")
	p.await("still dark", ground+` !== `+quote(light))
}

// lowContrast names the texts whose contrast with their ground is below 4.5. What
// cannot be used now is exempt.
const lowContrast = `(() => {
	const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
	const seen = {};
	const rgba = c => seen[c] ??= (() => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; })();
	const luminance = c => { const [r, g, b] = c.map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	const ground = e => { for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor); if (c[3] > 250) return c; } return [255, 255, 255, 255]; };
	const out = [];
	for (const e of document.querySelectorAll("body *")) {
		if (e.closest("svg, :disabled, .hidden, .skip, noscript, option") || !e.checkVisibility({opacityProperty: true})) continue;
		if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
		const [a, b] = [luminance(rgba(getComputedStyle(e).color)), luminance(ground(e))];
		const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (contrast < 4.5) out.push(contrast.toFixed(2) + ": " + e.textContent.slice(0, 40));
	}
	return [...new Set(out)].slice(0, 5);
})()`
