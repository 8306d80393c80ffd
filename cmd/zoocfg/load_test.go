package zoocfg

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"zooraft/server"
	"zooraft/zabcompat"
)

// files is a file system for tests: content by path.
type files map[string]string

func (f files) read(path string) ([]byte, error) {
	content, ok := f[path]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return []byte(content), nil
}

// loadWith is load, of which most tests look at no more.
func loadWith(src Sources, read func(string) ([]byte, error)) (server.Config, []string, error) {
	loaded, err := load(src, read)
	return loaded.Config, loaded.Warnings, err
}

// loadWords takes the file at path, if any, and words of -D.
func loadWords(path string, words []string, read func(string) ([]byte, error)) (server.Config, []string, error) {
	src := Sources{Path: path}
	for _, text := range words {
		src.Words = append(src.Words, Word{text, "-D"})
	}
	return loadWith(src, read)
}

const trio = "initLimit=10\nsyncLimit=5\nserver.1=a:2888:3888\nserver.2=b:2888:3888\nserver.3=c:2888:3888\n"

func TestLoad(t *testing.T) {
	text := `
# every key
tickTime = 2500
initLimit: 12
syncLimit 6
dataDir=/var/zk
dataLogDir=/var/zklog
clientPort=2182
clientPortAddress=10.0.0.2
server.2=zk2:2888:3888:observer;10.0.0.2:2182
server.10=zk10:2888:3888
server.1=zk1:2888:3888
server.3=zk3:2888:3888
weight.1=1
peerType=Observer
minSessionTimeout=1000
maxSessionTimeout=-1
maxClientCnxns=0
maxCnxns=-1
globalOutstandingLimit=500
jute.maxbuffer=0x200000
snapCount=5000
autopurge.snapRetainCount=4
standaloneEnabled=FALSE
quorumListenOnAllIPs=true
4lw.commands.whitelist=ruok, mntr,srvr
skipACL=yes
localSessionsEnabled=true
localSessionsUpgradingEnabled=True
DigestAuthenticationProvider.superDigest=super:AbC=
raft.logStore=boltdb
secureClientPort=2281
secureClientPortAddress=10.0.0.3
client.portUnification=true
client.certReload=true
netty.server.outstandingHandshake.limit=250
ssl.keyStore.location=/tls/server.p12
ssl.keyStore.password=key
ssl.keyStore.passwordPath=/tls/key
ssl.keyStore.type=PKCS12
ssl.trustStore.location=/tls/ca.pem
ssl.trustStore.password=trust
ssl.trustStore.passwordPath=/tls/trust
ssl.trustStore.type=PEM
ssl.clientAuth=WANT
ssl.enabledProtocols=TLSv1.2, TLSv1.3
ssl.protocol=TLSv1.3
ssl.ciphersuites=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
ssl.hostnameVerification=TRUE
ssl.clientHostnameVerification=true
ssl.authProvider=x509
ssl.crl=false
X509AuthenticationProvider.superUser=CN=super,O=Example
sslQuorum=true
portUnification=true
sslQuorumReloadCertFiles=true
ssl.quorum.keyStore.location=/tls/quorum.jks
ssl.quorum.trustStore.location=/tls/servers.pem
ssl.quorum.clientHostnameVerification=false
admin.enableServer=false
zookeeper.extendedTypesEnabled=true
emulate353TTLNodes=true
enforceQuota=TRUE
enableEagerACLCheck=true
znode.container.maxNeverUsedIntervalMs=300000
DigestAuthenticationProvider.enabled=false
DigestAuthenticationProvider.digestAlg=SHA-256
authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider
authProvider.x509=org.apache.zookeeper.server.auth.X509AuthenticationProvider
`
	cfg, warnings, err := loadWords("/z/zoo.cfg", []string{"snapCount=6000", "zookeeper.maxCnxns=7", "znode.container.checkIntervalMs=1500", "znode.container.maxPerMinute=90", "zookeeper.request_throttle_max_requests=9", "readonlymode.enabled=true"}, files{
		"/z/zoo.cfg": text, "/var/zk/myid": " 2 \nrest"}.read)
	if err != nil {
		t.Fatal(err)
	}
	want := server.DefaultConfig()
	want.SID = 2
	want.Servers = []zabcompat.ServerSpec{
		{ID: 1, Host: "zk1", QuorumPort: 2888, ElectionPort: 3888},
		{ID: 2, Host: "zk2", QuorumPort: 2888, ElectionPort: 3888, Observer: true, ClientHost: "10.0.0.2", ClientPort: 2182},
		{ID: 3, Host: "zk3", QuorumPort: 2888, ElectionPort: 3888},
		{ID: 10, Host: "zk10", QuorumPort: 2888, ElectionPort: 3888},
	}
	want.PeerType = "observer"
	want.StandaloneEnabled = false
	want.QuorumListenOnAllIPs = true
	want.TickTime = 2500 * time.Millisecond
	want.InitLimit, want.SyncLimit = 12, 6
	want.DataDir, want.DataLogDir = "/var/zk", "/var/zklog"
	want.SnapCount, want.SnapRetainCount = 6000, 4
	want.LogStore = "boltdb"
	want.ClientPort, want.ClientPortAddress = 2182, "10.0.0.2"
	want.MinSessionTimeout, want.MaxSessionTimeout = time.Second, 50*time.Second
	want.MaxClientCnxns, want.MaxCnxns = 0, 0
	want.GlobalOutstandingLimit = 500
	want.JuteMaxBuffer = 0x200000
	want.ContainerCheckInterval, want.ContainerMaxPerMinute = 1500*time.Millisecond, 90
	want.FourLetterWords = []string{"srvr", "ruok", "mntr"}
	want.AdminEnabled = false
	want.SuperDigest, want.SkipACL = "super:AbC=", true
	want.ExtendedTypes, want.EnforceQuota, want.EagerACLCheck = true, true, true
	want.ContainerMaxNeverUsed = 5 * time.Minute
	want.NoDigestAuth, want.DigestAlg = true, "SHA-256"
	want.AuthProviders = []string{"sasl", "x509"}
	want.LocalSessions, want.LocalSessionsUpgrading, want.ReadOnlyMode = true, true, true
	want.Properties = map[string]string{
		"zookeeper.emulate353TTLNodes": "true",
		"zookeeper.ssl.crl":            "false",
	}
	want.ConfigFile, want.ConfigText = "/z/zoo.cfg", text
	want.Limits.Requests.MaxRequests = 9
	want.Limits.Handshakes = 250
	want.SecureClientPort, want.SecureClientPortAddress = 2281, "10.0.0.3"
	want.ClientPortUnification, want.X509SuperUser = true, "CN=super,O=Example"
	want.ClientTLS = server.TLS{
		ClientAuth: "want", Protocols: []string{"TLSv1.2", "TLSv1.3"},
		CipherSuites: []string{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"},
		VerifyServer: true, VerifyClient: true, Reload: true,
	}
	want.ClientTLS.Key.File, want.ClientTLS.Key.Type = "/tls/server.p12", "PKCS12"
	want.ClientTLS.Key.Password, want.ClientTLS.Key.PasswordFile = "key", "/tls/key"
	want.ClientTLS.Trust.File, want.ClientTLS.Trust.Type = "/tls/ca.pem", "PEM"
	want.ClientTLS.Trust.Password, want.ClientTLS.Trust.PasswordFile = "trust", "/tls/trust"
	want.SSLQuorum, want.PortUnification = true, true
	want.QuorumTLS.Key.File, want.QuorumTLS.Trust.File = "/tls/quorum.jks", "/tls/servers.pem"
	want.QuorumTLS.Reload, want.QuorumTLS.VerifyClient = true, false
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("got  %+v\nwant %+v", cfg, want)
	}
	wantWarnings := []string{
		"/z/zoo.cfg:61: zookeeper.extendedTypesEnabled counts as extendedTypesEnabled; ZooKeeper looks only at what stands without the prefix",
		"-D: zookeeper.maxCnxns does nothing: /z/zoo.cfg:19 sets it, and counts",
		"/z/zoo.cfg:62: emulate353TTLNodes: nothing here stores TTLs as ZooKeeper 3.5.3 did, so there is nothing to emulate; the line does nothing",
	}
	if !slices.Equal(warnings, wantWarnings) {
		t.Errorf("warnings: got %q, want %q", warnings, wantWarnings)
	}
}

func TestLoadStandalone(t *testing.T) {
	cfg, warnings, err := loadWords("/zoo.cfg", nil, files{"/zoo.cfg": "dataDir=/d\nclientPort=2181\n"}.read)
	if err != nil || len(warnings) != 0 {
		t.Fatalf("got warnings %q and %v, want none", warnings, err)
	}
	want := server.DefaultConfig()
	want.DataDir, want.DataLogDir = "/d", "/d"
	want.ConfigFile, want.ConfigText = "/zoo.cfg", "dataDir=/d\nclientPort=2181\n"
	want.TickTime, want.MinSessionTimeout, want.MaxSessionTimeout = 3*time.Second, 6*time.Second, 60*time.Second
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("got  %+v\nwant %+v", cfg, want)
	}

	cfg, warnings, err = loadWords("", []string{"dataDir=./d"}, files{}.read)
	want = server.DefaultConfig()
	want.DataDir, want.DataLogDir = "./d", "./d"
	if err != nil || len(warnings) != 0 || !reflect.DeepEqual(cfg, want) {
		t.Errorf("without a file: got %+v, %q, %v\nwant %+v", cfg, warnings, err, want)
	}
}

func TestLoadIdentity(t *testing.T) {
	const one = "dataDir=/d\nclientPort=2181\n"
	tests := []struct {
		name, text string
		myid       string // "-" for no file
		wantSID    int
		wantErr    string
	}{
		{"alone without a file", one, "-", 1, ""},
		{"alone with a file", one, "5", 5, ""},
		{"the only line", one + "server.4=a:2888:3888\n", "-", 4, ""},
		{"alone with rubbish", one, "one", 0, `/d/myid: myid: serverid "one" is not a number`},
		{"first line only", one + trio, "3\r\n4\n", 3, ""},
		{"missing", one + trio, "-", 0, "/d/myid: myid: myid file is missing; write this server's id"},
		{"empty", one + trio, "", 0, `serverid "" is not a number`},
		{"not listed", one + trio, "9", 0, "/d/myid: myid: there is no server.9 line"},
		{"out of range", one, "256", 0, "/d/myid: myid: server id 256 is out of range; give 1 to 255"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fsys := files{"/zoo.cfg": tt.text}
			if tt.myid != "-" {
				fsys["/d/myid"] = tt.myid
			}
			cfg, _, err := loadWords("/zoo.cfg", nil, fsys.read)
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Errorf("got %v, want %q", err, tt.wantErr)
				}
				return
			}
			if err != nil || cfg.SID != tt.wantSID {
				t.Errorf("got %d, %v; want %d", cfg.SID, err, tt.wantSID)
			}
		})
	}
}

// Where no server is to run, a file may be read without its server's id, and all that
// does not depend on that is as it would be.
func TestLoadElsewhere(t *testing.T) {
	const text = "dataDir=/d\n" + "initLimit=10\nsyncLimit=5\nserver.1=a:1:2:observer;2182\nserver.2=b:1:2;2183\nserver.3=c:1:2;2183\n"
	for _, tt := range []struct {
		name, want string
		fail       error
	}{
		{"missing", "/d/myid: myid: myid file is missing", fs.ErrNotExist},
		{"not to be read", "/d/myid: myid: cannot read the file: permission denied", fs.ErrPermission},
	} {
		t.Run(tt.name, func(t *testing.T) {
			read := func(path string) ([]byte, error) {
				if path == "/d/myid" {
					return nil, tt.fail
				}
				return files{"/zoo.cfg": text}.read(path)
			}
			if _, err := load(Sources{Path: "/zoo.cfg"}, read); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("to run: got %v, want %q", err, tt.want)
			}
			loaded, err := load(Sources{Path: "/zoo.cfg", Elsewhere: true}, read)
			if err != nil || loaded.NoID == nil || !strings.Contains(loaded.NoID.Error(), tt.want) {
				t.Errorf("got %v, %v; want only %q", err, loaded.NoID, tt.want)
			}
			if c := loaded.Config; c.SID != 0 || len(c.Servers) != 3 || c.InitLimit != 10 || c.PeerType != zabcompat.Participant {
				t.Errorf("got %+v", c)
			}
			for _, w := range loaded.Warnings {
				if strings.Contains(w, "clientPort") || strings.Contains(w, "Peer type") {
					t.Errorf("warned of what is not known: %s", w)
				}
			}
			for _, s := range loaded.Effective {
				if (s.Name == "myid" || s.Name == "clientPort" || s.Name == "peerType") && (s.Value != "" || s.Origin != OriginNotSet) {
					t.Errorf("%s: got %q, %s", s.Name, s.Value, s.Origin)
				}
			}
		})
	}
}

// What would follow from there being no server line is not said of a file of them that
// cannot be read.
func TestLoadDynamicFileAlone(t *testing.T) {
	text := "dataDir=/d\nstandaloneEnabled=false\ninitLimit=10\nsyncLimit=5\ndynamicConfigFile=/none\n"
	_, warnings, err := loadWords("/zoo.cfg", nil, files{"/zoo.cfg": text, "/d/myid": "1"}.read)
	if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "cannot read the file with the server lines") || len(warnings) > 0 {
		t.Errorf("got %v, warnings %q", err, warnings)
	}
}

// Each case is added to three valid lines about an ensemble of three; the
// faults are the whole error, in order.
func TestLoadFaults(t *testing.T) {
	tests := []struct {
		name, text string
		overrides  []string
		want       []string
	}{
		{"not numbers", "initLimit=ten\ntickTime=2s\nmaxCnxns=\nclientPort=99999999999\n", nil, []string{
			`/zoo.cfg:8: initLimit: "ten" is not a number; give the number of ticks, for example 10`,
			`/zoo.cfg:9: tickTime: "2s" is not a number; give milliseconds, for example 2000`,
			`/zoo.cfg:10: maxCnxns: "" is not a number; give the number of connections, 0 for no limit, for example 1000`,
			`/zoo.cfg:11: clientPort: "99999999999" is not a number; give a port, for example 2181`,
		}},
		{"out of range", "tickTime=0\nsyncLimit=0\nclientPort=70000\nglobalOutstandingLimit=0\njute.maxbuffer=0\n", nil, []string{
			`/zoo.cfg:8: tickTime: 0 is too small; give the tick in ms, for example 2000`,
			`/zoo.cfg:10: clientPort: port 70000 is out of range; give 0 to 65535`,
			`/zoo.cfg:11: globalOutstandingLimit: 0 is too small; give 1 or more`,
			`/zoo.cfg:12: jute.maxbuffer: 0 is too small; give 1 or more`,
			`/zoo.cfg:9: syncLimit: syncLimit is not set; give the number of ticks, for example 5`,
		}},
		{"booleans", "standaloneEnabled=yes\nsslQuorum=1\n", nil, []string{
			`/zoo.cfg:8: standaloneEnabled: Invalid option yes for standaloneEnabled. Choose 'true' or 'false.'`,
			`/zoo.cfg:9: sslQuorum: Invalid option 1 for sslQuorum. Choose 'true' or 'false.'`,
		}},
		{"timeouts crossed", "minSessionTimeout=5000\nmaxSessionTimeout=4000\n", nil, []string{
			`/zoo.cfg:8: minSessionTimeout: 5000 is larger than maxSessionTimeout, 4000`,
		}},
		{"the longest below the shortest", "maxSessionTimeout=1000\n", nil, []string{
			`/zoo.cfg:8: minSessionTimeout: 6000 is larger than maxSessionTimeout, 1000`,
		}},
		{"without effect, and no value of theirs", "observerMasterPort=x\njvm.pause.monitor=yes\njvm.pause.sleep.time.ms=1s\nsyncEnabled=\n" +
			"quorum.cnxn.threads.size=3000000000\nautopurge.purgeInterval=12 h\n", nil, []string{
			`/zoo.cfg:8: observerMasterPort: "x" is not a number; remove the line, which has no effect here`,
			`/zoo.cfg:9: jvm.pause.monitor: Invalid option yes for jvm.pause.monitor. Choose 'true' or 'false.'`,
			`/zoo.cfg:10: jvm.pause.sleep.time.ms: "1s" is not a number; remove the line, which has no effect here`,
			`/zoo.cfg:11: syncEnabled: Invalid option  for syncEnabled. Choose 'true' or 'false.'`,
			`/zoo.cfg:12: quorum.cnxn.threads.size: "3000000000" is not a number; remove the line, which has no effect here`,
			`/zoo.cfg:13: autopurge.purgeInterval: "12 h" is not a number of hours; remove the line, which has no effect here`,
		}},
		{"choices", "peerType=voter\nraft.logStore=rocks\nelectionAlg=1\n", nil, []string{
			`/zoo.cfg:8: peerType: unrecognised peertype: voter; give participant or observer`,
			`/zoo.cfg:10: electionAlg: "1" is not supported; the only election algorithm is 3, so remove the line`,
			`/zoo.cfg:9: raft.logStore: "rocks" is unknown; choose one of ["wal" "boltdb"]`,
		}},
		{"server lines", "server.4=d:2888\nserver.x=e:2888:3888\nserver.02=f:2888:3888\nserver.300=g:2888:3888\nserver.5=a:2888:3889\n", nil, []string{
			`/zoo.cfg:8: server.4: "d:2888" is not a server line; write host:quorumPort:electionPort[:participant|observer][;[clientAddress:]clientPort], for example zk1:2888:3888;2181`,
			`/zoo.cfg:9: server.x: "x" is not a server id; write server.N with N from 1 to 255`,
			`/zoo.cfg:10: server.02: server 2 is given twice (also at /zoo.cfg:6); each server needs its own id`,
			`/zoo.cfg:12: server.5: a:2888 is taken by server.1; each server needs its own`,
			`/zoo.cfg:11: server.300: the id is out of range; give 1 to 255`,
		}},
		{"quorums of other kinds", "group.1=1:2:3\nweight.1=1\nweight.2=0\nweight.3=2\noraclePath=/o\n", nil, []string{
			`/zoo.cfg:8: group.1: hierarchical quorums are not supported: each server has one vote and a majority decides; remove all group lines`,
			`/zoo.cfg:10: weight.2: weights are not supported; for a server that never votes write :observer at the end of its server line`,
			`/zoo.cfg:11: weight.3: weights are not supported: each server has one vote; remove the line`,
			`/zoo.cfg:12: oraclePath: an oracle changes what a quorum is, and a majority of the servers cannot be replaced here; use three servers`,
		}},
		{"protection", "secureClientPort=2281\nssl.crl=true\nzookeeper.enforce.auth.enabled=true\nssl.authProvider=x510\nssl.quorum.context.supplier.class=a.B\nssl.keyStore.location=/k.pem\n", nil, []string{
			`/zoo.cfg:9: ssl.crl: whether a certificate has been revoked is not looked up; remove the line, and let certificates be valid for a short time`,
			`/zoo.cfg:11: ssl.authProvider: "x510" cannot be loaded; the scheme of certificates that is built in is x509`,
			`/zoo.cfg:12: ssl.quorum.context.supplier.class: classes cannot be loaded here; remove the line`,
			`/zoo.cfg:10: enforce.auth.enabled: zookeeper.enforce.auth.enabled is true zookeeper.enforce.auth.schemes must be configured; give for example enforce.auth.schemes=digest`,
		}},
		{"TLS without a key", "secureClientPort=2281\n", nil, []string{
			`/zoo.cfg: ssl.keyStore.location: it is not set, and secureClientPort asks for TLS; give the file with this server's certificate and its key`,
		}},
		{"TLS at the port for plain text", "clientPort=2281\nsecureClientPort=2281\nssl.keyStore.location=/k.pem\n", nil, []string{
			`/zoo.cfg:9: secureClientPort: 2281 is the clientPort; give another, or set client.portUnification=true and remove the line`,
		}},
		{"an address for no TLS", "secureClientPortAddress=a\n", nil, []string{
			`/zoo.cfg:8: secureClientPortAddress: secureClientPortAddress is set but secureClientPort is not set; add secureClientPort, for example secureClientPort=2281`,
		}},
		{"several addresses", "server.4=d:1:2|e:1:2\n", nil, []string{
			`/zoo.cfg:8: server.4: multiple address feature is disabled, but multiple addresses were specified for sid 4; several addresses for one server are not supported yet; give the one that the other servers reach best`,
		}},
		{"several addresses, switched on", "server.4=d:1:2|e:1:2\nmultiAddress.enabled=true\n", nil, []string{
			`/zoo.cfg:8: server.4: several addresses for one server are not supported yet; give the one that the other servers reach best`,
		}},
		{"client part differs", "server.1=a:2888:3888;2183\nclientPort=2181\n", nil, []string{
			`/zoo.cfg:9: clientPort: 0.0.0.0:2181 differs from 0.0.0.0:2183, the client part of server.1; remove one of the two`,
		}},
		{"address without port", "clientPortAddress=1.2.3.4\n", nil, []string{
			`/zoo.cfg:8: clientPortAddress: clientPortAddress is set but clientPort is not set; add clientPort, for example clientPort=2181`,
		}},
		{"escape", "dataLogDir=C:\\users\n", nil, []string{
			`/zoo.cfg:8: dataLogDir: \u needs four hexadecimal digits, for example \u00e9; write \\ for a backslash`,
		}},
		{"overrides", "tickTime=ten\n", []string{"tickTime=1000", "initLimit=x", "novalue", "=1"}, []string{
			`-D: novalue: not KEY=VALUE; write for example -D tickTime=2000`,
			`-D: : not KEY=VALUE; write for example -D tickTime=2000`,
			`-D: initLimit: "x" is not a number; give the number of ticks, for example 10`,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := loadWords("/zoo.cfg", tt.overrides, files{
				"/zoo.cfg": "\ndataDir=/d\n" + trio + tt.text, "/d/myid": "1"}.read)
			if err == nil {
				t.Fatal("no fault found")
			}
			got := strings.Split(err.Error(), "\n")
			if !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

func TestLoadFaultsOfTheWhole(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"nothing in it", "", []string{
			`/zoo.cfg: dataDir: dataDir is not set; give the directory for myid and the data, for example /var/lib/zookeeper`}},
		{"ensemble without limits", "dataDir=/d\nserver.1=a:1:2\nserver.2=b:1:2\n", []string{
			`/zoo.cfg: initLimit: initLimit is not set; give the number of ticks, for example 10`,
			`/zoo.cfg: syncLimit: syncLimit is not set; give the number of ticks, for example 5`}},
		{"observers alone", "dataDir=/d\nserver.1=a:1:2:observer\n", []string{
			`/zoo.cfg: server: Observers w/o participants is an invalid configuration; at least one server must be a participant`}},
		{"one with an observer", "dataDir=/d\nserver.1=a:1:2\nserver.2=b:1:2:observer\n", []string{
			`/zoo.cfg: server: Observers w/o quorum is an invalid configuration; add participants, or set standaloneEnabled=false`}},
		{"no server for a quorum", "dataDir=/d\nstandaloneEnabled=false\n", []string{
			`/zoo.cfg:2: standaloneEnabled: standaloneEnabled = false then number of participants should be >0; add server.N lines`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := loadWords("/zoo.cfg", nil, files{"/zoo.cfg": tt.text, "/d/myid": "1"}.read)
			if err == nil {
				t.Fatal("no fault found")
			}
			if got := strings.Split(err.Error(), "\n"); !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

func TestLoadWarnings(t *testing.T) {
	const base = "dataDir=/d\nclientPort=2181\ninitLimit=10\nsyncLimit=5\n"
	tests := []struct {
		name, path, text string
		want             []string
	}{
		{"one server", "/zoo.cfg", base + "server.1=a:1:2\n", []string{"/zoo.cfg: Invalid configuration, only one server specified (ignoring)"}},
		{"two servers", "/zoo.cfg", base + "server.1=a:1:2\nserver.2=b:1:2\n", []string{"/zoo.cfg: No server failure will be tolerated. You need at least 3 servers."}},
		{"any address for oneself", "/zoo.cfg", base + "server.1=0.0.0.0:1:2\nserver.2=b:1:2\nserver.3=c:1:2\n", nil},
		{"any address, and reconfig", "/zoo.cfg", base + "reconfigEnabled=true\nserver.1=0.0.0.0:1:2\nserver.2=b:1:2\nserver.3=c:1:2\n",
			[]string{"/zoo.cfg:6: server.1: nobody else can dial 0.0.0.0, and with reconfigEnabled=true the line may become the others' too; give the server's name, and quorumListenOnAllIPs=true if it is to listen on every address"}},
		{"loopback among others", "/zoo.cfg", base + "server.1=a:1:2\nserver.2=localhost:1:2\nserver.3=127.0.0.1:1:2\n", []string{
			"/zoo.cfg:6: server.2: servers on other hosts cannot dial localhost; give the server's name, or an address that all of them reach",
			"/zoo.cfg:7: server.3: servers on other hosts cannot dial 127.0.0.1; give the server's name, or an address that all of them reach"}},
		{"loopback for oneself, listening on all", "/zoo.cfg", base + "quorumListenOnAllIPs=true\nserver.1=127.0.0.1:1:2\nserver.2=b:1:2\nserver.3=c:1:2\n", nil},
		{"all on one host", "/zoo.cfg", base + "server.1=localhost:1:2\nserver.2=127.0.0.1:3:4\nserver.3=[::1]:5:6\n", nil},
		{"four servers", "/zoo.cfg", base + "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\nserver.4=d:1:2\n",
			[]string{"/zoo.cfg: Non-optimal configuration, consider an odd number of servers."}},
		{"a quorum of one", "/zoo.cfg", base + "standaloneEnabled=false\nserver.1=a:1:2\n", []string{"/zoo.cfg: No server failure will be tolerated. You need at least 3 servers."}},
		{"role", "/zoo.cfg", base + "peerType=observer\nserver.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\n",
			[]string{"/zoo.cfg: Peer type from servers list (PARTICIPANT) doesn't match peerType (OBSERVER). Defaulting to servers list."}},
		{"no client port", "/zoo.cfg", "dataDir=/d\n", []string{"/zoo.cfg: clientPort is not set, taking 2181"}},
		{"raised", "/zoo.cfg", base + "autopurge.snapRetainCount=1\nsnapCount=0\n",
			[]string{"/zoo.cfg:5: autopurge.snapRetainCount: 1 is too small, taking 3", "/zoo.cfg:6: snapCount: 0 is too small, taking 2"}},
		{"twice", "/zoo.cfg", base + "clientPort=2182\n", []string{"/zoo.cfg:5: clientPort is set again (first at /zoo.cfg:2); this one counts"}},
		{"skipACL", "/zoo.cfg", base + "skipACL=true\n", []string{`/zoo.cfg:5: skipACL: "true" counts as no; only yes turns the checks off`}},
		{"relative", "conf/zoo.cfg", "dataDir=data\nclientPort=1\n",
			[]string{"conf/zoo.cfg is relative. Prepend ./ to indicate that you're sure!", "conf/zoo.cfg:1: dataDir: data is relative. Prepend ./ to indicate that you're sure!"}},
		{"sure", "./zoo.cfg", "dataDir=../data\nclientPort=1\n", nil},
		{"misspelt", "/zoo.cfg", base + "ticktime=1\nfoo=2\ndatadir.autocreate=true\n",
			[]string{"/zoo.cfg:5: ticktime is unknown, and has no effect; is tickTime meant?", "/zoo.cfg:6: foo is unknown, and has no effect"}},
		{"without effect", "/zoo.cfg", base + "autopurge.purgeInterval=30m\njvm.pause.monitor=TRUE\nsyncEnabled=False\nautopurge.purgeInterval=-1\n",
			[]string{"/zoo.cfg:8: autopurge.purgeInterval is set again (first at /zoo.cfg:5); this one counts"}},
		{"no key", "/zoo.cfg", base + "=secret\n", []string{`/zoo.cfg:5: there is no key before "="; the line does nothing`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, warnings, err := loadWords(tt.path, nil, files{tt.path: tt.text, "/d/myid": "1"}.read)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(warnings, tt.want) {
				t.Errorf("got %q, want %q", warnings, tt.want)
			}
		})
	}
}

func TestLoadClientPort(t *testing.T) {
	tests := []struct {
		name, text string
		wantHost   string
		wantPort   int
	}{
		{"key", "clientPort=2182\n", "", 2182},
		{"key and address", "clientPort=2182\nclientPortAddress=::1\n", "::1", 2182},
		{"any free one", "clientPort=0\n", "", 0},
		{"line", "server.1=a:1:2;2183\n", "0.0.0.0", 2183},
		{"line with address", "server.1=a:1:2;10.1.1.1:2183\n", "10.1.1.1", 2183},
		{"both agree", "clientPort=2183\nserver.1=a:1:2;10.1.1.1:2183\n", "10.1.1.1", 2183},
		{"TLS alone", "secureClientPort=2281\nssl.keyStore.location=/k.pem\n", "", 0},
		{"none, in numbers", "clientPort=0\nsecureClientPort=2281\nssl.keyStore.location=/k.pem\n", "", 0},
		{"TLS, and a line", "secureClientPort=2281\nssl.keyStore.location=/k.pem\nserver.1=a:1:2;2183\n", "0.0.0.0", 2183},
		{"another server's line", "clientPort=2182\nserver.2=b:1:2;2183\n", "", 2182},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, _, err := loadWords("/zoo.cfg", nil, files{"/zoo.cfg": "dataDir=/d\n" + trio + tt.text, "/d/myid": "1"}.read)
			if err != nil {
				t.Fatal(err)
			}
			if cfg.ClientPortAddress != tt.wantHost || cfg.ClientPort != tt.wantPort {
				t.Errorf("got %q:%d, want %q:%d", cfg.ClientPortAddress, cfg.ClientPort, tt.wantHost, tt.wantPort)
			}
		})
	}
}

func TestLoadDynamicFile(t *testing.T) {
	const static = "dataDir=/d\nclientPort=2181\ninitLimit=10\nsyncLimit=5\ndynamicConfigFile=/zoo.cfg.dynamic.100000000\n"
	const dynamic = "server.1=a:1:2:participant;0.0.0.0:2181\nserver.2=b:1:2\nserver.3=c:1:2"
	tests := []struct {
		name            string
		static, dynamic string
		want            string // in the error; empty for success
	}{
		{"good", static, dynamic, ""},
		{"lines in both", static + "server.4=d:1:2\n", dynamic, "/zoo.cfg:6: server.4: must stand in /zoo.cfg.dynamic.100000000"},
		{"other keys in it", static, dynamic + "\nversion=100000000", "/zoo.cfg.dynamic.100000000:4: version: does not belong"},
		{"missing", static, "-", "/zoo.cfg:5: dynamicConfigFile: cannot read the file with the server lines"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fsys := files{"/zoo.cfg": tt.static, "/d/myid": "1"}
			if tt.dynamic != "-" {
				fsys["/zoo.cfg.dynamic.100000000"] = tt.dynamic
			}
			cfg, _, err := loadWords("/zoo.cfg", nil, fsys.read)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %v, want %q", err, tt.want)
				}
				return
			}
			if err != nil || len(cfg.Servers) != 3 || cfg.Servers[0].ClientPort != 2181 {
				t.Errorf("got %+v, %v; want three servers", cfg.Servers, err)
			}
		})
	}
}

// The samples that come with the source must be what they say.
func TestLoadSamples(t *testing.T) {
	dir := filepath.Join("..", "..", "configs")
	cfg, warnings, err := loadWords(filepath.Join(dir, "zoo_sample.cfg"), nil, readRegular)
	if err != nil || len(warnings) != 0 || !cfg.Standalone() {
		t.Errorf("zoo_sample.cfg: got standalone %v, warnings %q, %v", cfg.Standalone(), warnings, err)
	}
	for i, name := range []string{"zoo1.cfg", "zoo2.cfg", "zoo3.cfg"} {
		data := t.TempDir()
		if err := os.WriteFile(filepath.Join(data, "myid"), []byte{byte('1' + i), '\n'}, 0o644); err != nil {
			t.Fatal(err)
		}
		cfg, warnings, err := loadWords(filepath.Join(dir, name), []string{"dataDir=" + data}, readRegular)
		if err != nil || len(warnings) != 0 || cfg.Participants() != 3 || cfg.ClientPort != 2181+i {
			t.Errorf("%s: got %d participants, client port %d, warnings %q, %v", name, cfg.Participants(), cfg.ClientPort, warnings, err)
		}
	}
}

func TestLoadMissingFile(t *testing.T) {
	_, _, err := loadWords(filepath.Join(t.TempDir(), "zoo.cfg"), nil, readRegular)
	if !errors.Is(err, ErrFile) || !strings.Contains(err.Error(), "file is missing") {
		t.Errorf("no file: got %v, want ErrFile and that it is missing", err)
	}
	_, _, err = loadWords(t.TempDir(), nil, readRegular)
	if !errors.Is(err, ErrFile) {
		t.Errorf("a directory: got %v, want ErrFile", err)
	}
}

// Secrets must not reach the log by way of warnings or faults.
func TestLoadKeepsSecrets(t *testing.T) {
	const secret = "hunter2"
	_, warnings, err := loadWords("/zoo.cfg", []string{"superDigest=super:" + secret}, files{"/zoo.cfg": "dataDir=/d\nclientPort=x\n" +
		"DigestAuthenticationProvider.superDigest=super:" + secret + "\nssl.keyStore.password=" + secret + "\n" +
		"DigestAuthenticationProvider.superDigest=super:" + secret + "\n"}.read)
	if err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("fault shows the secret, or there is none: %v", err)
	}
	if len(warnings) == 0 || strings.Contains(strings.Join(warnings, "\n"), secret) {
		t.Errorf("warnings show the secret, or there are none: %q", warnings)
	}
}

// Whatever is in the files, the result is a valid configuration or a fault, and
// it is the same each time.
func FuzzLoad(f *testing.F) {
	f.Add("dataDir=/d\n"+trio, "1", "tickTime=1")
	f.Add("dataDir=/d\nserver.1=[::1]:1:2:observer;1|2\nweight.1=0\nclientPort=-1\njute.maxbuffer=08", "x", "=")
	f.Add("dataDir=/d\ndynamicConfigFile=/d/myid\nstandaloneEnabled=false", "server.1=a:1:2", "server.2=b:3:4")
	f.Fuzz(func(t *testing.T, text, myid, override string) {
		fsys := files{"/zoo.cfg": text, "/d/myid": myid}
		cfg, warnings, err := loadWords("/zoo.cfg", []string{override}, fsys.read)
		if invalid := cfg.Validate(); err == nil && invalid != nil {
			t.Fatalf("accepted, but: %v", invalid)
		}
		again, warningsAgain, errAgain := loadWords("/zoo.cfg", []string{override}, fsys.read)
		if !reflect.DeepEqual(cfg, again) || !slices.Equal(warnings, warningsAgain) {
			t.Fatal("two loads differ")
		}
		if (err == nil) != (errAgain == nil) || err != nil && err.Error() != errAgain.Error() {
			t.Fatalf("two loads differ: %v, %v", err, errAgain)
		}
		if !maps.Equal(cfg.Properties, again.Properties) {
			t.Fatal("two loads differ in properties")
		}
	})
}
