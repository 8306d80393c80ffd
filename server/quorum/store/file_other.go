//go:build !linux

package store

import "os"

// dataSync makes the data of a file durable.
func dataSync(f *os.File) error { return f.Sync() }

// readAhead does nothing here.
func readAhead(*os.File, bool) {}
