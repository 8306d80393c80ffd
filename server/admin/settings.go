package admin

import (
	"fmt"
	"os"
	"os/user"
	"runtime"
	"runtime/debug"
	"strings"
)

// conf prints the configuration in effect. The last line, with the version of the
// membership, has no end, as in ZooKeeper.
func conf(src Source) string {
	s := src.Settings()
	data, log := src.DirSizes()
	var b strings.Builder
	line := func(key string, value any) { fmt.Fprintf(&b, "%s=%v\n", key, value) }
	line("clientPort", s.ClientPort)
	line("secureClientPort", s.SecureClientPort)
	line("dataDir", s.DataDir)
	line("dataDirSize", data)
	line("dataLogDir", s.DataLogDir)
	line("dataLogSize", log)
	line("tickTime", s.TickTime.Milliseconds())
	line("maxClientCnxns", s.MaxClientCnxns)
	line("minSessionTimeout", s.MinSessionTimeout.Milliseconds())
	line("maxSessionTimeout", s.MaxSessionTimeout.Milliseconds())
	line("clientPortListenBacklog", s.ListenBacklog)
	line("serverId", s.SID)
	if s.Ensemble {
		peerType := 0
		if s.Observer {
			peerType = 1
		}
		line("initLimit", s.InitLimit)
		line("syncLimit", s.SyncLimit)
		line("electionAlg", 3)
		line("electionPort", s.ElectionPort)
		line("quorumPort", s.QuorumPort)
		line("peerType", peerType)
		b.WriteString("membership: \n")
		b.WriteString(s.Membership)
	}
	return b.String()
}

func dirs(src Source) string {
	data, log := src.DirSizes()
	return fmt.Sprintf("datadir_size: %d\nlogdir_size: %d\n", data, log)
}

// envi prints what the process runs on. Where ZooKeeper names Java's parts, the
// keys name what stands in their place.
func envi(src Source) string {
	var b strings.Builder
	b.WriteString("Environment:\n")
	for _, kv := range environment(src.Status().Version) {
		fmt.Fprintf(&b, "%s=%s\n", kv[0], kv[1])
	}
	return b.String()
}

// environment lists key and value, in ZooKeeper's order.
func environment(version string) [][2]string {
	host, _ := os.Hostname()
	var name, home string
	if u, err := user.Current(); err == nil {
		name, home = u.Username, u.HomeDir
	}
	dir, _ := os.Getwd()
	exe, _ := os.Executable()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	limit := debug.SetMemoryLimit(-1) // asks only
	megabytes := func(n uint64) string { return fmt.Sprintf("%dMB", n>>20) }
	most := megabytes(uint64(limit))
	if limit == 1<<63-1 {
		most = "unlimited"
	}
	return [][2]string{
		{"zookeeper.version", version},
		{"host.name", host},
		{"java.version", runtime.Version()},
		{"java.vendor", "none: " + runtime.Compiler},
		{"java.home", ""},
		{"java.class.path", exe},
		{"java.library.path", ""},
		{"java.io.tmpdir", os.TempDir()},
		{"java.compiler", "<NA>"},
		{"os.name", strings.ToUpper(runtime.GOOS[:1]) + runtime.GOOS[1:]},
		{"os.arch", runtime.GOARCH},
		{"os.version", kernel()},
		{"user.name", name},
		{"user.home", home},
		{"user.dir", dir},
		{"os.memory.free", megabytes(m.HeapIdle)},
		{"os.memory.max", most},
		{"os.memory.total", megabytes(m.Sys)},
	}
}

// hash prints the digest of the tree at its zxid: hexadecimal zxid, decimal digest.
// ZooKeeper lists those of the past as well, one for 128 transactions.
func hash(src Source) string {
	zxid, digest := src.Digest()
	return fmt.Sprintf("%x: %d\n", uint64(zxid), digest)
}
