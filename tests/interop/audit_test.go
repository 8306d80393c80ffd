//go:build interop

package interop

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"zooraft/protocol"
	"zooraft/tests/harness"
)

// auditLogback is the part of ZooKeeper's own logback.xml that is about the audit log; ZooKeeper has it commented out.
const auditLogback = `<configuration>
  <appender name="ERR" class="ch.qos.logback.core.ConsoleAppender">
    <target>System.err</target>
    <encoder><pattern>%d{ISO8601} [myid:%X{myid}] - %-5p [%t:%C{1}@%L] - %m%n</pattern></encoder>
  </appender>
  <appender name="RFAAUDIT" class="ch.qos.logback.core.rolling.RollingFileAppender">
    <File>zookeeper_audit.log</File>
    <encoder><pattern>%d{ISO8601} %p %c{2}: %m%n</pattern></encoder>
    <rollingPolicy class="ch.qos.logback.core.rolling.FixedWindowRollingPolicy">
      <maxIndex>10</maxIndex><FileNamePattern>zookeeper_audit.log.%i</FileNamePattern>
    </rollingPolicy>
    <triggeringPolicy class="ch.qos.logback.core.rolling.SizeBasedTriggeringPolicy"><MaxFileSize>10MB</MaxFileSize></triggeringPolicy>
  </appender>
  <logger name="org.apache.zookeeper.audit.Slf4jAuditLogger" additivity="false" level="INFO"><appender-ref ref="RFAAUDIT"/></logger>
  <root level="INFO"><appender-ref ref="ERR"/></root>
</configuration>
`

// audited is an ensemble whose audit logs are read, and what its sessions are called there.
type audited struct {
	e        *harness.Ensemble
	t        *testing.T
	leader   int
	follower int
	sessions map[string]string // by id as it is logged
}

func startAudited(t *testing.T, of func(testing.TB, harness.Options) *harness.Ensemble, o harness.Options) *audited {
	t.Helper()
	a := &audited{e: of(t, o), t: t, sessions: map[string]string{}}
	a.leader = a.e.Leader()
	a.follower = a.leader%3 + 1
	return a
}

// open opens a session that is called name, at a server.
func (a *audited) open(name string, sid int, timeout int32) *frames {
	a.t.Helper()
	nc, err := net.DialTimeout("tcp", a.e.Server(sid).ClientAddr, clientTimeout)
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(clientTimeout))
	f := &frames{t: a.t, nc: nc}
	f.write((&protocol.ConnectRequest{Timeout: timeout, Passwd: make([]byte, 16)}).Append(nil))
	b := f.read()
	a.sessions[fmt.Sprintf("0x%x", binary.BigEndian.Uint64(b[8:]))] = name
	return f
}

// raw is a body as it is.
type raw []byte

func (r raw) Append(b []byte) []byte { return append(b, r...) }

// op is one sub-operation of a multi.
type op struct {
	typ  protocol.OpCode
	body interface{ Append([]byte) []byte }
}

func multi(ops ...op) raw {
	var b []byte
	for _, o := range ops {
		b = o.body.Append((&protocol.MultiHeader{Type: o.typ, Err: -1}).Append(b))
	}
	return protocol.AppendMultiEnd(b)
}

var openToAll = []protocol.ACL{{Perms: protocol.PermAll, Scheme: "world", ID: "anyone"}}

func auditCreate(path string, flags int32) *protocol.CreateRequest {
	return &protocol.CreateRequest{Path: path, Data: []byte("secret"), ACL: openToAll, Flags: flags}
}

func auditTTL(path string, flags int32) *protocol.CreateTTLRequest {
	return &protocol.CreateTTLRequest{CreateRequest: *auditCreate(path, flags), TTL: 1 << 30}
}

// everything is what a session of the audit test asks for, below a root of its own.
func everything(root string) []op {
	set := func(path string, version int32) *protocol.SetDataRequest {
		return &protocol.SetDataRequest{Path: root + path, Data: []byte("secret"), Version: version}
	}
	acl := func(path string, acls ...protocol.ACL) *protocol.SetACLRequest {
		return &protocol.SetACLRequest{Path: root + path, ACL: acls, Version: -1}
	}
	del := func(path string) *protocol.DeleteRequest {
		return &protocol.DeleteRequest{Path: root + path, Version: -1}
	}
	check := func(path string, version int32) *protocol.CheckVersionRequest {
		return &protocol.CheckVersionRequest{Path: root + path, Version: version}
	}
	c := func(path string, flags int32) *protocol.CreateRequest { return auditCreate(root+path, flags) }
	return []op{
		{protocol.OpCreate, c("", 0)},
		{protocol.OpCreate, c("", 0)},
		{protocol.OpCreate2, c("/two", 0)},
		{protocol.OpCreate, c("/none/child", 0)},
		{protocol.OpCreate, c("/e", 1)},
		{protocol.OpCreate, c("/s-", 2)},
		{protocol.OpCreate2, c("/es-", 3)},
		{protocol.OpCreateContainer, c("/c", 4)},
		{protocol.OpCreate, c("/c4", 4)},
		{protocol.OpCreate, c("/c5", 5)},
		{protocol.OpCreate, c("/c9", 9)},
		{protocol.OpCreateContainer, c("/c", 4)},
		{protocol.OpCreateTTL, auditTTL(root+"/t", 5)},
		{protocol.OpCreateTTL, auditTTL(root+"/ts-", 6)},
		{protocol.OpCreateTTL, auditTTL(root+"/t", 5)},
		{protocol.OpCreate, auditCreate("relative", 0)},
		{protocol.OpCreate, auditCreate("", 0)},
		{protocol.OpCreate, &protocol.CreateRequest{Path: root + "/acl", Flags: 0}},
		{protocol.OpSetData, set("", -1)},
		{protocol.OpSetData, set("", 77)},
		{protocol.OpSetData, set("/none", -1)},
		{protocol.OpSetACL, acl("/two", protocol.ACL{Perms: 1, Scheme: "world", ID: "anyone"}, protocol.ACL{Perms: 31, Scheme: "ip", ID: "127.0.0.1"}, protocol.ACL{Perms: 6, Scheme: "digest", ID: "bob:hash="})},
		{protocol.OpSetACL, acl("/two", protocol.ACL{Perms: 31, Scheme: "auth"})},
		{protocol.OpSetACL, acl("/none", openToAll...)},
		{protocol.OpSetACL, acl("/two")},
		{protocol.OpDelete, del("/two")},
		{protocol.OpDelete, del("/none")},
		{protocol.OpDelete, del("")},
		{protocol.OpMulti, multi(
			op{protocol.OpCreate, c("/m", 0)}, op{protocol.OpCreate2, c("/m/e", 1)}, op{protocol.OpCreate, c("/m/s-", 2)},
			op{protocol.OpCreateContainer, c("/m/c", 4)}, op{protocol.OpCreateTTL, auditTTL(root+"/m/t", 5)},
			op{protocol.OpSetData, set("/m", -1)}, op{protocol.OpCheck, check("/m", 1)}, op{protocol.OpDelete, del("/m/e")})},
		{protocol.OpMulti, multi(op{protocol.OpCreate, c("/m2", 0)}, op{protocol.OpDelete, del("/none")}, op{protocol.OpSetData, set("", -1)})},
		{protocol.OpMulti, multi(op{protocol.OpCheck, check("", -1)})},
		{protocol.OpMulti, multi(op{protocol.OpCheck, check("", 99)})},
		{protocol.OpMulti, multi()},
		{protocol.OpReconfig, &protocol.ReconfigRequest{Joining: "server.9=h:1:2;3", ConfigID: -1, NewMembersNull: true}},
		{protocol.OpGetData, &protocol.PathWatchRequest{Path: root}},
		{protocol.OpExists, &protocol.PathWatchRequest{Path: root + "/none"}},
		{protocol.OpSync, &protocol.SyncRequest{Path: root}},
	}
}

// audit plays everything and returns each server's log: the leader's, the follower's that had clients too, the third's.
func (a *audited) play() [][]string {
	t := a.t
	for _, at := range []struct {
		name string
		sid  int
	}{{"leader", a.leader}, {"follower", a.follower}} {
		f := a.open(at.name, at.sid, 20000)
		for _, o := range everything("/" + at.name) {
			f.call(o.typ, o.body)
		}
		g := a.open(at.name+" with ids", at.sid, 20000)
		for i, id := range []string{"bob:one", "bob:two", "al,ice:three", "super:test"} {
			g.auth("digest", id)
			g.call(protocol.OpCreate, auditCreate(fmt.Sprintf("/%s/by-%d", at.name, i), 0))
		}
		g.call(protocol.OpReconfig, &protocol.ReconfigRequest{ConfigID: -1, Leaving: "9", NewMembersNull: true})
		g.call(protocol.OpReconfig, &protocol.ReconfigRequest{ConfigID: 5, Leaving: "9", NewMembersNull: true})
		f.call(protocol.OpCloseSession, raw{})
		h := a.open(at.name+" to expire", at.sid, 3000) // enough for what it asks, on a busy machine too
		h.call(protocol.OpCreate, auditCreate("/"+at.name+"/to-expire", 1))
		h.nc.Close()
		harness.Eventually(t, clientTimeout, "the end of a session", func() error {
			if r, _ := g.call(protocol.OpExists, &protocol.PathWatchRequest{Path: "/" + at.name + "/to-expire"}); r.Err != protocol.ErrNoNode {
				return fmt.Errorf("%v", r.Err)
			}
			return nil
		})
		g.call(protocol.OpCreate, auditCreate("/"+at.name+"/end", 0))
	}
	// All have applied it once each has answered a sync.
	for sid := 1; sid <= 3; sid++ {
		f := a.open("end", sid, 20000)
		f.call(protocol.OpSync, &protocol.SyncRequest{Path: "/"})
		f.call(protocol.OpGetData, &protocol.PathWatchRequest{Path: "/"})
	}
	var logs [][]string
	for _, sid := range []int{a.leader, a.follower, 6 - a.leader - a.follower} {
		a.e.Term(sid)
		logs = append(logs, a.lines(sid))
	}
	return logs
}

var auditHead = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} `)

// lines is a server's audit log without times, with the sessions' names and with users in order. The znodes of an ended session come in an
// order that is nobody's promise.
func (a *audited) lines(sid int) []string {
	b, err := os.ReadFile(filepath.Join(a.e.Server(sid).Dir, "zookeeper_audit.log"))
	if err != nil {
		a.t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	for i, line := range lines {
		head := auditHead.FindString(line)
		if head == "" {
			a.t.Errorf("server %d: no head in %q", sid, line)
		}
		fields := strings.Split(line[len(head):], "\t")
		for k, field := range fields {
			if users, ok := strings.CutPrefix(field, "user="); ok { // ZooKeeper keeps identities in no order
				all := strings.Split(users, ",")
				slices.Sort(all)
				fields[k] = "user=" + strings.Join(all, ",")
			}
			if class, id, ok := strings.Cut(field, "session="); ok {
				fields[k] = class + "session=" + a.sessions[id]
			}
		}
		lines[i] = strings.Join(fields, "\t")
	}
	for i := 0; i < len(lines); {
		n := i
		for n < len(lines) && strings.Contains(lines[n], "ephemeralZNodeDeletion") {
			n++
		}
		slices.Sort(lines[i:n])
		i = n + 1
	}
	return lines
}

// auth adds an identity, and takes the answer.
func (f *frames) auth(scheme, auth string) {
	f.t.Helper()
	p := protocol.AuthPacket{Scheme: scheme, Auth: []byte(auth)}
	f.write(p.Append((&protocol.RequestHeader{Xid: protocol.XidAuth, Op: protocol.OpAuth}).Append(nil)))
	f.read()
}

// TestAuditLikeZooKeeper asks an ensemble of each kind for the same, and compares the audit logs of all servers.
func TestAuditLikeZooKeeper(t *testing.T) {
	o := harness.Options{Size: 3, TickTime: 500 * time.Millisecond, Lines: []string{"reconfigEnabled=true"}}
	o.Defines = append(superUser(o).Defines,
		"zookeeper.audit.enable=true", "zookeeper.extendedTypesEnabled=true",
		"zookeeper.log.dir=.",
	)
	file := filepath.Join(t.TempDir(), "logback.xml")
	if err := os.WriteFile(file, []byte(auditLogback), 0o600); err != nil {
		t.Fatal(err)
	}
	stock := o
	stock.Defines = append(slices.Clone(o.Defines), "logback.configurationFile="+file)
	jars := zooKeeperJars(t)
	theirs := startAudited(t, func(t testing.TB, o harness.Options) *harness.Ensemble { return harness.StartZooKeeper(t, jars, o) }, stock).play()
	ours := startAudited(t, harness.StartZooraft, o).play()
	if len(theirs[0]) < 40 || len(theirs[1]) < 40 || len(theirs[2]) < 6 {
		t.Errorf("ZooKeeper has %d, %d and %d lines", len(theirs[0]), len(theirs[1]), len(theirs[2]))
	}
	for i, who := range []string{"leader", "follower", "third server"} {
		for k := range max(len(theirs[i]), len(ours[i])) {
			a, b := "nothing", "nothing"
			if k < len(theirs[i]) {
				a = theirs[i][k]
			}
			if k < len(ours[i]) {
				b = ours[i][k]
			}
			if a != b {
				t.Errorf("%s, line %d:\nZooKeeper %q\nZooraft   %q", who, k, a, b)
			}
		}
	}
}
