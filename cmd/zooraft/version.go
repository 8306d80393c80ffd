package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// Set by the linker: -X main.version=... -X main.commit=...
var (
	version = ""
	commit  = ""
)

func newVersionCommand() *cobra.Command {
	zookeeper := false
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			line := ownVersion()
			if zookeeper {
				info, _ := debug.ReadBuildInfo()
				line = scriptVersion(info)
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), line)
			return err
		},
	}
	cmd.Flags().BoolVar(&zookeeper, "zookeeper", false, "print it as zkServer.sh version does")
	return cmd
}

// ownVersion is versionLine of this program.
func ownVersion() string {
	info, _ := debug.ReadBuildInfo()
	return versionLine(info)
}

// scriptVersion is the line of zkServer.sh version, whose words scripts count: name,
// then version and build time, each behind a blank. The version says whose it is.
func scriptVersion(info *debug.BuildInfo) string {
	return "Apache ZooKeeper, version " + strings.Replace(wordsVersion(info), ", built on", "", 1)
}

// versionLine tells the version as the linker was given it, or else what the go
// command has recorded in info, which may be nil.
func versionLine(info *debug.BuildInfo) string {
	v, c, modified := version, commit, ""
	if info != nil {
		if v == "" && info.Main.Version != "(devel)" {
			v = info.Main.Version
		}
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision" && c == "":
				c = s.Value[:min(12, len(s.Value))]
			case s.Key == "vcs.modified" && s.Value == "true" && commit == "":
				modified = ", modified"
			}
		}
	}
	if v == "" {
		v = "development"
	}
	if c == "" {
		c, modified = "unknown", ""
	}
	return fmt.Sprintf("zooraft %s (commit %s%s, %s, %s/%s)", v, c, modified, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// zookeeperVersion is the release whose behaviour this server shows.
const zookeeperVersion = "3.9.5"

// wordsVersion is the version as srvr and mntr print it, in ZooKeeper's form:
// consumers look for three numbers in front and ", built on " behind.
func wordsVersion(info *debug.BuildInfo) string {
	v, built := version, time.Time{}
	if info != nil {
		for _, s := range info.Settings {
			if s.Key == "vcs.time" {
				built, _ = time.Parse(time.RFC3339, s.Value)
			}
		}
	}
	if path, err := os.Executable(); err == nil && built.IsZero() {
		if f, err := os.Stat(path); err == nil {
			built = f.ModTime()
		}
	}
	if v == "" {
		v = "development"
	}
	return fmt.Sprintf("%s-zooraft-%s, built on %s", zookeeperVersion, v, built.UTC().Format("2006-01-02 15:04 UTC"))
}
