package zoocfg

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Environment is what a container is given in place of a zoo.cfg and a myid: the
// variables of the common ZooKeeper images, beginning with ZOO_.
//
//	ZOO_SERVERS   server.1=host:2888:3888;2181 ..., or host:2888:3888::1,...
//	ZOO_MY_ID     this server's id where there is no file myid, or "hostname": the
//	              number at the end of the host name, plus one, as the pods of a
//	              StatefulSet are numbered
//	ZOO_CFG_a_b   the key a.b
//
// and for single keys those in variables, below. Each but ZOO_CFG_a_b may be given
// by a file that NAME_FILE names. The zero value is an empty environment.
type Environment struct {
	vars     map[string]string
	hostname string
}

// variable makes a setting of the value of an environment variable.
type variable struct {
	key   string
	value func(string) string // nil: as it stands
}

// variables are those that stand for one key each.
var variables = map[string]variable{
	"ZOO_TICK_TIME":                      {key: "tickTime"},
	"ZOO_INIT_LIMIT":                     {key: "initLimit"},
	"ZOO_SYNC_LIMIT":                     {key: "syncLimit"},
	"ZOO_DATA_DIR":                       {key: "dataDir"},
	"ZOO_DATA_LOG_DIR":                   {key: "dataLogDir"},
	"ZOO_PORT_NUMBER":                    {key: "clientPort"},
	"ZOO_MAX_CLIENT_CNXNS":               {key: "maxClientCnxns"},
	"ZOO_MAX_CNXNS":                      {key: "maxCnxns"},
	"ZOO_MIN_SESSION_TIMEOUT":            {key: "minSessionTimeout"},
	"ZOO_MAX_SESSION_TIMEOUT":            {key: "maxSessionTimeout"},
	"ZOO_AUTOPURGE_PURGEINTERVAL":        {key: "autopurge.purgeInterval"},
	"ZOO_AUTOPURGE_INTERVAL":             {key: "autopurge.purgeInterval"},
	"ZOO_AUTOPURGE_SNAPRETAINCOUNT":      {key: "autopurge.snapRetainCount"},
	"ZOO_AUTOPURGE_RETAIN_COUNT":         {key: "autopurge.snapRetainCount"},
	"ZOO_SNAPCOUNT":                      {key: "snapCount"},
	"ZOO_PRE_ALLOC_SIZE":                 {key: "preAllocSize"},
	"ZOO_PEER_TYPE":                      {key: "peerType"},
	"ZOO_4LW_COMMANDS_WHITELIST":         {key: "4lw.commands.whitelist"},
	"ZOO_STANDALONE_ENABLED":             {"standaloneEnabled", truth},
	"ZOO_RECONFIG_ENABLED":               {"reconfigEnabled", truth},
	"ZOO_LISTEN_ALLIPS_ENABLED":          {"quorumListenOnAllIPs", truth},
	"ZOO_ADMINSERVER_ENABLED":            {"admin.enableServer", truth},
	"ZOO_ENABLE_ADMIN_SERVER":            {"admin.enableServer", truth},
	"ZOO_ADMIN_SERVER_PORT_NUMBER":       {key: "admin.serverPort"},
	"ZOO_ENABLE_PROMETHEUS_METRICS":      {"metricsProvider.className", metricsProvider},
	"ZOO_PROMETHEUS_METRICS_PORT_NUMBER": {key: "metricsProvider.httpPort"},

	"ZOO_TLS_CLIENT_KEYSTORE_FILE":       {key: "ssl.keyStore.location"},
	"ZOO_TLS_CLIENT_KEYSTORE_PASSWORD":   {key: "ssl.keyStore.password"},
	"ZOO_TLS_CLIENT_TRUSTSTORE_FILE":     {key: "ssl.trustStore.location"},
	"ZOO_TLS_CLIENT_TRUSTSTORE_PASSWORD": {key: "ssl.trustStore.password"},
	"ZOO_TLS_CLIENT_AUTH":                {key: "ssl.clientAuth"},
	"ZOO_TLS_QUORUM_ENABLE":              {"sslQuorum", truth},
	"ZOO_TLS_QUORUM_KEYSTORE_FILE":       {key: "ssl.quorum.keyStore.location"},
	"ZOO_TLS_QUORUM_KEYSTORE_PASSWORD":   {key: "ssl.quorum.keyStore.password"},
	"ZOO_TLS_QUORUM_TRUSTSTORE_FILE":     {key: "ssl.quorum.trustStore.location"},
	"ZOO_TLS_QUORUM_TRUSTSTORE_PASSWORD": {key: "ssl.quorum.trustStore.password"},
	"ZOO_TLS_QUORUM_CLIENT_AUTH":         {key: "ssl.quorum.clientAuth"},
}

// compound are the variables with a rule of their own.
var compound = map[string]func(*loader, string){
	"ZOO_SERVERS":            (*loader).environmentServers,
	"ZOO_CFG_EXTRA":          (*loader).environmentExtra,
	"ZOO_TLS_CLIENT_ENABLE":  (*loader).environmentTLS,
	"ZOO_ENABLE_AUTH":        (*loader).environmentAuth,
	"ZOO_ENABLE_QUORUM_AUTH": (*loader).environmentQuorumAuth,
}

// elsewhere are variables that set no key by themselves, and are not worth a word;
// with true they may be given by a file.
var elsewhere = map[string]bool{
	"ZOO_MY_ID": true, "ZOO_SERVER_ID": true, // id
	"ZOO_CONF_DIR": false,                                                                      // configFile
	"ZOO_LOG_DIR":  false, "ZOO_LOG_FILE": false, "ZOO_LOG4J_PROP": false, "ZOO_NOEXEC": false, // zkServer.sh
	"ZOO_LOG_LEVEL":       false,                              // cmd/zooraft
	"ZOO_TLS_PORT_NUMBER": true,                               // environmentTLS
	"ZOO_SERVER_USERS":    true, "ZOO_SERVER_PASSWORDS": true, // environmentAuth
	"ZOO_CLIENT_USER": false, "ZOO_CLIENT_PASSWORD": false, // of the images' own client
}

// confluent are the variables of Confluent's image, and what is to be given in
// their place: with them alone a server would not be what it is meant to be.
var confluent = map[string]string{
	"ZOOKEEPER_SERVERS":     "ZOO_SERVERS",
	"ZOOKEEPER_SERVER_ID":   "ZOO_MY_ID",
	"ZOOKEEPER_CLIENT_PORT": "ZOO_PORT_NUMBER",
	"ZOOKEEPER_TICK_TIME":   "ZOO_TICK_TIME",
}

const (
	cfgPrefix   = "ZOO_CFG_"
	fileSuffix  = "_FILE"
	prometheus  = "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider"
	noMetrics   = "org.apache.zookeeper.metrics.impl.DefaultMetricsProvider"
	defaultTLS  = "3181"
	fromOrdinal = "hostname"
)

// NewEnvironment takes the ZOO_ variables, and Confluent's, out of environ, NAME=VALUE words as
// os.Environ returns them. As in the images, an empty one counts as not set.
func NewEnvironment(environ []string, hostname string) Environment {
	e := Environment{vars: make(map[string]string), hostname: hostname}
	for _, word := range environ {
		if name, value, _ := strings.Cut(word, "="); (strings.HasPrefix(name, "ZOO_") || confluent[name] != "") && value != "" {
			e.vars[name] = value
		}
	}
	return e
}

// configFile returns the zoo.cfg in ZOO_CONF_DIR if there is one: a file wins
// over variables, as in the images.
func (e Environment) configFile(read func(string) ([]byte, error)) string {
	dir := e.vars["ZOO_CONF_DIR"]
	if dir == "" {
		return ""
	}
	path := filepath.Join(dir, "zoo.cfg")
	if _, err := read(path); errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return path
}

// environment makes settings of the environment's variables. If there is none
// that speaks of the configuration, the built-in defaults stay.
func (l *loader) environment() {
	var unknown []string
	for _, given := range slices.Sorted(maps.Keys(l.env.vars)) {
		name := l.env.named(given)
		if _, known := elsewhere[name]; known || name != given && l.env.vars[name] != "" {
			continue
		}
		value, err := l.value(name)
		if err != nil {
			l.fault(setting{key: name, where: "$" + given}, "%v", err)
			continue
		}
		switch v, single := variables[name]; {
		case single:
			if v.value != nil {
				value = v.value(value)
			}
			l.environmentSetting(name, v.key, value)
		case confluent[name] != "":
			l.fault(setting{key: name, where: "$" + name}, "is not taken here; give %s in its place, or a zoo.cfg", confluent[name])
		case compound[name] != nil:
			compound[name](l, value)
		case strings.HasPrefix(name, cfgPrefix):
			l.environmentSetting(name, strings.ReplaceAll(name[len(cfgPrefix):], "_", "."), value)
		default:
			unknown = append(unknown, name)
		}
	}
	if s, asked := l.settings["admin.enableServer"]; asked && s.value == "true" && l.settings["admin.serverAddress"].value == "" {
		l.warn("%s: the admin server listens at 127.0.0.1, which nobody reaches from outside of a container; ZOO_CFG_admin_serverAddress=0.0.0.0 opens it to all", s.where)
	}
	if len(unknown) > 0 && len(l.settings) > 0 {
		l.warn("these variables have no effect: %s", strings.Join(unknown, ", "))
	}
}

// named returns the variable that a variable gives: itself, or NAME for NAME_FILE
// where NAME may be given by a file.
func (e Environment) named(given string) string {
	name, byFile := strings.CutSuffix(given, fileSuffix)
	if _, itself := variables[given]; !byFile || itself {
		return given
	}
	if _, single := variables[name]; single || compound[name] != nil || elsewhere[name] {
		return name
	}
	return given
}

// value returns the value of a variable, its own or else what the file that NAME_FILE
// names holds; "" if it has neither.
func (l *loader) value(name string) (string, error) {
	path := l.env.vars[name+fileSuffix]
	if value := l.env.vars[name]; value != "" || path == "" {
		return strings.TrimSpace(value), nil
	}
	data, err := l.read(path)
	if err != nil {
		return "", fmt.Errorf("cannot read the file: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}

func (l *loader) environmentSetting(name, key, value string) {
	s := setting{strings.TrimPrefix(key, prefix), value, "$" + name}
	if first, given := l.settings[s.key]; given && first.value != value {
		l.fault(s, "differs from %s; remove one of the two", first.where)
		return
	}
	l.settings[s.key] = s
}

// environmentServers takes server lines divided by blanks; or a list of
// host:quorumPort:electionPort, each with ::id or numbered from 1, where a single
// one means a server alone.
func (l *loader) environmentServers(value string) {
	const name = "ZOO_SERVERS"
	if strings.Contains(value, "=") {
		l.environmentLines(name, value)
		return
	}
	servers := strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(",; \t\r\n", r) })
	if len(servers) < 2 {
		return
	}
	for i, s := range servers {
		line, id, _ := cutLast(s, "::")
		if _, err := strconv.Atoi(id); err != nil {
			line, id = s, strconv.Itoa(i+1)
		}
		l.environmentSetting(name, "server."+id, line)
	}
}

// environmentExtra takes KEY=VALUE words.
func (l *loader) environmentExtra(value string) { l.environmentLines("ZOO_CFG_EXTRA", value) }

func (l *loader) environmentLines(name, value string) {
	for word := range strings.FieldsSeq(value) {
		key, v, ok := strings.Cut(word, "=")
		if !ok {
			l.fault(setting{key: word, where: "$" + name}, "is not KEY=VALUE")
			continue
		}
		l.environmentSetting(name, key, v)
	}
}

func (l *loader) environmentTLS(value string) {
	if truth(value) == "true" {
		const name = "ZOO_TLS_PORT_NUMBER"
		port, err := l.value(name)
		if err != nil {
			l.fault(setting{key: name, where: "$" + name + fileSuffix}, "%v", err)
			return
		}
		l.environmentSetting("ZOO_TLS_CLIENT_ENABLE", "secureClientPort", cmp.Or(port, defaultTLS))
	}
}

// environmentID sets the id from the environment, for want of a file myid, and
// reports whether there is one, faulty or not.
func (l *loader) environmentID() bool {
	id, s, err := l.id()
	if s.key == "" {
		return false
	}
	l.settings[s.key] = s
	if err != nil {
		l.fault(s, "%v", err)
		return true
	}
	l.cfg.SID, l.idFrom = id, s.where
	return true
}

// compareEnvironmentID warns of an id that the file at path has overruled.
func (l *loader) compareEnvironmentID(path string) {
	if id, s, err := l.id(); s.key != "" && (err != nil || id != l.cfg.SID) {
		l.warn("%s=%s does not count: %s says %d", s.where, s.value, path, l.cfg.SID)
	}
}

// id returns the id that the environment gives, with where it says so: the zero
// setting if it gives none.
func (l *loader) id() (int, setting, error) {
	for _, name := range []string{"ZOO_MY_ID", "ZOO_SERVER_ID"} {
		value, err := l.value(name)
		s := setting{key: "myid", value: value, where: "$" + name}
		if err != nil {
			return 0, s, err
		}
		if value == "" {
			continue
		}
		if value == fromOrdinal {
			n, err := ordinal(l.env.hostname)
			return n + 1, s, err
		}
		id, err := strconv.Atoi(value)
		if err != nil {
			err = fmt.Errorf("%q is not a number; give this server's id, or %q to take it from the host name", value, fromOrdinal)
		}
		return id, s, err
	}
	return 0, setting{}, nil
}

// source names what the configuration has been read from.
func (l *loader) source() string {
	switch {
	case l.path != "":
		return l.path
	case len(l.env.vars) > 0:
		return "environment"
	}
	return "-D"
}

// ordinal returns the N of a host name that ends in -N, its domain left aside.
func ordinal(hostname string) (int, error) {
	host, _, _ := strings.Cut(hostname, ".")
	_, digits, found := cutLast(host, "-")
	n, err := strconv.ParseUint(digits, 10, 16)
	if !found || err != nil {
		return 0, fmt.Errorf("the host name %q does not end in a number, as that of a StatefulSet's pod does (zk-0)", hostname)
	}
	return int(n), nil
}

// truth reads yes and no, as the images do, and leaves anything else to the key.
func truth(value string) string {
	switch strings.ToLower(value) {
	case "yes", "1":
		return "true"
	case "no", "0":
		return "false"
	}
	return strings.ToLower(value)
}

func metricsProvider(value string) string {
	if truth(value) == "true" {
		return prometheus
	}
	return noMetrics
}
