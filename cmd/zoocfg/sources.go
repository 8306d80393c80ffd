package zoocfg

import (
	"cmp"
	"slices"
	"strings"

	"zooraft/server"
)

// Word is one KEY=VALUE from outside the files.
type Word struct {
	Text  string
	Where string // for messages: -D, or the name of an environment variable
}

// Sources are all places that a configuration comes from. In ZooKeeper a key is
// known to the parser of zoo.cfg, and then -Dzookeeper.KEY is not looked at, or it
// is a Java property, which a line of zoo.cfg sets and so wins over -Dzookeeper.KEY.
// Properties without the prefix, such as jute.maxbuffer, are not zoo.cfg's there.
// The same holds here, but for jute.maxbuffer and its like zoo.cfg counts as well,
// and loses.
type Sources struct {
	// Env are the variables and files of a container image.
	Env Environment
	// Path is the zoo.cfg. If it is empty, that in $ZOO_CONF_DIR counts, and
	// where there is none the variables of Env over server.DefaultConfig.
	Path string
	// Words are properties, named zookeeper.KEY or as in [Bare], and settings that
	// win over all else, named KEY. Of two of a kind the later counts.
	Words []Word
	// Elsewhere says that nobody is to run a server here, where the file myid need not
	// be there, nor be readable: Loaded.NoID is then no fault.
	Elsewhere bool
}

// Loaded is what was found in Sources.
type Loaded struct {
	// Config is without what depends on this server's id, such as its client port, if
	// that is 0, for NoID.
	Config server.Config
	// NoID is why the file myid could not be read, nil if it was, or need not be.
	NoID error
	// Warnings, one line each, are for the log.
	Warnings []string
	// Settings are all keys that were set, in order of name.
	Settings []Setting
	// Effective are all keys that are known, set or not, and myid, by subject, and
	// then what else was set. Of a faulty configuration they say nothing.
	Effective []Setting
}

// Setting is a key with its value.
type Setting struct {
	Key
	Name  string // as it was set, without the prefix "zookeeper."
	Value string // as it was set, or in Effective the one in effect; "***" for a secret
	Given string // in Effective: as it was set, if that is another
	// Origin is file:line, a Word's, or one of those below.
	Origin string
	Set    bool // whether somebody set it
}

// Origins of what nobody set.
const (
	OriginDefault = "default"
	OriginDerived = "derived: " // and what from
	OriginNotSet  = "not set"   // of a key that has no value then
)

// FromFile reports whether the setting stands in a file.
func (s Setting) FromFile() bool { return s.Set && strings.Contains(s.Origin, ":") }

// masked is the setting without a secret.
func (s Setting) masked() Setting {
	if !server.Secret(s.Name) {
		return s
	}
	for _, text := range []*string{&s.Value, &s.Given} {
		if *text != "" {
			*text = "***"
		}
	}
	return s
}

// ForServer is a list in the form that the server hands on.
func ForServer(list []Setting) []server.Setting {
	out := make([]server.Setting, len(list))
	for i, s := range list {
		out[i] = server.Setting{Key: s.Name, Value: s.Value, Origin: s.Origin, Effect: s.Effect.String(), Note: s.Remark(), Property: property(s)}
	}
	return out
}

// property is the Java property that a setting is in ZooKeeper, if it was set.
func property(s Setting) string {
	switch {
	case !s.Set || s.Name == idKey:
		return ""
	case s.Source == Bare:
		return s.Name
	case s.Source == Property || s.Effect == Unknown:
		return prefix + s.Name
	}
	return ""
}

// Remark is the key's note, and how the value was given if that is not the one in
// effect.
func (s Setting) Remark() string {
	if s.Given == "" {
		return s.Note
	}
	given := "given as " + s.Given
	if s.Note == "" {
		return given
	}
	return given + "; " + s.Note
}

// settingsList is what Loaded tells of the settings.
func (l *loader) settingsList() []Setting {
	list := make([]Setting, 0, len(l.settings))
	for _, s := range l.settings {
		list = append(list, Setting{Key: l.with(Lookup(s.key), s), Name: s.key, Value: s.value, Origin: s.where, Set: true}.masked())
	}
	slices.SortFunc(list, func(a, b Setting) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// with is what a key does when it is set so. One that asks for nothing but what is so
// here anyhow has no effect, whatever it would do with another value.
func (l *loader) with(k Key, s setting) Key {
	switch {
	case l.atFault[s.key]:
	case k.Effect == Refused:
		k.Effect, k.Note = Inert, "as it is; other values are refused: "+k.Note
	case k.Effect == Missing && strings.EqualFold(s.value, harmless(s.key)):
		k.Effect, k.Note = Inert, "as it is; "+k.Note
	}
	return k
}

// word takes one word from outside the files, after the file has been read.
func (l *loader) word(w Word) {
	name, value, assigned := strings.Cut(w.Text, "=")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	key, prefixed := strings.CutPrefix(name, prefix)
	s := setting{key, value, w.Where}
	switch {
	case key == "" || !assigned && !strings.Contains(name, "."): // java takes -Dname for an empty value
		s.key = name // of a word without = nothing is known to be secret
		l.fault(s, "not KEY=VALUE; write for example -D tickTime=2000")
	case prefixed:
		l.javaProperty(s)
	default:
		l.settings[key] = s
	}
}

// javaProperty takes a property zookeeper.KEY, which weighs less than the file.
func (l *loader) javaProperty(s setting) {
	first, given := l.settings[s.key]
	k := Lookup(s.key)
	switch {
	case k.Source == File && k.Effect != Unknown:
		l.warn("%s: %s%s does nothing: it is no property, but a key of zoo.cfg (or -D %s=...)", s.where, prefix, s.key, s.key)
	case k.Source == Bare:
		l.warn("%s: %s%s does nothing: the property is called %s", s.where, prefix, s.key, s.key)
	case given && l.inFile[s.key]:
		if first.value != s.value {
			l.warn("%s: %s%s does nothing: %s sets it, and counts", s.where, prefix, s.key, first.where)
		}
	case given && !l.isProperty[s.key]: // -D KEY
	default:
		l.settings[s.key] = s
		l.isProperty[s.key] = true
	}
}

// noteFile remembers which keys the file sets.
func (l *loader) noteFile() {
	l.inFile, l.isProperty = make(map[string]bool), make(map[string]bool)
	for key := range l.settings {
		l.inFile[key] = true
	}
}

// setter returns what takes a key that has an effect.
func setter(key string) (func(*loader, setting), bool) {
	if set, ok := keys[key]; ok {
		return set, true
	}
	switch {
	case strings.HasPrefix(key, "authProvider."):
		return authProvider, true
	case strings.HasPrefix(key, "superUser."):
		return superUser, true
	}
	return nil, false
}

// without takes a key that has no effect, and says so, unless nobody can miss it.
func (l *loader) without(s setting) {
	l.property(s)
	if properties[s.key] {
		return
	}
	if form, known := forms[s.key]; known {
		if form(l, s); l.atFault[s.key] {
			return
		}
	}
	meant := ""
	if near := nearest(s.key); near != "" {
		meant = "; is " + near + " meant?"
	}
	switch k := Lookup(s.key); {
	case k.Effect == Refused:
		l.fault(s, "%s; remove it", k.Note)
	case k.Effect == Missing && !strings.EqualFold(s.value, harmless(s.key)):
		l.warn("%s: %s has no effect: %s%s", s.where, s.key, k.Note, meant)
	case k.Effect == Unknown:
		l.warn("%s: %s is unknown, and has no effect%s", s.where, s.key, meant)
	case meant != "" && k.Name != s.key:
		l.warn("%s: %s has no effect%s", s.where, s.key, meant)
	}
}

// harmless is the value of a key that is missing here at which nobody misses it.
func harmless(key string) string {
	if key == "forceSync" {
		return "yes"
	}
	return "false"
}
