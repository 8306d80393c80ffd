package admin

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// get asks a handler and returns status and body.
func get(t *testing.T, h http.Handler, method, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, path, nil)
	r.Host = "localhost"
	h.ServeHTTP(w, r)
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(body)
}

func newTestHTTP(src Source) http.Handler {
	return NewHTTP(HTTPConfig{CommandURL: "/commands"}, src, hclog.NewNullLogger()).srv.Handler
}

func ensembleSample() *source {
	src := sample(StateLeader)
	src.st.SID, src.st.LeaderSID = 1, 1
	src.members = []Member{
		{SID: 1, Host: "a", QuorumAddr: "a:2888", ElectionAddr: "a:3888", ClientAddr: "0.0.0.0:2181"},
		{SID: 2, Host: "b", QuorumAddr: "b:2888", ElectionAddr: "b:3888", Observer: true},
	}
	src.st.Peers = []PeerStatus{{SID: 2, Addr: "b:2888", Connected: true, Observing: true}}
	src.conns = []ConnInfo{{Remote: "/127.0.0.1:57482", HasSession: true, Session: 0x10000108ba70000, Last: "GETD", LastXid: -1, LastZxid: -1, Established: time.UnixMilli(5)}}
	src.watches = []Watch{{2, "/b"}, {1, "/b"}, {1, "/a"}}
	src.sessions = Sessions{Tracked: true, Global: []SessionInfo{{ID: 7, Expires: time.UnixMilli(99)}}, Ephemerals: []Ephemerals{{7, []string{"/e"}}}}
	return src
}

// The answers are compared as text: scripts look for parts of it.
func TestCommands(t *testing.T) {
	h := newTestHTTP(ensembleSample())
	for path, want := range map[string]string{
		"ruok":        "{\n  \"command\" : \"ruok\",\n  \"error\" : null\n}",
		"nonsense":    "{\n  \"command\" : \"nonsense\",\n  \"error\" : \"Unknown command: nonsense\"\n}",
		"dirs":        "{\n  \"datadir_size\" : 67109416,\n  \"logdir_size\" : 67108880,\n  \"command\" : \"dirs\",\n  \"error\" : null\n}",
		"isro":        "{\n  \"read_only\" : false,\n  \"command\" : \"is_read_only\",\n  \"error\" : null\n}",
		"stmk":        "{\n  \"error\" : \"setTraceMask requires long traceMask argument\",\n  \"command\" : \"set_trace_mask\"\n}",
		"lsnp":        "{\n  \"zxid\" : \"100000005\",\n  \"timestamp\" : 1795314298,\n  \"command\" : \"last_snapshot\",\n  \"error\" : null\n}",
		"lead":        "{\n  \"is_leader\" : true,\n  \"leader_id\" : 1,\n  \"leader_ip\" : \"a\",\n  \"command\" : \"leader\",\n  \"error\" : null\n}",
		"obsr":        "{\n  \"synced_observers\" : 0,\n  \"observers\" : [ {\n    \"remote_socket_address\" : \"/b:2888\",\n    \"sid\" : 2\n  } ],\n  \"command\" : \"observers\",\n  \"error\" : null\n}",
		"ruok/":       "{\n  \"command\" : \"ruok/\",\n  \"error\" : \"Unknown command: ruok/\"\n}",
		"a/b":         "{\n  \"command\" : \"a/b\",\n  \"error\" : \"Unknown command: a/b\"\n}",
		"<b>":         "{\n  \"command\" : \"<b>\",\n  \"error\" : \"Unknown command: <b>\"\n}",
		"wchc":        "{\n  \"session_id_to_watched_paths\" : {\n    \"1\" : [ \"/a\", \"/b\" ],\n    \"2\" : [ \"/b\" ]\n  },\n  \"command\" : \"watches\",\n  \"error\" : null\n}",
		"wchp":        "{\n  \"path_to_session_ids\" : {\n    \"/a\" : [ 1 ],\n    \"/b\" : [ 1, 2 ]\n  },\n  \"command\" : \"watches_by_path\",\n  \"error\" : null\n}",
		"cons":        "{\n  \"connections\" : [ {\n    \"remote_socket_address\" : \"127.0.0.1:57482\",\n    \"interest_ops\" : 1,\n    \"outstanding_requests\" : 0,\n    \"packets_received\" : 0,\n    \"packets_sent\" : 0,\n    \"session_id\" : 72057665100382208,\n    \"last_operation\" : \"GETD\",\n    \"established\" : 5,\n    \"session_timeout\" : 0,\n    \"last_cxid\" : -1,\n    \"last_zxid\" : -1,\n    \"last_response_time\" : 0,\n    \"last_latency\" : 0,\n    \"min_latency\" : 0,\n    \"avg_latency\" : 0,\n    \"max_latency\" : 0\n  } ],\n  \"secure_connections\" : [ ],\n  \"command\" : \"connections\",\n  \"error\" : null\n}",
		"dump":        "{\n  \"expiry_time_to_session_ids\" : {\n    \"99\" : [ 7 ]\n  },\n  \"session_id_to_ephemeral_paths\" : {\n    \"7\" : [ \"/e\" ]\n  },\n  \"command\" : \"dump\",\n  \"error\" : null\n}",
		"voting_view": "{\n  \"current_config\" : {\n    \"1\" : {\n      \"server_addresses\" : [ \"a:2888\" ],\n      \"election_addresses\" : [ \"a:3888\" ],\n      \"client_address\" : \"0.0.0.0:2181\",\n      \"learner_type\" : \"participant\"\n    }\n  },\n  \"command\" : \"voting_view\",\n  \"error\" : null\n}",
	} {
		if code, got := get(t, h, "GET", "/commands/"+path); code != 200 || got != want {
			t.Errorf("%s: %d\n%s\nwant\n%s", path, code, got, want)
		}
	}
	if _, got := get(t, h, "GET", "/commands/zabstate"); !strings.Contains(got, "  \"quorum_address\" : {\n    \"empty\" : false,\n    \"all_addresses\" : [ \"a:2888\" ],\n"+
		"    \"wildcard_addresses\" : [ \"0.0.0.0:2888\" ],\n    \"all_ports\" : [ 2888 ],\n    \"all_host_strings\" : [ \"a\" ],\n    \"reachable_address\" : \"a:2888\",\n") {
		t.Errorf("zabstate: %s", got)
	}
	follower := ensembleSample()
	follower.st.ServerState = StateFollower
	if _, got := get(t, newTestHTTP(follower), "GET", "/commands/observers"); !strings.Contains(got, "\"observers\" : [ ]") {
		t.Errorf("observers of a follower: %s", got)
	}
	if _, got := get(t, h, "GET", "/commands/conf?x=y"); !strings.Contains(got, "\"max_client_cnxns\" : ") {
		t.Errorf("conf: %s", got)
	}
}

// Every command by each of its names: JSON, with the primary name and no error.
func TestCommandsAreJSON(t *testing.T) {
	h := newTestHTTP(ensembleSample())
	for _, c := range commands {
		for _, name := range c.names {
			path := "/commands/" + name
			if c.names[0] == "set_trace_mask" {
				path += "?traceMask=306"
			}
			code, body := get(t, h, "GET", path)
			var got map[string]any
			if err := json.Unmarshal([]byte(body), &got); err != nil || code != 200 || got["command"] != c.names[0] || got["error"] != nil {
				t.Errorf("%s: %d, %v\n%s", name, code, err, body)
			}
		}
	}
	_, index := get(t, h, "GET", "/commands")
	if n := strings.Count(index, "<a href=\"/commands/"); n != len(commands) || !strings.HasPrefix(index, "<a href=\"/commands/configuration\">configuration</a>\n<br/>\n") {
		t.Errorf("the index has %d links:\n%s", n, index)
	}
}

// What ZooKeeper 3.9 shows under monitor, standalone, is there.
func TestMonitorNames(t *testing.T) {
	names, err := os.ReadFile("testdata/monitor-3.9.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, body := get(t, newTestHTTP(sample(StateStandalone)), "GET", "/commands/monitor")
	var got map[string]any
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	n := 0
	for name := range strings.FieldsSeq(string(names)) {
		n++
		if _, ok := got[name]; !ok {
			t.Errorf("%s is missing", name)
		}
	}
	if n < 400 {
		t.Errorf("only %d names were looked for", n)
	}
}

func TestNotServing(t *testing.T) {
	src := sample(StateFollower)
	src.st.Serving, src.problem = false, errors.New("no leader is known")
	h := newTestHTTP(src)
	for _, name := range []string{"stat", "conf"} {
		if code, got := get(t, h, "GET", "/commands/"+name); code != 200 || !strings.Contains(got, "not currently serving requests") || !strings.Contains(got, `"command" : "`+name+`"`) {
			t.Errorf("%s: %d %s", name, code, got)
		}
	}
	if _, got := get(t, h, "GET", "/commands/envi"); !strings.Contains(got, `"error" : null`) {
		t.Errorf("envi: %s", got)
	}
	for path, want := range map[string]int{"/livez": 200, "/readyz": 503, "/safe-to-stop": 503, "/": 404, "/debug/pprof/": 404} {
		if code, got := get(t, h, "GET", path); code != want {
			t.Errorf("%s: %d %s", path, code, got)
		}
	}
	src.problem = nil
	if code, got := get(t, h, "GET", "/readyz"); code != 200 || got != "ok\n" {
		t.Errorf("/readyz: %d %q", code, got)
	}
	if code, _ := get(t, h, "POST", "/commands/ruok"); code != http.StatusMethodNotAllowed {
		t.Errorf("POST of ruok: %d", code)
	}
	if code, _ := get(t, h, "TRACE", "/commands/ruok"); code != http.StatusForbidden {
		t.Errorf("TRACE: %d", code)
	}
}

// Wherever the commands may stand, they and the other pages are there.
func TestCommandURL(t *testing.T) {
	ui := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") })
	for _, url := range []string{"/", "/commands", "/c/", "/a/b.c-d_e~f", "/debug", "/uix"} {
		if err := CheckCommandURL(url); err != nil {
			t.Errorf("%q: %v", url, err)
			continue
		}
		h := NewHTTP(HTTPConfig{CommandURL: url, Profiling: true, UI: ui}, sample(StateStandalone), hclog.NewNullLogger()).srv.Handler
		base := strings.TrimSuffix(url, "/")
		if code, got := get(t, h, "GET", base+"/ruok"); code != 200 || got != "{\n  \"command\" : \"ruok\",\n  \"error\" : null\n}" {
			t.Errorf("%q: %d %q", url, code, got)
		}
		if _, got := get(t, h, "GET", base+"/"); !strings.Contains(got, `<a href="`+base+`/ruok">`) {
			t.Errorf("%q: index %q", url, got)
		}
		for _, page := range []string{"/livez", UIPath} {
			if _, got := get(t, h, "GET", page); got != "ok\n" {
				t.Errorf("%q: %s answers %q", url, page, got)
			}
		}
	}
	for _, url := range []string{"", "commands", "GET /x", "/a b", "/{x}", "/a?b", "/a#b", "/%41", "//", "/a//b", "/../x", "/ui", "/ui/", "/ui/x",
		"/livez", "/debug/pprof", "/é"} {
		if CheckCommandURL(url) == nil {
			t.Errorf("%q passed", url)
		}
	}
}

func TestHTTPListens(t *testing.T) {
	h := NewHTTP(HTTPConfig{Addr: "127.0.0.1:0", CommandURL: "/commands", Profiling: true}, sample(StateStandalone), hclog.NewNullLogger())
	if err := h.Listen(); err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for _, path := range []string{"/commands/ruok", "/debug/pprof/cmdline"} {
		resp, err := http.Get("http://" + h.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	h.Close()
	h.Close()
	if _, err := http.Get("http://" + h.Addr().String() + "/livez"); err == nil {
		t.Error("answers after Close")
	}
}

func TestPrometheus(t *testing.T) {
	src := ensembleSample()
	src.metrics.AckLatency.For("2").Time(1500 * time.Microsecond)
	src.metrics.Looking.Inc()
	code, body := get(t, NewExporter("", src, true, nil, hclog.NewNullLogger()).srv.Handler, "GET", "/metrics")
	if code != 200 {
		t.Fatalf("%d: %s", code, body)
	}
	for _, line := range []string{
		"looking_count 1", "looking_count_total 1", "# TYPE looking_count counter", "znode_count 10", "# TYPE znode_count gauge",
		`ack_latency{key="2",quantile="0.5"} 1.5`, `ack_latency_sum{key="2"} 1.5`, `ack_latency_count{key="2"} 1`,
		"# TYPE fsynctime summary", "fsynctime_count 0", "learners 2", "avg_latency 1.57143",
		"zooraft_serving 1", "zooraft_leading 1", "zooraft_leader_sid 1", `zooraft_peer_connected{sid="2"} 1`, "zooraft_raft_term 0",
	} {
		if !strings.Contains(body, line+"\n") {
			t.Errorf("no line %q", line)
		}
	}
	for _, name := range []string{"go_goroutines ", "process_resident_memory_bytes ", `jvm_memory_bytes_used{area="heap"} `} {
		if !strings.Contains(body, "\n"+name) {
			t.Errorf("no %s", name)
		}
	}
	if _, body := get(t, NewExporter("", src, false, nil, hclog.NewNullLogger()).srv.Handler, "GET", "/metrics"); strings.Contains(body, "go_goroutines") {
		t.Error("the runtime's figures were not asked for")
	}
}

func TestLogLevel(t *testing.T) {
	root := hclog.New(&hclog.LoggerOptions{Level: hclog.Info, Output: io.Discard})
	other := root.Named("other")
	h := NewHTTP(HTTPConfig{CommandURL: "/commands"}, sample(StateStandalone), root.Named("admin")).srv.Handler
	if code, got := get(t, h, "GET", "/log-level"); code != 200 || got != "info\n" {
		t.Errorf("at first %d %q", code, got)
	}
	if code, got := get(t, h, "PUT", "/log-level?level=debug"); code != 200 || got != "debug\n" || !other.IsDebug() {
		t.Errorf("set: %d %q, and others are at %v", code, got, other.GetLevel())
	}
	if code, _ := get(t, h, "PUT", "/log-level?level=loud"); code != http.StatusBadRequest {
		t.Errorf("an unknown level: %d", code)
	}
	if code, _ := get(t, h, "POST", "/log-level?level=info"); code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", code)
	}
}

func TestSlowRequests(t *testing.T) {
	src := sample(StateLeader)
	src.st.Serving = false // when it is wanted most
	src.slow = []SlowRequest{{
		At: time.UnixMilli(1795314298000), Session: 0x1f, Client: "/127.0.0.1:57482", Xid: 7, Op: "create", Path: "/a\nb", Zxid: 0x100000007,
		Total: 1500 * time.Millisecond, Queue: 2 * time.Millisecond, Fsync: 3 * time.Millisecond, Replicate: 1494 * time.Millisecond, Apply: time.Millisecond,
	}}
	h := newTestHTTP(src)
	for _, name := range []string{"slow_requests", "slow"} {
		var got struct {
			SlowRequests []map[string]any `json:"slow_requests"`
		}
		code, body := get(t, h, "GET", "/commands/"+name)
		if err := json.Unmarshal([]byte(body), &got); code != 200 || err != nil || len(got.SlowRequests) != 1 {
			t.Fatalf("%s: %d %v %s", name, code, err, body)
		}
		want := map[string]any{
			"timestamp": 1795314298000.0, "session_id": 31.0, "remote_socket_address": "127.0.0.1:57482", "xid": 7.0, "operation": "create",
			"path": "/a\nb", "zxid": float64(0x100000007), "total": 1500.0, "queue": 2.0, "fsync": 3.0, "replicate": 1494.0, "sync": 0.0, "apply": 1.0,
		}
		if !reflect.DeepEqual(got.SlowRequests[0], want) {
			t.Errorf("%s: %v\nwant %v", name, got.SlowRequests[0], want)
		}
	}
}
