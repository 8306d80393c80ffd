package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"zooraft/cmd/cli"
)

// exitWith is an exit code whose reason has been told already.
type exitWith int

func (exitWith) Error() string { return "" }

// clientProperties picks the -D words of the flags that zkCli.sh hands to a JVM, in
// the order in which they reach its command line.
func clientProperties(getenv func(string) string) (props []cli.Property) {
	for _, name := range []string{"CLIENT_JVMFLAGS", "JVMFLAGS"} {
		for _, word := range shellWords(getenv(name)) {
			if text, isDefinition := strings.CutPrefix(word, "-D"); isDefinition {
				props = append(props, cli.Property{Text: text, Where: name})
			}
		}
	}
	return props
}

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

				Properties: clientProperties(os.Getenv),
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
