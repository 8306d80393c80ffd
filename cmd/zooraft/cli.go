package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"

	"zooraft/cmd/cli"
)

// exitWith is an exit code whose reason has been told already.
type exitWith int

func (exitWith) Error() string { return "" }

func newCLICommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cli [-server HOST:PORT] [COMMAND ARGS]",
		Short: "A command line for servers, in zkCli.sh's words",
		// zkCli's options have one dash, and those behind a command are the command's.
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			info, _ := debug.ReadBuildInfo()
			code := cli.Run(args, cli.IO{
				Stdin:   cmd.InOrStdin(),
				Stdout:  cmd.OutOrStdout(),
				Stderr:  cmd.ErrOrStderr(),
				Version: wordsVersion(info),
			})
			if code != exitOK {
				return exitWith(code)
			}
			return nil
		},
	}
	cmd.SetHelpFunc(func(cmd *cobra.Command, _ []string) { fmt.Fprint(cmd.OutOrStdout(), cli.Help) })
	return cmd
}
