package main

import (
	"bytes"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"zooraft/cmd/bench"
	"zooraft/cmd/bench/report"
)

// newBenchReportCommand returns `zooraft bench report`.
func newBenchReportCommand() *cobra.Command {
	var (
		output   string
		markdown bool
		options  report.Options
	)
	cmd := &cobra.Command{
		Use:   "report [-o FILE] FILE...",
		Short: "Make a page of tables and charts from results",
		Long: `Make one HTML page of tables and charts from files of results. The page needs
nothing but itself. Runs with the same group, scenario and label are repetitions,
whichever file they come from, and are shown as their median.`,
		Example: `  zooraft bench report -o report.html zooraft.json zookeeper.json
  zooraft bench report --markdown results.json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError(cmd, errors.New("name a file of results"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var results []bench.Results
			for _, path := range args {
				r, err := report.Load(path)
				if err != nil {
					return err
				}
				results = append(results, r)
			}
			write := report.Write
			if markdown {
				write = report.WriteMarkdown
			}
			// Rendered as a whole first: a fault leaves an older report as it was.
			var page bytes.Buffer
			if err := write(&page, results, options); errors.Is(err, report.ErrBaseline) {
				return usageError(cmd, err)
			} else if err != nil {
				return err
			}
			if output == "" || output == "-" {
				_, err := page.WriteTo(cmd.OutOrStdout())
				return err
			}
			return os.WriteFile(output, page.Bytes(), 0o644)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&output, "output", "o", "", "write to `FILE`, not to standard output")
	flags.BoolVar(&markdown, "markdown", false, "write the tables as Markdown, without charts")
	flags.StringVar(&options.Title, "title", "", "`text` that heads the report")
	flags.StringVar(&options.Baseline, "baseline", "", "`label` that ratios are taken to (default: the one with ZooKeeper in it, else the second)")
	flags.StringArrayVar(&options.Notes, "note", nil, "a paragraph of `text` below the title; may be repeated")
	return cmd
}
