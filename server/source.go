package server

import (
	"cmp"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"zooraft/fsm"
	"zooraft/protocol"
	"zooraft/server/admin"
	"zooraft/server/client"
	"zooraft/zabcompat"
	"zooraft/zabcompat/metrics"
)

// source answers for the words and the admin server.
type source struct{ s *Server }

func (a source) Status() Status                    { return a.s.Status() }
func (a source) Serving() bool                     { return a.s.servingSince.Load() != 0 }
func (a source) Working() bool                     { return a.s.duty.quorumServes() != client.NoService }
func (a source) Metrics() *metrics.Metrics         { return a.s.metrics }
func (a source) SlowRequests() []admin.SlowRequest { return a.s.slow.recent() }
func (a source) ResetConnectionStats()             { a.s.clients.ResetConnections() }

func (a source) ResetServerStats() {
	a.s.clients.ResetStats()
	a.s.metrics.Reset()
}

func (a source) Connections() []admin.ConnInfo {
	all := a.s.clients.Connections()
	infos := make([]admin.ConnInfo, len(all))
	for i := range all {
		infos[i] = connInfo(&all[i])
	}
	return infos
}

func connInfo(c *client.ConnInfo) admin.ConnInfo {
	return admin.ConnInfo{
		Remote: c.Remote, Queued: c.Queued, Received: c.Received, Sent: c.Sent, Asking: c.Asking, Secure: c.Secure,
		HasSession: c.HasSession, Session: int64(c.Session), Timeout: c.Timeout, Established: c.Established, Expires: c.Expires,
		Last: shortName(c), LastXid: c.LastXid, LastZxid: c.LastZxid, LastReply: c.LastReply,
		LatencyLast: c.LatencyLast, LatencyMin: c.LatencyMin, LatencyAvg: c.LatencyAvg, LatencyMax: c.LatencyMax,
	}
}

// shortName is what the words call the operation that was answered last
// (org.apache.zookeeper.server.FinalRequestProcessor).
func shortName(c *client.ConnInfo) string {
	if name, ok := shortNames[c.Op]; ok && !c.Refused {
		return name
	}
	return "NA"
}

var shortNames = map[protocol.OpCode]string{
	protocol.OpCreate: "CREA", protocol.OpCreate2: "CREA", protocol.OpCreateTTL: "CREA", protocol.OpCreateContainer: "CREA",
	protocol.OpDelete: "DELE", protocol.OpDeleteContainer: "DELE", protocol.OpExists: "EXIS", protocol.OpGetData: "GETD",
	protocol.OpSetData: "SETD", protocol.OpGetACL: "GETA", protocol.OpSetACL: "SETA", protocol.OpGetChildren: "GETC",
	protocol.OpGetChildren2: "GETC", protocol.OpSync: "SYNC", protocol.OpPing: "PING", protocol.OpCheck: "CHEC",
	protocol.OpMulti: "MULT", protocol.OpMultiRead: "MLTR", protocol.OpReconfig: "RECO", protocol.OpCheckWatches: "CHKW",
	protocol.OpRemoveWatches: "REMW", protocol.OpSetWatches: "SETW", protocol.OpSetWatches2: "STW2", protocol.OpAddWatch: "ADDW",
	protocol.OpGetEphemerals: "GETE", protocol.OpGetAllChildrenNumber: "GETACN", protocol.OpWhoAmI: "HOMI",
	protocol.OpCreateSession: "SESS", protocol.OpCloseSession: "CLOS",
	protocol.OpNotify: "null", // a session taken up, and nothing asked since
}

func (a source) Sessions() admin.Sessions {
	var out admin.Sessions
	a.s.fsm.View(func(v fsm.View) {
		for id, timeout := range v.Sessions() {
			out.Global = append(out.Global, admin.SessionInfo{ID: int64(id), Timeout: millis(timeout)})
		}
		for id, paths := range v.Ephemerals() {
			slices.Sort(paths)
			out.Ephemerals = append(out.Ephemerals, admin.Ephemerals{Session: int64(id), Paths: paths})
		}
	})
	deadlines := a.s.expirer.Deadlines()
	out.Tracked = deadlines != nil
	for i := range out.Global {
		out.Global[i].Expires = deadlines[protocol.SessionID(out.Global[i].ID)]
	}
	out.LocalEnabled = a.s.cfg.keepsLocalSessions() || a.s.readOnly.Load()
	out.Local = a.s.locals.sessions()
	slices.SortFunc(out.Global, func(x, y admin.SessionInfo) int { return cmp.Compare(x.ID, y.ID) })
	slices.SortFunc(out.Ephemerals, func(x, y admin.Ephemerals) int { return cmp.Compare(x.Session, y.Session) })
	return out
}

func (a source) Watches() []admin.Watch {
	var all []admin.Watch
	for id, path := range a.s.clients.Watches() {
		all = append(all, admin.Watch{Session: int64(id), Path: path})
	}
	return all
}

func (a source) WatchSummary() admin.WatchSummary { return a.s.watchSummary() }

// maxQuotas bounds how many znodes of quotas are looked at for a scrape.
const maxQuotas = 2000

func (a source) Quotas() []admin.Quota {
	var all []fsm.Quota
	a.s.fsm.View(func(v fsm.View) { all = v.Quotas(maxQuotas) })
	sums := make(map[string]admin.Quota)
	for _, q := range all {
		name := metrics.Namespace(q.Path)
		s := sums[name]
		s.Namespace = name
		s.CountLimit += limit(q.CountHard, q.CountLimit)
		s.BytesLimit += limit(q.BytesHard, q.BytesLimit)
		s.Count += max(q.Count, 0)
		s.Bytes += max(q.Bytes, 0)
		sums[name] = s
	}
	return slices.SortedFunc(maps.Values(sums), func(x, y admin.Quota) int { return cmp.Compare(x.Namespace, y.Namespace) })
}

// limit is the hard limit, or else the soft one (QuotaMetricsUtils).
func limit(hard, soft int64) int64 {
	if hard > -1 {
		return hard
	}
	return soft
}

func (a source) Settings() admin.Settings {
	c := &a.s.cfg
	set := admin.Settings{
		ClientPort: a.s.clientPort(), SecureClientPort: cmp.Or(c.SecureClientPort, -1),
		DataDir: filepath.Join(Absolute(c.DataDir), "raft"), DataLogDir: filepath.Join(Absolute(c.LogDir()), "raft"),
		TickTime: c.TickTime, MaxClientCnxns: c.MaxClientCnxns,
		MinSessionTimeout: c.MinSessionTimeout, MaxSessionTimeout: c.MaxSessionTimeout,
		ListenBacklog: c.Limits.ListenBacklog, Properties: c.properties(), Initial: maskedText(c.ConfigText),
	}
	if c.Standalone() {
		return set
	}
	set.SID, set.Ensemble, set.InitLimit, set.SyncLimit = int64(c.SID), true, c.InitLimit, c.SyncLimit
	a.s.fsm.View(func(v fsm.View) { set.Membership = v.Shown().String() })
	if self, ok := c.Self(); ok {
		set.ElectionPort, set.QuorumPort, set.Observer = self.ElectionPort, self.QuorumPort, self.Observer
	}
	return set
}

func (a source) Members() []admin.Member {
	if a.s.cfg.Standalone() {
		return nil
	}
	var all []admin.Member
	for _, m := range a.s.membership().Servers {
		all = append(all, admin.Member{
			SID: int64(m.ID), Host: m.Host, QuorumAddr: m.QuorumAddr(), ElectionAddr: m.ElectionAddr(), ClientAddr: a.s.cfg.clientAddr(m), Observer: m.Observer,
		})
	}
	return all
}

// clientAddr is host:port of a member's client port: of its line, or for this server
// of clientPort and clientPortAddress; "" if it is not known.
func (c *Config) clientAddr(m zabcompat.ServerSpec) string {
	host, port := m.ClientHost, m.ClientPort
	if port == 0 && m.ID == c.SID {
		host, port = cmp.Or(c.ClientPortAddress, "0.0.0.0"), c.ClientPort
	}
	if port == 0 {
		return ""
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

func (a source) LastSnapshot() (zxid int64, at time.Time) { return a.s.node.LastSnapshot() }

// Secret says whether the value of a zoo.cfg key is not to be shown.
func Secret(key string) bool {
	key = strings.ToLower(key)
	return strings.Contains(key, "superdigest") || strings.Contains(key, "password")
}

const maskText = "********"

// properties are what would be Java properties in ZooKeeper.
func (c *Config) properties() map[string]string {
	shown := maps.Clone(c.Properties)
	if shown == nil {
		shown = make(map[string]string)
	}
	for _, s := range c.Settings {
		if s.Property != "" {
			shown[s.Property] = s.Value
		}
	}
	for key := range shown {
		if Secret(key) {
			shown[key] = maskText
		}
	}
	return shown
}

// maskedText masks the lines of a configuration file that hold a secret, and those
// that continue them. A comment that names a secret is masked too: it may be a line
// that was taken out of service.
func maskedText(text string) string {
	lines := strings.Split(text, "\n")
	kept := lines[:0]
	continued := false // a masked line goes on
	for _, line := range lines {
		more := strings.HasSuffix(strings.TrimRight(line, "\r"), `\`)
		if continued {
			continued = more
			continue
		}
		key := strings.TrimLeft(line, " \t\f#!")
		if key = key[:strings.IndexAny(key+"=", "=: \t\f")]; Secret(key) {
			line = line[:strings.Index(line, key)+len(key)] + "=" + maskText
			continued = more
		}
		kept = append(kept, line)
	}
	return strings.Join(kept, "\n")
}

func (a source) DirSizes() (data, log int64) { return a.s.node.DirSizes() }

var _ admin.Source = source{}
