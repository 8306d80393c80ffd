package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"zooraft/cmd/zoocfg"
)

func newConfigCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Check and explain a configuration",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newConfigCheckCommand(), newConfigPrintCommand(), newConfigKeysCommand())
	return cmd
}

func newConfigCheckCommand() *cobra.Command {
	var overrides []string
	cmd := &cobra.Command{
		Use:   "check [zoo.cfg] [-D key=value]...",
		Short: "Say everything that is wrong with a configuration, and what has no effect",
		Long: `Read a configuration as the server would, with JVMFLAGS and the variables of the
container images, and touch nothing. All faults are said at once on standard error,
each with its line and key; then warnings, and the keys that do something else
here than in ZooKeeper, or nothing.

The exit code is 0 if a server would start with it, 2 if not.`,
		Example: "  zooraft config check /etc/zookeeper/zoo.cfg",
		Args:    oneConfig,
		RunE: func(cmd *cobra.Command, args []string) error {
			loaded, err := zoocfg.LoadFrom(sources(args, overrides))
			for _, w := range loaded.Warnings {
				fmt.Fprintln(cmd.ErrOrStderr(), "warning:", w)
			}
			if err != nil {
				return &configError{err}
			}
			fmt.Fprintln(cmd.OutOrStdout(), "a server would start with this configuration")
			return printEffects(cmd.OutOrStdout(), loaded.Settings)
		},
	}
	defineFlag(cmd, &overrides)
	return cmd
}

// printEffects lists the settings that are not what they are in ZooKeeper.
func printEffects(out io.Writer, settings []zoocfg.Setting) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, s := range settings {
		if s.Effect != zoocfg.Same {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", s.Where, s.Name, s.Effect, s.Note)
		}
	}
	return w.Flush()
}

func newConfigPrintCommand() *cobra.Command {
	var (
		overrides []string
		asJSON    bool
	)
	cmd := &cobra.Command{
		Use:   "print [zoo.cfg] [-D key=value]...",
		Short: "Print what has been set, where, and what it does here",
		Long: `Print every key that zoo.cfg, -D, JVMFLAGS or the variables of the container images
set, its value, where it was set, and what it does here. Secrets are masked.`,
		Example: "  zooraft config print /etc/zookeeper/zoo.cfg",
		Args:    oneConfig,
		RunE: func(cmd *cobra.Command, args []string) error {
			loaded, err := zoocfg.LoadFrom(sources(args, overrides))
			if err != nil {
				return &configError{err}
			}
			if asJSON {
				return printSettingsJSON(cmd.OutOrStdout(), loaded.Settings)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "KEY\tVALUE\tSET AT\tEFFECT")
			for _, s := range loaded.Settings {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", s.Name, s.Value, s.Where, s.Effect)
			}
			return w.Flush()
		},
	}
	defineFlag(cmd, &overrides)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// settingJSON is a setting as config print --json has it.
type settingJSON struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Where  string `json:"where"`
	Effect string `json:"effect"`
	Note   string `json:"note,omitempty"`
}

func printSettingsJSON(out io.Writer, settings []zoocfg.Setting) error {
	list := make([]settingJSON, len(settings))
	for i, s := range settings {
		list[i] = settingJSON{s.Name, s.Value, s.Where, s.Effect.String(), s.Note}
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(list)
}

func newConfigKeysCommand() *cobra.Command {
	var markdown bool
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "List every key that is known and what it does here",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if markdown {
				return keysMarkdown(cmd.OutOrStdout())
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "KEY\tEFFECT\tNOTE")
			for _, k := range zoocfg.Keys() {
				fmt.Fprintf(w, "%s\t%s\t%s\n", k.Name, k.Effect, k.Note)
			}
			return w.Flush()
		},
	}
	cmd.Flags().BoolVar(&markdown, "markdown", false, "as a table for docs/configuration.md")
	return cmd
}

func keysMarkdown(out io.Writer) error {
	_, err := fmt.Fprint(out, "| key | here | |\n|---|---|---|\n")
	for _, k := range zoocfg.Keys() {
		name := k.Name
		if name[len(name)-1] == '.' {
			name += "*"
		}
		_, errLine := fmt.Fprintf(out, "| `%s` | %s | %s |\n", name, k.Effect, k.Note)
		err = errors.Join(err, errLine)
	}
	return err
}

func oneConfig(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usageError(cmd, fmt.Errorf("give one configuration file, not %d arguments", len(args)))
	}
	return nil
}

func defineFlag(cmd *cobra.Command, to *[]string) {
	cmd.Flags().StringArrayVarP(to, "define", "D", nil, "set a key of zoo.cfg, as `key=value`; may be repeated")
}

// sources are those of the server: the file, if one is given, this process's
// environment, and what -D says.
func sources(args, overrides []string) zoocfg.Sources {
	src := zoocfg.Sources{Env: environment(), Words: jvmWords(os.Getenv)}
	if len(args) == 1 {
		src.Path = args[0]
	}
	for _, text := range overrides {
		src.Words = append(src.Words, zoocfg.Word{Text: text, Where: "-D"})
	}
	return src
}
