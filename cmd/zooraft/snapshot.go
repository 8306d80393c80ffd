package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"zooraft/cmd/units"
	"zooraft/cmd/zoocfg"
	"zooraft/server"
)

func newSnapshotCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "snapshot",
		Short: "Look at snapshots, or take what the data directory of a stopped server holds",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newInspectCommand(), newVerifyCommand(), newExtractCommand())
	return cmd
}

func newInspectCommand() *cobra.Command {
	var (
		asJSON bool
		top    int
	)
	cmd := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Say what is in a snapshot: znodes, sessions, the largest subtrees",
		Long: `Read a snapshot to its end, its checksum included, and say what is in it. FILE is
the state.bin of a snapshot or the directory it stands in, below
dataDir/raft/snapshots. Servers that are at the same zxid show the same digest.`,
		Example: "  zooraft snapshot inspect /var/lib/zookeeper/raft/snapshots/2-1200-1795314298123",
		Args:    oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			rep, err := inspect(cmd, args[0], top)
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(rep)
			}
			return printReport(cmd.OutOrStdout(), &rep)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().IntVar(&top, "top", 10, "how many of the largest subtrees to name")
	return cmd
}

func newVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify FILE",
		Short: "Check that a snapshot is whole",
		Long: `Read a snapshot to its end and check it. The exit code is 0 if it can be restored,
1 if it cannot; what is wrong and at which byte is then said.`,
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			rep, err := inspect(cmd, args[0], 0)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: whole, zxid %v, %d znodes, %d bytes\n", rep.File, rep.Zxid, rep.Znodes, rep.Bytes)
			return nil
		},
	}
}

func newExtractCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "extract ZOO.CFG FILE",
		Short: "Write what a stopped server holds to a file that can be restored",
		Long: `Read the data directories that ZOO.CFG names, of a server that does not run: the
newest snapshot and all of the log behind it. Write what they come to to FILE, as
/commands/snapshot does for one that runs, for /commands/restore of another ensemble.

It is for an ensemble that has lost a majority of its disks, or to look at a copy of a
data directory. Of the servers that are left, take the one whose zxid is the highest.
What the log ends with may be writes that nobody was told had succeeded.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usageError(cmd, fmt.Errorf("give a configuration and the file to write, not %d arguments", len(args)))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			loaded, err := zoocfg.Load(sources(args[:1], nil))
			if err != nil {
				return &configError{err}
			}
			log, _, err := newLog(logText, hclog.Warn, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			rep, err := server.ExtractState(loaded.Config, args[1], log)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: zxid %v, %d znodes, %d sessions, %d bytes\n", rep.File, rep.Zxid, rep.Znodes, rep.Sessions, rep.Bytes)
			return nil
		},
	}
}

func oneFile(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usageError(cmd, fmt.Errorf("give one snapshot, not %d arguments", len(args)))
	}
	return nil
}

// inspect shows how far it is, on a terminal and if it takes long.
func inspect(cmd *cobra.Command, path string, top int) (server.SnapshotReport, error) {
	return server.InspectSnapshot(path, max(top, 0), progressLine(cmd.ErrOrStderr(), time.Now))
}

// progressEvery is how often a line of progress is drawn, and how long it takes until
// the first.
const progressEvery = 500 * time.Millisecond

// progressLine draws a line of progress over itself; nil if out is no terminal.
func progressLine(out io.Writer, now func() time.Time) func(done, all int64) {
	f, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	drawn := now()
	shown := false
	return func(done, all int64) {
		if done >= all && shown {
			fmt.Fprint(f, "\r\033[K")
			shown = false
			return
		}
		if at := now(); at.Sub(drawn) >= progressEvery {
			fmt.Fprintf(f, "\r%3d %% of %s", 100*done/max(all, 1), units.Bytes(all))
			drawn, shown = at, true
		}
	}
}

func printReport(out io.Writer, rep *server.SnapshotReport) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(key string, value any) { fmt.Fprintf(w, "%s\t%v\n", key, value) }
	line("file", rep.File)
	line("size", units.Bytes(rep.Bytes))
	line("zxid", rep.Zxid)
	line("raft index", rep.RaftIndex)
	line("ensemble", rep.ClusterID)
	line("znodes", fmt.Sprintf("%d, %d of them ephemeral", rep.Znodes, rep.Ephemerals))
	line("data and paths", units.Bytes(rep.DataBytes))
	line("sessions", rep.Sessions)
	line("digest", rep.Digest)
	if err := w.Flush(); err != nil || len(rep.LargestSubtree) == 0 {
		return err
	}
	fmt.Fprintln(out)
	w = tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "data\tznodes\t  largest subtrees")
	for _, s := range rep.LargestSubtree {
		fmt.Fprintf(w, "%s\t%d\t  %s\n", units.Bytes(s.Bytes), s.Znodes, printable(s.Path))
	}
	return w.Flush()
}

// printable escapes what would not stay on a line.
func printable(path string) string {
	q := fmt.Sprintf("%+q", path)
	if q == `"`+path+`"` {
		return path
	}
	return q
}
