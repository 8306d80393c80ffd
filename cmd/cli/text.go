package cli

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"zooraft/protocol"
)

// javaText reads bytes as Java reads UTF-8, malformed ones as U+FFFD.
func javaText(data []byte) string {
	d := protocol.NewDecoder(protocol.AppendBuffer(nil, data))
	return d.String()
}

// visible writes what a terminal would obey, or what turns the direction of writing,
// as Go escapes: what somebody has put into a znode does not move the cursor.
func visible(text string) string {
	obeyed := func(r rune) bool {
		return r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
	}
	if strings.IndexFunc(text, obeyed) < 0 {
		return text
	}
	var b strings.Builder
	for i, r := range text {
		if obeyed(r) && !strings.HasPrefix(text[i:], "\r\n") {
			quote := strconv.QuoteRune(r)
			b.WriteString(quote[1 : len(quote)-1])
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// javaTime is Date.toString, in the local zone.
func javaTime(ms int64) string {
	return time.UnixMilli(ms).Local().Format("Mon Jan 02 15:04:05 MST 2006")
}

func printStat(w io.Writer, s *protocol.Stat) {
	fmt.Fprintf(w, `cZxid = 0x%x
ctime = %s
mZxid = 0x%x
mtime = %s
pZxid = 0x%x
cversion = %d
dataVersion = %d
aclVersion = %d
ephemeralOwner = 0x%x
dataLength = %d
numChildren = %d
`, uint64(s.Czxid), javaTime(s.Ctime), uint64(s.Mzxid), javaTime(s.Mtime), uint64(s.Pzxid), s.Cversion, s.Version, s.Aversion,
		uint64(s.EphemeralOwner), s.DataLength, s.NumChildren)
}

// hexDump draws bytes as netty's ByteBufUtil.prettyHexDump does.
func hexDump(data []byte) string {
	if len(data) == 0 {
		return ""
	}
	const line = "+--------+-------------------------------------------------+----------------+"
	var b strings.Builder
	b.WriteString("         +-------------------------------------------------+\n")
	b.WriteString("         |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |\n")
	b.WriteString(line + "\n")
	row := 0
	for part := range slices.Chunk(data, 16) {
		var text []byte
		fmt.Fprintf(&b, "|%08x|", row)
		for _, c := range part {
			fmt.Fprintf(&b, " %02x", c)
			if c <= 0x1f || c >= 0x7f {
				c = '.'
			}
			text = append(text, c)
		}
		fmt.Fprintf(&b, "%*s |%-16s|\n", 3*(16-len(part)), "", text)
		row += 16
	}
	return b.String() + line
}

// permText names permissions in ZooKeeper's order.
func permText(perms int32) string {
	var b strings.Builder
	for _, p := range []struct {
		bit  int32
		name byte
	}{{protocol.PermCreate, 'c'}, {protocol.PermDelete, 'd'}, {protocol.PermRead, 'r'}, {protocol.PermWrite, 'w'}, {protocol.PermAdmin, 'a'}} {
		if perms&p.bit != 0 {
			b.WriteByte(p.name)
		}
	}
	return b.String()
}

// parseACL reads scheme:id:perms,… and complains of entries and letters that it
// leaves out. As in Java, commas at the end separate nothing.
func parseACL(text string, complain io.Writer) []protocol.ACL {
	var list []protocol.ACL
	entries := strings.TrimRight(text, ",")
	if entries == "" && text != "" {
		return nil
	}
	for one := range strings.SplitSeq(entries, ",") {
		if entry, ok := parseEntry(one, complain); ok {
			list = append(list, entry)
		}
	}
	return list
}

// csv escapes a string as Java prints it within a record (org.apache.jute.Utils,
// toCSVString).
var csv = strings.NewReplacer("\x00", "%00", "\n", "%0A", "\r", "%0D", ",", "%2C", "}", "%7D", "%", "%25")

// parseEntry reads one scheme:id:perms; the id may have commas and colons.
func parseEntry(one string, complain io.Writer) (entry protocol.ACL, ok bool) {
	first, last := strings.IndexByte(one, ':'), strings.LastIndexByte(one, ':')
	if first == last {
		fmt.Fprintln(complain, one+" does not have the form scheme:id:perm")
		return entry, false
	}
	entry = protocol.ACL{Scheme: one[:first], ID: one[first+1 : last]}
	for _, r := range one[last+1:] {
		switch r {
		case 'r':
			entry.Perms |= protocol.PermRead
		case 'w':
			entry.Perms |= protocol.PermWrite
		case 'c':
			entry.Perms |= protocol.PermCreate
		case 'd':
			entry.Perms |= protocol.PermDelete
		case 'a':
			entry.Perms |= protocol.PermAdmin
		default:
			fmt.Fprintln(complain, "Unknown perm type: "+string(r))
		}
	}
	return entry, true
}
