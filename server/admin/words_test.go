package admin

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"zooraft/zabcompat"
)

type source struct {
	st    Status
	conns []ConnInfo
}

func (s *source) Status() Status          { return s.st }
func (s *source) Connections() []ConnInfo { return s.conns }

func sample(state string) *source {
	return &source{
		st: Status{
			Version: "0.1.0-abc, built on 2026-11-22 17:54 UTC", Serving: true, ServerState: state, PeerState: "leading - broadcast",
			LatencyAvg: 1.57143, LatencyMax: 5, PacketsReceived: 14, PacketsSent: 15, Connections: 1, Zxid: 0x100000007,
			NodeCount: 10, ApproximateDataSize: 194, OpenFDs: 71, MaxFDs: 1048576, QuorumSize: 3, Learners: 2, SyncedFollowers: 2,
			ProposalSizeLast: 197, ProposalSizeMin: 36, ProposalSizeMax: 198, GlobalSessions: 3, UptimeMillis: 1234,
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
		{"not built, not allowed", "cons", sample(StateStandalone), nil, "cons is not executed because it is not in the whitelist.\n", true},
		{"not built", "cons", sample(StateStandalone), []string{"*"}, "cons is not supported by this release.\n", true},
		{"no word", "nope", sample(StateStandalone), []string{"*", "nope"}, "", false},
		{"not serving", "srvr", silent, []string{"*"}, notServing, true},
		{"not serving", "stat", silent, []string{"*"}, notServing, true},
		{"not serving", "mntr", silent, []string{"*"}, notServing, true},
		{"not serving", "ruok", silent, []string{"*"}, "imok", true},
		{"not serving", "isro", silent, []string{"*"}, "null", true},
	} {
		got, known := New(tt.src, tt.whitelist).Answer(tt.word)
		if got != tt.want || known != tt.known {
			t.Errorf("%s, %s: got %q, %v\nwant %q, %v", tt.name, tt.word, got, known, tt.want, tt.known)
		}
	}
}

func TestMntr(t *testing.T) {
	common := "zk_avg_latency 1.5714,zk_max_latency 5,zk_min_latency 0,zk_packets_received 14,zk_packets_sent 15," +
		"zk_num_alive_connections 1,zk_outstanding_requests 0,zk_znode_count 10,zk_watch_count 0,zk_ephemerals_count 0," +
		"zk_approximate_data_size 194,zk_open_file_descriptor_count 71,zk_max_file_descriptor_count 1048576,"
	head := "zk_version 0.1.0-abc; built on 2026-11-22 17:54 UTC,zk_server_state "
	tail := "zk_global_sessions 3,zk_local_sessions 0,zk_uptime 1234"
	for _, tt := range []struct{ state, want string }{
		{StateStandalone, head + "standalone," + common + tail},
		{StateFollower, head + "follower,zk_peer_state leading - broadcast," + common + "zk_quorum_size 3," + tail},
		{StateLeader, head + "leader,zk_peer_state leading - broadcast," + common +
			"zk_learners 2,zk_followers 2,zk_synced_followers 2,zk_synced_non_voting_followers 0,zk_synced_observers 0,zk_pending_syncs 0," +
			"zk_last_proposal_size 197,zk_min_proposal_size 36,zk_max_proposal_size 198,zk_quorum_size 3," + tail},
	} {
		got, _ := New(sample(tt.state), []string{"mntr"}).Answer("mntr")
		telegraf := regexp.MustCompile(`^zk_(\w+)\s+([\w\.\-]+)`)
		for _, line := range strings.Split(strings.TrimSuffix(got, "\n"), "\n") {
			if !telegraf.MatchString(line) {
				t.Errorf("%s: telegraf cannot read %q", tt.state, line)
			}
		}
		if len(got) > 2048 {
			t.Errorf("%s: %d bytes", tt.state, len(got))
		}
		want := strings.Split(tt.want, ",")
		for i := range want {
			want[i] = strings.Replace(strings.Replace(want[i], ";", ",", 1), " ", "\t", 1)
		}
		if lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n"); !reflect.DeepEqual(lines, want) {
			t.Errorf("%s:\n got %q\nwant %q", tt.state, lines, want)
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
