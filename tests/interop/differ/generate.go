package differ

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
)

// Profile says what generated scenarios are to be about, besides what all are.
type Profile struct {
	Name   string
	Config Config
	// Weights are added to those of the kinds of steps, by name.
	Weights map[string]int
}

// generator makes up the steps of a scenario. It keeps hardly any model: what a server answers is not its concern, only
// that the answer is determined.
type generator struct {
	*rand.Rand
	steps   []Step
	open    []string // connections
	dropped []string // connections that were cut and may come back
	next    int      // names given to connections
	kinds   []kind
	total   int
	// servers is how many there are. With several, each connection makes sure that its server knows what all have been
	// told before it asks for anything when another has spoken meanwhile, or what it sees would be a matter of time; and
	// no session has two connections, for ZooKeeper may answer the one with what the other has asked.
	servers int
	spoke   string // the connection that the last step is of
}

type kind struct {
	name   string
	weight int
	make   func(*generator)
}

// Generate makes the scenario of a seed. The same seed makes the same scenario.
func Generate(p *Profile, seed uint64) *Scenario {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0x5a4b)), servers: p.Config.Size}
	for _, k := range kinds {
		k.weight += p.Weights[k.name]
		if k.weight > 0 {
			g.kinds = append(g.kinds, k)
			g.total += k.weight
		}
	}
	for range 2 + g.IntN(2) {
		g.connect()
	}
	g.ask(g.who(), "create $/a")
	for n := 20 + g.IntN(50); len(g.steps) < n; {
		g.step()
	}
	return &Scenario{Name: fmt.Sprintf("generated/%s-%d", p.Name, seed), File: "generated", Config: p.Config, Steps: g.steps}
}

func (g *generator) say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	// The text of the configuration holds ports, which the two ensembles do not share.
	if g.servers > 1 && (deadly.MatchString(text) || strings.Contains(text, "/zookeeper/config")) {
		text = strings.Fields(text)[0] + " ping"
	}
	if ghostly.MatchString(text) {
		text = strings.ReplaceAll(text, "digest:~", "digest:u")
	}
	g.steps = append(g.steps, Step{Line: len(g.steps) + 1, Text: text})
}

// ghostly are multis that a ZooKeeper finds undecodable only when it has prepared some of their operations, which
// later requests then see.
var ghostly = regexp.MustCompile(`multi .*acl=[^ ]*digest:~`)

// ask is say for what a connection sends.
func (g *generator) ask(who, format string, args ...any) {
	g.fence(who)
	g.say(who+" "+format, args...)
}

// queue is ask for what goes out with the connection's next request.
func (g *generator) queue(who, format string, args ...any) {
	g.fence(who)
	g.say(who+"+ "+format, args...)
}

func (g *generator) fence(who string) {
	if g.servers > 1 && g.spoke != who {
		g.say("%s fence", who)
	}
	g.spoke = who
}

// deadly are requests that do not decode, which end the service of a ZooKeeper when they come through a follower.
var deadly = regexp.MustCompile(`acl=~( |$)|:~:|multi.*flags=(-1|5|6|7)|multi.*(open|getData|exists|setACL)|` +
	`(create2?|createContainer|createTTL|delete|setData|setACL|check) ~`)

func (g *generator) step() {
	n := g.IntN(g.total)
	for _, k := range g.kinds {
		if n -= k.weight; n < 0 {
			k.make(g)
			return
		}
	}
}

func pick[T any](g *generator, from ...T) T { return from[g.IntN(len(from))] }

// one says true once in n times.
func (g *generator) one(n int) bool { return g.IntN(n) == 0 }

func (g *generator) who() string {
	if len(g.open) == 0 {
		g.connect()
	}
	return pick(g, g.open...)
}

func (g *generator) connect() {
	name := string(rune('a' + g.next%26))
	g.next++
	g.open = append(g.open, name)
	g.say("connect %s%s%s", name, g.server(), pick(g, "", "", "", " ro=none", " queued", " timeout=30000"))
	g.showZxid(name)
}

// showZxid has a new session's zxid seen, for the fences of others.
func (g *generator) showZxid(name string) {
	if g.servers > 1 {
		g.say("%s ping", name)
		g.spoke = name
	}
}

// server is where a connection goes.
func (g *generator) server() string {
	g.spoke = ""
	if g.servers == 1 {
		return ""
	}
	return fmt.Sprintf(" server=%d", 1+g.IntN(g.servers))
}

// again is where a connection goes that is not a session's first. It does not say what it has seen elsewhere: whether
// its server has seen that too would be a matter of time.
func (g *generator) again() string {
	if g.servers == 1 {
		return ""
	}
	return g.server() + " zxid=0"
}

// gone forgets a connection that its server closes.
func (g *generator) gone(name string) {
	for i, o := range g.open {
		if o == name {
			g.open = append(g.open[:i], g.open[i+1:]...)
			return
		}
	}
}

// kinds are what steps there are and how often. Those that make a server close the connection stand alone, never in a
// burst: which of the earlier requests are still answered would be a matter of luck.
var kinds = []kind{
	{"create", 20, func(g *generator) { g.ask(g.who(), "%s", g.create()) }},
	{"delete", 9, func(g *generator) { g.ask(g.who(), "%s", g.delete()) }},
	{"setData", 8, func(g *generator) { g.ask(g.who(), "%s", g.setData()) }},
	{"setACL", 4, func(g *generator) { g.ask(g.who(), "%s", g.setACL()) }},
	{"read", 16, func(g *generator) { g.ask(g.who(), "%s", g.read()) }},
	{"watch", 8, func(g *generator) { g.ask(g.who(), "%s", g.watch()) }},
	{"multi", 7, func(g *generator) { g.ask(g.who(), "%s", g.multi()) }},
	{"multiRead", 3, func(g *generator) { g.ask(g.who(), "%s", g.multiRead()) }},
	{"burst", 8, (*generator).burst},
	{"ttl", 1, func(g *generator) {
		flags, ttl := pick(g, 5, 6, 5, 0, 4), pick(g, "3600000", "1099511627775", "1099511627776", "0", "-1", "3600001")
		if flags < 5 && ttl == "-1" {
			ttl = "1" // the other ends a ZooKeeper
		}
		g.ask(g.who(), "createTTL %s %s flags=%d ttl=%s", g.path(), g.data(), flags, ttl)
	}},
	{"auth", 2, func(g *generator) {
		g.ask(g.who(), "auth %s", pick(g, "digest u:p", "digest v:q", "digest w", "ip x"))
	}},
	{"badAuth", 1, func(g *generator) {
		who := g.who()
		g.ask(who, "auth %s", pick(g, "world anyone", "auth x", "super x", "digest ~", "sasl x", "nope \"\"", "\"\" x"))
		g.gone(who)
	}},
	{"malformed", 3, (*generator).malformed},
	{"session", 6, (*generator).session},
	{"quota", 1, (*generator).quota},
	{"expire", 0, (*generator).expire},
}

// burst sends requests of one connection at once.
func (g *generator) burst() {
	who := g.who()
	for range 1 + g.IntN(6) {
		g.queue(who, "%s", g.plain())
	}
	g.ask(who, "%s", g.plain())
}

// malformed is a frame that is none, or a request whose body is too short or too long.
func (g *generator) malformed() {
	who := g.who()
	switch g.IntN(9) {
	case 0:
		g.ask(who, "ping") // nothing is under way: when that takes effect is not determined
		g.ask(who, "bytes %s reply=1", pick(g, "ffffffff", "7fffffff", "00100000", "80000000"))
		g.gone(who)
	case 1:
		g.ask(who, "frame %s", pick(g, "00", "00000001", "00000001000000", `""`))
		g.gone(who)
	case 2:
		g.ask(who, "op %d %s", pick(g, 0, 10, 13, 23, 99, 108, -1, -9, 1000), pick(g, `""`, "00", "ffffffff"))
		g.gone(who)
	case 3, 4:
		g.ask(who, "op %d %s", pick(g, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 14, 15, 17, 18, 19, 21, 22, 101, 103, 104, 105, 106, 11, 107),
			pick(g, `""`, "00", "00000001", "ffffffff", "fffffffe", "7fffffff", "000000012f", "000000012fff", "000000012f00000000"))
	case 5:
		g.ask(who, "auth digest u:p cut=%d", 1+g.IntN(20))
		g.gone(who)
	default:
		g.ask(who, "%s %s", g.plainOrder(), pick(g, "cut=1", "cut=2", "cut=4", "cut=8", "extra=00", "extra=ffffffffffffffff", "xid=0",
			"xid=-5", "xid=2147483647"))
	}
}

// plainOrder is a request that takes options at its end.
func (g *generator) plainOrder() string {
	for {
		if s := g.plain(); !strings.HasPrefix(s, "multi") && !strings.HasPrefix(s, "whoAmI") && !strings.Contains(s, "cut=") &&
			!strings.Contains(s, "extra=") && !strings.Contains(s, "xid=") && !strings.HasPrefix(s, "ping") {
			return s
		}
	}
}

// session opens, cuts, resumes and ends.
func (g *generator) session() {
	switch g.IntN(7) {
	case 0:
		if len(g.open) < 4 {
			g.connect()
		}
	case 1:
		who := g.who()
		g.say("drop %s", who)
		g.gone(who)
		g.dropped = append(g.dropped, who)
	case 2, 3:
		if len(g.dropped) > 0 {
			i := g.IntN(len(g.dropped))
			who := g.dropped[i]
			g.dropped = append(g.dropped[:i], g.dropped[i+1:]...)
			g.open = append(g.open, who)
			g.say("connect %s%s", who, g.again())
			if g.one(2) {
				g.ask(who, "%s", g.setWatches())
			}
		}
	case 4:
		who := g.who()
		g.ask(who, "close")
		g.gone(who)
		if g.servers == 1 && g.one(2) { // elsewhere its end may come between
			g.say("connect %s", who) // is refused
		}
	case 5: // a second connection of a session cuts the first
		if g.servers > 1 {
			return
		}
		who := g.who()
		name := string(rune('a' + g.next%26))
		g.next++
		g.say("connect %s session=%s", name, who)
		g.gone(who)
		g.open = append(g.open, name)
	case 6:
		if g.servers > 1 {
			return
		}
		name := string(rune('a' + g.next%26))
		g.next++
		switch g.IntN(5) {
		case 0:
			g.say("connect %s id=12345 ", name)
		case 1:
			g.say("connect %s session=%s passwd=%s", name, g.who(), pick(g, "~", "00", "0102030405060708090a0b0c0d0e0f10"))
			g.gone(strings.Fields(g.steps[len(g.steps)-1].Text)[2][len("session="):])
		case 2:
			g.say("connect %s zxid=0x7fffffffffff", name)
		case 3:
			g.say("connect %s cut=%d", name, pick(g, 2, 5, 20))
		case 4:
			g.say("connect %s extra=%s", name, pick(g, "00", "0102"))
			g.open = append(g.open, name)
		}
	}
}

// quota puts a quota on a node of the scenario.
func (g *generator) quota() {
	who, on := g.who(), pick(g, "$", "$", "$/a")
	g.queue(who, "create /zookeeper/quota$")
	if on != "$" {
		g.queue(who, "create /zookeeper/quota%s", on)
	}
	limits := pick(g, "count=3,bytes=20", "count=-1,bytes=-1", "count=2,bytes=-1=;byteHardLimit=30;countHardLimit=4",
		"count=-1,bytes=-1=;countHardLimit=6", "count=-1,bytes=-1=;byteHardLimit=10")
	g.queue(who, "create /zookeeper/quota%s/zookeeper_limits %q", on, limits)
	g.ask(who, "create /zookeeper/quota%s/zookeeper_stats \"count=0,bytes=0\"", on)
	g.ask(who, "getData /zookeeper/quota%s/zookeeper_stats", on)
}

// expire lets a session with ephemerals run out.
func (g *generator) expire() {
	name := string(rune('a' + g.next%26))
	g.next++
	g.say("connect %s timeout=2000%s", name, g.server())
	g.showZxid(name)
	for range g.IntN(3) {
		g.ask(name, "create %s %s flags=1", g.path(), g.data())
	}
	g.fence(name)
	g.say("expire %s", name)
	g.spoke = ""
	if g.one(2) {
		g.say("connect %s", name) // is refused
	}
}
