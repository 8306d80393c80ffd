package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"syscall"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"zooraft/cmd/heap"
	"zooraft/cmd/zoocfg"
	"zooraft/server"
	"zooraft/zabcompat"
)

func newServerCommand(start startFunc) *cobra.Command {
	var (
		overrides []string
		logLevel  string
		logFormat string
	)
	cmd := &cobra.Command{
		Use:   "server [zoo.cfg] [-D key=value]...",
		Short: "Run a server until it is told to stop",
		Long: `Run a server as zoo.cfg says. Without a file it does what the variables of the
common container images say, ZOO_SERVERS and the like; without those it is a
standalone one on client port 2181 with its data in ./data.

ZOO_MY_ID stands in for a missing file myid, which is then written; the value
"hostname" takes the number at the end of the host name, plus one: zk-0 is 1.

-D sets a key of zoo.cfg and wins over the file. -Dzookeeper.KEY sets a property
as it does for a JVM, and so do the words of SERVER_JVMFLAGS and JVMFLAGS, where
ZooKeeper's scripts have them: there the file wins, as in ZooKeeper, and a key that
is no property is not looked at.

The server prints one line when it serves; its log goes to standard error. The
first SIGTERM, SIGINT or SIGHUP stops it in order, another one half a second later at
once. SIGQUIT writes the stacks of all goroutines to standard error.

It keeps below nine tenths of the memory that its cgroup may use, or below
GOMEMLIMIT. GOGC sets another pace of collecting garbage than the server's own.

Exit codes: 0 stopped as told, 1 something unexpected, 2 wrong configuration or
usage, 3 the data directory cannot be used, 4 the admin port that was asked for cannot
be bound (one server), 14 the election port cannot be bound.`,
		Example: `  zooraft server
  zooraft server /etc/zookeeper/zoo.cfg
  zooraft server -D clientPort=2182 -D dataDir=/tmp/zk2`,
		Args: oneConfig,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("log-level") {
				logLevel = cmp.Or(os.Getenv("ZOO_LOG_LEVEL"), logLevel)
			}
			level := logLevelOf(logLevel)
			if level == hclog.NoLevel {
				return usageError(cmd, fmt.Errorf("log level %q is unknown; choose trace, debug, info, warn, error or off", logLevel))
			}
			log, named, err := newLog(logFormat, level, cmd.ErrOrStderr())
			if err != nil {
				return usageError(cmd, err)
			}
			if w, ok := cmd.ErrOrStderr().(*steadyWriter); ok {
				w.OnLoss(func(lines int) { log.Warn("lines of the log were lost: nobody has read them", "count", lines) })
			}

			cfg, err := configure(sources(args, overrides), log)
			if err != nil {
				return err
			}

			if !cfg.Standalone() {
				named(cfg.SID)
			}
			if cfg.ReconfigEnabled && cfg.ConfigFile != "" {
				cfg.OnMembership = record(cfg.ConfigFile, cfg.DataDir, cfg.SID, cfg.Servers, log)
			}

			if !cfg.AdminProfiling {
				runtime.MemProfileRate = 0 // nobody can ask for the profile
			}
			heap.Limit(log)
			pace := heap.Start(log)
			defer pace.Close()
			defer dumpOnQuit(cmd.ErrOrStderr())()

			info, _ := debug.ReadBuildInfo()
			cfg.Version = wordsVersion(info)
			s, err := start(cfg, log)
			if err != nil {
				return err
			}
			// Not before: a signal ends a server that is still starting at
			// once, which its stores survive as they survive a crash.
			signals := make(chan os.Signal, 2)
			signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
			if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
				signal.Notify(signals, syscall.SIGHUP)
			}
			defer signal.Stop(signals)
			return serve(s, cfg, signals, cmd.OutOrStdout(), log)
		},
	}
	defineFlag(cmd, &overrides)
	flags := cmd.Flags()
	flags.StringVar(&logLevel, "log-level", "info", "trace, debug, info, warn, error or off; ZOO_LOG_LEVEL gives another default")
	flags.StringVar(&logFormat, "log-format", logText, "text, json, or zookeeper for the layout of ZooKeeper's log")
	return cmd
}

// configure loads the configuration, logs its warnings and makes the data
// directories.
func configure(src zoocfg.Sources, log hclog.Logger) (server.Config, error) {
	loaded, err := zoocfg.Load(src)
	for _, w := range loaded.Warnings {
		log.Warn("configuration is questionable", "warning", w)
	}
	for _, s := range loaded.Settings {
		if !s.FromFile() { // easily overlooked
			log.Info("configured outside the file", "key", s.Name, "value", s.Value, "from", s.Origin)
		}
		if s.Effect == zoocfg.Inert { // of all others without effect a warning has told
			log.Info("a key has no effect here", "key", s.Name, "from", s.Origin, "reason", s.Note)
		}
	}
	cfg := loaded.Config
	cfg.Settings = zoocfg.ForServer(loaded.Effective)
	if err != nil {
		return cfg, &configError{err}
	}
	// As ZooKeeper's scripts give it to their JVM.
	if dir := os.Getenv("ZOO_LOG_DIR"); dir != "" && cfg.Audit && cfg.Properties["zookeeper.log.dir"] == "" {
		if cfg.Properties == nil {
			cfg.Properties = make(map[string]string)
		}
		cfg.Properties["zookeeper.log.dir"] = dir
	}
	if cfg.ConfigFile != "" {
		log.Info("Reading configuration from: " + cfg.ConfigFile)
	}
	announce(&cfg, log)
	if err := checkDataDirs(cfg); err != nil {
		return cfg, err
	}
	if err := makeDataDirs(cfg); err != nil {
		return cfg, err
	}
	return cfg, writeMyID(cfg)
}

// environment is that of this process.
func environment() zoocfg.Environment {
	hostname, _ := os.Hostname() // an empty one is told where it is needed
	return zoocfg.NewEnvironment(os.Environ(), hostname)
}

// writeMyID makes the file myid of a member of an ensemble that has its id from
// the environment, as the container images do. So it stays the same for the data
// directory's life.
func writeMyID(cfg server.Config) error {
	if cfg.Standalone() {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(cfg.DataDir, "myid"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		_, err = fmt.Fprintln(f, cfg.SID)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errDataDir, err)
	}
	return nil
}

// record writes each membership beside zoo.cfg, or, where that directory may not be
// written to, as a container's often is, into the data directory. Neither is a
// reason to stop: the membership that counts is in the server's state. The hosts that
// known has stand in for 0.0.0.0, which one has said of itself and the others could not
// dial after a restart.
func record(path, dataDir string, sid int, known []zabcompat.ServerSpec, log hclog.Logger) func(zabcompat.Membership) {
	return func(m zabcompat.Membership) {
		m.Servers = slices.Clone(m.Servers)
		for i, s := range m.Servers {
			if was, ok := (zabcompat.Membership{Servers: known}).Server(int64(s.ID)); ok && s.AnyHost() {
				m.Servers[i].Host = was.Host
			}
		}
		if _, ok := m.Server(int64(sid)); !ok {
			// One that is to join, or was removed, would not start by such a file.
			log.Info("the configuration files keep a membership with this server, which that of the ensemble is without", "version", fmt.Sprintf("%x", m.Version))
			return
		}
		err := zoocfg.Record(path, sid, m)
		if err == nil {
			return
		}
		file, aside := zoocfg.RecordAside(dataDir, path, m)
		if aside != nil {
			log.Warn("the configuration files do not show the membership", "error", err)
			return
		}
		log.Warn("the configuration files do not show the membership, but a file in the data directory does", "file", file, "error", err)
	}
}

// checkDataDirs refuses data directories that hold the data of a ZooKeeper, or are
// missing where datadir.autocreate=false says that they must be there, as
// FileTxnSnapLog does.
func checkDataDirs(cfg server.Config) error {
	if err := foreignData(cfg); err != nil || zoocfg.MakesDirectories(&cfg) {
		return err
	}
	for _, dir := range []string{cfg.DataDir, cfg.LogDir()} {
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: %w; make it, for datadir.autocreate is false", errDataDir, err)
		}
	}
	return nil
}

// makeDataDirs makes the data directories that are missing.
func makeDataDirs(cfg server.Config) error {
	for _, dir := range []string{cfg.DataDir, cfg.LogDir()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("%w: %w", errDataDir, err)
		}
	}
	if cfg.Audit {
		if err := os.MkdirAll(filepath.Dir(cfg.AuditFile()), 0o755); err != nil {
			return fmt.Errorf("make the directory of the audit log: %w", err)
		}
	}
	return nil
}
