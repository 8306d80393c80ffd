package zoocfg

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"zooraft/server"
	"zooraft/zabcompat"
)

// prefix may stand before every key. It is how the Java properties of the same
// meaning are called.
const prefix = "zookeeper."

// tickTimeUnset is the tick of a file that does not say one; the tick of
// ZooKeeper's sample file, and of server.DefaultConfig, is 2 s.
const tickTimeUnset = 3 * time.Second

// ErrFile wraps the fault of a configuration file that cannot be read at all.
var ErrFile = errors.New("cannot read the configuration file")

// Load reads the configuration from all its sources: the zoo.cfg, or in its place
// the variables of the environment, the file myid in its dataDir, for want of that
// the environment's id, and the words.
//
// The configuration is valid if err is nil. Otherwise err is the errors.Join of
// all faults, each one line with its place; no key is at fault twice. The
// warnings may come with or without faults. Neither holds the value of a secret.
func Load(src Sources) (Loaded, error) { return load(src, readRegular) }

// readRegular reads a file. What is not a regular file, or stands below a file,
// counts as missing.
func readRegular(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil && !errors.Is(err, syscall.ENOTDIR) {
		return nil, err
	}
	if err != nil || !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: fs.ErrNotExist}
	}
	return os.ReadFile(path)
}

// setting is a key, without prefix, as it was last set.
type setting struct {
	key, value string
	where      string // file:line, or that of a Word
}

type loader struct {
	cfg      server.Config
	env      Environment
	read     func(path string) ([]byte, error)
	path     string
	settings map[string]setting

	multiAddress bool
	timeoutSet   map[string]bool
	serverAt     map[string]string // canonical server.N to its place
	overruled    map[string]string // keys whose values do not hold, to the key that they follow
	idFrom       string            // where this server's id was found, "" for nowhere
	noID         error             // Loaded.NoID
	enforce      enforcement
	quorumAuth   quorumAuth
	users        *zabcompat.LoginModule // of the environment; nil for none
	scrapers     scraperAuth
	inFile       map[string]bool // keys that the file sets
	isProperty   map[string]bool // keys that were last set as a property

	faults   []error
	atFault  map[string]bool // keys that have a fault already
	warnings []string
}

func load(src Sources, read func(string) ([]byte, error)) (Loaded, error) {
	env, path := src.Env, src.Path
	if path == "" {
		path = env.configFile(read)
	}
	l := &loader{
		cfg:        server.DefaultConfig(),
		env:        env,
		read:       read,
		path:       path,
		settings:   make(map[string]setting),
		timeoutSet: make(map[string]bool),
		serverAt:   make(map[string]string),
		overruled:  make(map[string]string),
		atFault:    make(map[string]bool),
		scrapers:   scraperAuth{need: true, want: true},
	}
	if path != "" {
		if err := l.file(); err != nil {
			return Loaded{Config: l.cfg, Warnings: l.warnings}, err
		}
	} else {
		l.environment()
	}
	l.noteFile()
	for _, w := range src.Words {
		l.word(w)
	}
	l.dynamicFile()
	l.apply()
	l.derive()
	l.validate()
	if l.noID != nil && !src.Elsewhere {
		l.faults = append(l.faults, l.noID)
	}
	return Loaded{l.cfg, l.noID, l.warnings, l.settingsList(), l.effective()}, errors.Join(l.faults...)
}

func (l *loader) fault(s setting, format string, args ...any) {
	l.faults = append(l.faults, l.faulty(s, format, args...))
}

// faulty takes note that a key is at fault, and returns the fault.
func (l *loader) faulty(s setting, format string, args ...any) error {
	l.atFault[s.key] = true
	return fmt.Errorf("%s: %w", s.where, server.Fault{Key: s.key, Problem: fmt.Sprintf(format, args...)})
}

func (l *loader) warn(format string, args ...any) {
	l.warnings = append(l.warnings, fmt.Sprintf(format, args...))
}

func (l *loader) property(s setting) {
	if l.cfg.Properties == nil {
		l.cfg.Properties = make(map[string]string)
	}
	l.cfg.Properties[prefix+s.key] = s.value
}

// file reads the file at l.path into l.settings and sets what a file without
// these keys means.
func (l *loader) file() error {
	if relative(l.path) {
		l.warn("%s is relative. Prepend ./ to indicate that you're sure!", l.path)
	}
	data, err := l.read(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s file is missing", ErrFile, l.path)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFile, err)
	}
	l.cfg.ConfigFile, l.cfg.ConfigText = l.path, string(data)
	l.cfg.DataDir = ""
	l.cfg.TickTime = tickTimeUnset
	l.cfg.InitLimit, l.cfg.SyncLimit = 0, 0
	l.merge(l.path, data)
	return nil
}

// merge adds the properties of one file to l.settings.
func (l *loader) merge(path string, data []byte) {
	for _, p := range zabcompat.ParseProperties(data) {
		s := setting{
			key:   strings.TrimPrefix(strings.TrimSpace(p.Key), prefix),
			value: strings.TrimSpace(p.Value),
			where: fmt.Sprintf("%s:%d", path, p.Line),
		}
		if p.Err != nil {
			l.fault(s, "%v", p.Err)
			continue
		}
		if strings.HasPrefix(strings.TrimSpace(p.Key), prefix) {
			l.warn("%s: %s%s counts as %s; ZooKeeper looks only at what stands without the prefix", s.where, prefix, s.key, s.key)
		}
		if s.key == "" {
			l.warn("%s: there is no key before %q; the line does nothing", s.where, "=")
			continue
		}
		if first, given := l.settings[s.key]; given {
			l.warn("%s: %s is set again (first at %s); this one counts", s.where, s.key, first.where)
		}
		l.settings[s.key] = s
	}
}

// dynamicFile adds the server lines that ZooKeeper's dynamic reconfiguration
// has moved to a file of their own. The version in the file's name is not
// looked at: the members that an ensemble has agreed on are in its state.
func (l *loader) dynamicFile() {
	s, given := l.settings["dynamicConfigFile"]
	if !given {
		return
	}
	both := false
	for _, other := range l.sorted() {
		if isMembership(other.key) {
			l.fault(other, "must stand in %s, the dynamicConfigFile, and not here; remove one of the two", s.value)
			both = true
		}
	}
	if both {
		return
	}
	data, err := l.read(s.value)
	if err != nil {
		l.fault(s, "cannot read the file with the server lines: %v", err)
		return
	}
	before := l.settings
	l.settings = make(map[string]setting)
	l.merge(s.value, data)
	for _, s := range l.sorted() {
		if isMembership(s.key) || s.key == "peerType" {
			before[s.key] = s
		} else {
			l.fault(s, "does not belong into a dynamic configuration file; only server lines do")
		}
	}
	l.settings = before
}

// isMembership reports whether the key is server.N, group.N or weight.N, whatever N
// is, but for server.realm and server.principal.
func isMembership(key string) bool {
	kind, _, dotted := strings.Cut(key, ".")
	_, other := table[key]
	return dotted && !other && (kind == "server" || kind == "group" || kind == "weight")
}

// sorted returns the settings in the order of their places, which is the order
// in which an operator reads.
func (l *loader) sorted() []setting {
	all := make([]setting, 0, len(l.settings))
	for _, s := range l.settings {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b setting) int {
		return cmp.Or(comparePlaces(a.where, b.where), cmp.Compare(a.key, b.key))
	})
	return all
}

func comparePlaces(a, b string) int {
	fileA, lineA, _ := cutLast(a, ":")
	fileB, lineB, _ := cutLast(b, ":")
	nA, _ := strconv.Atoi(lineA)
	nB, _ := strconv.Atoi(lineB)
	return cmp.Or(cmp.Compare(fileA, fileB), cmp.Compare(nA, nB))
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// apply gives each setting to its key, and keeps the others as properties.
func (l *loader) apply() {
	all := l.sorted()
	if s, given := l.settings["multiAddress.enabled"]; given {
		keys[s.key](l, s) // decides what a server line may look like
	}
	for _, s := range all {
		if s.key == "multiAddress.enabled" {
			continue
		}
		if set, known := setter(s.key); known {
			set(l, s)
			continue
		}
		if isMembership(s.key) {
			member(l, s)
			continue
		}
		l.without(s)
	}
	slices.SortFunc(l.cfg.Servers, func(a, b zabcompat.ServerSpec) int { return cmp.Compare(a.ID, b.ID) })
}

// derive fills in what follows from several keys, and from myid.
func (l *loader) derive() {
	if !l.timeoutSet["minSessionTimeout"] {
		l.cfg.MinSessionTimeout = 2 * l.cfg.TickTime
	}
	if !l.timeoutSet["maxSessionTimeout"] {
		l.cfg.MaxSessionTimeout = 20 * l.cfg.TickTime
	}
	if l.cfg.Standalone() {
		defaults := server.DefaultConfig()
		if _, given := l.settings["initLimit"]; !given {
			l.cfg.InitLimit = defaults.InitLimit
		}
		if _, given := l.settings["syncLimit"]; !given {
			l.cfg.SyncLimit = defaults.SyncLimit
		}
	}
	if l.cfg.DataLogDir == "" {
		l.cfg.DataLogDir = l.cfg.DataDir
	}
	l.deriveLimits()
	l.deriveQuorumAuth()
	l.login()
	l.derivePages()
	l.deriveTLS()
	l.myid()
	self, listed := l.cfg.Self()
	if listed {
		l.role(self)
	}
	l.securePort()
	if l.cfg.SID != 0 {
		l.clientPort(self)
	}
	if !l.memberFault() {
		l.adviseOnSize()
		l.adviseOnHosts()
	}
}

// memberFault reports whether a line of the ensemble was refused, or the file with
// them could not be read. The ensemble looks smaller then than it is meant, and its
// size says nothing.
func (l *loader) memberFault() bool {
	for key := range l.atFault {
		if isMembership(key) || key == "dynamicConfigFile" {
			return true
		}
	}
	return false
}

// role makes the server line's role this server's own, as
// QuorumPeerConfig.setupPeerType does.
func (l *loader) role(self zabcompat.ServerSpec) {
	role := zabcompat.Participant
	if self.Observer {
		role = zabcompat.Observer
	}
	if _, given := l.settings["peerType"]; (given || self.Observer) && role != l.cfg.PeerType {
		l.warn("%s: Peer type from servers list (%s) doesn't match peerType (%s). Defaulting to servers list.",
			l.path, strings.ToUpper(role), strings.ToUpper(l.cfg.PeerType))
	}
	l.cfg.PeerType = role
}

// clientPort settles the client port between clientPort, clientPortAddress and
// the client part of this server's line, as QuorumPeerConfig.setupClientPort
// does. Where ZooKeeper would then serve no clients at all, the port is the
// default one, with a warning.
func (l *loader) clientPort(self zabcompat.ServerSpec) {
	port, portSet := l.settings["clientPort"]
	address, addressSet := l.settings["clientPortAddress"]
	if self.ClientPort == 0 {
		switch {
		case portSet:
		case l.cfg.SecureClientPort != 0 && !addressSet && l.path != "":
			l.cfg.ClientPort = 0
		case addressSet:
			l.fault(address, "clientPortAddress is set but clientPort is not set; add clientPort, for example clientPort=%d", server.DefaultClientPort)
		case l.path != "" && !l.memberFault():
			l.warn("%s: clientPort is not set, taking %d", l.path, server.DefaultClientPort)
		}
		return
	}
	if portSet && !l.atFault["clientPort"] {
		sameAddress := isAny(l.cfg.ClientPortAddress) || l.cfg.ClientPortAddress == self.ClientHost
		if l.cfg.ClientPort != self.ClientPort || !sameAddress {
			l.fault(port, "%s:%d differs from %s:%d, the client part of server.%d; remove one of the two",
				cmp.Or(l.cfg.ClientPortAddress, "0.0.0.0"), l.cfg.ClientPort, self.ClientHost, self.ClientPort, self.ID)
			return
		}
	}
	l.cfg.ClientPort = self.ClientPort
	l.cfg.ClientPortAddress = self.ClientHost
}

func isAny(host string) bool { return host == "" || host == "0.0.0.0" || host == "::" }

// adviseOnSize warns of ensembles that are no good idea. Two and even numbers
// are told in ZooKeeper's words.
func (l *loader) adviseOnSize() {
	participants := l.cfg.Participants()
	switch {
	case l.cfg.Standalone():
		if participants == 1 {
			l.warn("%s: Invalid configuration, only one server specified (ignoring)", l.source())
		}
	case participants <= 2:
		l.warn("%s: No server failure will be tolerated. You need at least 3 servers.", l.source())
	case participants%2 == 0:
		l.warn("%s: Non-optimal configuration, consider an odd number of servers.", l.source())
	}
}

// adviseOnHosts warns of server lines that others cannot dial. It looks no name up.
func (l *loader) adviseOnHosts() {
	if l.cfg.Standalone() {
		return
	}
	elsewhere := slices.ContainsFunc(l.cfg.Servers, func(s zabcompat.ServerSpec) bool { return !s.AnyHost() && !s.Loopback() })
	for _, s := range l.cfg.Servers {
		at := fmt.Sprintf("server.%d", s.ID)
		own := s.ID == l.cfg.SID
		switch {
		case s.AnyHost() && l.cfg.ReconfigEnabled:
			l.warn("%s: %s: nobody else can dial %s, and with reconfigEnabled=true the line may become the others' too; give the server's name, and quorumListenOnAllIPs=true if it is to listen on every address",
				l.serverAt[at], at, s.Host)
		case s.Loopback() && elsewhere && !(own && l.cfg.QuorumListenOnAllIPs):
			l.warn("%s: %s: servers on other hosts cannot dial %s; give the server's name, or an address that all of them reach", l.serverAt[at], at, s.Host)
		}
	}
}

// myid reads this server's id. A server alone may do without the file.
func (l *loader) myid() {
	if l.cfg.Standalone() && len(l.cfg.Servers) == 1 && l.cfg.Servers[0].ID <= zabcompat.MaxSID {
		l.cfg.SID = l.cfg.Servers[0].ID
		l.idFrom = fmt.Sprintf("%sserver.%d (%s)", OriginDerived, l.cfg.SID, l.serverAt[fmt.Sprintf("server.%d", l.cfg.SID)])
	}
	if l.cfg.DataDir == "" {
		l.atFault["myid"] = true // unknown, and dataDir is at fault already
		return
	}
	path := filepath.Join(l.cfg.DataDir, "myid")
	s := setting{key: "myid", where: path}
	data, err := l.read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if l.environmentID() {
			return
		}
		if !l.cfg.Standalone() {
			l.cfg.SID = 0
			l.noID = l.faulty(s, "myid file is missing; write this server's id, the N of its server.N line, into it, for example: echo 1 > %s", path)
		}
		return
	case errors.Is(err, fs.ErrPermission):
		if !l.cfg.Standalone() {
			l.cfg.SID = 0
		}
		l.noID = l.faulty(s, "cannot read the file: %v", err)
		return
	case err != nil:
		l.fault(s, "cannot read the file: %v", err)
		return
	}
	first := string(data)
	if end := strings.IndexAny(first, "\r\n"); end >= 0 {
		first = first[:end]
	}
	first = strings.TrimSpace(first)
	id, err := strconv.Atoi(first)
	if err != nil {
		l.fault(s, "serverid %q is not a number; the first line must be this server's id, for example 1", first)
		return
	}
	l.cfg.SID, l.idFrom = id, server.Absolute(path)
	l.compareEnvironmentID(path)
}

// validate adds the faults that server.Config finds itself, with the places of
// their keys.
func (l *loader) validate() {
	err := l.cfg.Validate()
	if err == nil {
		return
	}
	memberFault := l.memberFault()
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		var f server.Fault
		errors.As(e, &f)
		consequence := memberFault && (f.Key == "server" || f.Key == "standaloneEnabled" || f.Key == "myid") ||
			l.cfg.TickTime <= 0 && strings.HasSuffix(f.Key, "SessionTimeout") && !l.timeoutSet[f.Key]
		if l.atFault[f.Key] || consequence {
			continue
		}
		s, given := l.settings[f.Key]
		switch {
		case given:
		case f.Key == "minSessionTimeout" && l.timeoutSet["maxSessionTimeout"]: // larger than that
			s = setting{key: f.Key, where: l.settings["maxSessionTimeout"].where}
		case l.serverAt[f.Key] != "":
			s = setting{key: f.Key, where: l.serverAt[f.Key]}
		case f.Key == "myid":
			s = setting{key: f.Key, where: filepath.Join(l.cfg.DataDir, "myid")}
		default:
			s = setting{key: f.Key, where: l.source()}
		}
		l.faults = append(l.faults, fmt.Errorf("%s: %w", s.where, server.Fault{Key: f.Key, Problem: f.Problem}))
	}
}

// relative reports whether a path is relative without saying so by a dot at its
// beginning, as VerifyingFileFactory does.
func relative(path string) bool {
	return !filepath.IsAbs(path) && !strings.HasPrefix(path, ".")
}
