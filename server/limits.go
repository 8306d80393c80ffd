package server

import (
	"slices"
	"time"

	"zooraft/server/client"
)

// Limits are bounds on what clients may do.
type Limits = client.Limits

// ensemble is the scheme of that name, nil if it is not there.
func (c *Config) ensemble() *client.Ensemble {
	if !slices.Contains(c.AuthProviders, SchemeEnsemble) {
		return nil
	}
	return &client.Ensemble{Names: c.EnsembleNames}
}

func (v *validation) throttles(l *Limits) {
	v.durationAtLeast("nio.sessionlessCnxnTimeout", time.Millisecond, l.SessionlessTimeout)
	v.atLeast("largeRequestMaxBytes", 1, l.LargeRequestMaxBytes)

	c := &l.Connects
	v.atLeast("connection_throttle_tokens", 0, c.Tokens)
	v.atLeast("connection_throttle_fill_count", 0, c.FillCount)
	v.durationAtLeast("connection_throttle_fill_time", time.Millisecond, c.FillTime)
	v.share("connection_throttle_drop_increase", c.DropIncrease)
	v.share("connection_throttle_drop_decrease", c.DropDecrease)
	v.share("connection_throttle_decrease_ratio", c.DecreaseRatio)
	v.atLeast("connection_throttle_local_session_weight", 1, c.LocalWeight)
	v.atLeast("connection_throttle_renew_session_weight", 1, c.RenewWeight)
	v.atLeast("connection_throttle_global_session_weight", 1, c.GlobalWeight)

	r := &l.Requests
	v.atLeast("request_throttle_max_requests", 0, r.MaxRequests)
	v.durationAtLeast("request_throttle_stall_time", time.Millisecond, r.StallTime)
	v.durationAtLeast("throttled_op_wait_time", 0, r.OpWaitTime)
}

// durationAtLeast checks a key that is given in ms.
func (v *validation) durationAtLeast(key string, least, got time.Duration) {
	v.atLeast(key, int(least.Milliseconds()), int(got.Milliseconds()))
}

func (v *validation) share(key string, got float64) {
	if !(got >= 0 && got <= 1) { // not a number is neither
		v.fault(key, "%v is no share; give 0 to 1", got)
	}
}

// authentication checks, as ZooKeeper's AuthenticationHelper does, that clients
// can prove what is asked of them.
func (v *validation) authentication(c *Config) {
	for _, scheme := range c.EnforceAuth {
		there := scheme == "ip" || scheme == "digest" && !c.NoDigestAuth || scheme == SchemeX509 && c.clientTLS() ||
			slices.Contains(c.AuthProviders, scheme)
		if !there {
			v.fault("enforce.auth.schemes", "Authentication scheme %s is not available.", scheme)
		}
	}
	if problem := c.saslProblem(); problem != "" {
		v.fault("java.security.auth.login.config", "%s", problem)
	}
}
