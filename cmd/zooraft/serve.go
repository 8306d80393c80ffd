package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/hashicorp/go-hclog"

	"zooraft/server"
)

// shutdownLimit is how long a server may take to stop in order. It is well below
// the 10 s after which container runtimes kill.
const shutdownLimit = 5 * time.Second

// service is what this command needs of a server.Server that has been started.
type service interface {
	// Serving is closed when the server serves clients for the first time.
	Serving() <-chan struct{}
	// Done is closed when the server has stopped, and Err then tells why.
	Done() <-chan struct{}
	Err() error
	// Shutdown stops the server and waits for that, or until ctx is done.
	Shutdown(ctx context.Context) error
	// ClientAddr is the address of the client port, once Serving is closed.
	ClientAddr() net.Addr
}

// startFunc makes a server and starts it.
type startFunc func(server.Config, hclog.Logger) (service, error)

func startServer(cfg server.Config, log hclog.Logger) (service, error) {
	s, err := server.New(cfg, log)
	if err != nil {
		return nil, err
	}
	if err := s.Start(); err != nil {
		return nil, err
	}
	return s, nil
}

// serve stays until the server stops by itself or a signal asks for it. It
// returns nil only for a server that stopped in order because it was told to.
func serve(s service, cfg server.Config, signals <-chan os.Signal, stdout io.Writer, log hclog.Logger) error {
	serving := s.Serving()
	// Ready before it serves: a member waits for the others, which may be
	// started after it, and nobody shall take it for stuck meanwhile.
	notify(log, daemon.SdNotifyReady, "STATUS=Waiting for a quorum")
	for {
		select {
		case <-serving:
			serving = nil // announced once
			line := servingLine(s.ClientAddr(), cfg)
			fmt.Fprintln(stdout, line)
			notify(log, "STATUS="+line)
		case <-s.Done():
			if err := s.Err(); err != nil {
				return err
			}
			return errors.New("the server stopped by itself")
		case sig := <-signals:
			log.Info("stopping", "signal", sig.String())
			notify(log, daemon.SdNotifyStopping)
			return stop(s, signals, echo, log)
		}
	}
}

// dumpOnQuit writes the stacks of all goroutines to w at each SIGQUIT, as a JVM does
// those of its threads, until stop, which waits for the last of them.
func dumpOnQuit(w io.Writer) (stop func()) {
	quits := make(chan os.Signal, 1)
	signal.Notify(quits, syscall.SIGQUIT)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range quits {
			pprof.Lookup("goroutine").WriteTo(w, 2)
		}
	}()
	return func() {
		signal.Stop(quits)
		close(quits)
		<-done
	}
}

// notify tells the service manager, if there is one, as sd_notify(3) does.
func notify(log hclog.Logger, states ...string) {
	if _, err := daemon.SdNotify(false, strings.Join(states, "\n")); err != nil {
		log.Warn("service manager not notified", "error", err)
	}
}

// echo is how long after the first signal another one is taken for the same: timeout(1)
// and others that signal a process and then its group send it twice.
const echo = 500 * time.Millisecond

// stop shuts the server down, unless a second signal comes first, later than echo, or
// the server gives up.
func stop(s service, signals <-chan os.Signal, echo time.Duration, log hclog.Logger) error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownLimit)
	defer cancel()
	begun := time.Now()
	stopped := make(chan error, 1)
	go func() { stopped <- s.Shutdown(ctx) }()
	done := s.Done()
	for {
		select {
		case err := <-stopped:
			if err != nil {
				return fmt.Errorf("shut down: %w", err)
			}
			log.Info("stopped")
			return nil
		case <-done:
			// A disk that hangs holds Shutdown up, but not the server's own judgement.
			if err := s.Err(); err != nil {
				return fmt.Errorf("shut down: %w", err)
			}
			done = nil
		case <-signals:
			if time.Since(begun) > echo {
				return errAborted
			}
		}
	}
}

// servingLine is the one line on standard output. The address to connect to is
// one that works on this machine.
func servingLine(addr net.Addr, cfg server.Config) string {
	bound := addr.String()
	connect := bound
	if host, port, err := net.SplitHostPort(bound); err == nil {
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			bound = net.JoinHostPort("0.0.0.0", port)
			connect = net.JoinHostPort("127.0.0.1", port)
		}
	}
	role := "standalone"
	if !cfg.Standalone() {
		role = fmt.Sprintf("server %d of %d", cfg.SID, len(cfg.Servers))
	}
	return fmt.Sprintf("zooraft is serving on %s (%s); connect with: zkCli.sh -server %s", bound, role, connect)
}
