//go:build interop

package interop

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"zooraft/protocol"
	"zooraft/tests/harness"
)

// frames is a session that speaks in frames, so that requests can be sent which no client library makes.
type frames struct {
	t   *testing.T
	nc  net.Conn
	xid int32
}

func openFrames(t *testing.T, addr string) *frames {
	t.Helper()
	nc, err := net.DialTimeout("tcp", addr, clientTimeout)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(clientTimeout))
	f := &frames{t: t, nc: nc}
	f.write((&protocol.ConnectRequest{Timeout: int32(clientTimeout.Milliseconds()), Passwd: make([]byte, 16)}).Append(nil))
	f.read()
	return f
}

func (f *frames) write(b []byte) {
	f.t.Helper()
	f.nc.SetDeadline(time.Now().Add(clientTimeout))
	if _, err := f.nc.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)); err != nil {
		f.t.Fatal(err)
	}
}

func (f *frames) read() []byte {
	f.t.Helper()
	f.nc.SetDeadline(time.Now().Add(clientTimeout))
	var head [4]byte
	if _, err := io.ReadFull(f.nc, head[:]); err != nil {
		f.t.Fatal(err)
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(f.nc, b); err != nil {
		f.t.Fatal(err)
	}
	return b
}

// call sends a request and returns the reply to it.
func (f *frames) call(op protocol.OpCode, body interface{ Append([]byte) []byte }) (protocol.ReplyHeader, []byte) {
	f.t.Helper()
	f.xid++
	f.write(body.Append((&protocol.RequestHeader{Xid: f.xid, Op: op}).Append(nil)))
	b := f.read()
	var h protocol.ReplyHeader
	d := protocol.NewDecoder(b)
	h.Decode(&d)
	if d.Err() != nil || h.Xid != f.xid {
		f.t.Fatalf("reply %+v to xid %d, %v", h, f.xid, d.Err())
	}
	return h, b[len(b)-d.Remaining():]
}

// config is the data and Stat that getData and reconfig answer.
func (f *frames) config(body []byte) (text string, stat protocol.Stat) {
	f.t.Helper()
	d := protocol.NewDecoder(body)
	text = string(d.Buffer())
	if stat.Decode(&d); d.Err() != nil || d.Remaining() > 0 {
		f.t.Fatalf("not data and a Stat: %x", body)
	}
	return text, stat
}

// named is a text with the ports of an ensemble in it: q1, e1 and c1 for those of server 1.
type named struct{ e *harness.Ensemble }

func (n named) ports() (pairs []string) {
	for sid := 1; sid <= n.e.Size(); sid++ {
		s := n.e.Server(sid)
		_, client, _ := net.SplitHostPort(s.ClientAddr)
		pairs = append(pairs, "q"+strconv.Itoa(sid), strconv.Itoa(s.QuorumPort), "e"+strconv.Itoa(sid), strconv.Itoa(s.ElectionPort), "c"+strconv.Itoa(sid), client)
	}
	return pairs
}

// fill puts the ports in.
func (n named) fill(text string) string {
	pairs := n.ports()
	for i := 0; i < len(pairs); i += 2 {
		text = regexp.MustCompile(`\b`+pairs[i]+`\b`).ReplaceAllString(text, pairs[i+1])
	}
	return text
}

// plain takes them out again.
func (n named) plain(text string) string {
	pairs := n.ports()
	for i := 0; i < len(pairs); i += 2 {
		text = strings.ReplaceAll(text, ":"+pairs[i+1], ":"+pairs[i])
	}
	return text
}

// request is a reconfig; "null" stands for null.
type reconfigRequest struct {
	name                      string
	joining, leaving, members string
	version                   int64
	lines                     string // what the member lines are compared with, if it succeeds
}

func (r *reconfigRequest) of(n named) *protocol.ReconfigRequest {
	q := &protocol.ReconfigRequest{ConfigID: r.version}
	text := func(s string) string {
		if s == "null" {
			return ""
		}
		return n.fill(s)
	}
	q.Joining, q.Leaving = text(r.joining), text(r.leaving)
	q.NewMembers, q.NewMembersNull = text(r.members), r.members == "null"
	return q
}

const (
	line1 = "server.1=127.0.0.1:q1:e1"
	line2 = "server.2=127.0.0.1:q2:e2"
	line3 = "server.3=127.0.0.1:q3:e3"
)

func increment(name, joining, leaving string) reconfigRequest {
	return reconfigRequest{name: name, joining: joining, leaving: leaving, members: "null", version: -1}
}

func whole(name, members string) reconfigRequest {
	return reconfigRequest{name: name, joining: "null", leaving: "null", members: members, version: -1}
}

// refused are requests that fail, and which of their faults ZooKeeper finds first; accepted are some that change nothing
// that needs time.
var refused = []reconfigRequest{
	{name: "version", joining: "x", leaving: "x", members: "null", version: 5},
	increment("leaver without a number", "null", "two"),
	increment("leaver before joiner", "x", "two"),
	increment("joiner without a number", "server.four=h:1:2;3", "null"),
	increment("joiner without a line", "server.4", "null"),
	increment("joiner without a client port", "server.4=10.0.0.4:1:2", "null"),
	increment("joiner without an election port", "server.4=10.0.0.4:1;3", "null"),
	increment("equal ports", "server.4=10.0.0.4:1:1;3", "null"),
	increment("port that is none", "server.4=10.0.0.4:a:2;3", "null"),
	increment("port beyond all", "server.4=10.0.0.4:1:65536;3", "null"),
	increment("client port beyond all", "server.4=10.0.0.4:1:2;65536", "null"),
	increment("unknown role", "server.4=10.0.0.4:1:2:leader;3", "null"),
	increment("several addresses", "server.4=10.0.0.4:1:2|10.0.0.5:1:2;3", "null"),
	increment("only separators", "server.4=;", "null"),
	increment("two at one address", "server.4=10.0.0.4:1:2;3,server.5=10.0.0.4:2:5;6", "null"),
	increment("one voter", "null", "1,2"),
	increment("no voter", "null", "1,2,3"),
	whole("nothing", ""),
	whole("one voter", line1),
	whole("an observer alone", line1+":observer"),
	whole("a voter and an observer", line1+","+line2+":observer"),
	whole("another key", line1+","+line2+",tickTime=5"),
	whole("id that is none", "server.x=127.0.0.1:1:2"),
	whole("version that is none", line1+","+line2+",version=z"),
	whole("escape that is none", line1+","+line2+`,server.4=\u1`),
	whole("no election port", line1+",server.2=127.0.0.1:q2"),
}

var accepted = []reconfigRequest{
	{name: "nothing", joining: "null", leaving: "null", members: "null", version: -1, lines: line1 + ":participant\n" + line2 + ":participant\n" + line3 + ":participant\n"},
	increment("nobody leaves", "", " 9,,+8,-1 "),
	increment("a client port", line3+";c3", "null"),
	increment("a client port again, spelled otherwise", " x.y.+3 = 127.0.0.1:q3:e3:PARTICIPANT;127.0.0.1:c3;", "null"),
	whole("all, with blanks and comments", "# all\n "+line1+"\n\t"+line2+" , "+line3+";c3"),
	whole("all, in Java's syntax", "server.1 : 127.0.0.1:q1:\\\n  e1;c1\nserver.2 127.0.0.1:q2:e2,version=ff,server.3=127.0.0.1:q3:e3"),
}

// TestReconfigLikeZooKeeper sends the same requests to an ensemble of each kind and compares every reply.
func TestReconfigLikeZooKeeper(t *testing.T) {
	o := harness.Options{Size: 3, Lines: []string{"reconfigEnabled=true"}}
	theirs := named{harness.StartZooKeeper(t, zooKeeperJars(t), superUser(o))}
	ours := named{harness.StartZooraft(t, superUser(o))}
	for _, kind := range []struct {
		name string
		auth bool
		ask  []reconfigRequest
	}{{"refused", true, refused}, {"refused to anybody", false, refused[:2]}, {"not allowed", false, accepted[:1]}, {"accepted", true, accepted}} {
		t.Run(kind.name, func(t *testing.T) {
			a, b := openFrames(t, theirs.e.ClientAddrs()[0]), openFrames(t, ours.e.ClientAddrs()[0])
			if kind.auth {
				a.login()
				b.login()
			}
			for _, r := range kind.ask {
				ha, ba := a.call(protocol.OpReconfig, r.of(theirs))
				hb, bb := b.call(protocol.OpReconfig, r.of(ours))
				if ha.Err != hb.Err {
					t.Errorf("%s: ZooKeeper answers %v, Zooraft %v", r.name, ha.Err, hb.Err)
					continue
				}
				if ha.Err != 0 {
					if len(ba) > 0 || len(bb) > 0 {
						t.Errorf("%s: %v with bodies %x and %x", r.name, ha.Err, ba, bb)
					}
					continue
				}
				ta, sa := a.config(ba)
				tb, sb := b.config(bb)
				if ta, tb := shape(theirs.plain(ta)), shape(ours.plain(tb)); ta != tb {
					t.Errorf("%s: ZooKeeper publishes\n%s\nZooraft\n%s", r.name, ta, tb)
				} else if r.lines != "" && ta != r.lines+"version=" {
					t.Errorf("%s: both publish\n%s", r.name, ta)
				}
				for _, one := range []struct {
					who  string
					h    protocol.ReplyHeader
					text string
					stat protocol.Stat
				}{{"ZooKeeper", ha, ta, sa}, {"Zooraft", hb, tb, sb}} {
					if want := fmt.Sprintf("version=%x", one.h.Zxid); !strings.HasSuffix(one.text, want) || one.stat.Mzxid != one.h.Zxid {
						t.Errorf("%s: %s: reply %+v, text %q, stat %+v", r.name, one.who, one.h, one.text, one.stat)
					}
				}
				if sa, sb := alike(sa), alike(sb); sa != sb {
					t.Errorf("%s: stat %+v of ZooKeeper, %+v of Zooraft", r.name, sa, sb)
				}
				_, ba = a.call(protocol.OpGetData, &protocol.PathWatchRequest{Path: "/zookeeper/config"})
				_, bb = b.call(protocol.OpGetData, &protocol.PathWatchRequest{Path: "/zookeeper/config"})
				againA, _ := a.config(ba)
				againB, _ := b.config(bb)
				if againA != ta || againB != tb {
					t.Errorf("%s: read back %q and %q", r.name, againA, againB)
				}
			}
		})
	}
	t.Run("disabled", func(t *testing.T) {
		o := harness.Options{Size: 3}
		e := harness.StartZooraft(t, superUser(o))
		f := openFrames(t, e.ClientAddrs()[0])
		f.login()
		if h, _ := f.call(protocol.OpReconfig, refused[0].of(named{e})); h.Err != protocol.ErrReconfigDisabled {
			t.Errorf("got %v", h.Err)
		}
		_, body := f.call(protocol.OpGetData, &protocol.PathWatchRequest{Path: "/zookeeper/config"})
		if text, _ := f.config(body); !strings.HasPrefix(text, named{e}.fill(line1)) {
			t.Errorf("published: %q", text)
		}
	})
	t.Run("standalone", func(t *testing.T) {
		for _, e := range []*harness.Ensemble{
			harness.StartZooKeeper(t, zooKeeperJars(t), superUser(harness.Options{Lines: o.Lines})),
			harness.StartZooraft(t, superUser(harness.Options{Lines: o.Lines})),
		} {
			f := openFrames(t, e.ClientAddrs()[0])
			f.login()
			if h, _ := f.call(protocol.OpReconfig, refused[0].of(named{e})); h.Err != protocol.ErrUnimplemented {
				t.Errorf("got %v", h.Err)
			}
		}
	})
}

// superUser lets super:test do everything.
func superUser(o harness.Options) harness.Options {
	o.Defines = append(o.Defines, "zookeeper.DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=")
	return o
}

func (f *frames) login() {
	f.t.Helper()
	f.write((&protocol.AuthPacket{Scheme: "digest", Auth: []byte("super:test")}).Append((&protocol.RequestHeader{Xid: protocol.XidAuth, Op: protocol.OpAuth}).Append(nil)))
	f.read()
}

// shape is a text without the digits of its version.
func shape(text string) string {
	return regexp.MustCompile(`version=[0-9a-f]+$`).ReplaceAllString(text, "version=")
}

// alike is a Stat without what differs between ensembles: a length holds ports.
func alike(s protocol.Stat) protocol.Stat {
	s.Mzxid, s.Mtime, s.DataLength = 0, 0, 0
	return s
}
