package zoocfg

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"zooraft/server"
)

// inEnvironment loads without a file.
func inEnvironment(hostname string, fsys files, vars ...string) (server.Config, []string, error) {
	return loadWith(Sources{Env: NewEnvironment(vars, hostname)}, fsys.read)
}

func TestEnvironmentOfTheOfficialImage(t *testing.T) {
	cfg, warnings, err := inEnvironment("c0ffee", files{},
		"PATH=/bin", "ZOO_MY_ID=2", "ZOO_DATA_DIR=/data", "ZOO_DATA_LOG_DIR=/datalog", "ZOO_TICK_TIME=2500", "ZOO_INIT_LIMIT=6",
		"ZOO_SYNC_LIMIT=3", "ZOO_MAX_CLIENT_CNXNS=70", "ZOO_AUTOPURGE_SNAPRETAINCOUNT=4", "ZOO_AUTOPURGE_PURGEINTERVAL=1",
		"ZOO_STANDALONE_ENABLED=false", "ZOO_ADMINSERVER_ENABLED=false", "ZOO_4LW_COMMANDS_WHITELIST=srvr, mntr",
		"ZOO_LOG_DIR=/logs", "ZOO_CFG_EXTRA=snapCount=5000 metricsProvider.httpPort=7000",
		"ZOO_SERVERS=server.1=zoo1:2888:3888;2181 server.2=0.0.0.0:2888:3888;2181  server.3=zoo3:2888:3888:observer;2181")
	if err != nil {
		t.Fatal(err)
	}
	want := server.DefaultConfig()
	want.SID, want.DataDir, want.DataLogDir = 2, "/data", "/datalog"
	want.TickTime, want.InitLimit, want.SyncLimit = 2500*time.Millisecond, 6, 3
	if cfg.SID != want.SID || cfg.DataDir != want.DataDir || cfg.DataLogDir != want.DataLogDir || cfg.TickTime != want.TickTime ||
		cfg.InitLimit != want.InitLimit || cfg.SyncLimit != want.SyncLimit || cfg.MaxClientCnxns != 70 || cfg.SnapRetainCount != 4 ||
		cfg.StandaloneEnabled || cfg.SnapCount != 5000 || cfg.ClientPort != 2181 || cfg.ClientPortAddress != "0.0.0.0" {
		t.Errorf("got %+v", cfg)
	}
	if got, want := cfg.FourLetterWords, []string{"srvr", "mntr"}; !slices.Equal(got, want) {
		t.Errorf("words: got %q, want %q", got, want)
	}
	var lines []string
	for _, s := range cfg.Servers {
		lines = append(lines, s.String())
	}
	if got, want := strings.Join(lines, " "), "zoo1:2888:3888:participant;0.0.0.0:2181 0.0.0.0:2888:3888:participant;0.0.0.0:2181 zoo3:2888:3888:observer;0.0.0.0:2181"; got != want {
		t.Errorf("servers:\n got %s\nwant %s", got, want)
	}
	for _, w := range warnings {
		if strings.Contains(w, "ZOO_LOG_DIR") || strings.Contains(w, "ZOO_MY_ID") {
			t.Errorf("warning %q", w)
		}
	}
}

func TestEnvironmentOfBitnamisImage(t *testing.T) {
	for _, list := range []string{
		"zoo1:2888:3888::1,0.0.0.0:2888:3888::2,zoo3:2888:3888::3",
		"zoo1:2888:3888, 0.0.0.0:2888:3888, zoo3:2888:3888",
		"zoo1:2888:3888;0.0.0.0:2888:3888;zoo3:2888:3888",
	} {
		cfg, warnings, err := inEnvironment("c0ffee", files{"/run/secrets/tick": "2500\n"},
			"ZOO_SERVER_ID=2", "ALLOW_ANONYMOUS_LOGIN=yes", "ZOO_PORT_NUMBER=2182", "ZOO_SERVERS="+list, "ZOO_TICK_TIME_FILE=/run/secrets/tick",
			"ZOO_LISTEN_ALLIPS_ENABLED=yes", "ZOO_ENABLE_ADMIN_SERVER=no", "ZOO_ENABLE_PROMETHEUS_METRICS=yes", "ZOO_MAX_SESSION_TIMEOUT=30000",
			"ZOO_CFG_autopurge_snapRetainCount=5", "ZOO_HC_TIMEOUT=5", "ZOO_ENABLE_AUTH=no", "ZOO_TLS_QUORUM_ENABLE=false", "ZOO_PEER_TYPE=")
		if err != nil {
			t.Errorf("%s: %v", list, err)
			continue
		}
		if cfg.SID != 2 || cfg.ClientPort != 2182 || !cfg.QuorumListenOnAllIPs || cfg.TickTime != 2500*time.Millisecond ||
			cfg.MaxSessionTimeout != 30*time.Second || cfg.SnapRetainCount != 5 {
			t.Errorf("%s: got %+v", list, cfg)
		}
		if len(cfg.Servers) != 3 || cfg.Servers[0].Host != "zoo1" || cfg.Servers[1].Host != "0.0.0.0" || cfg.Servers[2].ElectionPort != 3888 {
			t.Errorf("%s: servers %v", list, cfg.Servers)
		}
		if !slices.ContainsFunc(warnings, func(w string) bool { return strings.Contains(w, "no effect: ZOO_HC_TIMEOUT") }) {
			t.Errorf("%s: no warning of ZOO_HC_TIMEOUT in %q", list, warnings)
		}
	}
}

// What may be given by a file, and what only looks as if it were.
func TestEnvironmentByFile(t *testing.T) {
	fsys := files{"/run/id": "2\n", "/run/tick": "2500\n", "/run/servers": "a:2888:3888,b:2888:3888"}
	cfg, warnings, err := inEnvironment("c0ffee", fsys, "ZOO_MY_ID_FILE=/run/id", "ZOO_TICK_TIME_FILE=/run/tick", "ZOO_SERVERS_FILE=/run/servers",
		"ZOO_INIT_LIMIT_FILE=/none", "ZOO_INIT_LIMIT=7", "ZOO_LOG_FILE=zookeeper.log", "ZOO_COLOUR_FILE=/none")
	if err != nil || cfg.SID != 2 || cfg.TickTime != 2500*time.Millisecond || len(cfg.Servers) != 2 || cfg.InitLimit != 7 {
		t.Errorf("got id %d, tick %v, %d servers, initLimit %d, error %v", cfg.SID, cfg.TickTime, len(cfg.Servers), cfg.InitLimit, err)
	}
	if want := "these variables have no effect: ZOO_COLOUR_FILE"; !slices.Contains(warnings, want) {
		t.Errorf("warnings: got %q, want %q", warnings, want)
	}
	// The id counts beside a zoo.cfg, too.
	env := NewEnvironment([]string{"ZOO_MY_ID_FILE=/run/id"}, "c0ffee")
	fsys["/zoo.cfg"] = "dataDir=/d\nclientPort=2181\n" + trio
	if cfg, _, err := loadWith(Sources{Env: env, Path: "/zoo.cfg"}, fsys.read); err != nil || cfg.SID != 2 {
		t.Errorf("beside a file: id %d, %v", cfg.SID, err)
	}
}

func TestEnvironmentWithoutConfiguration(t *testing.T) {
	cfg, warnings, err := inEnvironment("zk-1", files{}, "ZOO_LOG_DIR=/logs", "ZOO_NOEXEC=1", "ZOO_SERVERS=zoo1:2888:3888")
	if err != nil || len(warnings) > 0 {
		t.Fatalf("warnings %q, error %v", warnings, err)
	}
	want := server.DefaultConfig()
	want.DataLogDir = want.DataDir
	if !cfg.Standalone() || cfg.SID != want.SID || cfg.DataDir != want.DataDir || cfg.TickTime != want.TickTime {
		t.Errorf("got %+v", cfg)
	}
}

func TestEnvironmentFaults(t *testing.T) {
	tests := []struct {
		name string
		vars []string
		want []string
	}{
		{"value", []string{"ZOO_TICK_TIME=fast"}, []string{`$ZOO_TICK_TIME: tickTime: "fast" is not a number`}},
		{"extra", []string{"ZOO_CFG_EXTRA=tickTime"}, []string{"$ZOO_CFG_EXTRA: tickTime: is not KEY=VALUE"}},
		{"contradiction", []string{"ZOO_AUTOPURGE_RETAIN_COUNT=4", "ZOO_AUTOPURGE_SNAPRETAINCOUNT=5"},
			[]string{"$ZOO_AUTOPURGE_SNAPRETAINCOUNT: autopurge.snapRetainCount: differs from $ZOO_AUTOPURGE_RETAIN_COUNT"}},
		{"server line", []string{"ZOO_MY_ID=1", "ZOO_SERVERS=server.1=a:2888 server.2=b:2888:3888"}, []string{"$ZOO_SERVERS: server.1: "}},
		{"no id", []string{"ZOO_SERVERS=a:2888:3888,b:2888:3888"}, []string{"myid file is missing"}},
		{"id without a line", []string{"ZOO_MY_ID=3", "ZOO_SERVERS=a:2888:3888,b:2888:3888"}, []string{"$ZOO_MY_ID: myid: there is no server.3 line"}},
		{"id", []string{"ZOO_MY_ID=one", "ZOO_SERVERS=a:2888:3888,b:2888:3888"}, []string{`$ZOO_MY_ID: myid: "one" is not a number`}},
		{"host name", []string{"ZOO_MY_ID=hostname", "ZOO_SERVERS=a:2888:3888,b:2888:3888"}, []string{`$ZOO_MY_ID: myid: the host name "c0ffee" does not end in a number`}},
		{"secret file", []string{"ZOO_TICK_TIME_FILE=/none"}, []string{"$ZOO_TICK_TIME_FILE: ZOO_TICK_TIME: cannot read the file"}},
		{"id's file", []string{"ZOO_MY_ID_FILE=/none", "ZOO_SERVERS=a:2888:3888,b:2888:3888"}, []string{"$ZOO_MY_ID: myid: cannot read the file"}},
		{"TLS port's file", []string{"ZOO_TLS_PORT_NUMBER_FILE=/none", "ZOO_TLS_CLIENT_ENABLE=yes"}, []string{"$ZOO_TLS_PORT_NUMBER_FILE: ZOO_TLS_PORT_NUMBER: cannot read the file"}},
		// What protects traffic or access must not be lost in silence.
		{"nobody to log in", []string{"ZOO_ENABLE_AUTH=yes"}, []string{"$ZOO_ENABLE_AUTH: authentication by SASL: there are 0 users in ZOO_SERVER_USERS and 0 "}},
		{"a password too few", []string{"ZOO_ENABLE_AUTH=yes", "ZOO_SERVER_USERS=bob,alice", "ZOO_SERVER_PASSWORDS=pw"}, []string{"$ZOO_ENABLE_AUTH: authentication by SASL: there are 2 users in ZOO_SERVER_USERS and 1 "}},
		{"passwords' file", []string{"ZOO_ENABLE_AUTH=yes", "ZOO_SERVER_USERS=bob", "ZOO_SERVER_PASSWORDS_FILE=/none"}, []string{"$ZOO_SERVER_PASSWORDS_FILE: ZOO_SERVER_PASSWORDS: cannot read the file"}},
		{"SASL between servers", []string{"ZOO_ENABLE_QUORUM_AUTH=1"}, []string{"$ZOO_ENABLE_QUORUM_AUTH: quorum.auth.serverRequireSasl: there is no SASL between servers, only TLS"}},
	}
	for _, tt := range tests {
		_, _, err := inEnvironment("c0ffee", files{}, tt.vars...)
		if err == nil {
			t.Errorf("%s: no fault", tt.name)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %q, want it to tell %q", tt.name, err, want)
			}
		}
	}
}

// With a file the variables say nothing but the id, and that only for want of a file myid.
func TestEnvironmentBesideAFile(t *testing.T) {
	text := "tickTime=2000\ndataDir=/d\nclientPort=2181\n" + trio
	vars := []string{"ZOO_MY_ID=hostname", "ZOO_TICK_TIME=9000"}
	for _, tt := range []struct {
		name, hostname string
		fsys           files
		sid            int
		warning        string
	}{
		{"first pod", "zk-0", files{"/zoo.cfg": text}, 1, ""},
		{"third pod, with its domain", "my-zk-2.zk-hs.default.svc", files{"/zoo.cfg": text}, 3, ""},
		{"file myid, the same", "zk-1", files{"/zoo.cfg": text, "/d/myid": "2"}, 2, ""},
		{"file myid, another", "zk-0", files{"/zoo.cfg": text, "/d/myid": "2"}, 2, "$ZOO_MY_ID=hostname does not count: /d/myid says 2"},
	} {
		cfg, warnings, err := loadWith(Sources{Env: NewEnvironment(vars, tt.hostname), Path: "/zoo.cfg"}, tt.fsys.read)
		if err != nil || cfg.SID != tt.sid || cfg.TickTime != 2*time.Second {
			t.Errorf("%s: id %d, tick %v, error %v", tt.name, cfg.SID, cfg.TickTime, err)
		}
		if got := strings.Join(warnings, "\n"); got != tt.warning {
			t.Errorf("%s: warnings: got %q, want %q", tt.name, got, tt.warning)
		}
	}
}

// Without a path, the file in ZOO_CONF_DIR counts before the variables do.
func TestEnvironmentConfDir(t *testing.T) {
	dir := t.TempDir()
	env := NewEnvironment([]string{"ZOO_CONF_DIR=" + dir, "ZOO_TICK_TIME=1500"}, "")
	if cfg, _, err := loadWith(Sources{Env: env}, readRegular); err != nil || cfg.TickTime != 1500*time.Millisecond || cfg.ConfigFile != "" {
		t.Errorf("no file: tick %v, file %q, error %v", cfg.TickTime, cfg.ConfigFile, err)
	}
	path := filepath.Join(dir, "zoo.cfg")
	if err := os.WriteFile(path, []byte("dataDir=/d\ntickTime=2000\nclientPort=2181\n"), fs.FileMode(0o600)); err != nil {
		t.Fatal(err)
	}
	if cfg, _, err := loadWith(Sources{Env: env}, readRegular); err != nil || cfg.TickTime != 2*time.Second || cfg.ConfigFile != path {
		t.Errorf("file: tick %v, file %q, error %v", cfg.TickTime, cfg.ConfigFile, err)
	}
}

// Variables of an image whose names are not taken end the start, and are of no
// concern where there is a file.
func TestEnvironmentOfConfluentsImage(t *testing.T) {
	_, _, err := inEnvironment("c0ffee", files{}, "ZOOKEEPER_SERVERS=a:2888:3888;b:2888:3888", "ZOOKEEPER_SERVICE_HOST=10.0.0.1")
	if err == nil || err.Error() != "$ZOOKEEPER_SERVERS: ZOOKEEPER_SERVERS: is not taken here; give ZOO_SERVERS in its place, or a zoo.cfg" {
		t.Errorf("got %v", err)
	}
	env := NewEnvironment([]string{"ZOOKEEPER_CLIENT_PORT=2181"}, "c0ffee")
	if _, warnings, err := loadWith(Sources{Env: env, Path: "/zoo.cfg"}, files{"/zoo.cfg": "dataDir=/d\nclientPort=2181\n"}.read); err != nil || len(warnings) > 0 {
		t.Errorf("beside a file: %q, %v", warnings, err)
	}
}
