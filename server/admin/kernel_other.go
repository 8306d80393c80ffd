//go:build !unix

package admin

func kernel() string { return "" }
