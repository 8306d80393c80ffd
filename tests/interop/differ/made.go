package differ

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"strings"
)

// plain is a request that leaves its connection alone. setACL is none: until it is applied, ZooKeeper checks requests
// behind it against the old list.
func (g *generator) plain() string {
	switch g.IntN(12) {
	case 0, 1, 2:
		return g.create()
	case 3, 4:
		return g.delete()
	case 5, 6:
		return g.setData()
	case 7:
		return g.multi()
	case 8:
		return g.watch()
	case 9:
		return pick(g, "sync $", "ping", g.multiRead())
	}
	return g.read()
}

// path is one of few, so that requests meet; or rarely one that is bad.
func (g *generator) path() string {
	if g.one(25) {
		return pick(g, "/", `""`, "$/", "$//a", "$/a/", "$/.", "$/a/..", "$/a/./b", `"$/\x00"`, `"$/a\x01"`, `"$/é"`, `"$/\uf900"`,
			`"$/\ue000"`, `"$/😀"`, `"$/\xff"`, "a", "a/b", "/zookeeper", "/zookeeper/quota", "/zookeeper/config", "~", "$/a/...",
			"$/nope/x", "/zookeeper/quota$", "/zookeeper/quota$/zookeeper_stats", "$/a//")
	}
	return "$" + pick(g, "", "/a", "/a", "/b", "/b", "/a/x", "/a/x", "/a/y", "/a/x/p", "/b/x", "/c", "/e", "/a/s0000000000",
		"/a/s0000000001", "/a/s0000000002", "/a/0000000001", "/b/s0000000000", "/s0000000001", "/s0000000002")
}

func (g *generator) data() string {
	return pick(g, `""`, `"1"`, `"22"`, `"hello"`, "~", "fill:100", `"333"`)
}

func digest(s string) string {
	user, _, _ := strings.Cut(s, ":")
	sum := sha1.Sum([]byte(s))
	return user + ":" + base64.StdEncoding.EncodeToString(sum[:])
}

// acl is one of those that occur, mostly the open one.
func (g *generator) acl() string {
	if !g.one(5) {
		return ""
	}
	return " acl=" + pick(g, "world:anyone:31", "world:anyone:1", "world:anyone:30", "world:anyone:23", "world:anyone:15",
		"world:anyone:0", "digest:"+digest("u:p")+":31", "digest:"+digest("u:p")+":31,world:anyone:1",
		"digest:"+digest("v:q")+":3,world:anyone:28", "auth::31", "auth:~:31", "ip:127.0.0.1:31", "ip:10.0.0.0/8:31",
		"ip:127.0.0.0/8:31,ip:127.0.0.0/8:31", "world:anyone:31,world:anyone:31", "none", "~", "super:x:31", "digest:u:31",
		"ip:x:31", "nope:x:31", "world:other:31", "~:x:31", "digest:~:31", "world:anyone:31,nope:x:31", "auth:x:17,ip:127.0.0.1:1")
}

func (g *generator) version() string {
	if g.one(2) {
		return ""
	}
	return fmt.Sprintf(" version=%d", pick(g, -1, 0, 0, 1, 1, 2, 3, -2))
}

func (g *generator) create() string {
	path, flags := g.path(), pick(g, 0, 0, 0, 0, 0, 1, 1, 1, 2, 3)
	if g.one(25) {
		flags = pick(g, 4, 5, 6, 7, -1)
	}
	if (flags == 2 || flags == 3) && g.one(2) {
		path = pick(g, "$/a/s", "$/b/s", "$/a/", "$/s", "$/a/.")
	}
	op := pick(g, "create", "create", "create2")
	if g.one(12) {
		op, flags = "createContainer", pick(g, 4, 4, 0, 2)
	}
	s := op + " " + path + " " + g.data() + g.acl()
	if flags != 0 {
		s += fmt.Sprintf(" flags=%d", flags)
	}
	return s
}

func (g *generator) delete() string { return "delete " + g.path() + g.version() }

func (g *generator) setData() string {
	path := g.path()
	if strings.HasSuffix(path, "zookeeper_stats") { // anything but counts ends a ZooKeeper
		path = "$"
	}
	return "setData " + path + " " + g.data() + g.version()
}

// setACL leaves alone what all scenarios share.
func (g *generator) setACL() string {
	path := g.path()
	for path == "/" || path == `""` || strings.HasPrefix(path, "/zookeeper") {
		path = g.path()
	}
	acl := g.acl()
	if acl == "" {
		acl = " acl=world:anyone:31"
	}
	return "setACL " + path + acl + g.version()
}

func (g *generator) read() string {
	path := g.path()
	switch g.IntN(12) {
	case 0:
		return "getACL " + path
	case 1:
		return "getAllChildrenNumber " + strings.Replace(path, `""`, "$", 1)
	case 2:
		return "getEphemerals " + pick(g, "/", "~", `""`, "$", "$/a", "$/e", `" "`)
	case 3:
		return pick(g, "whoAmI", "ping", "sync $", "sync ~")
	}
	return pick(g, "exists ", "getData ", "getChildren ", "getChildren2 ") + path + pick(g, "", "", "", " watch", " watch")
}

func (g *generator) watch() string {
	switch g.IntN(6) {
	case 0, 1:
		return fmt.Sprintf("addWatch %s %d", g.path(), pick(g, 0, 0, 1, 1, 1, 2, -1))
	case 2:
		return fmt.Sprintf("removeWatches %s %d", g.path(), pick(g, 1, 2, 3, 4, 5, 0, 6))
	case 3:
		return fmt.Sprintf("checkWatches %s %d", g.path(), pick(g, 1, 2, 3, 4, 5, 0, 6))
	case 4:
		return g.setWatches()
	}
	return pick(g, "exists ", "getData ", "getChildren ", "getChildren2 ") + g.path() + " watch"
}

func (g *generator) setWatches() string {
	lists := []string{"data", "exist", "child"}
	op := "setWatches"
	if g.one(2) {
		op, lists = "setWatches2", append(lists, "persistent", "recursive")
	}
	s := op + " zxid=" + pick(g, "last", "0", fmt.Sprintf("+%d", g.IntN(30)))
	for _, l := range lists {
		if g.one(2) {
			continue
		}
		var paths []string
		for range 1 + g.IntN(3) {
			paths = append(paths, "$"+pick(g, "", "/a", "/b", "/a/x", "/none", "/e", "/"))
		}
		s += " " + l + "=" + strings.Join(paths, ",")
	}
	if g.one(20) {
		s += " " + pick(g, "cut=1", "cut=5", "extra=00", "xid=-8")
	}
	return s
}

func (g *generator) multi() string {
	var subs []string
	for range g.IntN(6) {
		switch g.IntN(8) {
		case 0, 1, 2:
			subs = append(subs, g.create())
		case 3, 4:
			subs = append(subs, g.delete())
		case 5, 6:
			subs = append(subs, g.setData())
		case 7:
			subs = append(subs, "check "+g.path()+g.version())
		}
	}
	if g.one(25) {
		subs = append(subs, pick(g, "open", "getData $", "exists $", "setACL $/a", "createTTL $/t flags=0 ttl=1", "createTTL $/t ttl=3600000"))
	}
	return "multi " + strings.Join(subs, " ; ")
}

func (g *generator) multiRead() string {
	var subs []string
	for range g.IntN(5) {
		subs = append(subs, pick(g, "getData ", "getChildren ")+g.path()+pick(g, "", "", " watch"))
	}
	if g.one(20) {
		subs = append(subs, pick(g, "open", "setData $", "exists $", "getChildren2 $"))
	}
	return "multiRead " + strings.Join(subs, " ; ")
}
