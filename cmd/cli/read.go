package cli

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"zooraft/cmd/client"
	"zooraft/protocol"
)

var statWatch = []option{{name: "s", help: "stats"}, {name: "w", help: "watch"}}

var readCommands = map[string]*command{
	"ls": {
		args:  "[-s] [-w] [-R] path",
		opts:  options{list: []option{{name: "?", help: "help"}, {name: "R", help: "recurse"}, {name: "s", help: "stat"}, {name: "w", help: "watch"}}},
		watch: "ls [-w] path", run: (*shell).cmdLs,
	},
	"ls2": {args: "path", opts: options{list: statWatch}, min: 2, watch: "ls2 [-w] path", own: true, old: true, run: (*shell).cmdLs2},
	"get": {
		args: "[-s] [-w] [-b] [-x] path",
		opts: options{list: []option{
			{name: "b", help: "Output data in base64 format"},
			{name: "s", help: "Print znode stats additionally"},
			{name: "w", help: "Watch for changes on the znode"},
			{name: "x", help: "Output data in hexdump format"},
		}},
		tabled: true, min: 2, watch: "get [-s] [-w] path", run: (*shell).cmdGet,
	},
	"stat":                 {args: "[-w] path", opts: options{list: []option{{name: "w", help: "watch"}}}, min: 2, watch: "stat [-w] path", run: (*shell).cmdStat},
	"getAcl":               {args: "[-s] path", opts: options{list: []option{{name: "s", help: "stats"}}}, min: 2, run: (*shell).cmdGetACL},
	"getAllChildrenNumber": {args: "path", min: 2, run: (*shell).cmdAllChildrenNumber},
	"getEphemerals":        {args: "path", run: (*shell).cmdEphemerals},
	"sync":                 {args: "path", min: 2, run: (*shell).cmdSync},
	"whoami":               {free: true, run: (*shell).cmdWhoAmI},
}

// jsonStat is a stat with the names that zkCli prints.
type jsonStat struct {
	Czxid          string `json:"cZxid"`
	Ctime          int64  `json:"ctime"`
	Mzxid          string `json:"mZxid"`
	Mtime          int64  `json:"mtime"`
	Pzxid          string `json:"pZxid"`
	Cversion       int32  `json:"cversion"`
	Version        int32  `json:"dataVersion"`
	Aversion       int32  `json:"aclVersion"`
	EphemeralOwner string `json:"ephemeralOwner"`
	DataLength     int32  `json:"dataLength"`
	NumChildren    int32  `json:"numChildren"`
}

func statJSON(s *protocol.Stat) *jsonStat {
	if s == nil {
		return nil
	}
	hex := func(n int64) string { return fmt.Sprintf("0x%x", uint64(n)) }
	return &jsonStat{hex(s.Czxid), s.Ctime, hex(s.Mzxid), s.Mtime, hex(s.Pzxid), s.Cversion, s.Version, s.Aversion, hex(s.EphemeralOwner), s.DataLength, s.NumChildren}
}

// printed returns the stat if -s asks for it.
func printed(p *parsed, s *protocol.Stat) *protocol.Stat {
	if p.has("s") {
		return s
	}
	return nil
}

func (sh *shell) cmdLs(ctx context.Context, p *parsed) error {
	if p.has("?") {
		fmt.Fprint(sh.out, "usage: ls [options] path\n"+commands["ls"].opts.table())
	}
	if len(p.args) < 2 {
		return failed("%s", usageText("ls", commands["ls"]))
	}
	path, watch := p.args[1], p.has("w")
	if p.has("R") {
		return sh.lsRecursive(ctx, path, watch)
	}
	names, stat, err := sh.zk.Children(ctx, path, watch)
	if err != nil {
		return err
	}
	slices.Sort(names)
	if sh.inv.json {
		return sh.emit(struct {
			Path     string    `json:"path"`
			Children []string  `json:"children"`
			Stat     *jsonStat `json:"stat,omitempty"`
		}{path, names, statJSON(printed(p, stat))})
	}
	fmt.Fprintln(sh.out, "["+strings.Join(names, ", ")+"]")
	if s := printed(p, stat); s != nil {
		printStat(sh.out, s)
	}
	return nil
}

func (sh *shell) lsRecursive(ctx context.Context, path string, watch bool) error {
	all := []string{}
	err := sh.visit(ctx, path, watch, func(p string) {
		if sh.inv.json {
			all = append(all, p)
			return
		}
		io.WriteString(sh.out, p+"\n")
	})
	if err == nil && sh.inv.json {
		return sh.emit(map[string]any{"path": path, "paths": all})
	}
	return err
}

func (sh *shell) cmdLs2(ctx context.Context, p *parsed) error {
	fmt.Fprintln(sh.err, "'ls2' has been deprecated. Please use 'ls [-s] path' instead.")
	p.values["s"] = ""
	return sh.cmdLs(ctx, p)
}

// visit tells each path of a subtree in zkCli's order (ZKUtil.visitSubTreeDFS): a
// znode's children all together, before what is below them. What goes away
// meanwhile is passed over.
func (sh *shell) visit(ctx context.Context, path string, watch bool, tell func(string)) error {
	if _, _, err := sh.zk.Get(ctx, path, watch); err != nil {
		return err
	}
	tell(path)
	names, _, err := sh.zk.Children(ctx, path, watch)
	if err != nil {
		return ignoreNoNode(err)
	}
	return sh.visitBelow(ctx, path, names, watch, tell)
}

func (sh *shell) visitBelow(ctx context.Context, path string, names []string, watch bool, tell func(string)) error {
	slices.Sort(names)
	for i, name := range names {
		names[i] = client.Join(path, name)
		tell(names[i])
	}
	for part := range slices.Chunk(names, atOnce) {
		lists, err := sh.childrenOf(ctx, part, watch)
		if err != nil {
			return err
		}
		for i, list := range lists {
			if len(list) > 0 {
				if err := sh.visitBelow(ctx, part[i], list, watch, tell); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// atOnce is how many requests a walk has under way.
const atOnce = 64

// childrenOf lists the children of several paths, none for those that have gone.
func (sh *shell) childrenOf(ctx context.Context, paths []string, watch bool) ([][]string, error) {
	lists := make([][]string, len(paths))
	err := each(len(paths), func(i int) (err error) {
		lists[i], _, err = sh.zk.Children(ctx, paths[i], watch)
		return ignoreNoNode(err)
	})
	return lists, err
}

// each calls do for 0 to n-1, atOnce of them at a time, and returns the first
// error; the others end nonetheless.
func each(n int, do func(i int) error) error {
	errs := make([]error, n)
	for from := 0; from < n; from += atOnce {
		to := min(from+atOnce, n)
		var wg sync.WaitGroup
		for i := from; i < to; i++ {
			wg.Go(func() { errs[i] = do(i) })
		}
		wg.Wait()
		for _, err := range errs[from:to] {
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (sh *shell) cmdGet(ctx context.Context, p *parsed) error {
	path := p.args[1]
	data, stat, err := sh.zk.Get(ctx, path, p.has("w"))
	if err != nil {
		return err
	}
	if sh.inv.json {
		return sh.emit(dataJSON(path, data, printed(p, stat)))
	}
	if data == nil {
		data = []byte("null")
	}
	text := ""
	switch {
	case p.has("x"):
		text = hexDump(data)
	case p.has("b"):
		text = base64.StdEncoding.EncodeToString(data)
	default:
		text = javaText(data)
		if isTerminal(sh.Stdout) {
			text = visible(text)
		}
	}
	fmt.Fprintln(sh.out, text)
	if s := printed(p, stat); s != nil {
		printStat(sh.out, s)
	}
	return nil
}

func (sh *shell) cmdStat(ctx context.Context, p *parsed) error {
	path := p.args[1]
	stat, err := sh.zk.Exists(ctx, path, p.has("w"))
	if err != nil {
		return err
	}
	if stat == nil {
		return &client.Error{Code: protocol.ErrNoNode, Path: path}
	}
	return sh.stat(path, stat)
}

// stat prints a stat, in whichever form.
func (sh *shell) stat(path string, stat *protocol.Stat) error {
	if sh.inv.json {
		return sh.emit(map[string]any{"path": path, "stat": statJSON(stat)})
	}
	printStat(sh.out, stat)
	return nil
}

func (sh *shell) cmdGetACL(ctx context.Context, p *parsed) error {
	path := p.args[1]
	acls, stat, err := sh.zk.GetACL(ctx, path)
	if err != nil {
		return err
	}
	if sh.inv.json {
		return sh.emit(map[string]any{"path": path, "acl": aclTexts(acls), "stat": statJSON(printed(p, stat))})
	}
	for _, a := range acls {
		fmt.Fprintf(sh.out, "'%s,'%s\n: %s\n", csv.Replace(a.Scheme), csv.Replace(a.ID), permText(a.Perms))
	}
	if s := printed(p, stat); s != nil {
		printStat(sh.out, s)
	}
	return nil
}

// aclTexts writes entries as setAcl takes them.
func aclTexts(acls []protocol.ACL) []string {
	texts := make([]string, len(acls))
	for i, a := range acls {
		texts[i] = a.Scheme + ":" + a.ID + ":" + permText(a.Perms)
	}
	return texts
}

func (sh *shell) cmdAllChildrenNumber(ctx context.Context, p *parsed) error {
	n, err := sh.zk.AllChildrenNumber(ctx, p.args[1])
	if err != nil {
		return err
	}
	if sh.inv.json {
		return sh.emit(map[string]any{"path": p.args[1], "count": n})
	}
	fmt.Fprintln(sh.out, n)
	return nil
}

func (sh *shell) cmdEphemerals(ctx context.Context, p *parsed) error {
	prefix := "/"
	if len(p.args) > 1 {
		prefix = p.args[1]
	}
	paths, err := sh.zk.Ephemerals(ctx, prefix)
	if err != nil {
		return err
	}
	if sh.inv.json {
		return sh.emit(map[string]any{"path": prefix, "ephemerals": paths})
	}
	fmt.Fprintln(sh.out, "["+strings.Join(paths, ", ")+"]")
	return nil
}

func (sh *shell) cmdSync(ctx context.Context, p *parsed) error {
	err := sh.zk.Sync(ctx, p.args[1])
	if refused, ok := err.(*client.Error); ok {
		fmt.Fprintf(sh.out, "Sync has failed. rc=%d\n", refused.Code)
		return nil
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(sh.out, "Sync is OK")
	return nil
}

func (sh *shell) cmdWhoAmI(ctx context.Context, _ *parsed) error {
	ids, err := sh.zk.WhoAmI(ctx)
	if err != nil {
		return err
	}
	if sh.inv.json {
		list := []map[string]string{}
		for _, id := range ids {
			list = append(list, map[string]string{"scheme": id.Scheme, "user": id.ID})
		}
		return sh.emit(map[string]any{"identities": list})
	}
	fmt.Fprintln(sh.out, "Auth scheme: User")
	for _, id := range ids {
		fmt.Fprintln(sh.out, id.Scheme+": "+id.ID)
	}
	return nil
}
