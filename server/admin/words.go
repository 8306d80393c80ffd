package admin

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// notServing is the answer of every word that describes a working server while
// this one has no quorum.
const notServing = "This ZooKeeper instance is not currently serving requests\n"

// words holds what makes each answer; nil stands for a word of ZooKeeper's that this
// release does not have.
var words = map[string]func(StatusSource) string{
	"conf": nil, "cons": nil, "crst": nil, "dirs": nil, "dump": nil, "envi": nil,
	"gtmk": nil, "hash": nil, "isro": isro, "mntr": mntr, "ruok": ruok,
	"srst": nil, "srvr": srvr, "stat": stat, "stmk": nil,
	"wchc": nil, "wchp": nil, "wchs": nil,
}

// Words answers four-letter words.
type Words struct {
	source  StatusSource
	all     bool
	allowed map[string]bool
}

// New makes Words that answer what whitelist names (4lw.commands.whitelist): "*"
// stands for all, names that are no words are ignored.
func New(source StatusSource, whitelist []string) *Words {
	w := &Words{source: source, allowed: make(map[string]bool)}
	for _, name := range whitelist {
		name = strings.TrimSpace(name)
		if name == "*" {
			w.all = true
		}
		w.allowed[name] = true
	}
	return w
}

// Answer returns the answer to a word; known is false if it is no word of
// ZooKeeper's. A word that is not on the whitelist gets ZooKeeper's sentence
// about that.
func (w *Words) Answer(word string) (answer string, known bool) {
	render, known := words[word]
	switch {
	case !known:
		return "", false
	case !w.all && !w.allowed[word]:
		return word + " is not executed because it is not in the whitelist.\n", true
	case render == nil:
		return word + " is not supported by this release.\n", true
	}
	return render(w.source), true
}

// ruok says that the process answers, and nothing of what it can do.
func ruok(StatusSource) string { return "imok" }

func isro(src StatusSource) string {
	if st := src.Status(); !st.Serving {
		return "null"
	}
	return "rw"
}

func srvr(src StatusSource) string {
	st := src.Status()
	if !st.Serving {
		return notServing
	}
	var b strings.Builder
	appendVersion(&b, &st)
	appendServer(&b, &st)
	return b.String()
}

// stat is srvr with the clients between the version and the figures.
func stat(src StatusSource) string {
	st := src.Status()
	if !st.Serving {
		return notServing
	}
	var b strings.Builder
	appendVersion(&b, &st)
	b.WriteString("Clients:\n")
	for _, c := range src.Connections() {
		// 1 is the interest in reading that ZooKeeper prints for a connection at
		// rest.
		fmt.Fprintf(&b, " %s[1](queued=%d,recved=%d,sent=%d)\n", c.Remote, c.Queued, c.Received, c.Sent)
	}
	b.WriteByte('\n')
	appendServer(&b, &st)
	return b.String()
}

func appendVersion(b *strings.Builder, st *Status) {
	fmt.Fprintf(b, "Zookeeper version: %s\n", st.Version)
}

func appendServer(b *strings.Builder, st *Status) {
	fmt.Fprintf(b, "Latency min/avg/max: %d/%s/%d\n", st.LatencyMin, javaDouble(st.LatencyAvg), st.LatencyMax)
	fmt.Fprintf(b, "Received: %d\n", st.PacketsReceived)
	fmt.Fprintf(b, "Sent: %d\n", st.PacketsSent)
	fmt.Fprintf(b, "Connections: %d\n", st.Connections)
	fmt.Fprintf(b, "Outstanding: %d\n", st.Outstanding)
	fmt.Fprintf(b, "Zxid: %v\n", st.Zxid)
	fmt.Fprintf(b, "Mode: %s\n", st.ServerState)
	fmt.Fprintf(b, "Node count: %d\n", st.NodeCount)
	if st.ServerState == StateLeader {
		fmt.Fprintf(b, "Proposal sizes last/min/max: %d/%d/%d\n", st.ProposalSizeLast, st.ProposalSizeMin, st.ProposalSizeMax)
	}
}

// mntr prints one "zk_KEY<tab>VALUE" a line. What scrapers look for comes
// first: some read no more than 2 KiB. No line may hold anything but word
// characters in its key, or telegraf drops the whole answer.
func mntr(src StatusSource) string {
	st := src.Status()
	if !st.Serving {
		return notServing
	}
	var b strings.Builder
	line := func(key string, value any) { fmt.Fprintf(&b, "zk_%s\t%v\n", key, value) }
	line("version", st.Version)
	line("server_state", st.ServerState)
	quorum := st.ServerState != StateStandalone
	if quorum {
		line("peer_state", st.PeerState)
	}
	line("avg_latency", javaDouble(st.LatencyAvg))
	line("max_latency", st.LatencyMax)
	line("min_latency", st.LatencyMin)
	line("packets_received", st.PacketsReceived)
	line("packets_sent", st.PacketsSent)
	line("num_alive_connections", st.Connections)
	line("outstanding_requests", st.Outstanding)
	line("znode_count", st.NodeCount)
	line("watch_count", st.WatchCount)
	line("ephemerals_count", st.EphemeralsCount)
	line("approximate_data_size", st.ApproximateDataSize)
	line("open_file_descriptor_count", st.OpenFDs)
	line("max_file_descriptor_count", st.MaxFDs)
	if st.ServerState == StateLeader {
		line("learners", st.Learners)
		line("followers", st.Learners) // the name up to 3.5, which metricbeat reads
		line("synced_followers", st.SyncedFollowers)
		line("synced_non_voting_followers", st.SyncedNonVotingFollowers)
		line("synced_observers", st.SyncedObservers)
		line("pending_syncs", st.PendingSyncs)
		line("last_proposal_size", st.ProposalSizeLast)
		line("min_proposal_size", st.ProposalSizeMin)
		line("max_proposal_size", st.ProposalSizeMax)
	}
	if quorum {
		line("quorum_size", st.QuorumSize)
	}
	line("global_sessions", st.GlobalSessions)
	line("local_sessions", 0)
	line("uptime", st.UptimeMillis)
	return b.String()
}

// javaDouble prints a figure as ZooKeeper prints averages: up to four decimals,
// at least one.
func javaDouble(v float64) string {
	s := strconv.FormatFloat(math.Round(v*10000)/10000, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
