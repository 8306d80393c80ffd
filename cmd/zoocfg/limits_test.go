package zoocfg

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"zooraft/server"
)

func TestLoadLimits(t *testing.T) {
	cfg, warnings, err := loadWords("/zoo.cfg", nil, files{"/zoo.cfg": `dataDir=/d
clientPort=2181
clientPortListenBacklog=7
clientTcpKeepAlive=TRUE
nio.sessionlessCnxnTimeout=0x400
largeRequestThreshold=1000
largeRequestMaxBytes=5000
connection_throttle_tokens=010
connection_throttle_fill_time=20
connection_throttle_fill_count=3
connection_throttle_freeze_time=40
connection_throttle_drop_increase=.5
connection_throttle_drop_decrease=0.25
connection_throttle_decrease_ratio=1e-1
connection_throttle_weight_enabled=true
connection_throttle_global_session_weight=9
connection_throttle_local_session_weight=2
connection_throttle_renew_session_weight=5
request_throttle_max_requests=11
request_throttle_stall_time=12
request_throttle_drop_stale=false
request_stale_connection_check=false
request_stale_latency_check=true
throttled_op_wait_time=13
leaderServes=no
authProvider.1=org.apache.zookeeper.server.auth.EnsembleAuthenticationProvider
authProvider.2=org.apache.zookeeper.server.auth.SASLAuthenticationProvider
authProvider.sasl=org.apache.zookeeper.server.auth.SASLAuthenticationProvider
authProvider.ip=org.apache.zookeeper.server.auth.IPAuthenticationProvider
ensembleAuthName= a , b
enforce.auth.enabled=true
enforce.auth.schemes= digest , sasl
`}.read)
	if err != nil || len(warnings) != 0 {
		t.Fatalf("%q, %v", warnings, err)
	}
	want := server.Limits{
		Handshakes: -1, SessionlessTimeout: 1024 * time.Millisecond, KeepAlive: true, ListenBacklog: 7, LargeRequestThreshold: 1000, LargeRequestMaxBytes: 5000,
	}
	want.Connects.Tokens, want.Connects.FillTime, want.Connects.FillCount, want.Connects.FreezeTime = 8, 20*time.Millisecond, 3, 40*time.Millisecond
	want.Connects.DropIncrease, want.Connects.DropDecrease, want.Connects.DecreaseRatio = 0.5, 0.25, 0.1
	want.Connects.Weighted, want.Connects.GlobalWeight, want.Connects.LocalWeight, want.Connects.RenewWeight = true, 9, 2, 5
	want.Requests.MaxRequests, want.Requests.StallTime, want.Requests.StaleLatency, want.Requests.OpWaitTime = 11, 12*time.Millisecond, true, 13*time.Millisecond
	if cfg.Limits != want {
		t.Errorf("got  %+v\nwant %+v", cfg.Limits, want)
	}
	if cfg.LeaderServes || !reflect.DeepEqual(cfg.AuthProviders, []string{"ensemble", "sasl"}) ||
		!reflect.DeepEqual(cfg.EnsembleNames, []string{"a", "b"}) || !reflect.DeepEqual(cfg.EnforceAuth, []string{"digest", "sasl"}) {
		t.Errorf("got %v, %q, %q, %q", cfg.LeaderServes, cfg.AuthProviders, cfg.EnsembleNames, cfg.EnforceAuth)
	}
}

func TestLoadLimitsWrong(t *testing.T) {
	const sasl = "authProvider.sasl=org.apache.zookeeper.server.auth.SASLAuthenticationProvider\n"
	for _, tt := range []struct {
		name, text  string
		want, warns []string
	}{
		{"not numbers", "largeRequestMaxBytes=1k\nconnection_throttle_tokens=x\nconnection_throttle_drop_increase=NaN\nnio.sessionlessCnxnTimeout=1s\n", []string{
			`/zoo.cfg:3: largeRequestMaxBytes: "1k" is not a number; give bytes below 2147483647, for example 1048575 or 0xfffff`,
			`/zoo.cfg:4: connection_throttle_tokens: "x" is not a number; give the number of connections, 0 for no throttle, for example 100`,
			`/zoo.cfg:5: connection_throttle_drop_increase: "NaN" is not a number; give 0 to 1, for example 0.02`,
			`/zoo.cfg:6: nio.sessionlessCnxnTimeout: "1s" is not a number; give milliseconds, for example 10000`,
		}, nil},
		{"out of range", "nio.sessionlessCnxnTimeout=0\nlargeRequestMaxBytes=0\nconnection_throttle_tokens=-1\nconnection_throttle_fill_time=0\n" +
			"connection_throttle_drop_increase=1.5\nrequest_throttle_max_requests=-1\nrequest_throttle_stall_time=0\nthrottled_op_wait_time=-1\n", []string{
			`/zoo.cfg:3: nio.sessionlessCnxnTimeout: 0 is too small; give 1 or more`,
			`/zoo.cfg:4: largeRequestMaxBytes: 0 is too small; give 1 or more`,
			`/zoo.cfg:5: connection_throttle_tokens: -1 is too small; give 0 or more`,
			`/zoo.cfg:6: connection_throttle_fill_time: 0 is too small; give 1 or more`,
			`/zoo.cfg:7: connection_throttle_drop_increase: 1.5 is no share; give 0 to 1`,
			`/zoo.cfg:8: request_throttle_max_requests: -1 is too small; give 0 or more`,
			`/zoo.cfg:9: request_throttle_stall_time: 0 is too small; give 1 or more`,
			`/zoo.cfg:10: throttled_op_wait_time: -1 is too small; give 0 or more`,
		}, nil},
		{"schemes", "enforce.auth.enabled=true\nenforce.auth.schemes=ip,x509,nope\n", []string{
			"/zoo.cfg:4: enforce.auth.schemes: Authentication scheme x509 is not available.",
			"/zoo.cfg:4: enforce.auth.schemes: Authentication scheme nope is not available.",
		}, nil},
		{"sasl without it", "sessionRequireClientSASLAuth=true\n", []string{
			"/zoo.cfg:3: sessionRequireClientSASLAuth: Authentication scheme sasl is not available; set authProvider.sasl=org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
		}, nil},
		{"sasl", sasl + "sessionRequireClientSASLAuth=TRUE\nenforce.auth.enabled=true\n", nil, nil},
		{"protection that is not one", "enforce.auth.enabled=yes\n", []string{
			"/zoo.cfg:3: enforce.auth.enabled: Invalid option yes for enforce.auth.enabled. Choose 'true' or 'false.'",
		}, nil},
		{"provider", "authProvider.7=com.example.Mine\nauthProvider.8=\n", []string{
			`/zoo.cfg:3: authProvider.7: "com.example.Mine" is not supported: classes cannot be loaded here; those that are built in are ZooKeeper's for ip, digest, ensemble, sasl and x509`,
			`/zoo.cfg:4: authProvider.8: "" is not supported: classes cannot be loaded here; those that are built in are ZooKeeper's for ip, digest, ensemble, sasl and x509`,
		}, nil},
		{"as ZooKeeper mends it", "clientTcpKeepAlive=yes\nlargeRequestThreshold=0\nconnection_throttle_global_session_weight=0\n" +
			"connection_throttle_local_session_weight=5\nconnection_throttle_renew_session_weight=4\n", nil, []string{
			`/zoo.cfg:3: clientTcpKeepAlive: "yes" counts as false; only true turns it on`,
			"/zoo.cfg:4: largeRequestThreshold: 0 is neither -1 nor positive, taking -1",
			"/zoo.cfg:5: connection_throttle_global_session_weight: 0 is no weight, taking 3",
			"/zoo.cfg: the global session weight 3 is less than the local session weight 5, taking that",
			"/zoo.cfg: the renew session weight 4 is less than the local session weight 5, taking that",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, warnings, err := loadWords("/zoo.cfg", nil, files{"/zoo.cfg": "dataDir=/d\nclientPort=2181\n" + tt.text}.read)
			var got []string
			if err != nil {
				got = strings.Split(err.Error(), "\n")
			}
			if !slices.Equal(got, tt.want) || !slices.Equal(warnings, tt.warns) {
				t.Errorf("got\n%s\nwant\n%s\nwarnings %q, want %q", strings.Join(got, "\n"), strings.Join(tt.want, "\n"), warnings, tt.warns)
			}
		})
	}
}

// integer is Integer.decode.
func TestInteger(t *testing.T) {
	for text, want := range map[string]int{"0": 0, "10": 10, "+5": 5, "-5": -5, "0x1F": 31, "-0x1f": -31, "#ff": 255, "010": 8, "2147483647": 1<<31 - 1, "-2147483648": -1 << 31} {
		if got, ok := integer(text); !ok || got != want {
			t.Errorf("%q: got %d, %v, want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "-", "x", "1_0", "0b1", "0o7", "09", "--1", "+-1", "0x-1", "2147483648", " 1", "1.0"} {
		if got, ok := integer(text); ok {
			t.Errorf("%q: got %d", text, got)
		}
	}
}

// What ZooKeeper reads with Integer.getInteger may be hexadecimal or octal; what its
// parser of zoo.cfg knows may not.
func TestBasesOfNumbers(t *testing.T) {
	cfg, warnings, err := loadWords("/zoo.cfg", nil, files{"/zoo.cfg": `dataDir=/d
clientPort=2181
maxCnxns=0x10
snapCount=0x800
globalOutstandingLimit=010
admin.serverPort=#1f90
`}.read)
	if err != nil || len(warnings) != 0 {
		t.Fatalf("%q, %v", warnings, err)
	}
	if cfg.MaxCnxns != 16 || cfg.SnapCount != 2048 || cfg.GlobalOutstandingLimit != 8 || cfg.AdminPort != 8080 {
		t.Errorf("%d connections, a snapshot each %d, %d outstanding, port %d", cfg.MaxCnxns, cfg.SnapCount, cfg.GlobalOutstandingLimit, cfg.AdminPort)
	}
	if _, _, err := loadWords("/zoo.cfg", nil, files{"/zoo.cfg": "dataDir=/d\nclientPort=2181\nmaxClientCnxns=0x10\n"}.read); err == nil {
		t.Error("maxClientCnxns=0x10 is taken")
	}
}
