//go:build !unix

package certs

import (
	"errors"
	"net"
)

// firstByte cannot look at a byte without taking it here.
func firstByte(net.Conn) (byte, error) {
	return 0, errors.New("this system does not tell TLS from plain text: use a port for each")
}
