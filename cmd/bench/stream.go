package bench

import (
	"errors"
	"net"
)

// follower takes what a stream brings.
type follower interface {
	// free is where the next bytes go; it is never empty.
	free() []byte
	// arrived is told that n bytes stand there now, more than none. Nothing more
	// is read when it says that all has ended, or fails.
	arrived(n int) (ended bool, err error)
}

var errNoBytes = errors.New("nothing read")

// followPlainly reads by calls that block.
func followPlainly(nc net.Conn, f follower) error {
	for {
		n, err := nc.Read(f.free())
		if n > 0 {
			if ended, err := f.arrived(n); ended || err != nil {
				return err
			}
		}
		switch {
		case err != nil:
			return err
		case n == 0:
			return errNoBytes
		}
	}
}
