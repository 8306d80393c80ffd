package zoocfg

import (
	"regexp"
	"strconv"
)

// forms says how ZooKeeper's parser of zoo.cfg reads the keys that have no effect
// here. What ends its start ends this one: a configuration with such a fault was
// never in use, and shall not pass here and fail in a ZooKeeper.
var forms = map[string]func(*loader, setting){
	"observerMasterPort":                      form32,
	"connectToLearnerMasterLimit":             form32,
	"quorum.cnxn.threads.size":                form32,
	"multiAddress.reachabilityCheckTimeoutMs": form32,
	"jvm.pause.sleep.time.ms":                 form64,
	"jvm.pause.info-threshold.ms":             form64,
	"jvm.pause.warn-threshold.ms":             form64,
	"multiAddress.reachabilityCheckEnabled":   formBoolean,
	"jvm.pause.monitor":                       formBoolean,
	"syncEnabled":                             formBoolean,
	"quorum.auth.enableSasl":                  func(l *loader, s setting) { l.boolean(s, &l.quorumAuth.enable) },
	"autopurge.purgeInterval":                 formPurgeInterval,
}

func form32(l *loader, s setting) { l.numberForm(s, 32) }

func form64(l *loader, s setting) { l.numberForm(s, 64) }

func (l *loader) numberForm(s setting, bits int) {
	if _, err := strconv.ParseInt(s.value, 10, bits); err != nil {
		l.fault(s, "%q is not a number; remove the line, which has no effect here", s.value)
	}
}

func formBoolean(l *loader, s setting) {
	var ignored bool
	l.boolean(s, &ignored)
}

// purgeInterval is a number of hours, or has the unit that ZooKeeper after 3.9 takes.
var purgeInterval = regexp.MustCompile(`^[+-]?[0-9]+(ms|s|m|h|d)?$`)

func formPurgeInterval(l *loader, s setting) {
	if !purgeInterval.MatchString(s.value) {
		l.fault(s, "%q is not a number of hours; remove the line, which has no effect here", s.value)
	}
}
