// Command zooraft is a coordination server that takes ZooKeeper's place: its
// clients, zoo.cfg files and scripts work with it unchanged.
//
// This package owns the command line, signals and exit codes. Everything else
// is server's, and the reading of zoo.cfg is cmd/zoocfg's. It holds one file for
// each sub-command.
//
// Invariant: standard output carries what was asked for, one line when a server
// begins to serve; the log and all complaints go to standard error.
package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	if len(os.Args) < 2 || os.Args[1] != "server" {
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	relaxMonitor()
	signal.Ignore(syscall.SIGPIPE) // by which one who reads the log no more would end the server
	stdout, stderr := newSteadyWriter(os.Stdout), newSteadyWriter(os.Stderr)
	code := run(os.Args[1:], stdout, stderr)
	stdout.Close()
	stderr.Close()
	os.Exit(code)
}

// run executes the command line and returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.Execute()
	if err != nil {
		complain(stderr, err)
	}
	return exitCode(err)
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "zooraft",
		Short: "A drop-in ZooKeeper server on Raft",
		Long: `zooraft is a coordination service that speaks ZooKeeper's protocol: clients,
zoo.cfg files and scripts work with it unchanged. It runs on Raft, as one
process without a JVM.`,
		Example: `  zooraft server                         one server on port 2181, data in ./data
  zooraft server /etc/zookeeper/zoo.cfg  a server as its zoo.cfg says
  zooraft server zoo.cfg -D clientPort=0 with one key changed`,
		Args:          noArgs,
		Version:       ownVersion(),
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cmd.Help()
		},
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError(cmd, err)
	})
	root.AddCommand(newServerCommand(startServer), newStatusCommand(), newConfigCommand(), newFourLetterCommand(), newSnapshotCommand(), newBenchCommand(), newCLICommand(), newVersionCommand())
	return root
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if !cmd.HasParent() {
		return usageError(cmd, fmt.Errorf("unknown command %q", args[0]))
	}
	return usageError(cmd, fmt.Errorf("%s takes no argument, got %q", cmd.CommandPath(), args[0]))
}
