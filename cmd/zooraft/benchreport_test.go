package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBenchReport(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ours := file("ours.json", `{"figures":[{"group":"Start","name":"first answer","label":"A","value":40,"unit":"ms"}]}`)
	theirs := file("theirs.json", `{"figures":[{"group":"Start","name":"first answer","label":"B","value":80,"unit":"ms"}]}`)
	broken := file("broken.json", `{"figures":`)
	output := file("report.html", "the report of before")

	run := func(args ...string) (string, error) {
		cmd := newBenchReportCommand()
		cmd.SilenceUsage, cmd.SilenceErrors = true, true
		var out bytes.Buffer
		cmd.SetOut(&out)
		cmd.SetArgs(args)
		err := cmd.Execute()
		return out.String(), err
	}
	tests := []struct {
		name string
		args []string
		code int
		want string // in what is printed, or in the error
	}{
		{"page", []string{"--title", "Two", "--note", "by hand", ours, theirs}, exitOK, "0.50× better"},
		{"title", []string{"--title", "Two", ours}, exitOK, "<h1>Two</h1>"},
		{"Markdown", []string{"--markdown", ours, theirs}, exitOK, "| first answer |"},
		{"other baseline", []string{"--markdown", "--baseline", "A", ours, theirs}, exitOK, "2.00× worse"},
		{"no file", nil, exitInvalid, "name a file"},
		{"unknown baseline", []string{"--baseline", "C", ours}, exitInvalid, `"C"`},
		{"broken file", []string{"-o", output, ours, broken}, exitUnexpected, broken},
	}
	for _, tt := range tests {
		out, err := run(tt.args...)
		if code := exitCode(err); code != tt.code {
			t.Errorf("%s: exit code %d (%v), want %d", tt.name, code, err, tt.code)
			continue
		}
		if err != nil {
			out = err.Error()
		}
		if !strings.Contains(out, tt.want) {
			t.Errorf("%s: no %q in %q", tt.name, tt.want, out)
		}
	}

	if got, err := os.ReadFile(output); err != nil || string(got) != "the report of before" {
		t.Errorf("a fault has changed the older report to %q, %v", got, err)
	}
	if out, err := run("-o", output, ours); err != nil || out != "" {
		t.Errorf("to a file: printed %q, error %v", out, err)
	}
	if got, err := os.ReadFile(output); err != nil || !bytes.Contains(got, []byte("first answer")) {
		t.Errorf("the file has %d bytes without the figure, error %v", len(got), err)
	}
}
