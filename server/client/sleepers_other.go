//go:build !linux

package client

// sleepers is nobody: each connection keeps its goroutine.
type sleepers struct{}

func newSleepers(*Server) *sleepers { return nil }
func (*sleepers) run()              {}
func (*sleepers) close()            {}
func (*sleepers) add(*conn) bool    { return false }
func (*sleepers) wake(*conn)        {}
