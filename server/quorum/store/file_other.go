//go:build !linux

package store

import (
	"errors"
	"os"
)

// dataSync makes the data of a file durable.
func dataSync(f *os.File) error { return f.Sync() }

// readAhead does nothing here.
func readAhead(*os.File, bool) {}

// openDirect says that there is no such thing here.
func openDirect(string, int) (*os.File, error) { return nil, errors.ErrUnsupported }

// directMemory returns n bytes of the heap here.
func directMemory(n int) (b []byte, free func()) { return alignedBytes(n), func() {} }
