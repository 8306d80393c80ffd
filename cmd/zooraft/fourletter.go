package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"zooraft/cmd/cli"
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

// clientPort is a port to ask.
type clientPort struct {
	addr string
	tls  *server.TLS // what is spoken there, nil for plain text
	keys string      // what the keys of tls begin with
}

// clientSSL is what the keys of TLS begin with where clients have them.
const clientSSL = "zookeeper." + server.ClientSSL

// ask sends a four-letter word and returns the answer, and what came of it before an
// error.
func (p clientPort) ask(word string) (string, error) {
	var certs *server.Certs
	if p.tls != nil {
		cfg := *p.tls
		cfg.Reload = false // one question
		var err error
		if certs, err = server.OpenTLS(cfg, hclog.NewNullLogger()); err != nil {
			return "", &configError{fmt.Errorf("%s%w", p.keys, err)}
		}
		defer certs.Close()
	}
	answer, err := server.QueryWord(p.addr, word, certs)
	if err != nil {
		err = fmt.Errorf("%w: %s: %w", errNoServer, p.addr, err)
	}
	return answer, err
}

// clientPortOf is where this machine reaches a server's client port. That with TLS is
// asked if there is no other, with what the environment tells clients to speak TLS
// with, and else with the server's own files. That its certificate names it is not
// looked for, as zkServer.sh status does not: it is this machine's own, and asked by
// the loopback's address.
func clientPortOf(cfg server.Config) (clientPort, error) {
	host, port := cfg.ClientPortAddress, cfg.ClientPort
	var secure *server.TLS
	keys := ""
	if port == 0 && cfg.SecureClientPort != 0 {
		host, port = cfg.SecureClientPortAddress, cfg.SecureClientPort
		var err error
		if secure, err = cli.TLS(clientProperties(os.Getenv), ""); err != nil {
			return clientPort{}, &configError{err}
		}
		keys = clientSSL
		if secure == nil {
			secure, keys = &cfg.ClientTLS, server.ClientSSL
		}
		secure.VerifyServer = false
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return clientPort{net.JoinHostPort(host, strconv.Itoa(port)), secure, keys}, nil
}

func newFourLetterCommand() *cobra.Command {
	var config, client string
	cmd := &cobra.Command{
		Use:   "4lw WORD [HOST:PORT]",
		Short: "Send a four-letter word and print the answer",
		Long: `Send a four-letter word to a client port and print the answer, as "echo WORD | nc
HOST PORT" does, where there is neither shell nor nc. Without HOST:PORT the server
is the one that --config describes, or that "zooraft server" without a file is here:
in a container the one that its variables describe, else 127.0.0.1:2181.

Without a clientPort it is asked at its secureClientPort, with the TLS of
CLIENT_JVMFLAGS if these have -Dzookeeper.client.secure=true, else with the files
that its own ssl.* keys name. HOST:PORT is asked with TLS if --client-configuration
says so, by zookeeper.client.secure and zookeeper.ssl.*, as "zooraft cli" takes them.

Exit code 1 if there is no answer, or the answer is that the server does not serve
or that 4lw.commands.whitelist lacks the word. So srvr, which needs no whitelist,
tells whether a server serves, and ruok whether it is there at all.`,
		Example: `  zooraft 4lw srvr zk1:2181
  zooraft 4lw ruok          imok`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 || len(args[0]) != 4 {
				return usageError(cmd, errors.New("give a word of four letters, for example srvr, and perhaps HOST:PORT"))
			}
			if len(args) == 2 && config != "" || len(args) == 1 && client != "" {
				return usageError(cmd, errors.New("--config stands for HOST:PORT, and --client-configuration is for that alone"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var port clientPort
			if len(args) == 2 {
				port.addr, port.keys = args[1], clientSSL
				if client != "" {
					var err error
					if port.tls, err = cli.TLS(clientProperties(os.Getenv), client); err != nil {
						return &configError{err}
					}
				}
			} else {
				src := sources(nil, nil)
				src.Path = config
				loaded, err := zoocfg.Load(src)
				if err != nil {
					return &configError{err}
				}
				if port, err = clientPortOf(loaded.Config); err != nil {
					return err
				}
			}
			answer, err := port.ask(args[0])
			if _, writeErr := io.WriteString(cmd.OutOrStdout(), answer); err == nil {
				err = writeErr
			}
			if err == nil && answer == "" {
				err = fmt.Errorf("%w: %s: %w", errNoServer, port.addr, io.ErrUnexpectedEOF)
			}
			if err != nil {
				return err
			}
			if slices.ContainsFunc(refusals, func(r string) bool { return strings.Contains(answer, r) }) {
				return errRefused
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "`zoo.cfg` of the server to ask")
	cmd.Flags().StringVar(&client, "client-configuration", "", "`file` of ZooKeeper's client properties, for HOST:PORT")
	return cmd
}
