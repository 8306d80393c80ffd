package server

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// shared are the settings that should be the same on all members, by their keys: a
// client that is served by another one would be surprised.
func (c *Config) shared() map[string]string {
	return map[string]string{
		"tickTime":                               strconv.FormatInt(c.TickTime.Milliseconds(), 10),
		"initLimit":                              strconv.Itoa(c.InitLimit),
		"syncLimit":                              strconv.Itoa(c.SyncLimit),
		"minSessionTimeout":                      strconv.FormatInt(c.MinSessionTimeout.Milliseconds(), 10),
		"maxSessionTimeout":                      strconv.FormatInt(c.MaxSessionTimeout.Milliseconds(), 10),
		"jute.maxbuffer":                         strconv.Itoa(c.JuteMaxBuffer),
		"maxClientCnxns":                         strconv.Itoa(c.MaxClientCnxns),
		"extendedTypesEnabled":                   strconv.FormatBool(c.ExtendedTypes),
		"enforceQuota":                           strconv.FormatBool(c.EnforceQuota),
		"skipACL":                                strconv.FormatBool(c.SkipACL),
		"reconfigEnabled":                        strconv.FormatBool(c.ReconfigEnabled),
		"standaloneEnabled":                      strconv.FormatBool(c.StandaloneEnabled),
		"localSessionsEnabled":                   strconv.FormatBool(c.LocalSessions),
		"readonlymode.enabled":                   strconv.FormatBool(c.ReadOnlyMode),
		"enforce.auth.schemes":                   strings.Join(c.EnforceAuth, ","),
		"authProvider":                           strings.Join(slices.Sorted(slices.Values(c.AuthProviders)), ","),
		"DigestAuthenticationProvider.digestAlg": strings.ToUpper(c.DigestAlg),
		"DigestAuthenticationProvider.enabled":   fmt.Sprint(!c.NoDigestAuth),
		"localSessionsUpgradingEnabled":          strconv.FormatBool(c.LocalSessionsUpgrading),
	}
}
