package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"zooraft/cmd/zoocfg"
	"zooraft/server"
)

// errRefused reports that a server has answered that it does not carry the word
// out.
var errRefused = errors.New("the server does not carry the word out")

// refusals are the answers that say that a word was not carried out.
var refusals = []string{
	"This ZooKeeper instance is not currently serving requests",
	"is not executed because it is not in the whitelist",
}

func newFourLetterCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "4lw WORD [HOST:PORT]",
		Short: "Send a four-letter word and print the answer",
		Long: `Send a four-letter word to a client port and print the answer, as "echo WORD | nc
HOST PORT" does, where there is neither shell nor nc. Without HOST:PORT the server
is the one that "zooraft server" without a file is here: in a container the one
that its variables describe, else 127.0.0.1:2181.

Exit code 1 if there is no answer, or the answer is that the server does not serve
or that 4lw.commands.whitelist lacks the word. So srvr, which needs no whitelist,
tells whether a server serves, and ruok whether it is there at all.`,
		Example: `  zooraft 4lw srvr zk1:2181
  zooraft 4lw ruok          imok`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 || len(args[0]) != 4 {
				return usageError(cmd, errors.New("give a word of four letters, for example srvr, and perhaps HOST:PORT"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var addr string
			if len(args) == 2 {
				addr = args[1]
			} else {
				loaded, err := zoocfg.Load(sources(nil, nil))
				if err != nil {
					return &configError{err}
				}
				addr = clientAddr(loaded.Config)
			}
			answer, err := server.QueryWord(addr, args[0])
			if _, writeErr := io.WriteString(cmd.OutOrStdout(), answer); err == nil {
				err = writeErr
			}
			if err == nil && answer == "" {
				err = io.ErrUnexpectedEOF
			}
			if err != nil {
				return fmt.Errorf("%w: %s: %w", errNoServer, addr, err)
			}
			if slices.ContainsFunc(refusals, func(r string) bool { return strings.Contains(answer, r) }) {
				return errRefused
			}
			return nil
		},
	}
}
