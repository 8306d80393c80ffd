package heap

import (
	"errors"
	"math"
	"os"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/hashicorp/go-hclog"
)

// Limit makes the runtime keep below nine tenths of the memory that the
// process's cgroup, of version 1 or 2, may use, and logs the outcome once. The
// environment variable GOMEMLIMIT wins, or else AUTOMEMLIMIT, which sets another
// part than 0.9, or "off". It must be called before the heap grows.
func Limit(log hclog.Logger) {
	limit, err := memlimit.Set()
	source := "cgroup"
	for _, key := range []string{"AUTOMEMLIMIT", "GOMEMLIMIT"} {
		if value, ok := os.LookupEnv(key); ok {
			source = key + "=" + value
		}
	}
	switch {
	case errors.Is(err, memlimit.ErrCgroupsNotSupported), errors.Is(err, memlimit.ErrNoCgroup):
		log.Info("memory is not limited", "source", "no cgroup")
	case err != nil:
		log.Warn("memory limit is unknown; give it in GOMEMLIMIT", "error", err)
	case limit == math.MaxInt64:
		log.Info("memory is not limited", "source", source)
	default:
		log.Info("memory is limited", "bytes", limit, "source", source)
	}
}
