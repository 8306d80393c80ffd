//go:build interop

package console

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"zooraft/tests/harness"
)

// patience is how long the page may take to show what it should: far more than it
// takes, for a loaded machine.
const patience = 2 * time.Minute

// browser is one Chromium for all tests; each has windows of its own, which share no
// cookies.
var browser struct {
	once sync.Once
	ctx  context.Context
	stop func()
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if browser.stop != nil {
		browser.stop()
	}
	os.Exit(code)
}

func startBrowser() {
	path := os.Getenv("CHROMIUM")
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path == "" {
			path, _ = exec.LookPath(name)
		}
	}
	if path == "" {
		browser.err = fmt.Errorf("there is no chromium on the PATH, and CHROMIUM is not set")
		return
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.WSURLReadTimeout(patience),
	)
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium's sandbox refuses root
	}
	ctx, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, stop := chromedp.NewContext(ctx)
	browser.ctx = ctx
	browser.stop = func() { stop(); stopAllocator() }
	browser.err = chromedp.Do(ctx)
}

// page is a window on a server's console.
type page struct {
	t    testing.TB
	ctx  context.Context
	base string

	mu     sync.Mutex
	faults []string
}

// options are how a window is.
type options struct {
	width, height int64
	scheme        string // prefers-color-scheme
	still         bool   // prefers-reduced-motion
}

// open opens a window, on nothing yet. base is the address of a server's console.
func open(t testing.TB, base string, o options) *page {
	t.Helper()
	browser.once.Do(startBrowser)
	if browser.err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(browser.err)
		}
		t.Skip(browser.err)
	}
	if o.width == 0 {
		o.width, o.height = 1280, 800
	}
	if o.scheme == "" {
		o.scheme = "light"
	}
	motion := "no-preference"
	if o.still {
		motion = "reduce"
	}
	p := &page{t: t, base: base}
	ctx, cancel := chromedp.NewContext(browser.ctx, chromedp.WithNewBrowserContext(), chromedp.WithListener(p.listen))
	p.ctx = ctx
	t.Cleanup(func() {
		if t.Failed() {
			p.tellState()
		}
		cancel()
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, f := range p.faults {
			t.Errorf("the browser: %s", f)
		}
	})
	// The first call makes the window, which then lasts as long as this context.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	p.run(
		command(network.Enable, network.EnableParams{}), command(log.Enable, cdp.Empty{}),
		command(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: o.width, Height: o.height, DeviceScaleFactor: 1}),
		command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: o.scheme}, {Name: "prefers-reduced-motion", Value: motion},
		}}),
	)
	return p
}

// command is a command of the browser's protocol as an action.
func command[P any](c cdp.Command[P, cdp.Empty], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

// listen notes what the page must not do. That an answer is an error is no fault: the
// browser says so of each that is not 2xx, and of a server that is gone.
func (p *page) listen(ev any) {
	fault := ""
	switch ev := ev.(type) {
	case *runtime.EventExceptionThrown:
		fault = "exception: " + fmt.Sprint(ev.ExceptionDetails.Text, " ", ev.ExceptionDetails.Exception.Description)
	case *runtime.EventConsoleAPICalled:
		if ev.Type == runtime.ConsoleAPICalledTypeError || ev.Type == runtime.ConsoleAPICalledTypeWarning {
			fault = fmt.Sprintf("console %s: %s", ev.Type, ev.Args[0].Value)
		}
	case *log.EventEntryAdded:
		if e := ev.Entry; e.Source != log.EntrySourceNetwork && (e.Level == log.EntryLevelError || e.Level == log.EntryLevelWarning) {
			fault = fmt.Sprintf("%s %s: %s", e.Source, e.Level, e.Text)
		}
	case *network.EventRequestWillBeSent:
		if u := ev.Request.URL; !strings.HasPrefix(u, p.base) && u != "about:blank" {
			fault = "asked somebody else: " + u
		}
	}
	if fault != "" {
		p.mu.Lock()
		p.faults = append(p.faults, fault)
		p.mu.Unlock()
	}
}

func (p *page) tellState() {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText.slice(0, 3000)`)); err == nil {
		p.t.Logf("the page was at %s", text)
	}
	dir := os.Getenv("ZOORAFT_KEEP")
	if dir == "" {
		return
	}
	if png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot()); err == nil {
		name := filepath.Join(dir, strings.ReplaceAll(p.t.Name(), "/", "-")+".png")
		if os.WriteFile(name, png, 0o600) == nil {
			p.t.Logf("screenshot: %s", name)
		}
	}
}

// run does something in the browser, which has to come about.
func (p *page) run(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.t.Fatal(err)
	}
}

// visit goes to an address below the console.
func (p *page) visit(address string) {
	p.t.Helper()
	p.run(chromedp.Navigate(p.base + address))
}

// eval is the value of an expression of JavaScript.
func eval[T any](p *page, js string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%v, of %s", err, js)
	}
	return v
}

// do runs JavaScript and waits for its promise, if it has one.
func (p *page) do(js string) {
	p.t.Helper()
	eval[chromedp.Void](p, js)
}

// await waits until an expression is true. The expression may say what is instead by
// being a text that is not empty.
func (p *page) await(what, js string) {
	p.t.Helper()
	harness.Eventually(p.t, patience, what, func() error {
		ctx, cancel := context.WithTimeout(p.ctx, patience)
		defer cancel()
		v, err := chromedp.Run(ctx, chromedp.Evaluate[any](js))
		if err != nil {
			return err
		}
		if v == true {
			return nil
		}
		return fmt.Errorf("%v", v)
	})
}

// notice has the page notice when an expression becomes true, be it for a moment; what
// it returns waits until it has.
func (p *page) notice(what, js string) (wait func()) {
	p.t.Helper()
	p.do(fmt.Sprintf(`window.noticed = false;
		new MutationObserver((_, o) => { if (%s) { window.noticed = true; o.disconnect(); } }).observe(document.body, {subtree: true, childList: true, characterData: true, attributes: true})`, js))
	return func() {
		p.t.Helper()
		p.await(what, `window.noticed`)
	}
}

// goTo types a name in the tree, from a place to begin at, until the cursor is at a
// path: the page takes letters for one name only if they follow upon each other.
func (p *page) goTo(from, name, path string) {
	p.t.Helper()
	harness.Eventually(p.t, patience, "the cursor at "+path, func() error {
		p.press(from + name)
		at := ""
		for range 20 { // the page asks the server for it
			if at = eval[string](p, `document.querySelector(".row.cursor")?.dataset.path ?? ""`); at == path {
				return nil
			}
			time.Sleep(50 * time.Millisecond)
		}
		return fmt.Errorf("it is at %s", at)
	})
}

// quote is a text as JavaScript has it.
func quote(text string) string { return fmt.Sprintf("decodeURIComponent(%q)", url.PathEscape(text)) }

// element is an expression for the first element of a selector whose text contains
// the given one, "" for any.
func element(selector, text string) string {
	return fmt.Sprintf(`[...document.querySelectorAll(%s)].find(e => e.textContent.includes(%s) && e.checkVisibility())`, quote(selector), quote(text))
}

// shows waits for an element with a text.
func (p *page) shows(selector, text string) {
	p.t.Helper()
	p.await(fmt.Sprintf("%q in %s", text, selector), fmt.Sprintf(`%s ? true : "shown: " + [...document.querySelectorAll(%s)].map(e => e.textContent.slice(0, 200)).join(" | ")`,
		element(selector, text), quote(selector)))
}

// click clicks with the mouse at the middle of an element, once it is there, can be
// used and stands still.
func (p *page) click(selector, text string) {
	p.t.Helper()
	p.shows(selector, text)
	p.await("enabled: "+text, fmt.Sprintf(`!(%s)?.disabled`, element(selector, text)))
	middle := fmt.Sprintf(`(e => { if (!e) return []; e.scrollIntoView({block: "nearest"}); const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })(%s)`, element(selector, text))
	var at []float64
	harness.Eventually(p.t, patience, fmt.Sprintf("%q in %s stands still", text, selector), func() error {
		was := at
		if at = eval[[]float64](p, middle); len(at) == 2 && slices.Equal(at, was) {
			return nil
		}
		return fmt.Errorf("it is at %v, was at %v", at, was)
	})
	p.run(chromedp.MouseClickXY(at[0], at[1]))
}

// closed waits until no dialog is open.
func (p *page) closed() {
	p.t.Helper()
	p.await("no dialog", `document.querySelector("dialog") === null`)
}

// fill puts a text into a field as a user does, in place of what is there.
func (p *page) fill(selector, text string) {
	p.t.Helper()
	p.shows(selector, "")
	p.do(fmt.Sprintf(`(e => { e.focus(); e.select(); })(document.querySelector(%s))`, quote(selector)))
	p.run(command(input.InsertText, input.InsertTextParams{Text: text}))
}

// press presses keys, one after the other; kb has names for those without a letter.
// Letters come as a keyboard sends them, in one event: what a page does at the key
// may keep the letter from being written.
func (p *page) press(keys string) {
	p.t.Helper()
	for _, r := range keys {
		if r < ' ' || r > '~' { // one of kb
			p.run(chromedp.KeyEvent(string(r)))
			continue
		}
		k := kb.Keys[r]
		key := input.DispatchKeyEventParams{
			Type: input.DispatchKeyEventTypeKeyDown, Code: k.Code, Key: k.Key, Text: k.Text, UnmodifiedText: k.Unmodified,
			WindowsVirtualKeyCode: k.Windows, NativeVirtualKeyCode: k.Native,
		}
		up := key
		up.Type, up.Text, up.UnmodifiedText = input.DispatchKeyEventTypeKeyUp, "", ""
		p.run(command(input.DispatchKeyEvent, key), command(input.DispatchKeyEvent, up))
	}
}

// row is an expression for the row of a znode in the tree.
func row(path string) string {
	return fmt.Sprintf(`[...document.querySelectorAll("[role=treeitem]")].find(e => e.dataset.path === %s)`, quote(path))
}
