//go:build interop

package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// curatorRounds is how often the leader is killed: often enough that each server has most likely led once.
const curatorRounds = 3

// TestCurator runs the program under curator/ on an ensemble of three whose leader is killed while all recipes work, and
// brought back; each recipe is a subtest here.
func TestCurator(t *testing.T) {
	jars := filepath.Join(deps(t), curatorDir)
	if _, err := os.Stat(filepath.Join(jars, ".complete")); err != nil {
		lacking(t, "Curator's jars in "+jars)
	}
	classes := compileJava(t, filepath.Join(jars, "*"), "curator/*.java")
	e := start(t, 3)
	killed := 0
	const logger = "-Dorg.slf4j.simpleLogger."
	cmd := exec.CommandContext(withDeadline(t, 4*time.Minute), java(t),
		"-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		logger+"defaultLogLevel=error", logger+"showDateTime=true", logger+"dateTimeFormat=HH:mm:ss.SSS",
		"-cp", classes+string(os.PathListSeparator)+filepath.Join(jars, "*"),
		"Recipes", e.Connect(), strconv.Itoa(curatorRounds))
	runCases(t, cmd, func(what string) {
		switch what {
		case "kill":
			killed = e.Leader()
			e.Kill(killed)
		case "restart":
			e.Start(killed)
			e.WaitServing(killed)
		default:
			t.Errorf("it asks for what nobody can do: %q", what)
		}
	})
}

// compileJava compiles the sources that match any of the patterns and returns where the classes are. It is done for each
// run, not once by setup.sh, so that what runs is what is there to read.
func compileJava(t *testing.T, classPath string, patterns ...string) string {
	t.Helper()
	javac, err := exec.LookPath("javac")
	if err != nil {
		lacking(t, "javac")
	}
	var sources []string
	for _, pattern := range patterns {
		matches, err := filepath.Glob(pattern)
		must(t, "sources", err)
		sources = append(sources, matches...)
	}
	classes := t.TempDir()
	args := []string{"-Xlint:all,-try,-classfile", "-Werror", "-encoding", "UTF-8", "-proc:none", "-d", classes, "-cp", classPath}
	cmd := exec.CommandContext(withDeadline(t, clientTimeout), javac, append(args, sources...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("compile %v: %v\n%s", patterns, err, out)
	}
	return classes
}
