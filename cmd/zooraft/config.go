package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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
each with its line and key, and warnings; on standard output, faults or not, the keys
that do something else here than in ZooKeeper, or nothing.

The exit code is 0 if a server would start with it, 2 if not, and 3 if it would refuse
its data directories: they hold the data of a ZooKeeper, or are missing and are not to
be made. What a Zooraft has written there is not read.

The file may be another machine's, or another user's: where the data directory is not
there, or may not be read, a server's id is not asked for, with a warning. Where it is
there, and no file myid in it, a server would not start.`,
		Example: "  zooraft config check /etc/zookeeper/zoo.cfg",
		Args:    oneConfig,
		RunE: func(cmd *cobra.Command, args []string) error {
			src := sources(args, overrides)
			src.Elsewhere = true
			loaded, err := zoocfg.Load(src)
			for _, w := range loaded.Warnings {
				fmt.Fprintln(cmd.ErrOrStderr(), "warning:", w)
			}
			switch {
			case loaded.NoID == nil:
			case lacksID(loaded.Config.DataDir):
				err = errors.Join(err, loaded.NoID)
			default:
				warnNoID(cmd, loaded)
			}
			if err != nil {
				err = &configError{err}
			} else if err = checkDataDirs(loaded.Config); err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), "a server would start with this configuration")
			}
			return errors.Join(err, printEffects(cmd.OutOrStdout(), loaded.Settings))
		},
	}
	defineFlag(cmd, &overrides)
	return cmd
}

// lacksID says whether a data directory is there without a file myid, as far as this
// user can tell.
func lacksID(dataDir string) bool {
	_, err := os.Stat(filepath.Join(dataDir, "myid"))
	info, errDir := os.Stat(dataDir)
	return errors.Is(err, fs.ErrNotExist) && errDir == nil && info.IsDir()
}

// warnNoID says that what is shown is without a server's own id, and why.
func warnNoID(cmd *cobra.Command, loaded zoocfg.Loaded) {
	if loaded.NoID != nil {
		fmt.Fprintln(cmd.ErrOrStderr(), "warning: the id of this server is not known here:", loaded.NoID)
	}
}

// printEffects lists the settings that are not what they are in ZooKeeper.
func printEffects(out io.Writer, settings []zoocfg.Setting) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, s := range settings {
		switch s.Effect {
		case zoocfg.Same, zoocfg.Own:
		default:
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", s.Origin, s.Name, s.Effect, s.Note)
		}
	}
	return w.Flush()
}

func newConfigPrintCommand() *cobra.Command {
	var (
		overrides    []string
		asJSON, only bool
	)
	cmd := &cobra.Command{
		Use:   "print [zoo.cfg] [-D key=value]...",
		Short: "Print the value of every key, where it comes from, and what it does here",
		Long: `Print every key that is known, and what else was set, with the value that a server
would go by: paths made absolute, what is out of range corrected. Where it comes from
is the line of zoo.cfg, -D, JVMFLAGS, a variable of the container images, "default",
or what it follows from, such as "derived: 2 ticks". A key that does nothing here has
no value, unless it was set, nor has one that a server's own line decides where the file
myid cannot be read. Secrets are masked.

With --set only what was set is printed.`,
		Example: "  zooraft config print /etc/zookeeper/zoo.cfg",
		Args:    oneConfig,
		RunE: func(cmd *cobra.Command, args []string) error {
			src := sources(args, overrides)
			src.Elsewhere = true
			loaded, err := zoocfg.Load(src)
			if err != nil {
				return &configError{err}
			}
			warnNoID(cmd, loaded)
			settings := loaded.Effective
			if only {
				settings = slices.DeleteFunc(settings, func(s zoocfg.Setting) bool { return !s.Set })
			}
			if asJSON {
				return printSettingsJSON(cmd.OutOrStdout(), settings)
			}
			return printSettings(cmd.OutOrStdout(), settings)
		},
	}
	defineFlag(cmd, &overrides)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&only, "set", false, "leave out what nobody has set")
	return cmd
}

func printSettings(out io.Writer, settings []zoocfg.Setting) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KEY\tVALUE\tORIGIN\tEFFECT")
	for _, s := range settings {
		given := ""
		if s.Given != "" {
			given = ", given as " + s.Given
		}
		fmt.Fprintf(w, "%s\t%s\t%s%s\t%s\n", s.Name, cmp.Or(s.Value, "-"), s.Origin, given, s.Effect)
	}
	return w.Flush()
}

// settingJSON is a setting as config print --json has it.
type settingJSON struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Given  string `json:"given,omitempty"` // as it was set, if another value is in effect
	Origin string `json:"origin"`
	Set    bool   `json:"set"`
	Effect string `json:"effect"`
	Note   string `json:"note,omitempty"`
}

func printSettingsJSON(out io.Writer, settings []zoocfg.Setting) error {
	list := make([]settingJSON, len(settings))
	for i, s := range settings {
		list[i] = settingJSON{s.Name, s.Value, s.Given, s.Origin, s.Set, s.Effect.String(), s.Note}
	}
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
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

// sources are those of a server that is started here with these arguments: the
// file, if one is given, this process's environment, and what -D says.
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
