//go:build !unix

package client

import "net"

// setBacklog leaves what the system has: there is no way to say it here.
func setBacklog(net.Listener, int) error { return nil }
