package zoocfg

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"zooraft/server"
)

// withoutValue are keys with an effect that have no value of their own in effect.
var withoutValue = []string{
	"dynamicConfigFile",  // where the server lines were found
	"emulate353TTLNodes", // nothing to emulate
	"superUser",          // one of several
	loginKey, sectionKey, // what they name was read
	krb5Key, realmKey, // of effect only with a keytab
}

// Every key that has an effect has a value to show.
func TestValuesAreComplete(t *testing.T) {
	for key := range keys {
		k, ok := table[key]
		if _, has := values[key]; ok && k.Effect != Refused && !has && !slices.Contains(withoutValue, key) {
			t.Errorf("%s: add what writes its value in effect to values", key)
		}
	}
	for key := range values {
		if _, known := table[key]; !known {
			t.Errorf("%s has a value and is not in the table", key)
		}
	}
}

// effectiveOf loads and returns the settings by name.
func effectiveOf(t *testing.T, fsys files, path string, words ...Word) (map[string]Setting, server.Config) {
	t.Helper()
	loaded, err := load(Sources{Path: path, Words: words}, fsys.read)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]Setting)
	for _, s := range loaded.Effective {
		if _, twice := all[s.Name]; twice {
			t.Errorf("%s is there twice", s.Name)
		}
		all[s.Name] = s
	}
	return all, loaded.Config
}

// What is shown as a default is what the server has by default: given to its key,
// it changes nothing.
func TestDefaultsAreReal(t *testing.T) {
	defaults, cfg := effectiveOf(t, nil, "")
	want := server.DefaultConfig()
	want.DataLogDir = want.DataDir
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("with nothing set:\n got %+v\nwant %+v", cfg, want)
	}
	for key := range values {
		s := defaults[key]
		if s.Set || s.Origin != OriginDefault && !strings.HasPrefix(s.Origin, OriginDerived) {
			t.Errorf("%s: with nothing set its origin is %q", key, s.Origin)
		}
		if key == "metricsProvider.httpHost" || s.Value == "" {
			continue
		}
		same, got := effectiveOf(t, nil, "", Word{key + "=" + s.Value, "-D"})
		got.Properties, got.AdminPortSet = nil, false
		if slices.Contains([]string{"dataDir", "dataLogDir"}, key) {
			continue // absolute now
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s=%s, its default, gives\n got %+v\nwant %+v", key, s.Value, got, want)
		}
		if same[key].Value != s.Value || same[key].Given != "" || same[key].Origin != "-D" {
			t.Errorf("%s=%s is shown as %+v", key, s.Value, same[key])
		}
	}
}

// others are values for keys whose default does not tell what else they may be.
var others = map[string]string{
	"dataDir": "/other", "dataLogDir": "/other", "clientPortAddress": "10.0.0.1", "peerType": "observer", "electionAlg": "3",
	"4lw.commands.whitelist": "srvr,mntr", "raft.logStore": server.LogStoreBoltDB,
	"DigestAuthenticationProvider.digestAlg": "SHA-256", "ensembleAuthName": "a,b", "enforce.auth.schemes": "digest,ip",
	"admin.serverAddress": "10.0.0.1", "admin.commandURL": "/c", "metricsProvider.httpHost": "10.0.0.1",
	"metricsProvider.className": prometheus, "largeRequestThreshold": "5",
	"metricsProvider.httpsPort": "7443", "metricsProvider.ssl.keyStore.location": "/k.p12", "metricsProvider.ssl.keyStore.type": "PKCS12",
	"metricsProvider.ssl.trustStore.location": "/t.jks", "metricsProvider.ssl.trustStore.type": "JKS",
	"metricsProvider.ssl.enabledProtocols": "TLSv1.3,TLSv1.2", "metricsProvider.ssl.ciphersuites": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
	"admin.ui": server.UIOn, "admin.uiTokenFile": "/token", "admin.uiHosts": "a,b",
	"connection_throttle_local_session_weight":  "2",
	"connection_throttle_global_session_weight": "5",
	"secureClientPortAddress":                   "10.0.0.1", "X509AuthenticationProvider.superUser": "CN=a", "ssl.authProvider": "x509",
	"security.auth_to_local": "RULE:[1:$1]",
}

func init() {
	for key, value := range map[string]string{
		"keyStore.location": "/k.pem", "keyStore.type": "PEM", "trustStore.location": "/t.pem", "trustStore.type": "PEM",
		"clientAuth": "want", "protocol": "TLSv1.2", "enabledProtocols": "TLSv1.2", "ciphersuites": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
	} {
		others["ssl."+key], others["ssl.quorum."+key] = value, value
	}
}

// with are keys that others need to be taken.
var with = map[string]string{
	"secureClientPort":             "ssl.keyStore.location=/k.pem",
	"secureClientPortAddress":      "secureClientPort=2281 ssl.keyStore.location=/k.pem",
	"client.portUnification":       "ssl.keyStore.location=/k.pem",
	"clientPortAddress":            "clientPort=2181",
	"standaloneEnabled":            "server.1=a:1:2",           // and its myid
	"admin.forceHttps":             "admin.enableServer=false", // or it wants a certificate
	"admin.portUnification":        "admin.enableServer=false",
	"enforce.auth.enabled":         "enforce.auth.schemes=digest",
	"sessionRequireClientSASLAuth": "authProvider.1=" + classPrefix + "SASLAuthenticationProvider",
}

// What is shown of a key is that key, and not another with the same default.
func TestValuesFollowTheirKeys(t *testing.T) {
	defaults, _ := effectiveOf(t, nil, "")
	for key := range values {
		value, given := others[key]
		old := defaults[key].Value
		n, err := strconv.Atoi(old)
		switch {
		case given:
		case old == "true" || old == "false":
			value = strconv.FormatBool(old == "false")
		case old == "yes" || old == "no":
			value = yesNo(old == "no")
		case err == nil:
			value = strconv.Itoa(n + 1)
		case strings.HasPrefix(old, "0."):
			value = "0.5"
		case server.Secret(key):
			value = "super:x"
		default:
			t.Errorf("%s: say in others what to try besides %q", key, old)
			continue
		}
		words := []Word{{key + "=" + value, "-D"}}
		for other := range strings.FieldsSeq(with[key]) {
			words = append(words, Word{other, "-D"})
		}
		all, _ := effectiveOf(t, files{"data/myid": "1\n"}, "", words...)
		want := Setting{Key: new(loader).with(table[key], setting{key, value, "-D"}), Name: key, Value: value, Origin: "-D", Set: true}.masked()
		if all[key] != want {
			t.Errorf("%s=%s is shown as %+v", key, value, all[key])
		}
	}
}

// Where values come from that nobody has set as they are.
func TestOrigins(t *testing.T) {
	fsys := files{"/etc/zoo.cfg": "dataDir=/d\ntickTime=1000\nsnapCount=1\ninitLimit=5\nsyncLimit=2\nmaxSessionTimeout=-1\n" +
		"dynamicConfigFile=/etc/zoo.cfg.dynamic.1\nsuperDigest=x\nDigestAuthenticationProvider.superDigest=super:hunter2\nfoo=1\n",
		"/etc/zoo.cfg.dynamic.1": "server.1=a:1:2;2182\nserver.2=b:1:2\nserver.3=c:1:2:observer\n", "/d/myid": "1\n"}
	all, cfg := effectiveOf(t, fsys, "/etc/zoo.cfg", Word{"zookeeper.maxCnxns=16", "JVMFLAGS"})
	for name, want := range map[string]string{
		"myid":              "1 /d/myid  true",
		"tickTime":          "1000 /etc/zoo.cfg:2  true",
		"minSessionTimeout": "2000 derived: 2 ticks  false",
		"maxSessionTimeout": "20000 derived: 20 ticks -1 true",
		"dataLogDir":        "/d derived: dataDir  false",
		"snapCount":         "2 /etc/zoo.cfg:3 1 true",
		"clientPort":        "2182 derived: server.1 (/etc/zoo.cfg.dynamic.1:1)  false",
		"clientPortAddress": "0.0.0.0 derived: server.1 (/etc/zoo.cfg.dynamic.1:1)  false",
		"peerType":          "participant derived: server.1 (/etc/zoo.cfg.dynamic.1:1)  false",
		"server.3":          "c:1:2:observer /etc/zoo.cfg.dynamic.1:3  true",
		"dynamicConfigFile": "/etc/zoo.cfg.dynamic.1 /etc/zoo.cfg:7  true",
		"DigestAuthenticationProvider.superDigest": "*** /etc/zoo.cfg:9  true",
		"globalOutstandingLimit":                   "1000 default  false",
		"preAllocSize":                             " not set  false",
		"ssl.*":                                    " not set  false",
		"foo":                                      "1 /etc/zoo.cfg:10  true",
	} {
		s := all[name]
		if got := strings.Join([]string{s.Value, s.Origin, s.Given, strconv.FormatBool(s.Set)}, " "); got != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
	if list := ForServer([]Setting{all["snapCount"], all["maxSessionTimeout"]}); list[0].Note != "given as 1; "+Lookup("snapCount").Note ||
		list[1] != (server.Setting{Key: "maxSessionTimeout", Value: "20000", Origin: "derived: 20 ticks", Effect: "same as in ZooKeeper", Note: "given as -1"}) {
		t.Errorf("for the server: %+v", list)
	}
	if cfg.Settings != nil {
		t.Error("loading alone is to leave Config.Settings empty")
	}
}

// Who does not look for the names of servers does not look for those of clients, and is
// told so.
func TestHostnameVerification(t *testing.T) {
	for _, tt := range []struct {
		text, clients, servers string
		warned                 bool
	}{
		{"", "false default ", "true default ", false},
		{"ssl.clientHostnameVerification=true\n", "true /zoo.cfg:3 ", "true default ", false},
		{"ssl.hostnameVerification=false\nssl.quorum.hostnameVerification=false\n",
			"false default ", "false derived: ssl.quorum.hostnameVerification ", false},
		{"ssl.hostnameVerification=false\nssl.clientHostnameVerification=true\n",
			"false derived: ssl.hostnameVerification true", "true default ", true},
	} {
		fsys := files{"/zoo.cfg": "dataDir=/d\nclientPort=2181\n" + tt.text}
		all, cfg := effectiveOf(t, fsys, "/zoo.cfg")
		show := func(key string) string { s := all[key]; return s.Value + " " + s.Origin + " " + s.Given }
		clients, servers := show("ssl.clientHostnameVerification"), show("ssl.quorum.clientHostnameVerification")
		if clients != tt.clients || servers != tt.servers {
			t.Errorf("%q: got %q and %q, want %q and %q", tt.text, clients, servers, tt.clients, tt.servers)
		}
		if c, s := cfg.ClientTLS.VerifyClient, cfg.QuorumTLS.VerifyClient; c != strings.HasPrefix(clients, "true") || s != strings.HasPrefix(servers, "true") {
			t.Errorf("%q: names of clients and servers are looked for: %v, %v", tt.text, c, s)
		}
		_, warnings, _ := loadWords("/zoo.cfg", nil, fsys.read)
		if (len(warnings) > 0) != tt.warned {
			t.Errorf("%q: warnings %q", tt.text, warnings)
		}
	}
}

func TestNearest(t *testing.T) {
	for typed, want := range map[string]string{
		"tickTime":                     "",
		"ticktime":                     "tickTime",
		"tikcTime":                     "tickTime",
		"timeTick":                     "tickTime",
		"maxClientCnxn":                "maxClientCnxns",
		"autopurge.purgeInteval":       "autopurge.purgeInterval",
		"sever.1":                      "server.1",
		"admin.serverprt":              "admin.serverPort",
		"quorum.auth.enablSasl":        "quorum.auth.enableSasl",
		"readOnlyMode.enabled":         "readonlymode.enabled",
		"ssl.keyStore.location":        "",
		"nio.numWorkerThreads":         "",
		"foo":                          "",
		"x":                            "",
		"":                             "",
		"com.sun.management.jmxremote": "",
		"wholly.different":             "",
	} {
		if got := nearest(typed); got != want {
			t.Errorf("%q: got %q, want %q", typed, got, want)
		}
	}
	for _, k := range strings.Fields(zooKeeperKeys) {
		if got := nearest(k); got != "" {
			t.Errorf("%s of ZooKeeper's is taken for %s", k, got)
		}
	}
}

// What ZooKeeper would hold as Java properties: what was set, under the name there.
func TestPropertiesOfJava(t *testing.T) {
	fsys := files{"/zoo.cfg": "dataDir=/d\nclientPort=0\nadmin.serverPort=8081\nunheard.of=x\n"}
	loaded, err := load(Sources{Path: "/zoo.cfg", Words: []Word{{"jute.maxbuffer=2000000", "-D"}, {"zookeeper.snapCount=7", "-D"}}}, fsys.read)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, s := range ForServer(loaded.Effective) {
		if s.Property != "" {
			got[s.Property] = s.Value
		}
	}
	want := map[string]string{
		"zookeeper.admin.serverPort": "8081", "zookeeper.unheard.of": "x", "jute.maxbuffer": "2000000", "zookeeper.snapCount": "7",
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
