package main

import (
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/spf13/cobra"

	"zooraft/server"
)

// Exit codes, those of ZooKeeper's server (ExitCode.java).
const (
	exitOK           = 0
	exitUnexpected   = 1
	exitInvalid      = 2 // invocation or configuration
	exitDataDir      = 3
	exitAdmin        = 4 // the admin server of a server alone
	exitElectionBind = 14
)

var (
	errUsage   = errors.New("wrong usage")
	errConfig  = errors.New("invalid configuration")
	errDataDir = errors.New("data directory")
	errAborted = errors.New("stopped by a second signal")
)

// usageError marks err as a fault of the command line.
func usageError(cmd *cobra.Command, err error) error {
	return fmt.Errorf("%w: %w; see %s --help", errUsage, err, cmd.CommandPath())
}

func exitCode(err error) int {
	var told exitWith
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &told):
		return int(told)
	case errors.Is(err, errUsage), errors.Is(err, errConfig):
		return exitInvalid
	case errors.Is(err, errDataDir), errors.Is(err, server.ErrDataDir):
		return exitDataDir
	case errors.Is(err, server.ErrAdminBind):
		return exitAdmin
	case errors.Is(err, server.ErrElectionBind):
		return exitElectionBind
	}
	return exitUnexpected
}

// complain tells why the process ends, closing with the line that ZooKeeper
// prints there, for which scripts look.
func complain(w io.Writer, err error) {
	var (
		invalid *configError
		told    exitWith
	)
	switch {
	case errors.As(err, &told):
		return
	case errors.As(err, &invalid):
		fmt.Fprintln(w, invalid.faults)
	case errors.Is(err, syscall.EADDRINUSE):
		fmt.Fprintf(w, "zooraft: %v; does another server, or ZooKeeper, still run?\n", err)
	default:
		fmt.Fprintln(w, "zooraft:", err)
	}
	switch code := exitCode(err); {
	case errors.Is(err, errConfig):
		fmt.Fprintln(w, "Invalid config, exiting abnormally")
	case code == exitDataDir:
		fmt.Fprintln(w, "Unable to access datadir, exiting abnormally")
	case code == exitAdmin:
		fmt.Fprintln(w, "Unable to start AdminServer, exiting abnormally")
	}
}

// configError holds the faults of a configuration, one line each.
type configError struct{ faults error }

func (e *configError) Error() string   { return fmt.Sprintf("%v: %v", errConfig, e.faults) }
func (e *configError) Unwrap() []error { return []error{errConfig, e.faults} }
