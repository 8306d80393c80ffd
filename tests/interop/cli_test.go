//go:build interop

package interop

import (
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"zooraft/tests/harness"
)

// zooraftCLI is the command line that takes zkCli.sh's place.
func zooraftCLI(t *testing.T, server string, args ...string) *exec.Cmd {
	t.Helper()
	// Under the race detector a process would wait a second before it ends.
	t.Setenv("GORACE", "atexit_sleep_ms=0")
	return exec.CommandContext(withDeadline(t, clientTimeout), harness.ZooraftBinary(t), append([]string{"cli", "-server", server}, args...)...)
}

// cliScript uses every command of zkCli, rightly and wrongly. SERVER stands for the server's address.
const cliScript = `
ls /
create /app hello
create /app again
create -s /app/s- x
create -se /app/es- x
create -e /app/e mine
create /app/e/x
create -c /app/box
create -c -s /app/box
create -t abc /app/t
create -t 0 /app/t
create -t 100 -e /app/t
create -t 100 -c /app/t
create -t 10000 /app/t
create
create app
create /app/
create /a//b
create /a/./b
create /a/../b
create /none/b
create /app/acl data bad
create /app/acl data bad:acl
create /app/acl data world:anyone:xr
create /app/q "two words" world:anyone:r
create /app/q2 'single quoted'
create /app/q3 "not closed
create /app/ü größe
create /app/long 0123456789012345678901234567890123456789
create -z /x
create -- -x
create /nul
get /nul
get
get /app
get -s /app
get -b /app
get -x /app
get -x /app/long
get /app/ü
get -sw /app
get /app watch
get /none
get none
get -s /app watch
get -q /app
stat /app
stat /none
stat
stat /app w
set
set /app
set /app two
set -s /app three
set -v 0 /app late
set -v2 /app right
set -v=3 /app right
set -b /app aGVsbG8=
set /none x
ls
ls -s /app
ls -R /app
ls -R /
ls -R /none
ls -w /app
ls /app watch
ls -? /app
ls /none
ls -z /
delete
delete /app
delete /none
delete -v 5 /app/q
delete -v
delete /app/q 0
getAcl /app
getAcl -s /app
getAcl
getAcl /none
setAcl /app
setAcl /app bad
setAcl /app ,
setAcl /app world:anyone:cdrwa,
setAcl /app ,world:anyone:cdrwa
setAcl /app world:anyone:cdrwa
setAcl -s /app world:anyone:cdrwa
setAcl -v 9 /app world:anyone:cdrwa
setAcl -R /app world:anyone:cdrwa
setAcl -R /none world:anyone:cdrwa
setAcl /none world:anyone:cdrwa
setAcl /app digest:a:r
setAcl /app foo:bar:r
getAllChildrenNumber /app
getAllChildrenNumber
getAllChildrenNumber /none
getEphemerals /app/e
getEphemerals /none
getEphemerals none
sync /app
sync
sync /none
sync none
listquota
listquota /app
setquota
setquota -n 2
setquota /app
setquota -n 2 -b 3 /app
setquota -n 0 /app
setquota -b -1 /app
setquota -N 0 /app
setquota -B -2 /app
setquota -n x /app
setquota -n 5 /none
setquota -n 5 none
setquota -n 5 /zookeeper/quota/x
setquota -n 2 /app/box
setquota -n 2 /app
delquota /app/box
setquota -n 2 /app
setquota -n 2 /app/box
setquota -n 2 /
setquota -b 2 /app
setquota -N 100 /app
setquota -B 100000 /app
listquota /app
delquota
delquota -n /app
delquota -n -b /app
listquota /app
delquota /app
delquota /app
delquota /none
delquota none
listquota none
ls -R /zookeeper
addauth
addauth digest bob:pw
whoami
create /locked secret auth::cdrwa
getAcl /locked
create /odd x digest:a%2Cb}%:h:c,world:anyone:ra
getAcl /odd
addWatch
addWatch /app
addWatch -m FOO /app
create /app/deep
set /app/deep 1
delete /app/deep
removewatches
removewatches /app -c
removewatches /app -p
removewatches /app -r
removewatches /app
removewatches /app -d
removewatches /none -l
get -w /app
ls -w /app
set /app four
addWatch -m persistent /app
create /app/more
set /app five
removewatches /app -a
sync /app
printwatches
printwatches off
printwatches
printwatches on
history
redo
redo 1
redo 999
redo -1
redo 4
reconfig
reconfig -add
reconfig -remove 3
reconfig -add server.9=a:1:2;3
reconfig -members a -add b
reconfig -file x -members b
reconfig -file /nonexistent
reconfig -v zz -remove 3
config
config -c
config -s
config -z
version x
foo
"quoted" bar
deleteall
deleteall /none
deleteall none
deleteall -b x /app
deleteall -b 2 /app
deleteall /app/
deleteall /
close
ls /
history
connect
connect SERVER/nul
ls /
create /c1
get /c1
create -s /seq-
getEphemerals
ls -R /
stat /
get -w /
set / changed
deleteall /c1
deleteall /seq-0000000001 -b 0
close
connect SERVER
ls /
quit
ls /after/quit
`

// What differs with the time and the server, and not with the client.
var cliVarying = []struct{ pattern, text string }{
	{`\[zk: [^\]]*\] `, ``}, // no prompt where nobody types
	{`(?m)^([cm]time) = .*$`, `$1 = TIME`},
	{`(?m)^([cmp]Zxid|ephemeralOwner) = 0x[1-9a-f][0-9a-f]*$`, `$1 = HEX`},
	{`zxid: [1-9]\d*`, `zxid: N`},
	{`127\.0\.0\.1:\d+`, `SERVER`},
	{`(?m)^JLine support is .*\n`, ``},
	{`(?m)^.* - ERROR .*\n`, ``},               // a JVM's log
	{`(?m)^no server of .* answers: .*\n`, ``}, // what that log has in many lines
	{`(?m)^.* org\.jline\.utils\.Log .*\n.*system terminal.*\n`, ``},
	// What the usage screen has besides ZooKeeper's commands.
	{`(?m)^\t(cp|diff|du|edit|exit|export|find|help|import|mv|tree|watch) .*\n`, ``},
	{`(?m)^WATCHER::\n`, ``},
}

// answersOf takes what a client said apart: what it answered and, for they come on their own time, the events.
func answersOf(text string) (answers, events []string) {
	for _, v := range cliVarying {
		text = regexp.MustCompile(v.pattern).ReplaceAllString(text, v.text)
	}
	for _, line := range lines(text) {
		if strings.HasPrefix(line, "WatchedEvent ") {
			events = append(events, line)
		} else {
			answers = append(answers, line)
		}
	}
	return answers, events
}

func compareLines(t *testing.T, what string, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			from := max(i-3, 0)
			t.Errorf("%s, line %d of %d: got\n%s\nwant, as zkCli has it, of %d\n%s", what, i+1, len(got),
				strings.Join(got[min(from, len(got)):min(i+4, len(got))], "\n"), len(want), strings.Join(want[min(from, len(want)):min(i+4, len(want))], "\n"))
			return
		}
	}
}

// TestCLIAgainstZkCli gives ZooKeeper's client and ours the same script, each on a server of its own.
func TestCLIAgainstZkCli(t *testing.T) {
	zooKeeperJars(t)
	java(t)
	type said struct {
		stdout, stderr string
		code           int
	}
	var results []said
	for _, client := range []cliCommand{zkCli, zooraftCLI} {
		e := start(t, 1)
		cmd := client(t, e.Connect(), "-waitforconnection")
		cmd.Stdin = strings.NewReader(strings.TrimSpace(strings.ReplaceAll(cliScript, "SERVER", e.Connect())) + "\n")
		stdout, stderr, code := run(t, cmd)
		results = append(results, said{stdout, stderr, code})
	}
	want, got := results[0], results[1]
	wantLines, wantEvents := answersOf(want.stdout)
	gotLines, gotEvents := answersOf(got.stdout)
	if len(wantLines) < 200 || len(wantEvents) < 10 {
		t.Fatalf("zkCli said %d lines and told %d events; the script did not run", len(wantLines), len(wantEvents))
	}
	compareLines(t, "stdout", gotLines, wantLines)
	// A JVM that ends may not come to tell of its own end.
	if n := len(wantEvents); len(gotEvents) == n+1 && strings.HasPrefix(gotEvents[n], "WatchedEvent state:Closed ") {
		gotEvents = gotEvents[:n]
	}
	compareLines(t, "events", gotEvents, wantEvents)
	wantLines, _ = answersOf(want.stderr)
	gotLines, _ = answersOf(got.stderr)
	compareLines(t, "stderr", gotLines, wantLines)
	if got.code != want.code {
		t.Errorf("exit code: got %d, want %d", got.code, want.code)
	}
}

// TestCLIArgumentsAgainstZkCli gives both clients one command in the arguments.
func TestCLIArgumentsAgainstZkCli(t *testing.T) {
	zooKeeperJars(t)
	java(t)
	e := start(t, 1)
	dead := "127.0.0.1:1"
	tests := []struct {
		server string
		args   []string
	}{
		{"", []string{"create", "/shell", "first"}},
		{"", []string{"create", "/shell", "second"}},
		{"", []string{"get", "-s", "/shell"}},
		{"", []string{"set", "/shell", "two words"}},
		{"/shell", []string{"create", "/below"}},
		{"", []string{"ls", "-R", "/shell"}},
		{"", []string{"ls", "/", "watch"}},
		{"", []string{"get", "/none"}},
		{"", []string{"get"}},
		{"", []string{"foo"}},
		{"", []string{"history"}},
		{"", []string{"-r", "-timeout", "5000", "-unknown", "stat", "/shell"}},
		{"", []string{"deleteall", "/shell"}},
		{"", []string{"quit"}},
		{dead, []string{"ls", "/"}},
	}
	for _, tt := range tests {
		t.Run(strings.Join(append(tt.args, tt.server), " "), func(t *testing.T) {
			server := tt.server
			if server != dead {
				server = e.Connect() + tt.server
			}
			second := slices.Contains(tt.args, "create") && tt.args[len(tt.args)-1] != "second" || slices.Contains(tt.args, "deleteall")
			wantOut, wantErr, wantCode := run(t, zkCli(t, server, tt.args...))
			if second { // what the first has done, the other cannot do again
				undo := []string{"deleteall", tt.args[1]}
				if tt.args[0] == "deleteall" {
					undo = []string{"create", tt.args[1]}
				}
				if _, stderr, code := run(t, zooraftCLI(t, server, undo...)); code != 0 {
					t.Fatalf("%v: %s", undo, stderr)
				}
			}
			gotOut, gotErr, gotCode := run(t, zooraftCLI(t, server, tt.args...))
			wantLines, _ := answersOf(wantOut) // a JVM that ends at once does not tell each event
			gotLines, _ := answersOf(gotOut)
			compareLines(t, "stdout", gotLines, wantLines)
			wantLines, _ = answersOf(wantErr)
			gotLines, _ = answersOf(gotErr)
			compareLines(t, "stderr", gotLines, wantLines)
			if gotCode != wantCode {
				t.Errorf("exit code: got %d, want %d", gotCode, wantCode)
			}
		})
	}
}

// TestCLITyped is a person's session with zkCli, held with ours.
func TestCLITyped(t *testing.T) {
	eachSize(t, func(t *testing.T, e *harness.Ensemble) {
		t.Setenv("ZOORAFT_HISTORY", "")
		testZkCliTyped(t, e, zooraftCLI)
		testZkCliPiped(t, e, zooraftCLI)
	})
}
