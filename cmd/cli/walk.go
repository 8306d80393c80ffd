package cli

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"zooraft/cmd/client"
	"zooraft/cmd/units"
	"zooraft/protocol"
)

// ownCommands are those that ZooKeeper does not have.
var ownCommands = map[string]*command{
	"tree":   {own: true, args: "[-L depth] [-s] path", min: 2, run: (*shell).cmdTree, opts: options{list: []option{{"L", true, "how deep to go"}, {"s", false, "with the size of the data"}}}},
	"du":     {own: true, args: "[-L depth] path", min: 2, run: (*shell).cmdDu, opts: options{list: []option{{"L", true, "how deep to name subtrees (1)"}}}},
	"find":   {own: true, args: "path [-name glob] [-data text] [-min bytes] [-e]", min: 2, run: (*shell).cmdFind, opts: options{list: []option{{"name", true, "names like this: * ? [a-z]"}, {"data", true, "data that hold this text"}, {"min", true, "data of so many bytes or more"}, {"e", false, "ephemerals only"}}}},
	"watch":  {own: true, args: "path", min: 2, run: (*shell).cmdWatch},
	"cp":     {own: true, args: "[-R] source target", min: 3, run: (*shell).cmdCp, opts: options{list: []option{{"R", false, "with all that is below it"}}}},
	"mv":     {own: true, args: "source target", min: 3, run: (*shell).cmdMv},
	"export": {own: true, args: "[-d] path [file]", min: 2, run: (*shell).cmdExport, opts: options{list: []option{{"d", false, "as a directory of files"}}}},
	"import": {own: true, args: "[-f] source path", min: 3, run: (*shell).cmdImport, opts: options{list: []option{{"f", false, "change those that are there already"}}}},
	"edit":   {own: true, args: "path", min: 2, run: (*shell).cmdEdit},
	"diff":   {own: true, args: "host:port[,...][/chroot] [path]", min: 2, run: (*shell).cmdDiff},
}

// znode is one znode read.
type znode struct {
	path string
	data []byte
	stat *protocol.Stat
	acl  []protocol.ACL // if asked for

	denied bool // may not be read: path is all that is known, see what.lenient
}

func (z *znode) name() string { return z.path[strings.LastIndexByte(z.path, '/')+1:] }

// ephemeral reports whether the znode ends with a session. Servers do not tell
// clients of containers and TTLs: those look like any other.
func (z *znode) ephemeral() bool { return z.stat.EphemeralOwner != 0 }

// what says which parts of znodes a walk reads.
type what struct {
	data, acl bool
	depth     int // 0 is no limit
	// lenient keeps znodes that may not be read; denials tells them.
	lenient bool
	// without is a path that is left out, with all below it.
	without string
}

// load reads a subtree, level by level, and returns it sorted so that each znode is
// followed by all below it. What goes away meanwhile is left out.
func (sh *shell) load(ctx context.Context, zk *client.Client, root string, want what) ([]znode, error) {
	if stat, err := zk.Exists(ctx, root, false); err != nil {
		return nil, err
	} else if stat == nil {
		return nil, &client.Error{Code: protocol.ErrNoNode, Path: root}
	}
	count := sh.progress("%d znodes read")
	defer count(-1)
	var all []znode
	level := []string{root}
	for depth := 0; len(level) > 0; depth++ {
		found := make([]znode, len(level))
		lists := make([][]string, len(level))
		for from := 0; from < len(level); from += atOnce {
			part := level[from:min(from+atOnce, len(level))]
			err := each(len(part), func(i int) error {
				below := want.depth == 0 || depth < want.depth
				z, names, err := readOne(ctx, zk, part[i], want, below)
				var refused *client.Error
				if want.lenient && errors.As(err, &refused) && refused.Code == protocol.ErrNoAuth {
					z, err = znode{path: part[i], stat: &protocol.Stat{}, denied: true}, nil
				}
				found[from+i], lists[from+i] = z, names
				return ignoreNoNode(err)
			})
			if err != nil {
				return nil, err
			}
			count(len(all) + from)
		}
		var next []string
		for i := range found {
			if found[i].stat != nil {
				all = append(all, found[i])
				next = append(next, joinAll(found[i].path, lists[i])...)
			}
		}
		level = slices.DeleteFunc(next, func(path string) bool { return path == want.without })
	}
	// A slash sorts before all else, so that a child comes before a sibling's longer name.
	slices.SortFunc(all, func(a, b znode) int {
		return strings.Compare(strings.ReplaceAll(a.path, "/", "\x00"), strings.ReplaceAll(b.path, "/", "\x00"))
	})
	return all, nil
}

// maxListed bounds how many znodes an error names.
const maxListed = 10

// listed is a text a line, of the first.
func listed(texts []string) string {
	if more := len(texts) - maxListed; more > 0 {
		texts = append(slices.Clone(texts[:maxListed]), fmt.Sprintf("… and %d more", more))
	}
	return strings.Join(texts, "\n")
}

// denials is the error, behind what could be read, for the znodes that a lenient walk
// has not read.
func denials(all []znode) error {
	var texts []string
	for _, z := range all {
		if z.denied {
			texts = append(texts, errorText(&client.Error{Code: protocol.ErrNoAuth, Path: z.path}))
		}
	}
	if len(texts) == 0 {
		return nil
	}
	return failed("%s", listed(texts))
}

func readOne(ctx context.Context, zk *client.Client, path string, want what, below bool) (z znode, names []string, err error) {
	z.path = path
	if want.data {
		z.data, z.stat, err = zk.Get(ctx, path, false)
	} else {
		z.stat, err = zk.Exists(ctx, path, false)
	}
	if err != nil || z.stat == nil {
		return z, nil, err
	}
	if want.acl {
		if z.acl, _, err = zk.GetACL(ctx, path); err != nil {
			return znode{}, nil, err
		}
	}
	if below && z.stat.NumChildren > 0 {
		names, _, err = zk.Children(ctx, path, false)
	}
	return z, names, err
}

// number reads an option's number, def if it is not there.
func number(p *parsed, name string, def int) (int, error) {
	if !p.has(name) {
		return def, nil
	}
	n, err := strconv.Atoi(p.values[name])
	if err != nil || n < 0 {
		return 0, failed("-%s takes a number, not %s", name, p.values[name])
	}
	return n, nil
}

// depthOf counts how far a path stands below root.
func depthOf(root, path string) int {
	if root == "/" {
		root = ""
	}
	return strings.Count(strings.TrimSuffix(path[len(root):], "/"), "/")
}

func (sh *shell) cmdTree(ctx context.Context, p *parsed) error {
	root := p.args[1]
	depth, err := number(p, "L", 0)
	if err != nil {
		return err
	}
	all, err := sh.load(ctx, sh.zk, root, what{depth: depth, lenient: true})
	if err != nil {
		return err
	}
	if sh.inv.json {
		return errors.Join(sh.emit(treeJSON(all)), denials(all))
	}
	fmt.Fprintln(sh.out, root)
	// From the end, for a line needs to know whether a sibling follows.
	prefixes := make([]string, len(all))
	follows := map[int]bool{} // by depth
	for i := len(all) - 1; i > 0; i-- {
		d := depthOf(root, all[i].path)
		var b strings.Builder
		for k := 1; k < d; k++ {
			if follows[k] {
				b.WriteString("│   ")
			} else {
				b.WriteString("    ")
			}
		}
		if follows[d] {
			b.WriteString("├── ")
		} else {
			b.WriteString("└── ")
		}
		prefixes[i] = b.String()
		follows[d] = true
		for k := range follows {
			if k > d {
				delete(follows, k)
			}
		}
	}
	for i, z := range all[1:] {
		note := ""
		switch {
		case z.denied:
			note = "  not readable"
		case p.has("s"):
			note = "  " + units.Bytes(int64(z.stat.DataLength))
		}
		if z.ephemeral() {
			note += "  ephemeral"
		}
		if sh.colour {
			note = dim(note)
		}
		fmt.Fprintln(sh.out, prefixes[i+1]+z.name()+note)
	}
	fmt.Fprintf(sh.out, "%d znodes\n", len(all))
	return denials(all)
}

// branch is a znode with all below it.
type branch struct {
	Name     string    `json:"name"`
	Path     string    `json:"path"`
	Bytes    int32     `json:"bytes"`
	Children []*branch `json:"children,omitempty"`
}

func treeJSON(all []znode) *branch {
	at := map[string]*branch{}
	for i := range all {
		z := &all[i]
		b := &branch{Name: z.name(), Path: z.path, Bytes: z.stat.DataLength}
		at[z.path] = b
		if above := at[client.Parent(z.path)]; above != nil && i > 0 {
			above.Children = append(above.Children, b)
		}
	}
	return at[all[0].path]
}

func (sh *shell) cmdDu(ctx context.Context, p *parsed) error {
	root := p.args[1]
	depth, err := number(p, "L", 1)
	if err != nil {
		return err
	}
	all, err := sh.load(ctx, sh.zk, root, what{lenient: true})
	if err != nil {
		return err
	}
	type sum struct {
		Path   string `json:"path"`
		Znodes int    `json:"znodes"`
		Bytes  int64  `json:"bytes"`
	}
	sums := map[string]*sum{}
	for _, z := range all {
		for at := z.path; at != ""; at = client.Parent(at) {
			if depthOf(root, at) <= depth {
				s := sums[at]
				if s == nil {
					s = &sum{Path: at}
					sums[at] = s
				}
				s.Znodes++
				s.Bytes += int64(z.stat.DataLength)
			}
			if at == root {
				break
			}
		}
	}
	var list []*sum
	for _, s := range sums {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b *sum) int {
		if a.Bytes != b.Bytes {
			return int(min(max(b.Bytes-a.Bytes, -1), 1))
		}
		return strings.Compare(a.Path, b.Path)
	})
	if sh.inv.json {
		return errors.Join(sh.emit(list), denials(all))
	}
	fmt.Fprintf(sh.out, "%10s %10s  %s\n", "data", "znodes", "subtree")
	for _, s := range list {
		fmt.Fprintf(sh.out, "%10s %10d  %s\n", units.Bytes(s.Bytes), s.Znodes, s.Path)
	}
	return denials(all)
}

func (sh *shell) cmdFind(ctx context.Context, p *parsed) error {
	least, err := number(p, "min", 0)
	if err != nil {
		return err
	}
	glob := p.values["name"]
	if _, err := path.Match(glob, ""); err != nil {
		return failed("-name %s: %v", glob, err)
	}
	all, err := sh.load(ctx, sh.zk, p.args[1], what{data: p.has("data"), lenient: true})
	if err != nil {
		return err
	}
	paths := []string{}
	for _, z := range all {
		named, _ := path.Match(glob, z.name())
		if (named || !p.has("name")) && strings.Contains(string(z.data), p.values["data"]) &&
			int(z.stat.DataLength) >= least && (!p.has("e") || z.ephemeral()) {
			paths = append(paths, z.path)
		}
	}
	if sh.inv.json {
		return errors.Join(sh.emit(map[string]any{"paths": paths}), denials(all))
	}
	for _, one := range paths {
		fmt.Fprintln(sh.out, one)
	}
	return denials(all)
}

// jsonData is a znode's data in JSON: as text where they are text.
type jsonData struct {
	Path   string    `json:"path"`
	Data   *string   `json:"data"` // null if they are null, or in base64
	Base64 string    `json:"base64,omitempty"`
	Stat   *jsonStat `json:"stat,omitempty"`
	ACL    []string  `json:"acl,omitempty"`
}

func dataJSON(path string, data []byte, stat *protocol.Stat) jsonData {
	j := jsonData{Path: path, Stat: statJSON(stat)}
	switch {
	case data == nil:
	case utf8.Valid(data):
		text := string(data)
		j.Data = &text
	default:
		j.Base64 = base64.StdEncoding.EncodeToString(data)
	}
	return j
}

// bytes gives the data back.
func (j *jsonData) bytes() ([]byte, error) {
	switch {
	case j.Base64 != "":
		return base64.StdEncoding.DecodeString(j.Base64)
	case j.Data != nil:
		return []byte(*j.Data), nil
	}
	return nil, nil
}

func ignoreExists(err error) error {
	var refused *client.Error
	if errors.As(err, &refused) && refused.Code == protocol.ErrNodeExists {
		return nil
	}
	return err
}
