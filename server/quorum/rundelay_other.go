//go:build !linux

package quorum

import "time"

// runDelay says that it is not known here.
func runDelay() (time.Duration, bool) { return 0, false }
