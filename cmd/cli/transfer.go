package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"zooraft/cmd/client"
	"zooraft/cmd/units"
	"zooraft/protocol"
)

// transactionBytes keeps a transaction below a server's jute.maxbuffer of a
// megabyte, and below the same limit of the log entry that it becomes.
const transactionBytes = 512 << 10

// transactionChanges bounds a transaction of small changes.
const transactionChanges = 1000

// target is where a znode below source goes.
func target(path, source, to string) string {
	rest := path
	if source != "/" {
		rest = strings.TrimPrefix(path, source)
	}
	switch {
	case rest == "" || rest == "/":
		return to
	case to == "/":
		return rest
	}
	return to + rest
}

func (sh *shell) cmdCp(ctx context.Context, p *parsed) error {
	all, err := sh.source(ctx, p.args[1], p.args[2], p.has("R"))
	if err != nil {
		return err
	}
	n, err := sh.createAll(ctx, all, nil)
	sh.warnOfNumbers(all[:n], nil)
	return sh.copied(n, err, p.args[2])
}

func (sh *shell) copied(n int, err error, where string) error {
	if err != nil {
		if n > 0 {
			fmt.Fprintf(sh.err, "%d znodes below %s were made before this\n", n, where)
		}
		return err
	}
	fmt.Fprintf(sh.err, "Created %d znodes at %s\n", n, where)
	return nil
}

// source reads what is to be copied, under the names it is to have. Ephemerals
// belong to their sessions; they stay.
func (sh *shell) source(ctx context.Context, from, to string, below bool) ([]znode, error) {
	if err := client.CheckPath(to); err != nil {
		return nil, err
	}
	if to == from || strings.HasPrefix(to, from+"/") || from == "/" {
		return nil, failed("%s cannot be put into itself", from)
	}
	want := what{data: true, acl: true}
	all, err := sh.load(ctx, sh.zk, from, want)
	if err != nil {
		return nil, err
	}
	if !below && len(all) > 1 {
		fmt.Fprintf(sh.err, "%d znodes below %s are not copied; cp -R takes them along\n", len(all)-1, from)
		all = all[:1]
	}
	kept := all[:0]
	for _, z := range all {
		if z.ephemeral() {
			fmt.Fprintln(sh.err, z.path+" is ephemeral and is left out")
			continue
		}
		if err := unmasked(z.path, z.acl); err != nil {
			return nil, err
		}
		z.path = target(z.path, from, to)
		kept = append(kept, z)
	}
	return kept, nil
}

// warnOfNumbers names those of new znodes that have children with a number of
// create -s: the counter behind it cannot be copied.
func (sh *shell) warnOfNumbers(all []znode, there map[string]bool) {
	made := map[string]bool{}
	for _, z := range all {
		made[z.path] = !there[z.path]
	}
	var texts []string
	for _, z := range all {
		if parent := client.Parent(z.path); made[parent] && numbered(z.name()) {
			texts = append(texts, parent+": numbers of create -s begin anew there, and may come before those of its children or be taken")
			delete(made, parent)
		}
	}
	if len(texts) > 0 {
		fmt.Fprintln(sh.err, listed(texts))
	}
}

// numbered reports whether a name ends in ten digits.
func numbered(name string) bool {
	return len(name) >= 10 && strings.Trim(name[len(name)-10:], "0123456789") == ""
}

// masked reports whether an entry is as servers show it to those without the
// permission a: with "x" for the hash of the password.
func masked(a protocol.ACL) bool { return a.Scheme == "digest" && strings.HasSuffix(a.ID, ":x") }

// mask makes a list as those without that permission see it.
func mask(acl []protocol.ACL) []protocol.ACL {
	acl = slices.Clone(acl)
	for i := range acl {
		if user, _, found := strings.Cut(acl[i].ID, ":"); found && acl[i].Scheme == "digest" {
			acl[i].ID = user + ":x"
		}
	}
	return acl
}

// unmasked refuses a list with masked entries. Written, it would lock out whom it names.
func unmasked(path string, acl []protocol.ACL) error {
	if i := slices.IndexFunc(acl, masked); i >= 0 {
		return failed("%s: its ACL is masked (%s:%s) and cannot be copied; addauth as somebody who has permission a on it, or as super user",
			path, acl[i].Scheme, acl[i].ID)
	}
	return nil
}

// createAll makes znodes, parents first, in transactions as large as they may be,
// and returns how many it made. Those in there get their data instead; setACLs does
// the rest.
func (sh *shell) createAll(ctx context.Context, all []znode, there map[string]bool) (int, error) {
	count := sh.progress(fmt.Sprintf("%%d of %d znodes written", len(all)))
	defer count(-1)
	done := 0
	for done < len(all) {
		var m client.Multi
		for i := done; i < len(all) && (m.Len() == 0 || m.Len() < transactionChanges && m.Bytes()+len(all[i].data) < transactionBytes); i++ {
			z := &all[i]
			if there[z.path] {
				m.Set(z.path, z.data, -1)
				continue
			}
			acl := z.acl
			if len(acl) == 0 {
				acl = client.OpenACL
			}
			m.Create(z.path, z.data, acl, protocol.CreateModePersistent, 0)
		}
		if failedAt, err := sh.zk.Multi(ctx, &m); err != nil {
			return done, named(err, all[done:], failedAt)
		}
		done += m.Len()
		count(done)
	}
	return done, nil
}

// setACLs changes the ACLs of znodes that were there, for which transactions have no
// change. It goes on behind those that it may not change, and names them.
func (sh *shell) setACLs(ctx context.Context, all []znode, there map[string]bool) error {
	var given []*znode
	for i := range all {
		if z := &all[i]; there[z.path] && z.acl != nil {
			given = append(given, z)
		}
	}
	texts := make([]string, len(given))
	err := each(len(given), func(i int) error {
		z := given[i]
		if now, _, err := sh.zk.GetACL(ctx, z.path); err == nil && sameACL(now, z.acl) {
			return nil
		}
		_, err := sh.zk.SetACL(ctx, z.path, z.acl, -1)
		var refused *client.Error
		if errors.As(err, &refused) && (refused.Code == protocol.ErrNoAuth || refused.Code == protocol.ErrInvalidACL || refused.Code == protocol.ErrNoNode) {
			texts[i], err = errorText(err), nil
		}
		return err
	})
	if err != nil {
		fmt.Fprintln(sh.err, "the data are written, but not all ACLs")
		return err
	}
	if texts = slices.DeleteFunc(texts, func(text string) bool { return text == "" }); len(texts) > 0 {
		return failed("the data of %d znodes are written, but the ACLs of %d are as they were:\n%s", len(all), len(texts), listed(texts))
	}
	return nil
}

// sameACL reports whether two lists have the same entries; their order means nothing.
func sameACL(a, b []protocol.ACL) bool {
	x, y := aclTexts(a), aclTexts(b)
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}

// named gives a transaction's error the path of the change that failed: of a
// creation without a parent, the parent's.
func named(err error, all []znode, failedAt int) error {
	var refused *client.Error
	if !errors.As(err, &refused) || failedAt < 0 || failedAt >= len(all) {
		return err
	}
	path := all[failedAt].path
	if refused.Code == protocol.ErrNoNode {
		path = client.Parent(path)
	}
	return &client.Error{Code: refused.Code, Path: path}
}

func (sh *shell) cmdMv(ctx context.Context, p *parsed) error {
	from, to := p.args[1], p.args[2]
	all, err := sh.source(ctx, from, to, true)
	if err != nil {
		return err
	}
	size := 0
	var m client.Multi
	for _, z := range all {
		m.Create(z.path, z.data, z.acl, protocol.CreateModePersistent, 0)
	}
	for i := len(all) - 1; i >= 0; i-- {
		m.Delete(target(all[i].path, to, from), all[i].stat.Version)
	}
	if size = m.Bytes(); size > transactionBytes {
		return failed("%s is too large (%s) to be moved in one transaction; copy it with cp -R, look, and deleteall it", from, units.Bytes(int64(size)))
	}
	if failedAt, err := sh.zk.Multi(ctx, &m); err != nil {
		if failedAt >= len(all) {
			return failed("%s has changed meanwhile, or has ephemerals; nothing is moved", from)
		}
		return named(err, all, failedAt)
	}
	sh.warnOfNumbers(all, nil)
	fmt.Fprintf(sh.err, "Moved %d znodes to %s\n", len(all), to)
	return nil
}

func (sh *shell) cmdExport(ctx context.Context, p *parsed) error {
	root := p.args[1]
	if p.has("d") && len(p.args) < 3 {
		return failed("export -d: name the directory to make")
	}
	want := what{data: true, acl: !p.has("d")}
	whole := root == "/" && sh.atTop()
	if whole {
		want.without = configNode // others may not be let read it
	}
	all, err := sh.load(ctx, sh.zk, root, want)
	if err != nil {
		return err
	}
	kept := all[:0]
	ephemerals, quotas := 0, 0
	for _, z := range all {
		switch {
		case whole && serversOwn(z.path):
			continue
		case whole && quotaPart(z.path) && z.name() == limitsNode:
			quotas++
		case z.ephemeral():
			ephemerals++
			continue
		}
		if err := unmasked(z.path, z.acl); err != nil {
			return err
		}
		kept = append(kept, z)
	}
	if whole {
		fmt.Fprintf(sh.err, "%s is the server's own and is left out, but for the quotas in it (%d)\n", systemNode, quotas)
	}
	if ephemerals > 0 {
		fmt.Fprintf(sh.err, "%d ephemerals are left out\n", ephemerals)
	}
	switch {
	case p.has("d"):
		err = exportFiles(kept, root, p.args[2])
	case len(p.args) < 3 || p.args[2] == "-":
		return exportLines(sh.out, kept, root)
	default:
		err = exportFile(kept, root, p.args[2])
	}
	if err == nil {
		fmt.Fprintf(sh.err, "Exported %d znodes to %s\n", len(kept), p.args[2])
	}
	return err
}

// What servers make themselves. Quotas are in it, which clients make and which may be
// taken along: a server counts anew what they use.
const (
	systemNode = "/zookeeper"
	configNode = "/zookeeper/config"
)

// atTop reports whether paths are the servers', not those below a chroot.
func (sh *shell) atTop() bool {
	_, chroot, _ := client.ParseServers(sh.host)
	return chroot == ""
}

func quotaPart(path string) bool { return strings.HasPrefix(path, quotaRoot+"/") }

// serversOwn reports whether a path is one that each server has by itself.
func serversOwn(path string) bool {
	return path == systemNode || strings.HasPrefix(path, systemNode+"/") && !quotaPart(path)
}

// exportLines writes a znode a line, as JSON; paths are those below root.
func exportLines(w io.Writer, all []znode, root string) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, z := range all {
		j := dataJSON(target(z.path, root, "/"), z.data, nil)
		j.ACL = aclTexts(z.acl)
		if err := enc.Encode(j); err != nil {
			return err
		}
	}
	return nil
}

func exportFile(all []znode, root, name string) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	return errors.Join(exportLines(w, all, root), w.Flush(), f.Close())
}

// ownData is the file in which a directory has its znode's data.
const ownData = ".data"

// exportFiles makes a file of each znode without children and a directory of each
// other. ACLs have no place in it.
func exportFiles(all []znode, root, dir string) error {
	if _, err := os.Lstat(dir); err == nil {
		return failed("%s is there already", dir)
	}
	for i, z := range all {
		if z.name() == ownData {
			return failed("%s: a file of this name holds the data of a directory's znode; export it as JSON", z.path)
		}
		name := filepath.Join(dir, filepath.FromSlash(target(z.path, root, "/")))
		inner := i == 0 || i+1 < len(all) && strings.HasPrefix(all[i+1].path, z.path+"/")
		if inner {
			if err := os.MkdirAll(name, 0o700); err != nil {
				return err
			}
			name = filepath.Join(name, ownData)
		}
		if err := os.WriteFile(name, z.data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (sh *shell) cmdImport(ctx context.Context, p *parsed) error {
	source, to := p.args[1], p.args[2]
	if err := client.CheckPath(to); err != nil {
		return err
	}
	all, err := readImport(source, sh.Stdin)
	if err != nil {
		return err
	}
	for i := range all {
		all[i].path = target(all[i].path, "/", to)
		all[i].stat = &protocol.Stat{}
		if err := client.CheckPath(all[i].path); err != nil {
			return failed("%s: %s: %v", source, all[i].path, err) // of files: those of JSON were looked at
		}
	}
	if to == "/" && sh.atTop() {
		all = sh.withoutServers(all)
	}
	there := map[string]bool{}
	if p.has("f") {
		all, there, err = sh.found(ctx, all)
	} else {
		all, err = sh.withoutRoot(ctx, all)
	}
	if err != nil {
		return err
	}
	n, err := sh.createAll(ctx, all, there)
	sh.warnOfNumbers(all[:n], there)
	if err != nil && !p.has("f") && ignoreExists(err) == nil {
		err = failed("%s; import -f changes what is there already", errorText(err))
	}
	if err != nil {
		return sh.copied(n, err, to)
	}
	if err := sh.setACLs(ctx, all, there); err != nil {
		return err
	}
	fmt.Fprintf(sh.err, "Imported %d znodes to %s\n", n, to)
	return nil
}

// withoutServers leaves out what the server has of its own, and puts quotas last, so
// that they do not stand in the way of what they count.
func (sh *shell) withoutServers(all []znode) []znode {
	n := len(all)
	all = slices.DeleteFunc(all, func(z znode) bool { return serversOwn(z.path) })
	if n > len(all) {
		fmt.Fprintf(sh.err, "%d znodes at %s, the server's own, are skipped\n", n-len(all), systemNode)
	}
	slices.SortStableFunc(all, func(a, b znode) int {
		switch x, y := quotaPart(a.path), quotaPart(b.path); {
		case x == y:
			return 0
		case x:
			return 1
		}
		return -1
	})
	return all
}

// withoutRoot leaves out the root, which is there on every server, and says so if that
// matters. A chroot need not be there.
func (sh *shell) withoutRoot(ctx context.Context, all []znode) ([]znode, error) {
	i := slices.IndexFunc(all, func(z znode) bool { return z.path == "/" })
	if i < 0 {
		return all, nil
	}
	if stat, err := sh.zk.Exists(ctx, "/", false); err != nil || stat == nil {
		return all, err
	}
	if z := all[i]; len(z.data) > 0 || z.acl != nil && !sameACL(z.acl, client.OpenACL) {
		fmt.Fprintln(sh.err, "/ is there already and is left as it is; import -f changes it")
	}
	return slices.Delete(all, i, i+1), nil
}

// found looks which are there. What a quota uses is the server's to say, so that one
// which is there is left out.
func (sh *shell) found(ctx context.Context, all []znode) ([]znode, map[string]bool, error) {
	is := make([]bool, len(all))
	err := each(len(all), func(i int) error {
		stat, err := sh.zk.Exists(ctx, all[i].path, false)
		is[i] = stat != nil
		return err
	})
	there := map[string]bool{}
	for i, z := range all {
		there[z.path] = is[i]
	}
	all = slices.DeleteFunc(all, func(z znode) bool {
		return there[z.path] && sh.atTop() && quotaPart(z.path) && z.name() == statsNode
	})
	return all, there, err
}

// readImport reads what export has written, "-" from standard input; paths begin
// with a slash, parents come first. A znode without an ACL there has a nil one.
func readImport(source string, stdin io.Reader) ([]znode, error) {
	if info, err := os.Stat(source); err == nil && info.IsDir() {
		return readFiles(source)
	}
	in := stdin
	if source != "-" {
		f, err := os.Open(source)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	var all []znode
	for dec := json.NewDecoder(in); ; {
		var j jsonData
		if err := dec.Decode(&j); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, failed("%s: entry %d: %v", source, len(all)+1, err)
		}
		z, err := j.znode()
		if err != nil {
			return nil, failed("%s: entry %d: %v", source, len(all)+1, err)
		}
		all = append(all, z)
	}
}

// znode is an entry of a file; its errors do not say which.
func (j *jsonData) znode() (z znode, err error) {
	if j.Path == "" {
		return z, errors.New("it has no path")
	}
	if err := client.CheckPath(j.Path); err != nil {
		return z, fmt.Errorf("%s: %w", j.Path, err)
	}
	z.path = j.Path
	if z.data, err = j.bytes(); err != nil {
		return z, fmt.Errorf("%s: %w", j.Path, err)
	}
	if j.ACL == nil {
		return z, nil
	}
	var complaints strings.Builder
	for _, one := range j.ACL {
		if entry, ok := parseEntry(one, &complaints); ok {
			z.acl = append(z.acl, entry)
		}
	}
	switch said, _, _ := strings.Cut(complaints.String(), "\n"); {
	case said != "":
		return z, fmt.Errorf("%s: its ACL: %s", j.Path, said)
	case len(z.acl) == 0:
		return z, fmt.Errorf("%s: its ACL has no entry", j.Path)
	case slices.ContainsFunc(z.acl, masked):
		return z, fmt.Errorf("%s: its ACL is masked; export it again as somebody who has permission a on it, or as super user", j.Path)
	}
	return z, nil
}

func readFiles(dir string) ([]znode, error) {
	var all []znode
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil || d.Name() == ownData {
			return err
		}
		z := znode{path: "/" + filepath.ToSlash(rel)}
		if rel == "." {
			z.path = "/"
		}
		if d.IsDir() {
			z.data, err = os.ReadFile(filepath.Join(name, ownData))
			if errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
		} else {
			z.data, err = os.ReadFile(name)
		}
		if len(z.data) == 0 {
			z.data = nil // a file cannot say which of the two it was
		}
		all = append(all, z)
		return err
	})
	return all, err
}
