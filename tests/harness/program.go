package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// program says how a server is run.
type program struct {
	name    string
	command func(s *Server, o *Options) (*exec.Cmd, error)
}

var zooraft = program{
	name: "zooraft",
	command: func(s *Server, o *Options) (*exec.Cmd, error) {
		bin, err := FindZooraft()
		if err != nil {
			return nil, err
		}
		args := []string{"server", s.Config}
		for _, d := range o.Defines {
			args = append(args, "-D", d)
		}
		return exec.Command(bin, append(args, o.Args...)...), nil
	},
}

// quickStart are the flags of a JVM that is to start quickly and need not be fast after it.
var quickStart = []string{"-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"}

// stockZooKeeper runs the ZooKeeper whose jars lie in the directory jars.
func stockZooKeeper(jars string) program {
	return program{
		name: "zookeeper",
		command: func(s *Server, o *Options) (*exec.Cmd, error) {
			java, err := exec.LookPath("java")
			if err != nil {
				return nil, err
			}
			// ZooKeeper without a logging configuration on its class path logs every detail.
			if err := os.WriteFile(filepath.Join(s.Dir, "logback.xml"), []byte(serverLogback), 0o600); err != nil {
				return nil, err
			}
			args := slices.Clone(quickStart)
			if o.JVM != nil {
				args = slices.Clone(o.JVM)
			}
			for _, d := range o.Defines {
				args = append(args, "-D"+d)
			}
			args = append(args, o.Args...)
			args = append(args, "-cp", s.Dir+string(os.PathListSeparator)+filepath.Join(jars, "*"),
				"org.apache.zookeeper.server.quorum.QuorumPeerMain", s.Config)
			return exec.Command(java, args...), nil
		},
	}
}

const serverLogback = `<configuration>
  <appender name="ERR" class="ch.qos.logback.core.ConsoleAppender">
    <target>System.err</target>
    <encoder><pattern>%d{ISO8601} [myid:%X{myid}] - %-5p [%t:%C{1}@%L] - %m%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="ERR"/></root>
</configuration>
`

// ZooraftBinary is the path of the binary under test, built if need be, for tests that start it themselves.
func ZooraftBinary(t testing.TB) string {
	t.Helper()
	bin, err := FindZooraft()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// FindZooraft is the path of the binary under test: ZOORAFT_BIN, or one built from this checkout, at most once per process.
var FindZooraft = sync.OnceValues(func() (string, error) {
	if bin := os.Getenv("ZOORAFT_BIN"); bin != "" {
		abs, err := filepath.Abs(bin)
		if err != nil {
			return "", err
		}
		if _, err := os.Stat(abs); err != nil {
			return "", fmt.Errorf("ZOORAFT_BIN: %w", err)
		}
		return abs, nil
	}
	return buildZooraft(os.Getenv("ZOORAFT_RACE") != "0")
})

// buildZooraft builds cmd/zooraft into a place that depends on the checkout alone, so that test processes of one run
// share the work and leave one file, not one each. The lock keeps one from starting what another is writing.
func buildZooraft(race bool) (string, error) {
	gomod, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find module: %w", err)
	}
	root, file := filepath.Split(strings.TrimSpace(string(gomod)))
	if file != "go.mod" { // empty, or the null device
		return "", errors.New("find module: not in one; set ZOORAFT_BIN")
	}
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("zooraft-bin-%d", os.Getuid()), strings.ReplaceAll(root, "/", "_"))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", fmt.Errorf("lock build: %w", err)
	}
	name := "zooraft"
	args := []string{"build"}
	if race {
		name += "-race"
		args = append(args, "-race")
	}
	bin := filepath.Join(dir, name)
	build := exec.Command("go", append(args, "-o", bin, "./cmd/zooraft")...)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go %s: %w\n%s(ZOORAFT_RACE=0 builds without the race detector)",
			strings.Join(build.Args[1:], " "), err, out)
	}
	return bin, nil
}
