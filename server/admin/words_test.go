package admin

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"zooraft/zabcompat"
	"zooraft/zabcompat/metrics"
)

type source struct {
	st       Status
	conns    []ConnInfo
	sessions Sessions
	watches  []Watch
	settings Settings
	metrics  metrics.Metrics
	members  []Member
	problem  error
	resets   string
	slow     []SlowRequest
}

func (s *source) Status() Status          { return s.st }
func (s *source) Serving() bool           { return s.st.Serving }
func (s *source) Working() bool           { return s.st.Serving }
func (s *source) Connections() []ConnInfo { return s.conns }
func (s *source) Sessions() Sessions      { return s.sessions }
func (s *source) Watches() []Watch        { return s.watches }
func (s *source) WatchSummary() WatchSummary {
	return WatchSummary{Connections: 2, Paths: 2, Watches: 3}
}
func (s *source) Quotas() []Quota {
	return []Quota{{Namespace: "app", CountLimit: 5, BytesLimit: -1, Count: 3, Bytes: 40}}
}
func (s *source) Settings() Settings               { return s.settings }
func (s *source) DirSizes() (int64, int64)         { return 67109416, 67108880 }
func (s *source) Digest() (int64, uint64)          { return 0x100000080, 282795745659 }
func (s *source) Members() []Member                { return s.members }
func (s *source) LastSnapshot() (int64, time.Time) { return 0x100000005, time.Unix(1795314298, 0) }
func (s *source) Ready() error                     { return s.problem }
func (s *source) SafeToStop() error                { return s.problem }
func (s *source) Metrics() *metrics.Metrics        { return &s.metrics }
func (s *source) SlowRequests() []SlowRequest      { return s.slow }
func (s *source) ResetServerStats()                { s.resets += "server " }
func (s *source) ResetConnectionStats()            { s.resets += "connections " }

func sample(state string) *source {
	return &source{
		st: Status{
			Version: "0.1.0-abc, built on 2026-11-22 17:54 UTC", Serving: true, ServerState: state, PeerState: "leading - broadcast",
			LatencyAvg: 1.57143, LatencyMax: 5, PacketsReceived: 14, PacketsSent: 15, Connections: 1, Zxid: 0x100000007,
			NodeCount: 10, ApproximateDataSize: 194, OpenFDs: 71, MaxFDs: 1048576, QuorumSize: 3, Learners: 2, SyncedFollowers: 2,
			ProposalSizeLast: 197, ProposalSizeMin: 36, ProposalSizeMax: 198, GlobalSessions: 3, LocalSessions: 4, UptimeMillis: 1234, LeaderUptimeMillis: 99,
		},
		conns: []ConnInfo{
			{Remote: "/127.0.0.1:57482", Received: 12, Sent: 13},
			{Remote: "/[0:0:0:0:0:0:0:1]:57484", Queued: 2, Received: 1},
		},
	}
}

const (
	versionLine = "Zookeeper version: 0.1.0-abc, built on 2026-11-22 17:54 UTC\n"
	figures     = "Latency min/avg/max: 0/1.5714/5\nReceived: 14\nSent: 15\nConnections: 1\nOutstanding: 0\nZxid: 0x100000007\n"
)

func TestAnswers(t *testing.T) {
	silent := sample(StateFollower)
	silent.st.Serving = false
	readOnly := sample(StateReadOnly)
	readOnly.st.ReadOnly = true
	for _, tt := range []struct {
		name, word string
		src        *source
		whitelist  []string
		want       string
		known      bool
	}{
		{"default", "srvr", sample(StateStandalone), []string{"srvr"}, versionLine + figures + "Mode: standalone\nNode count: 10\n", true},
		{"follower", "srvr", sample(StateFollower), []string{"*"}, versionLine + figures + "Mode: follower\nNode count: 10\n", true},
		{"observer", "srvr", sample(StateObserver), []string{"*"}, versionLine + figures + "Mode: observer\nNode count: 10\n", true},
		{"leader", "srvr", sample(StateLeader), []string{"*"}, versionLine + figures + "Mode: leader\nNode count: 10\nProposal sizes last/min/max: 197/36/198\n", true},
		{"clients", "stat", sample(StateStandalone), []string{" srvr", " stat "}, versionLine +
			"Clients:\n /127.0.0.1:57482[1](queued=0,recved=12,sent=13)\n /[0:0:0:0:0:0:0:1]:57484[1](queued=2,recved=1,sent=0)\n\n" +
			figures + "Mode: standalone\nNode count: 10\n", true},
		{"process", "ruok", sample(StateStandalone), []string{"*"}, "imok", true},
		{"read-write", "isro", sample(StateStandalone), []string{"*"}, "rw", true},
		{"not allowed", "ruok", sample(StateStandalone), []string{"srvr", "nonsense"}, "ruok is not executed because it is not in the whitelist.\n", true},
		{"nothing allowed", "srvr", sample(StateStandalone), nil, "srvr is not executed because it is not in the whitelist.\n", true},
		{"no word", "nope", sample(StateStandalone), []string{"*", "nope"}, "", false},
		{"not serving", "srvr", silent, []string{"*"}, notServing, true},
		{"not serving", "stat", silent, []string{"*"}, notServing, true},
		{"not serving", "mntr", silent, []string{"*"}, notServing, true},
		{"not serving", "ruok", silent, []string{"*"}, "imok", true},
		{"not serving", "isro", silent, []string{"*"}, "null", true},
		{"not serving", "hash", silent, []string{"*"}, strings.TrimSpace(notServing), true},
		{"not serving", "cons", silent, []string{"*"}, notServing, true},
		{"not serving", "stmk", silent, []string{"*"}, "306", true},
		{"read-only", "isro", readOnly, []string{"*"}, "ro", true},
		{"read-only", "srvr", readOnly, []string{"*"}, versionLine + "READ-ONLY mode; serving only read-only clients\n" +
			figures + "Mode: read-only\nNode count: 10\n", true},
		{"sizes", "dirs", sample(StateFollower), []string{"*"}, "datadir_size: 67109416\nlogdir_size: 67108880\n", true},
		{"digest", "hash", sample(StateFollower), []string{"*"}, "100000080: 282795745659\n", true},
		{"watches", "wchs", sample(StateFollower), []string{"*"}, "2 connections watching 2 paths\nTotal watches:3\n", true},
		{"trace mask to be", "stmk", sample(StateFollower), []string{"*"}, "306", true},
		{"trace mask", "gtmk", sample(StateFollower), []string{"*"}, "306", true},
	} {
		got, known := New(tt.src, tt.whitelist).Answer(tt.word, strings.NewReader("\x00\x00\x00\x00\x00\x00\x01\x32and more"))
		if got != tt.want || known != tt.known {
			t.Errorf("%s, %s: got %q, %v\nwant %q, %v", tt.name, tt.word, got, known, tt.want, tt.known)
		}
	}
}

func TestTraceMask(t *testing.T) {
	w := New(sample(StateFollower), []string{"*"})
	defer traceMask.Store(traceMask.Load())
	if got, _ := w.Answer("stmk", strings.NewReader("\xff\xff\xff\xff\xff\xff\xff\xfe")); got != "-2" {
		t.Errorf("stmk: %q", got)
	}
	if got, known := w.Answer("stmk", strings.NewReader("\x00")); got != "" || !known {
		t.Errorf("stmk without its number: %q, %v", got, known)
	}
	if got, _ := w.Answer("gtmk", nil); got != "-2" {
		t.Errorf("gtmk: %q", got)
	}
	if got, _ := New(sample(StateFollower), nil).Answer("stmk", nil); got != "stmk is not executed because it is not in the whitelist.\n" {
		t.Errorf("stmk, not allowed: %q", got)
	}
}

// What scrapers look for stands in the first 2 KiB, under the keys and in the form
// that they know.
func TestMntr(t *testing.T) {
	common := "zk_avg_latency 1.5714,zk_max_latency 5,zk_min_latency 0,zk_packets_received 14,zk_packets_sent 15," +
		"zk_num_alive_connections 1,zk_outstanding_requests 0,zk_znode_count 10,zk_watch_count 0,zk_ephemerals_count 0," +
		"zk_approximate_data_size 194,zk_open_file_descriptor_count 71,zk_max_file_descriptor_count 1048576,"
	head := "zk_version 0.1.0-abc; built on 2026-11-22 17:54 UTC,zk_server_state "
	for _, tt := range []struct{ state, want string }{
		{StateStandalone, head + "standalone,zk_peer_state leading - broadcast," + common + "zk_global_sessions 3,zk_local_sessions 4"},
		{StateFollower, head + "follower,zk_peer_state leading - broadcast," + common + "zk_quorum_size 3,zk_global_sessions 3,zk_local_sessions 4"},
		{StateObserver, head + "observer,zk_peer_state leading - broadcast,zk_observer_master_id 7," + common + "zk_quorum_size 3,zk_global_sessions 3,zk_local_sessions 4"},
		{StateLeader, head + "leader,zk_peer_state leading - broadcast," + common +
			"zk_learners 2,zk_followers 2,zk_synced_followers 2,zk_synced_non_voting_followers 0,zk_synced_observers 0,zk_pending_syncs 0," +
			"zk_leader_uptime 99,zk_last_proposal_size 197,zk_min_proposal_size 36,zk_max_proposal_size 198,zk_quorum_size 3," +
			"zk_global_sessions 3,zk_local_sessions 4"},
	} {
		src := sample(tt.state)
		src.st.LeaderSID = 7
		src.metrics.QuotaExceeded.For("app-1{}=").Inc()
		src.metrics.FsyncTime.Time(1500 * time.Microsecond)
		src.metrics.AckLatency.For("2").Time(time.Millisecond)
		got, _ := New(src, []string{"mntr"}).Answer("mntr", nil)
		telegraf := regexp.MustCompile(`^zk_(\w+)\s+([\w\.\-]+)`)
		lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
		seen := make(map[string]string)
		for _, line := range lines {
			m := telegraf.FindStringSubmatch(line)
			if m == nil {
				t.Errorf("%s: telegraf cannot read %q", tt.state, line)
				continue
			}
			if _, twice := seen[m[1]]; twice {
				t.Errorf("%s: %s stands there twice", tt.state, m[1])
			}
			seen[m[1]] = m[2]
		}
		want := strings.Split(tt.want, ",")
		for i := range want {
			want[i] = strings.Replace(strings.Replace(want[i], ";", ",", 1), " ", "\t", 1)
		}
		if len(lines) < len(want) || !reflect.DeepEqual(lines[:len(want)], want) {
			t.Errorf("%s:\n got %q\nwant %q", tt.state, lines, want)
		}
		if at := strings.Index(got, "zk_uptime"); at < 0 || at > 2000 {
			t.Errorf("%s: the figures that scrapers look for end at byte %d", tt.state, at)
		}
		for key, value := range map[string]string{
			"app_0x2d_1_0x7b__0x7d__0x3d__quota_exceeded_error_per_namespace": "1",
			"app_quota_count_limit_per_namespace":                             "5", "app_quota_bytes_limit_per_namespace": "-1", "app_quota_count_usage_per_namespace": "3", "app_quota_bytes_usage_per_namespace": "40", "avg_fsynctime": "1.5", "max_fsynctime": "1", "cnt_fsynctime": "1",
			"p99_2_ack_latency": "1", "looking_count": "0", "response_packet_cache_hits": "0", "p50_readlatency": "0",
		} {
			if seen[key] != value {
				t.Errorf("%s: %s is %q, want %s", tt.state, key, seen[key], value)
			}
		}
	}
}

// Keys of words stay as they are, and no two fall together.
func TestWordOnly(t *testing.T) {
	for key, want := range map[string]string{
		"a_b": "a_b", "A9__": "A9__", "app_x1_": "app_x1_", "app_0x": "app_0x", "_0xyz_": "_0xyz_", "0x2d_": "0x2d_",
		"a-b": "a_0x2d_b", "a.b": "a_0x2e_b", "a_0x2d_b": "a_0x5f_0x2d_b", "é": "_0xe9_",
	} {
		if got := wordOnly(key); got != want {
			t.Errorf("%q: %q, want %q", key, got, want)
		}
	}
	word := regexp.MustCompile(`^\w*$`)
	from := make(map[string]string)
	var all func(key string, left int)
	all = func(key string, left int) {
		got := wordOnly(key)
		if other, ok := from[got]; ok || !word.MatchString(got) {
			t.Fatalf("%q and %q are both %q", other, key, got)
		}
		from[got] = key
		if left > 0 {
			for _, r := range "_0x2d-" {
				all(key+string(r), left-1)
			}
		}
	}
	all("", 7)
}

func TestConnections(t *testing.T) {
	src := sample(StateStandalone)
	at := time.UnixMilli(1795314298123)
	src.conns = []ConnInfo{
		{Remote: "/127.0.0.1:57482", Received: 13, Sent: 14, HasSession: true, Session: 0x10000108ba70000, Last: "EXIS", Established: at,
			Timeout: 10 * time.Second, LastXid: 10, LastZxid: 5, LastReply: time.UnixMilli(123456), LatencyLast: 1, LatencyAvg: 0.7, LatencyMax: 5},
		{Remote: "/127.0.0.1:57483", HasSession: true, Session: 1, Last: "NA", Established: at, Timeout: time.Second, LastXid: -1, LastZxid: -1},
		{Remote: "/127.0.0.1:57484", Received: 1, Asking: true},
	}
	want := " /127.0.0.1:57482[1](queued=0,recved=13,sent=14,sid=0x10000108ba70000,lop=EXIS,est=1795314298123,to=10000,lcxid=0xa," +
		"lzxid=0x5,lresp=123456,llat=1,minlat=0,avglat=0,maxlat=5)\n" +
		" /127.0.0.1:57483[1](queued=0,recved=0,sent=0,sid=0x1,lop=NA,est=1795314298123,to=1000," +
		"lzxid=0xffffffffffffffff,lresp=0,llat=0,minlat=0,avglat=0,maxlat=0)\n" +
		" /127.0.0.1:57484[0](queued=0,recved=1,sent=0)\n\n"
	if got := cons(src); got != want {
		t.Errorf("cons: got\n%s\nwant\n%s", got, want)
	}
	if got := crst(src) + srst(src); got != "Connection stats reset.\nServer stats reset.\n" || src.resets != "connections server " {
		t.Errorf("resets: %q, %q", got, src.resets)
	}
}

func TestDump(t *testing.T) {
	at := time.Date(2026, 11, 22, 2, 24, 58, 0, time.Local)
	first, later := "Sun Nov 22 02:24:58 "+at.Format("MST")+" 2026", "Sun Nov 22 02:25:00 "+at.Format("MST")+" 2026"
	src := sample(StateStandalone)
	src.conns = []ConnInfo{
		{Remote: "/127.0.0.1:57518", HasSession: true, Session: 0x10000108ba70000, Expires: at},
		{Remote: "/127.0.0.1:57522", Expires: at.Add(2 * time.Second)},
	}
	src.sessions = Sessions{
		Tracked:    true,
		Global:     []SessionInfo{{ID: 0x10000108ba70000, Timeout: 30 * time.Second, Expires: at}, {ID: 0x10000108ba70001, Expires: at}},
		Ephemerals: []Ephemerals{{0x10000108ba70000, []string{"/a/e"}}},
	}
	rest := "ephemeral nodes dump:\nSessions with Ephemerals (1):\n0x10000108ba70000:\n\t/a/e\n" +
		"Connections dump:\nConnections Sets (2)/(2):\n1 expire at " + first + ":\n" +
		"\tip: /127.0.0.1:57518 sessionId: 0x10000108ba70000\n" +
		"1 expire at " + later + ":\n\tip: /127.0.0.1:57522 sessionId: 0x0\n"
	want := "SessionTracker dump:\nSession Sets (1)/(2):\n2 expire at " + first + ":\n" +
		"\t0x10000108ba70000\n\t0x10000108ba70001\n" + rest
	if got := dump(src); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	src.sessions.Tracked = false
	src.sessions.Global = src.sessions.Global[:1]
	if got, want := dump(src), "SessionTracker dump:\nGlobal Sessions(1):\n0x10000108ba70000\t30000ms\n"+rest; got != want {
		t.Errorf("follower: got\n%s\nwant\n%s", got, want)
	}
}

func TestWatches(t *testing.T) {
	src := sample(StateStandalone)
	src.watches = []Watch{{2, "/b"}, {1, "/b"}, {1, "/a"}}
	if got, want := wchc(src), "0x1\n\t/a\n\t/b\n0x2\n\t/b\n\n"; got != want {
		t.Errorf("wchc: got %q, want %q", got, want)
	}
	if got, want := wchp(src), "/a\n\t0x1\n/b\n\t0x1\n\t0x2\n\n"; got != want {
		t.Errorf("wchp: got %q, want %q", got, want)
	}
}

func TestConf(t *testing.T) {
	src := sample(StateStandalone)
	src.settings = Settings{ClientPort: 2391, SecureClientPort: -1, DataDir: "/d/raft", DataLogDir: "/l/raft", TickTime: 2 * time.Second,
		MaxClientCnxns: 60, MinSessionTimeout: 4 * time.Second, MaxSessionTimeout: 40 * time.Second, ListenBacklog: -1, SID: 1,
		InitLimit: 10, SyncLimit: 5, ElectionPort: 2395, QuorumPort: 2394,
		Membership: "server.1=127.0.0.1:2394:2395:participant\nversion=0"}
	want := "clientPort=2391\nsecureClientPort=-1\ndataDir=/d/raft\ndataDirSize=67109416\ndataLogDir=/l/raft\ndataLogSize=67108880\n" +
		"tickTime=2000\nmaxClientCnxns=60\nminSessionTimeout=4000\nmaxSessionTimeout=40000\nclientPortListenBacklog=-1\nserverId=1\n"
	if got := conf(src); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	src.settings.Ensemble = true
	want += "initLimit=10\nsyncLimit=5\nelectionAlg=3\nelectionPort=2395\nquorumPort=2394\npeerType=0\nmembership: \n" +
		"server.1=127.0.0.1:2394:2395:participant\nversion=0"
	if got := conf(src); got != want {
		t.Errorf("ensemble: got\n%s\nwant\n%s", got, want)
	}
}

func TestEnvi(t *testing.T) {
	got := envi(sample(StateStandalone))
	if !strings.HasPrefix(got, "Environment:\nzookeeper.version=0.1.0-abc, built on 2026-11-22 17:54 UTC\nhost.name=") {
		t.Errorf("begins with %q", got)
	}
	for _, line := range strings.Split(strings.TrimSpace(got), "\n")[1:] {
		if !strings.Contains(line, "=") {
			t.Errorf("not a key and a value: %q", line)
		}
	}
}

func TestJavaDouble(t *testing.T) {
	for _, tt := range []struct {
		v    float64
		want string
	}{{0, "0.0"}, {1, "1.0"}, {1.57143, "1.5714"}, {0.00004, "0.0"}, {0.25, "0.25"}, {1234567.5, "1234567.5"}} {
		if got := javaDouble(tt.v); got != tt.want {
			t.Errorf("javaDouble(%v) = %s, want %s", tt.v, got, tt.want)
		}
	}
}

// Servers tell each other their Status, so it must survive JSON.
func TestStatusJSON(t *testing.T) {
	want := sample(StateLeader).st
	want.Vote = zabcompat.Vote{Epoch: 1, Zxid: 1<<63 | 7, SID: 3}
	want.Since = time.Date(2026, 11, 22, 1, 2, 3, 4, time.UTC)
	want.Peers = []PeerStatus{{SID: 2, Addr: "h:2888", Connected: true, State: zabcompat.Following}}
	b, err := json.Marshal(&want)
	if err != nil {
		t.Fatal(err)
	}
	var got Status
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	for _, key := range []string{`"server_state":"leader"`, `"leader_sid"`, `"raft_commit_index"`} {
		if !strings.Contains(string(b), key) {
			t.Errorf("no %s in %s", key, b)
		}
	}
}
