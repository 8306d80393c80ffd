package zoocfg

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"zooraft/server"
	"zooraft/zabcompat"
)

// limitKeys are the keys of server.Limits, of authentication, and leaderServes.
// All are properties in ZooKeeper: numbers may have a prefix 0x, and anything but
// true is false.
var limitKeys = map[string]func(*loader, setting){
	"clientPortListenBacklog": func(l *loader, s setting) {
		l.number(s, "the number of connections, or -1 for the system's", "128", &l.cfg.Limits.ListenBacklog)
	},
	"clientTcpKeepAlive": func(l *loader, s setting) { l.flag(s, &l.cfg.Limits.KeepAlive) },
	"netty.server.outstandingHandshake.limit": func(l *loader, s setting) {
		l.count(s, "the number of handshakes, -1 for no limit", "100", &l.cfg.Limits.Handshakes)
	},
	"nio.sessionlessCnxnTimeout": func(l *loader, s setting) { l.ms(s, "10000", &l.cfg.Limits.SessionlessTimeout) },
	"largeRequestThreshold":      largeRequestThreshold,
	"largeRequestMaxBytes":       func(l *loader, s setting) { l.bytes(s, &l.cfg.Limits.LargeRequestMaxBytes) },

	"connection_throttle_tokens": func(l *loader, s setting) {
		l.count(s, "the number of connections, 0 for no throttle", "100", &l.cfg.Limits.Connects.Tokens)
	},
	"connection_throttle_fill_time": func(l *loader, s setting) { l.ms(s, "1", &l.cfg.Limits.Connects.FillTime) },
	"connection_throttle_fill_count": func(l *loader, s setting) {
		l.count(s, "the number of tokens", "1", &l.cfg.Limits.Connects.FillCount)
	},
	"connection_throttle_freeze_time":    func(l *loader, s setting) { l.ms(s, "100", &l.cfg.Limits.Connects.FreezeTime) },
	"connection_throttle_drop_increase":  func(l *loader, s setting) { l.share(s, "0.02", &l.cfg.Limits.Connects.DropIncrease) },
	"connection_throttle_drop_decrease":  func(l *loader, s setting) { l.share(s, "0.002", &l.cfg.Limits.Connects.DropDecrease) },
	"connection_throttle_decrease_ratio": func(l *loader, s setting) { l.share(s, "0.5", &l.cfg.Limits.Connects.DecreaseRatio) },
	"connection_throttle_weight_enabled": func(l *loader, s setting) { l.flag(s, &l.cfg.Limits.Connects.Weighted) },
	"connection_throttle_global_session_weight": func(l *loader, s setting) {
		l.weight(s, &l.cfg.Limits.Connects.GlobalWeight)
	},
	"connection_throttle_local_session_weight": func(l *loader, s setting) { l.weight(s, &l.cfg.Limits.Connects.LocalWeight) },
	"connection_throttle_renew_session_weight": func(l *loader, s setting) { l.weight(s, &l.cfg.Limits.Connects.RenewWeight) },

	"request_throttle_max_requests": func(l *loader, s setting) {
		l.count(s, "the number of requests, 0 for no throttle", "20000", &l.cfg.Limits.Requests.MaxRequests)
	},
	"request_throttle_stall_time":    func(l *loader, s setting) { l.ms(s, "100", &l.cfg.Limits.Requests.StallTime) },
	"request_throttle_drop_stale":    func(l *loader, s setting) { l.flag(s, &l.cfg.Limits.Requests.DropStale) },
	"request_stale_connection_check": func(l *loader, s setting) { l.flag(s, &l.cfg.Limits.Requests.StaleConnection) },
	"request_stale_latency_check":    func(l *loader, s setting) { l.flag(s, &l.cfg.Limits.Requests.StaleLatency) },
	"throttled_op_wait_time":         func(l *loader, s setting) { l.ms(s, "1000", &l.cfg.Limits.Requests.OpWaitTime) },

	"leaderServes": func(l *loader, s setting) { l.cfg.LeaderServes = s.value != "no" },

	"enforce.auth.enabled":         func(l *loader, s setting) { l.boolean(s, &l.enforce.enabled) },
	"enforce.auth.schemes":         func(l *loader, s setting) { l.enforce.schemes = zabcompat.SplitList(s.value) },
	"sessionRequireClientSASLAuth": func(l *loader, s setting) { l.boolean(s, &l.enforce.sasl) },
	"ensembleAuthName":             func(l *loader, s setting) { l.cfg.EnsembleNames = zabcompat.SplitList(s.value) },
}

func init() {
	for key, set := range limitKeys {
		keys[key] = set
	}
}

// enforcement is what the keys say of authentication that clients must have.
type enforcement struct {
	enabled, sasl bool
	schemes       []string
}

// integer reads what Integer.decode does: decimal, 0x or # for hexadecimal, and 0
// for octal.
func integer(text string) (int, bool) {
	sign := ""
	if strings.HasPrefix(text, "-") || strings.HasPrefix(text, "+") {
		sign, text = text[:1], text[1:]
	}
	base := 10
	switch {
	case strings.HasPrefix(text, "0x"), strings.HasPrefix(text, "0X"):
		base, text = 16, text[2:]
	case strings.HasPrefix(text, "#"):
		base, text = 16, text[1:]
	case strings.HasPrefix(text, "0") && len(text) > 1:
		base, text = 8, text[1:]
	}
	if text == "" || text[0] == '-' || text[0] == '+' {
		return 0, false
	}
	n, err := strconv.ParseInt(sign+text, base, 32)
	return int(n), err == nil
}

// count reads a number of a property.
func (l *loader) count(s setting, what, example string, to *int) bool {
	n, ok := integer(s.value)
	if !ok {
		l.fault(s, "%q is not a number; give %s, for example %s", s.value, what, example)
		return false
	}
	*to = n
	return true
}

// ms reads milliseconds of a property.
func (l *loader) ms(s setting, example string, to *time.Duration) {
	var n int
	if l.count(s, "milliseconds", example, &n) {
		*to = time.Duration(n) * time.Millisecond
	}
}

// share reads a number from 0 to 1.
func (l *loader) share(s setting, example string, to *float64) {
	f, err := strconv.ParseFloat(s.value, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		l.fault(s, "%q is not a number; give 0 to 1, for example %s", s.value, example)
		return
	}
	*to = f
}

// flag reads a boolean by Boolean.parseBoolean's rule, as ZooKeeper does those that
// are properties.
func (l *loader) flag(s setting, to *bool) {
	*to = strings.EqualFold(s.value, "true")
	if !*to && !strings.EqualFold(s.value, "false") {
		l.warn("%s: %s: %q counts as false; only true turns it on", s.where, s.key, s.value)
	}
}

// weight reads the weight of a kind of session; one that is none leaves the
// default, as in ZooKeeper.
func (l *loader) weight(s setting, to *int) {
	n := *to
	switch ok := l.count(s, "a weight of 1 or more", "2", &n); {
	case !ok:
	case n < 1:
		l.warn("%s: %s: %d is no weight, taking %d", s.where, s.key, n, *to)
	default:
		*to = n
	}
}

func largeRequestThreshold(l *loader, s setting) {
	var n int
	switch ok := l.count(s, "bytes, or -1 for no limit", "1048576", &n); {
	case !ok:
	case n != -1 && n < 1:
		l.warn("%s: largeRequestThreshold: %d is neither -1 nor positive, taking -1", s.where, n)
		l.cfg.Limits.LargeRequestThreshold = -1
	default:
		l.cfg.Limits.LargeRequestThreshold = n
	}
}

// deriveLimits settles what the keys of authentication say together, as
// AuthenticationHelper does, and the weights of sessions, as BlueThrottle does.
func (l *loader) deriveLimits() {
	switch e := l.enforce; {
	case e.sasl:
		l.cfg.EnforceAuth = []string{server.SchemeSASL}
		if !slices.Contains(l.cfg.AuthProviders, server.SchemeSASL) {
			l.fault(l.settings["sessionRequireClientSASLAuth"],
				"Authentication scheme sasl is not available; set authProvider.sasl=%sSASLAuthenticationProvider", classPrefix)
			l.atFault["enforce.auth.schemes"] = true
		}
	case e.enabled && len(e.schemes) == 0:
		l.fault(l.settings["enforce.auth.enabled"],
			"zookeeper.enforce.auth.enabled is true zookeeper.enforce.auth.schemes must be configured; give for example enforce.auth.schemes=digest")
	case e.enabled:
		l.cfg.EnforceAuth = e.schemes
	}
	c := &l.cfg.Limits.Connects
	for _, w := range []struct {
		name string
		at   *int
	}{{"global", &c.GlobalWeight}, {"renew", &c.RenewWeight}} {
		if *w.at < c.LocalWeight {
			l.warn("%s: the %s session weight %d is less than the local session weight %d, taking that", l.source(), w.name, *w.at, c.LocalWeight)
			l.overruled["connection_throttle_"+w.name+"_session_weight"] = "connection_throttle_local_session_weight"
			*w.at = c.LocalWeight
		}
	}
}
