package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"zooraft/cmd/client"
)

// Where quotas stand: Quotas.java.
const (
	quotaRoot  = "/zookeeper/quota"
	limitsNode = "zookeeper_limits"
	statsNode  = "zookeeper_stats"
)

// Keys of quotas: StatsTrack.java.
const (
	countKey     = "count"
	bytesKey     = "bytes"
	countHardKey = "countHardLimit"
	bytesHardKey = "byteHardLimit"
)

// quotaFlags are the four limits, and the words for a bad one.
var quotaFlags = []struct {
	flag, key, name string
	zero            bool // may be zero
}{
	{"n", countKey, "the num quota must be greater than zero", false},
	{"b", bytesKey, "the bytes quota must be greater than or equal to zero", true},
	{"N", countHardKey, "the num quota must be greater than zero", false},
	{"B", bytesHardKey, "the bytes quota must be greater than or equal to zero", true},
}

func quotaOptions(value, must bool) options {
	return options{group: true, must: must, list: []option{
		{"n", value, "num soft quota"}, {"b", value, "bytes soft quota"}, {"N", value, "num hard quota"}, {"B", value, "bytes hard quota"},
	}}
}

var quotaCommands = map[string]*command{
	"setquota":  {args: "-n|-b|-N|-B val path", opts: quotaOptions(true, true), min: 2, run: (*shell).cmdSetQuota},
	"listquota": {args: "path", min: 2, run: (*shell).cmdListQuota},
	"delquota":  {args: "[-n|-b|-N|-B] path", opts: quotaOptions(false, false), min: 2, run: (*shell).cmdDelQuota},
}

// quotaStats are limits, or what is counted.
type quotaStats map[string]int64

func parseQuota(data []byte) quotaStats {
	q := quotaStats{}
	for _, pair := range strings.FieldsFunc(string(data), func(r rune) bool { return r == ',' || r == ';' }) {
		key, value, _ := strings.Cut(pair, "=")
		n, err := strconv.ParseInt(strings.TrimRight(value, "="), 10, 64)
		if err != nil {
			n = -1
		}
		q[key] = n
	}
	return q
}

func (q quotaStats) get(key string) int64 {
	if n, ok := q[key]; ok {
		return n
	}
	return -1
}

// String is StatsTrack.toString; the '=' behind bytes makes old readers stop there.
func (q quotaStats) String() string {
	text := fmt.Sprintf("count=%d,bytes=%d", q.get(countKey), q.get(bytesKey))
	separator := "=;"
	for _, key := range slices.Sorted(maps.Keys(q)) {
		if key != countKey && key != bytesKey {
			text += fmt.Sprintf("%s%s=%d", separator, key, q[key])
			separator = ";"
		}
	}
	return text
}

func (sh *shell) cmdSetQuota(ctx context.Context, p *parsed) error {
	path := p.args[1]
	if strings.HasPrefix(path, quotaRoot) {
		fmt.Fprintln(sh.err, "cannot set a quota under the path: "+quotaRoot)
		return nil
	}
	limits := quotaStats{countKey: -1, bytesKey: -1, countHardKey: -1, bytesHardKey: -1}
	for _, f := range quotaFlags {
		if !p.has(f.flag) {
			continue
		}
		bits := 32
		if f.zero {
			bits = 64
		}
		n, err := strconv.ParseInt(p.values[f.flag], 10, bits)
		if err != nil {
			fmt.Fprintln(sh.err, "NumberFormatException happens when parsing the option value")
			return nil
		}
		if n < 0 || n == 0 && !f.zero {
			fmt.Fprintln(sh.err, f.name)
			return nil
		}
		limits[f.key] = n
	}
	stat, err := sh.zk.Exists(ctx, path, false)
	if err != nil {
		return err
	}
	if stat == nil {
		return failed("%s does not exist.", path)
	}
	if err := sh.noQuotaBelow(ctx, path); err != nil {
		return err
	}
	if err := sh.noQuotaAbove(ctx, path); err != nil {
		return err
	}
	return sh.makeQuota(ctx, path, limits)
}

// noQuotaBelow refuses a quota above another.
func (sh *shell) noQuotaBelow(ctx context.Context, path string) error {
	var all []string
	if err := sh.visit(ctx, quotaRoot+path, false, func(p string) { all = append(all, p) }); err != nil {
		return ignoreNoNode(err)
	}
	for _, p := range all {
		above, ok := strings.CutSuffix(p, "/"+limitsNode)
		if ok && above != quotaRoot+path {
			return failed("%s has a child %s which has a quota", path, strings.TrimPrefix(above, quotaRoot))
		}
	}
	return nil
}

// noQuotaAbove refuses a quota below another.
func (sh *shell) noQuotaAbove(ctx context.Context, path string) error {
	for above := client.Parent(path); above != "/" && above != ""; above = client.Parent(above) {
		stat, err := sh.zk.Exists(ctx, quotaRoot+above+"/"+limitsNode, false)
		if err != nil {
			return err
		}
		if stat != nil {
			return failed("%s has a parent %s which has a quota", path, above)
		}
	}
	return nil
}

func (sh *shell) makeQuota(ctx context.Context, path string, limits quotaStats) error {
	at := quotaRoot
	for part := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		at += "/" + part
		if err := sh.ensure(ctx, at); err != nil {
			return err
		}
	}
	stat, err := sh.zk.Exists(ctx, at+"/"+limitsNode, false)
	if err != nil {
		return err
	}
	if stat == nil {
		if _, err := sh.zk.Create(ctx, at+"/"+limitsNode, []byte(limits.String()), client.OpenACL, 0, 0); err != nil {
			return err
		}
		none := quotaStats{countKey: 0, bytesKey: 0}
		if _, err := sh.zk.Create(ctx, at+"/"+statsNode, []byte(none.String()), client.OpenACL, 0, 0); err != nil {
			return err
		}
	}
	now, used, err := sh.quota(ctx, path)
	if err != nil {
		return err
	}
	for key, n := range limits {
		if n > -1 {
			now[key] = n
		}
	}
	for _, k := range []struct{ soft, hard, name string }{{countKey, countHardKey, "count"}, {bytesKey, bytesHardKey, "bytes"}} {
		over := func(key string) bool { return now.get(key) > -1 && now.get(key) < used.get(k.soft) }
		if over(k.soft) || over(k.hard) {
			fmt.Fprintf(sh.out, "[Warning]: the %s quota you create is less than the existing %s:%d\n", k.name, k.name, used.get(k.soft))
		}
	}
	if stat != nil {
		_, err = sh.zk.Set(ctx, at+"/"+limitsNode, []byte(now.String()), -1)
	}
	return err
}

// ensure makes a znode without data if it is not there.
func (sh *shell) ensure(ctx context.Context, path string) error {
	stat, err := sh.zk.Exists(ctx, path, false)
	if err != nil || stat != nil {
		return err
	}
	_, err = sh.zk.Create(ctx, path, nil, client.OpenACL, 0, 0)
	return ignoreExists(err)
}

// quota reads the limits of a path and what is counted.
func (sh *shell) quota(ctx context.Context, path string) (limits, used quotaStats, err error) {
	data, _, err := sh.zk.Get(ctx, quotaRoot+path+"/"+limitsNode, false)
	if err != nil {
		return nil, nil, err
	}
	limits = parseQuota(data)
	data, _, err = sh.zk.Get(ctx, quotaRoot+path+"/"+statsNode, false)
	return limits, parseQuota(data), err
}

func (sh *shell) cmdListQuota(ctx context.Context, p *parsed) error {
	path := p.args[1]
	if !sh.inv.json {
		fmt.Fprintln(sh.err, "absolute path is "+quotaRoot+path+"/"+limitsNode)
	}
	limits, used, err := sh.quota(ctx, path)
	if err != nil {
		if ignoreNoNode(err) == nil {
			fmt.Fprintln(sh.err, "quota for "+path+" does not exist.")
			return nil
		}
		return err
	}
	if sh.inv.json {
		return sh.emit(map[string]any{"path": path, "quota": limits, "used": used})
	}
	fmt.Fprintf(sh.out, "Output quota for %s %s\nOutput stat for %s %s\n", path, limits, path, used)
	return nil
}

func (sh *shell) cmdDelQuota(ctx context.Context, p *parsed) error {
	path := p.args[1]
	at := quotaRoot + path
	stat, err := sh.zk.Exists(ctx, at+"/"+limitsNode, false)
	if err != nil {
		return err
	}
	if stat == nil {
		fmt.Fprintln(sh.out, "Quota does not exist for "+path)
		return nil
	}
	if p.any("n", "b", "N", "B") {
		data, _, err := sh.zk.Get(ctx, at+"/"+limitsNode, false)
		if err != nil {
			return err
		}
		limits := parseQuota(data)
		for _, f := range quotaFlags {
			if p.has(f.flag) {
				limits[f.key] = -1
			}
		}
		_, err = sh.zk.Set(ctx, at+"/"+limitsNode, []byte(limits.String()), -1)
		return err
	}
	names, _, err := sh.zk.Children(ctx, at, false)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := sh.zk.Delete(ctx, client.Join(at, name), -1); err != nil {
			return err
		}
	}
	// Then what stands above it for its sake alone.
	for ; at != quotaRoot; at = client.Parent(at) {
		names, _, err := sh.zk.Children(ctx, at, false)
		if err != nil || len(names) > 0 {
			return err
		}
		if err := sh.zk.Delete(ctx, at, -1); err != nil {
			return err
		}
	}
	return nil
}
