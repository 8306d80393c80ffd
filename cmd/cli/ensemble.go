package cli

import (
	"context"
	"fmt"
	"net"
	"os"
	"sort"
	"strconv"
	"strings"

	"zooraft/protocol"
	"zooraft/zabcompat"
)

var ensembleCommands = map[string]*command{
	"addWatch": {
		args: "[-m mode] path # optional mode is one of [PERSISTENT, PERSISTENT_RECURSIVE] - default is PERSISTENT_RECURSIVE",
		opts: options{list: []option{{name: "m", value: true, help: "mode"}}}, run: (*shell).cmdAddWatch,
	},
	"removewatches": {
		args: "path [-c|-d|-a] [-l]",
		opts: options{list: []option{
			{name: "a", help: "any watcher type"}, {name: "c", help: "child watcher type"}, {name: "d", help: "data watcher type"},
			{name: "l", help: "remove locally when there is no server connection"},
			{name: "p", help: "persistent watcher type"}, {name: "r", help: "persistent recursive watcher type"},
		}},
		min: 2, run: (*shell).cmdRemoveWatches,
	},
	"close":   {free: true, run: (*shell).cmdClose},
	"version": {run: (*shell).cmdVersion},
	"config": {
		args: "[-c] [-w] [-s]",
		opts: options{list: []option{{name: "c", help: "client connection string"}, {name: "s", help: "stats"}, {name: "w", help: "watch"}}},
		run:  (*shell).cmdConfig,
	},
	"reconfig": {
		args: "[-s] [-v version] [[-file path] | [-members serverID=host:port1:port2;port3[,...]*]] | [-add serverId=host:port1:port2;port3[,...]]* [-remove serverId[,...]*]",
		opts: options{list: []option{
			{"s", false, "stats"}, {"v", true, "required current config version"}, {"file", true, "path of config file to parse for membership"},
			{"members", true, "comma-separated list of config strings for non-incremental reconfig"},
			{"add", true, "comma-separated list of config strings for new servers"}, {"remove", true, "comma-separated list of server IDs to remove"},
		}},
		run: (*shell).cmdReconfig,
	},
}

func (sh *shell) cmdAddWatch(ctx context.Context, p *parsed) error {
	if len(p.args) != 2 {
		return failed("%s", usageText("addWatch", commands["addWatch"]))
	}
	mode := protocol.AddWatchPersistentRecursive
	if p.has("m") {
		switch strings.ToUpper(p.values["m"]) {
		case "PERSISTENT":
			mode = protocol.AddWatchPersistent
		case "PERSISTENT_RECURSIVE":
		default:
			return failed("%s", usageText("addWatch", commands["addWatch"]))
		}
	}
	return sh.zk.AddWatch(ctx, p.args[1], mode)
}

func (sh *shell) cmdRemoveWatches(ctx context.Context, p *parsed) error {
	kind := protocol.WatcherTypeAny
	switch {
	case p.has("c"):
		kind = protocol.WatcherTypeChildren
	case p.has("d"):
		kind = protocol.WatcherTypeData
	case p.has("p"):
		kind = protocol.WatcherTypePersistent
	case p.has("r"):
		kind = protocol.WatcherTypePersistentRecursive
	}
	return sh.zk.RemoveWatches(ctx, p.args[1], kind, p.has("l"))
}

func (sh *shell) cmdClose(context.Context, *parsed) error {
	sh.zk.Close()
	return nil
}

func (sh *shell) cmdVersion(_ context.Context, p *parsed) error {
	if len(p.args) > 1 {
		return failed("version ")
	}
	if sh.inv.json {
		return sh.emit(map[string]any{"version": sh.Version})
	}
	fmt.Fprintln(sh.out, "ZooKeeper CLI version: "+sh.Version)
	return nil
}

func (sh *shell) cmdConfig(ctx context.Context, p *parsed) error {
	data, stat, err := sh.zk.GetConfig(ctx, p.has("w"))
	if err != nil {
		return err
	}
	text := "null"
	if data != nil {
		text = javaText(data)
	}
	if p.has("c") {
		text = clientConfigText(text)
	}
	if sh.inv.json {
		return sh.emit(map[string]any{"config": text, "stat": statJSON(printed(p, stat))})
	}
	fmt.Fprintln(sh.out, text)
	if s := printed(p, stat); s != nil {
		printStat(sh.out, s)
	}
	return nil
}

// clientConfigText is ConfigUtils.getClientConfigStr: the version and where clients
// connect to, in the order of the sids.
func clientConfigText(config string) string {
	version := ""
	type member struct {
		sid  int
		addr string
	}
	var members []member
	for line := range strings.SplitSeq(config, "\n") {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok {
			continue
		}
		if key == "version" {
			version = value
		}
		number, ok := strings.CutPrefix(key, "server.")
		if !ok {
			continue
		}
		if _, client, ok := strings.Cut(value, ";"); ok {
			sid, _ := strconv.Atoi(number)
			if !strings.Contains(client, ":") {
				client = net.JoinHostPort("0.0.0.0", client)
			}
			members = append(members, member{sid, client})
		}
	}
	sort.Slice(members, func(i, k int) bool { return members[i].sid < members[k].sid })
	addrs := make([]string, len(members))
	for i, m := range members {
		addrs[i] = m.addr
	}
	return version + " " + strings.Join(addrs, ",")
}

func (sh *shell) cmdReconfig(ctx context.Context, p *parsed) error {
	whole, steps := p.any("file", "members"), p.any("add", "remove")
	if !whole && !steps {
		return failed("%s", usageText("reconfig", commands["reconfig"]))
	}
	version := int64(-1)
	if p.has("v") {
		var err error
		if version, err = strconv.ParseInt(p.values["v"], 16, 64); err != nil {
			return failed("-v must be followed by a long (configuration version)")
		}
	}
	if whole && steps {
		return failed("Can't use -file or -members together with -add or -remove (mixing incremental and non-incremental modes is not allowed)")
	}
	if p.has("file") && p.has("members") {
		return failed("Can't use -file and -members together (conflicting non-incremental modes)")
	}
	list := func(name string) *string {
		if !p.has(name) {
			return nil
		}
		text := strings.ToLower(p.values[name])
		return &text
	}
	members := list("members")
	if p.has("file") {
		text, err := membersFile(p.values["file"])
		if err != nil {
			return failed("Error processing %s%v", p.values["file"], err)
		}
		members = &text
	}
	data, stat, err := sh.zk.Reconfig(ctx, list("add"), list("remove"), members, version)
	if err != nil {
		return err
	}
	fmt.Fprintln(sh.out, "Committed new configuration:\n"+javaText(data))
	if s := printed(p, stat); s != nil {
		printStat(sh.out, s)
	}
	return nil
}

// membersFile reads what a dynamic configuration file says of the members, their
// groups and weights among it. A server without such quorums is to refuse these: left
// out, they would make plain majorities.
func membersFile(path string) (string, error) {
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return "", fmt.Errorf("%s (No such file or directory)", path)
	}
	if err != nil {
		return "", err
	}
	var members []string
	servers := 0
	for _, p := range zabcompat.ParseProperties(data) {
		if p.Err != nil {
			return "", fmt.Errorf(": line %d: %w", p.Line, p.Err)
		}
		switch kind, _, _ := strings.Cut(p.Key, "."); kind {
		case "server":
			servers++
		case "group", "weight":
		default:
			continue
		}
		members = append(members, p.Key+"="+strings.TrimSpace(p.Value))
	}
	if servers == 0 {
		return "", fmt.Errorf(": no line server.N=... in it")
	}
	return strings.Join(members, ","), nil
}
