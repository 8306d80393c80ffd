package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"zooraft/cmd/bench"
)

func newBenchCommand() *cobra.Command {
	var (
		c       bench.Config
		jsonTo  string
		verbose bool
	)
	cmd := &cobra.Command{
		Use:   "bench WORKLOAD --servers HOST:PORT[,...]",
		Short: "Measure a server that speaks ZooKeeper's protocol",
		Long: `Measure any server that speaks ZooKeeper's protocol, Zooraft or ZooKeeper, under
one of these workloads:

  get, exists, set, sync   one key, chosen at random, of --keys
  children                 the list of the --children children of a key
  mixed                    get for --read-share of all requests, else set
  multi                    --batch changes of keys in one transaction
  create, sequential       a new znode each time
  ephemeral                an ephemeral znode, then its deletion
  delete                   the --keys znodes that the set-up has made, until none is left
  fill                     a tree of --keys znodes, until all are there
  watch                    each connection watches each of --keys znodes, a writer changes
                           them, --window of them at a time; an operation is an event that
                           has arrived, its latency counts from the change being sent
  connect                  a session opened and closed again
  idle                     sessions that only ping

Each connection has --window requests under way and sends the next when a reply
comes. With --rate requests are sent by a schedule instead, and a latency counts
from when the request was due, so that a stall of the server counts for all that
it has held up; --window still limits what is under way.

Making the znodes that a workload needs, --warmup, and deleting what the run has
made are not measured. Ctrl-C ends the measurement with the figures so far.`,
		Example: `  zooraft bench get --servers 127.0.0.1:2181 --connections 128 --window 64
  zooraft bench mixed --read-share 0.9 --servers a:2181,b:2181,c:2181 --rate 20000
  zooraft bench watch --connections 1000 --keys 1 --servers 127.0.0.1:2181`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError(cmd, fmt.Errorf("give one workload (%s), not %d arguments", strings.Join(bench.Workloads(), ", "), len(args)))
			}
			return nil
		},
		ValidArgs: bench.Workloads(),
		RunE: func(cmd *cobra.Command, args []string) error {
			c.Workload.Name = args[0]
			c = c.ForWorkload() // a zero was asked for: the flags have defaults of their own
			if err := c.Validate(); err != nil {
				return usageError(cmd, err)
			}
			return runBench(cmd, c, jsonTo, verbose)
		},
	}
	w := &c.Workload
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringSliceVar(&c.Servers, "servers", []string{"127.0.0.1:2181"}, "`host:port` of the servers; connections are spread over them")
	flags.IntVar(&w.Connections, "connections", 16, "connections, each with a session of its own")
	flags.IntVar(&w.Window, "window", 1, "requests under way on a connection")
	flags.IntVar(&w.Size, "size", 100, "`bytes` of a znode's data")
	flags.IntVar(&w.Keys, "keys", 1000, "znodes to choose from")
	flags.Float64Var(&w.Hot, "hot", 0, "skew of the choice: the key of rank r comes in proportion to 1/r^`skew`; 0 is uniform")
	flags.DurationVar(&c.Duration, "duration", 10*time.Second, "how long to measure")
	flags.DurationVar(&c.WarmUp, "warmup", 2*time.Second, "how long to do the same before")
	flags.Float64Var(&w.Rate, "rate", 0, "requests a second over all connections; 0 sends as replies come")
	flags.Float64Var(&w.ReadShare, "read-share", 0.9, "mixed: `part` of the requests that read, 0 to 1")
	flags.IntVar(&w.Batch, "batch", 10, "multi: operations in each")
	flags.IntVar(&w.Children, "children", 10, "children: how many each znode has")
	flags.IntSliceVar(&c.PIDs, "pid", nil, "server process whose CPU and memory to account; may be repeated")
	flags.StringVar(&c.Label, "label", "", "`name` of what is measured, for the report")
	flags.StringVar(&jsonTo, "json", "", "write the results as JSON to `file`, or with - to standard output instead of the table")
	flags.StringVar(&c.Path, "path", "/bench", "`znode` below which the run makes its own")
	flags.BoolVar(&c.Keep, "keep", false, "do not delete the run's znodes")
	flags.BoolVar(&c.Reconnect, "reconnect", false, "count lost connections as errors and go on")
	flags.DurationVar(&c.SessionTimeout, "session-timeout", 30*time.Second, "session timeout to ask for")
	flags.DurationVar(&c.Interval, "interval", time.Second, "length of an interval in the results")
	flags.Uint64Var(&c.Seed, "seed", 1, "of all random choices")
	flags.BoolVarP(&verbose, "verbose", "v", false, "print a line for each interval")
	cmd.AddCommand(newBenchReportCommand())
	return cmd
}

// runBench measures and shows. The table is for standard output, what goes on
// meanwhile for standard error.
func runBench(cmd *cobra.Command, c bench.Config, jsonTo string, verbose bool) error {
	ctx, cancel := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	context.AfterFunc(ctx, cancel) // the second signal ends the process at once

	info, _ := debug.ReadBuildInfo()
	env := bench.ReadEnvironment("generator: " + versionLine(info))
	env.Commands = []string{strings.Join(os.Args, " ")}
	total := int64(0)
	if c.Workload.Name == bench.Fill || c.Workload.Name == bench.Delete {
		total = int64(c.Workload.Keys)
	}
	live := liveLine{w: cmd.ErrOrStderr(), total: total, verbose: verbose}
	live.tty = isTerminal(live.w)
	c.Progress = live.show
	run, err := bench.Execute(ctx, c)
	live.end()
	if run == nil {
		return err
	}
	if writeErr := writeRun(cmd.OutOrStdout(), jsonTo, env, run); err == nil {
		err = writeErr
	}
	return err
}

func writeRun(stdout io.Writer, jsonTo string, env bench.Environment, run *bench.Run) error {
	if jsonTo != "-" {
		if err := run.WriteTable(stdout); err != nil {
			return err
		}
	}
	if jsonTo == "" {
		return nil
	}
	b, err := json.MarshalIndent(bench.Results{Environment: env, Runs: []bench.Run{*run}}, "", "  ")
	if err != nil {
		return err
	}
	b = append(b, '\n')
	if jsonTo == "-" {
		_, err = stdout.Write(b)
		return err
	}
	return os.WriteFile(jsonTo, b, 0o644)
}

// liveLine shows how a run goes on: a terminal one line that is rewritten, any
// other output a line for each interval if asked.
type liveLine struct {
	w            io.Writer
	tty, verbose bool
	done, total  int64
	shown        bool
}

func (l *liveLine) show(i bench.Interval) {
	l.done += i.Operations
	line := i.Line(l.done, l.total)
	switch {
	case l.verbose:
		fmt.Fprintln(l.w, line)
	case l.tty:
		fmt.Fprint(l.w, "\r\x1b[K"+line)
		l.shown = true
	}
}

func (l *liveLine) end() {
	if l.shown {
		fmt.Fprint(l.w, "\r\x1b[K")
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
