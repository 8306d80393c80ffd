package cli

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"zooraft/cmd/client"
	"zooraft/protocol"
)

var writeCommands = map[string]*command{
	"create": {
		args: "[-s] [-e] [-c] [-t ttl] path [data] [acl]",
		opts: options{list: []option{{name: "c", help: "container"}, {name: "e", help: "ephemeral"}, {name: "s", help: "sequential"}, {name: "t", value: true, help: "ttl"}}},
		min:  2, run: (*shell).cmdCreate,
	},
	"set": {
		args: "path data [-s] [-v version] [-b]",
		opts: options{list: []option{
			{name: "b", help: "Supply data in base64 format"},
			{name: "s", help: "Print znode stats additionally"},
			{name: "v", value: true, help: "Set with an expected version"},
		}},
		tabled: true, min: 3, run: (*shell).cmdSet,
	},
	"delete":    {args: "[-v version] path", opts: options{list: []option{{name: "v", value: true, help: "version"}}}, min: 2, run: (*shell).cmdDelete},
	"deleteall": {args: "path [-b batch size]", opts: options{list: []option{{name: "b", value: true, help: "batch size"}}}, min: 2, run: (*shell).cmdDeleteAll},
	"rmr":       {args: "path", opts: options{list: []option{{name: "b", value: true, help: "batch size"}}}, min: 2, own: true, old: true, run: (*shell).cmdRmr},
	"setAcl": {
		args: "[-s] [-v version] [-R] path acl",
		opts: options{list: []option{{name: "R", help: "recursive"}, {name: "s", help: "stats"}, {name: "v", value: true, help: "version"}}},
		min:  3, run: (*shell).cmdSetACL,
	},
	"addauth": {args: "scheme auth", min: 2, run: (*shell).cmdAddAuth},
}

// maxTTL is EphemeralType.TTL's limit, ms.
const maxTTL = 1<<40 - 1

// createMode checks the flags of create, in zkCli's order.
func createMode(p *parsed) (mode int32, ttl int64, err error) {
	e, s, c, t := p.has("e"), p.has("s"), p.has("c"), p.has("t")
	if c && (e || s) {
		return 0, 0, failed("-c cannot be combined with -s or -e. Containers cannot be ephemeral or sequential.")
	}
	if t {
		if ttl, err = strconv.ParseInt(p.values["t"], 10, 64); err != nil {
			return 0, 0, failed("-t argument must be a long value")
		}
	}
	switch {
	case t && e:
		return 0, 0, failed("TTLs cannot be used with Ephemeral znodes")
	case t && c:
		return 0, 0, failed("TTLs cannot be used with Container znodes")
	case t && (ttl <= 0 || ttl > maxTTL):
		return 0, 0, failed("ttl must be positive and cannot be larger than: %d", int64(maxTTL))
	case e && s:
		mode = protocol.CreateModeEphemeralSequential
	case e:
		mode = protocol.CreateModeEphemeral
	case s && t:
		mode = protocol.CreateModePersistentSequentialTTL
	case s:
		mode = protocol.CreateModePersistentSequential
	case c:
		mode = protocol.CreateModeContainer
	case t:
		mode = protocol.CreateModePersistentTTL
	}
	return mode, ttl, nil
}

func (sh *shell) cmdCreate(ctx context.Context, p *parsed) error {
	mode, ttl, err := createMode(p)
	if err != nil {
		return err
	}
	var data []byte
	if len(p.args) > 2 {
		data = []byte(p.args[2])
	}
	acl := client.OpenACL
	if len(p.args) > 3 {
		acl = parseACL(p.args[3], sh.err)
	}
	made, err := sh.zk.Create(ctx, p.args[1], data, acl, mode, ttl)
	var refused *client.Error
	switch {
	case err == nil && sh.inv.json:
		return sh.emit(map[string]any{"created": made})
	case err == nil:
		fmt.Fprintln(sh.err, "Created "+made)
	case errors.As(err, &refused) && refused.Code == protocol.ErrInvalidACL:
		fmt.Fprintln(sh.err, refused.Error())
	case errors.As(err, &refused) && refused.Code == protocol.ErrEphemeralOnLocalSession:
		fmt.Fprintln(sh.err, "Unable to create ephemeral node on a local session")
	}
	return err
}

// version reads -v, -1 if it is not there.
func version(p *parsed) (int32, error) {
	if !p.has("v") {
		return -1, nil
	}
	n, err := strconv.ParseInt(p.values["v"], 10, 32)
	if err != nil {
		return 0, failed("-v argument must be an int value, not %s", p.values["v"])
	}
	return int32(n), nil
}

func (sh *shell) cmdSet(ctx context.Context, p *parsed) error {
	data := []byte(p.args[2])
	if p.has("b") {
		var err error
		if data, err = base64.StdEncoding.DecodeString(p.args[2]); err != nil {
			return failed("-b: the data are no base64: %v", err)
		}
	}
	v, err := version(p)
	if err != nil {
		return err
	}
	stat, err := sh.zk.Set(ctx, p.args[1], data, v)
	if err == nil && p.has("s") {
		return sh.stat(p.args[1], stat)
	}
	return err
}

func (sh *shell) cmdDelete(ctx context.Context, p *parsed) error {
	if len(p.args) > 2 {
		fmt.Fprintln(sh.err, "'delete path [version]' has been deprecated. Please use 'delete [-v version] path' instead.")
	}
	v, err := version(p)
	if err != nil {
		return err
	}
	return sh.zk.Delete(ctx, p.args[1], v)
}

func (sh *shell) cmdRmr(ctx context.Context, p *parsed) error {
	fmt.Fprintln(sh.err, "The command 'rmr' has been deprecated. Please use 'deleteall' instead.")
	return sh.cmdDeleteAll(ctx, p)
}

func (sh *shell) cmdDeleteAll(ctx context.Context, p *parsed) error {
	batch := 1000
	if p.has("b") {
		var err error
		if batch, err = strconv.Atoi(p.values["b"]); err != nil {
			return failed("-b argument must be an int value")
		}
	}
	path := p.args[1]
	if err := client.CheckPath(path); err != nil {
		return err
	}
	all, err := sh.subtree(ctx, path)
	if err != nil {
		return err
	}
	if len(all) > 1 && !sh.confirm(fmt.Sprintf("Delete %s and the %d znodes below it?", path, len(all)-1)) {
		return failed("nothing is deleted")
	}
	whole, err := sh.deleteTree(ctx, all, batch)
	if err == nil && !whole {
		fmt.Fprintln(sh.err, "Failed to delete some node(s) in the subtree!")
	}
	return err
}

// subtree lists the paths of a subtree, parents before children.
func (sh *shell) subtree(ctx context.Context, path string) ([]string, error) {
	names, _, err := sh.zk.Children(ctx, path, false)
	if err != nil {
		return nil, err
	}
	all := []string{path}
	level := joinAll(path, names)
	count := sh.progress("%d znodes found")
	defer count(-1)
	for len(level) > 0 {
		all = append(all, level...)
		count(len(all))
		lists, err := sh.childrenOf(ctx, level, false)
		if err != nil {
			return nil, err
		}
		var next []string
		for i, list := range lists {
			next = append(next, joinAll(level[i], list)...)
		}
		level = next
	}
	return all, nil
}

func joinAll(parent string, names []string) []string {
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = client.Join(parent, name)
	}
	return paths
}

// transactionsAtOnce is how many of a bulk change are under way, as in ZKUtil.
const transactionsAtOnce = 10

// deleteTree deletes paths from the last to the first, batch of them in a
// transaction, and stops behind the first that fails; one by one, and with the
// error of the one that failed, if batch is not positive.
func (sh *shell) deleteTree(ctx context.Context, all []string, batch int) (whole bool, err error) {
	count := sh.progress(fmt.Sprintf("%%d of %d znodes deleted", len(all)))
	defer count(-1)
	if batch <= 0 {
		for i := len(all) - 1; i >= 0; i-- {
			if err := sh.zk.Delete(ctx, all[i], -1); err != nil {
				return false, err
			}
			count(len(all) - i)
		}
		return true, nil
	}
	slices.Reverse(all)
	var under []client.Under
	whole = true
	wait := func() {
		if _, err := under[0].Wait(ctx); err != nil {
			whole = false
		}
		under = under[1:]
	}
	done := 0
	for part := range slices.Chunk(all, batch) {
		if len(under) == transactionsAtOnce {
			wait()
		}
		if !whole || ctx.Err() != nil {
			break
		}
		var m client.Multi
		for _, path := range part {
			m.Delete(path, -1)
		}
		under = append(under, sh.zk.StartMulti(&m))
		done += len(part)
		count(done)
	}
	for len(under) > 0 {
		wait()
	}
	return whole, ctx.Err()
}

func (sh *shell) cmdSetACL(ctx context.Context, p *parsed) error {
	path := p.args[1]
	acl := parseACL(p.args[2], sh.err)
	v, err := version(p)
	if err != nil {
		return err
	}
	if p.has("R") {
		return sh.visit(ctx, path, false, func(path string) {
			// zkCli prints these on standard output, without an end of line.
			if _, err := sh.zk.SetACL(ctx, path, acl, v); err != nil {
				fmt.Fprint(sh.out, err.Error())
			}
		})
	}
	stat, err := sh.zk.SetACL(ctx, path, acl, v)
	if err == nil && p.has("s") {
		return sh.stat(path, stat)
	}
	return err
}

func (sh *shell) cmdAddAuth(ctx context.Context, p *parsed) error {
	var auth []byte
	if len(p.args) > 2 {
		auth = []byte(p.args[2])
	}
	sh.said = append(sh.said, identity{sh.zk, p.args[1], auth})
	return sh.zk.AddAuth(ctx, p.args[1], auth)
}

// identity is what addauth has told a session.
type identity struct {
	zk     *client.Client
	scheme string
	auth   []byte
}

// identify tells another server who this session's user is.
func (sh *shell) identify(ctx context.Context, other *client.Client) error {
	for _, id := range sh.said {
		if id.zk != sh.zk {
			continue // connect has opened a new session since, which does not know it
		}
		if err := other.AddAuth(ctx, id.scheme, id.auth); err != nil {
			return err
		}
	}
	return nil
}

// ignoreNoNode passes over what has gone while a walk was on its way to it.
func ignoreNoNode(err error) error {
	var refused *client.Error
	if errors.As(err, &refused) && refused.Code == protocol.ErrNoNode {
		return nil
	}
	return err
}

// confirm asks a person at the prompt; without one, or with -y, the answer is yes:
// a script must not wait for an answer.
func (sh *shell) confirm(question string) bool {
	if sh.typed == nil || sh.inv.yes {
		return true
	}
	sh.out.Flush()
	answer, err := sh.typed.ask(question + " [y/N] ")
	answer = strings.ToLower(strings.TrimSpace(answer))
	return err == nil && (answer == "y" || answer == "yes")
}
