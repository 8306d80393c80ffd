//go:build !linux

package bench

import "net"

// stream is a connection's bytes, both ways.
type stream struct{ nc net.Conn }

func (s *stream) init(nc net.Conn) { s.nc = nc }

// follow has f take what comes, until it has enough or nothing more can be read.
func (s *stream) follow(f follower) error { return followPlainly(s.nc, f) }

// write writes b, and blocks until it is written.
func (s *stream) write(b []byte) error {
	_, err := s.nc.Write(b)
	return err
}
