//go:build !unix

package client

import "errors"

const hasRawIO = false

func readFD(uintptr, []byte) (n int, ok bool, err error) { return 0, true, errors.ErrUnsupported }
func writeFD(uintptr, []byte, bool) (n int, err error)   { return 0, errors.ErrUnsupported }
