//go:build interop

package interop

import (
	"io"
	"net"
	"regexp"
	"testing"
	"time"

	"zooraft/tests/harness"
)

// volatile is what differs between any two servers, or has its row in docs/operations.md: numbers, versions, directories,
// what the process runs on.
var volatile = []struct {
	re *regexp.Regexp
	to string
}{
	{regexp.MustCompile(`(?m)^(Zookeeper version: |\d+ expire at |data(Log)?Dir=).*$`), "$1"},
	{regexp.MustCompile(`0x[0-9a-f]+`), "HEX"},
	{regexp.MustCompile(`-?\d+(\.\d+)?`), "N"},
}

// TestWordsAnswerAlike asks a lone ZooKeeper and a lone Zooraft the same, line by line: words, and what comes near them.
func TestWordsAnswerAlike(t *testing.T) {
	o := harness.Options{Size: 1, Lines: []string{"4lw.commands.whitelist=ruok,isro,srvr,stat,cons,conf,dump,wchs,wchc,wchp,gtmk,stmk,crst,srst"}}
	zookeeper, zooraft := harness.StartZooKeeper(t, zooKeeperJars(t), o), harness.StartZooraft(t, o)
	for _, send := range [][]string{
		{"ruok"}, {"isro"}, {"srvr"}, {"stat"}, {"cons"}, {"conf"}, {"dump"}, {"wchs"}, {"wchc"}, {"wchp"}, {"gtmk"}, {"crst"}, {"srst"},
		{"ruok\n"}, {"ruok\r\nmore"}, {"ru", "ok"}, {"ruok", "\n"}, {"stmk\x00\x00\x00\x00\x00\x00\x012"}, {"stmk\x00"},
		{"envi"}, {"mntr"}, {"dirs"}, // not on the list
		{"nope"}, {"RUOK"}, {" ruok"}, {"ru"}, {""}, {"GET / HTTP/1.1\r\n\r\n"}, {"\x00\x00\x00\x00"}, {"\xff\xff\xff\xff"},
	} {
		want, got := answerOf(t, zookeeper.Server(1).ClientAddr, send), answerOf(t, zooraft.Server(1).ClientAddr, send)
		if got != want {
			t.Errorf("%q:\nZooKeeper\n%s\nZooraft\n%s", send, want, got)
		}
	}
}

// answerOf sends pieces, each in a packet of its own, then an end, and returns the answer without what is volatile.
func answerOf(t *testing.T, addr string, pieces []string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	for i, piece := range pieces {
		if i > 0 {
			time.Sleep(50 * time.Millisecond) // packets of their own
		}
		io.WriteString(c, piece) // the other end may be gone, and has answered then
	}
	c.(*net.TCPConn).CloseWrite()
	b, err := io.ReadAll(c)
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		return "no end of the connection"
	}
	text := string(b)
	for _, v := range volatile {
		text = v.re.ReplaceAllString(text, v.to)
	}
	return text
}
