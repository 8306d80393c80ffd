package zoocfg

import (
	"strings"
	"testing"
)

// asked is, for a key that is refused with some values only, or told of with some,
// one with which it asks for something.
var asked = map[string]string{
	"electionAlg": "0", "weight.": "2", "forceSync": "no", "db.autocreate": "false",
	"authProvider.": "com.example.Provider",

	"observerMasterPort": "2191", "connectToLearnerMasterLimit": "1", "quorum.cnxn.threads.size": "1",
	"multiAddress.reachabilityCheckTimeoutMs": "1", "autopurge.purgeInterval": "1",
}

// Nothing is lost in silence: a key that is refused ends the start with its line
// and name, and one that is missed is warned of so. What is inert is named by who
// logs the settings.
func TestNothingIsSilent(t *testing.T) {
	for _, k := range rows {
		name, value := k.Name, "true"
		if strings.HasSuffix(name, ".") {
			name += "1"
		}
		if v, given := asked[k.Name]; given {
			value = v
		}
		text := "dataDir=/d\nclientPort=2181\n" + name + "=" + value + "\n"
		loaded, err := load(Sources{Path: "/zoo.cfg"}, files{"/zoo.cfg": text}.read)
		at := "/zoo.cfg:3: "
		switch {
		case k.Effect == Refused || k.Name == "authProvider.":
			if err == nil || !strings.Contains(err.Error(), at+name) {
				t.Errorf("%s=%s is refused, but: %v", name, value, err)
			}
		case k.Effect == Missing:
			warned := false
			for _, w := range loaded.Warnings {
				warned = warned || strings.HasPrefix(w, at+name+" has no effect: ")
			}
			if err != nil || !warned {
				t.Errorf("%s=%s is missed, but: %v, %q", name, value, err, loaded.Warnings)
			}
		case k.Effect == Inert:
			found := false
			for _, s := range loaded.Settings {
				found = found || s.Name == name && s.Effect == Inert && s.Note != ""
			}
			if err != nil || !found || len(loaded.Warnings) > 0 {
				t.Errorf("%s=%s has no effect, but: %v, %q", name, value, err, loaded.Warnings)
			}
		}
	}
}
