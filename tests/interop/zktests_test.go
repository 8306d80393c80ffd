//go:build interop

package interop

import (
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"zooraft/tests/harness"
)

// TestZooKeeperTests runs those of ZooKeeper's own tests that ask a lone server by its port. They start one in their own
// process; zookeeper-tests/ExternalServer.java starts Zooraft in its place. The rest of ZooKeeper's tests look into the
// server's objects, or build ensembles of them.
//
// A test that notRun names has to fail, so that the table stays true. With ZOORAFT_ORACLE=1 the classes run as they are.
func TestZooKeeperTests(t *testing.T) {
	onlyFull(t)
	tests := filepath.Join(deps(t), ownTestsDir)
	if _, err := os.Stat(filepath.Join(tests, ".complete")); err != nil {
		lacking(t, "ZooKeeper's tests in "+tests)
	}
	jars := filepath.Join(tests, "*") + string(os.PathListSeparator) + filepath.Join(zooKeeperJars(t), "*")
	oracle := os.Getenv("ZOORAFT_ORACLE") == "1"
	classes := t.TempDir()
	flags := []string{"-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dzookeeper.admin.enableServer=false",
		// The password of ZooKeeper's tests for the superuser: test.
		"-Dzookeeper.DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU="}
	if !oracle {
		classes = compileJava(t, jars, "zookeeper-tests/*.java")
		flags = append(flags, "-Dzookeeper.serverCnxnFactory=ExternalServer", "-Dexternal.server="+harness.ZooraftBinary(t))
	}
	must(t, "write", os.WriteFile(filepath.Join(classes, "logback.xml"), []byte(clientLogback), 0o600))
	ranges := make(chan int, portRanges)
	for i := range portRanges {
		ranges <- i + 1
	}
	for _, class := range zooKeeperTests {
		t.Run(class, func(t *testing.T) {
			t.Parallel()
			ports := <-ranges
			defer func() { ranges <- ports }()
			dir := t.TempDir()
			args := slices.Concat(flags, []string{"-Dbuild.test.dir=" + dir,
				fmt.Sprintf("-Dtest.junit.threads=%d", portRanges), fmt.Sprintf("-Dzookeeper.junit.threadid=%d", ports)})
			if p := propertiesOf[class]; p != "" {
				args = append(args, p)
			}
			args = append(args, "-cp", classes+string(os.PathListSeparator)+jars,
				"org.junit.platform.console.ConsoleLauncher", "--disable-banner", "--details=none", "--reports-dir="+dir,
				"--select-class", "org.apache.zookeeper."+class)
			cmd := exec.CommandContext(withDeadline(t, 5*time.Minute), java(t), args...)
			cmd.Dir = dir
			// It ends its server when it is asked to end itself.
			cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
			cmd.WaitDelay = 30 * time.Second
			_, stderr, code := run(t, cmd)
			report := readReport(t, filepath.Join(dir, "TEST-junit-jupiter.xml"), stderr)
			if code != 0 && code != 1 || len(report) == 0 {
				t.Errorf("exit code %d, %d tests:\n%s", code, len(report), stderr)
			}
			passed := !slices.ContainsFunc(report, func(c testCase) bool { return c.Failure+c.Error != "" })
			if why := notRun[class]; passed && why != "" && !oracle {
				t.Errorf("all of it passes, though it should not: %s", why)
			}
			for _, c := range report {
				name, _, _ := strings.Cut(c.Name, "(")
				t.Run(name, func(t *testing.T) {
					failure := runners.ReplaceAllString(c.Failure+c.Error, "")
					if !oracle {
						judge(t, class, name, failure)
					} else if failure != "" {
						t.Error(failure)
					}
				})
			}
		})
	}
}

// portRanges is into how many parts those programs share the ports that run at once.
const portRanges = 8

// inside is how a test fails that asks the server's objects in place of its port: by ExternalServer's refusal, for want of
// them, or with its own process's count of quotas exceeded.
var inside = regexp.MustCompile(`the server runs elsewhere|validateQuotaExceededMetrics|NullPointerException: Cannot invoke "[^"]*\.ZooKeeperServer\.`)

// runners are the lines of a stack that tell of what runs a test.
var runners = regexp.MustCompile(`(?m)^\s+at (java\.base|org\.junit)\b.*\n?`)

// judge makes of how one of ZooKeeper's tests ended how the test here ends; failure is empty if it passed.
func judge(t *testing.T, class, name, failure string) {
	t.Helper()
	why := notRun[class+"."+name]
	switch {
	case failure == "" && why != "" && why != racy:
		t.Errorf("passes, though it should not: %s", why)
	case failure == "":
	case inside.MatchString(failure):
		t.Skip("looks into the server's objects")
	case why != "":
		t.Skip(why)
	case notRun[class] != "":
		t.Skip(notRun[class])
	default:
		t.Error(failure)
	}
}

type testCase struct {
	Name    string `xml:"name,attr"`
	Failure string `xml:"failure"`
	Error   string `xml:"error"`
}

func readReport(t *testing.T, file, stderr string) []testCase {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("no report: %v\n%s", err, stderr)
	}
	var suite struct {
		Cases []testCase `xml:"testcase"`
	}
	must(t, "read report", xml.Unmarshal(text, &suite))
	return suite.Cases
}
