//go:build !unix

package bench

import "time"

// selfCPU is not known here.
func selfCPU() time.Duration { return 0 }
