package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"zooraft/cmd/zoocfg"
	"zooraft/server"
	"zooraft/zabcompat"
)

// errNoServer reports that no server of the configuration has answered.
var errNoServer = errors.New("no server answered")

func newStatusCommand() *cobra.Command {
	var (
		overrides []string
		asJSON    bool
	)
	cmd := &cobra.Command{
		Use:   "status [zoo.cfg] [-D key=value]...",
		Short: "Ask every server of an ensemble what it is doing",
		Long: `Ask every server that zoo.cfg names, and those that they tell of, what it says of
itself, over its quorum port: its state, its vote and whom it follows; and show the
order in which ZooKeeper's rule (epoch, zxid, sid) ranks the votes. Who belongs to
the ensemble is what the servers say, and not zoo.cfg; "(no vote)" is behind the state
of one that is connected to it and does not, or not yet. With sslQuorum=true it speaks
TLS, by the stores that zoo.cfg names. A standalone server is asked by the four-letter
word srvr on its client port, as "zooraft 4lw srvr --config zoo.cfg" does.

Exit code 1 if no server answers.`,
		Example: "  zooraft status /etc/zookeeper/zoo.cfg",
		Args:    oneConfig,
		RunE: func(cmd *cobra.Command, args []string) error {
			src := sources(args, overrides)
			src.Elsewhere = true // this server's id does not matter
			loaded, err := zoocfg.Load(src)
			if err != nil {
				return &configError{err}
			}
			cfg := loaded.Config
			if cfg.Standalone() {
				return standaloneStatus(cmd.OutOrStdout(), cfg)
			}
			var tls *server.Certs // nil: plain text
			if cfg.SSLQuorum {
				cfg.QuorumTLS.Reload = false // one question each
				if tls, err = server.OpenTLS(cfg.QuorumTLS, hclog.NewNullLogger()); err != nil {
					return &configError{fmt.Errorf("%s%w", server.QuorumSSL, err)}
				}
				defer tls.Close()
			}
			members := askMembers(cfg.Servers, tls)
			members = merge(members, askMembers(elsewhere(members), tls))
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				err = enc.Encode(members)
			} else {
				err = printMembers(cmd.OutOrStdout(), members)
			}
			if err == nil && !slices.ContainsFunc(members, func(m member) bool { return m.Status != nil }) {
				err = errNoServer
			}
			return err
		},
	}
	defineFlag(cmd, &overrides)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what each server says as JSON")
	return cmd
}

// member is what one server has answered.
type member struct {
	SID    int            `json:"sid"`
	Addr   string         `json:"addr"`
	Status *server.Status `json:"status,omitempty"`
	Error  string         `json:"error,omitempty"`
}

// askMembers asks all at the same time; the answers come in order of id.
func askMembers(servers []zabcompat.ServerSpec, tls *server.Certs) []member {
	members := make([]member, len(servers))
	var wg sync.WaitGroup
	for i, s := range servers {
		members[i] = member{SID: s.ID, Addr: s.QuorumAddr()}
		wg.Go(func() {
			switch st, err := server.QueryStatus(s, tls); {
			case err != nil:
				members[i].Error = err.Error()
			case st.SID != int64(s.ID):
				members[i].Error = fmt.Sprintf("server %d answers at %s", st.SID, members[i].Addr)
			default:
				members[i].Status = &st
			}
		})
	}
	wg.Wait()
	return members
}

// elsewhere are servers that others have told of: members, or connected to one, that
// zoo.cfg does not name, for reconfig may have taken them in since it was written, or
// names with an address at which they have not answered.
func elsewhere(members []member) (more []zabcompat.ServerSpec) {
	tried := make(map[int]bool) // and where they are asked for now
	addrs := make(map[int]string)
	for _, m := range members {
		tried[m.SID], addrs[m.SID] = m.Status != nil, m.Addr
	}
	ensemble := agreed(members)
	for _, m := range members {
		if m.Status == nil {
			continue
		}
		for _, p := range m.Status.Peers {
			host, text, err := net.SplitHostPort(p.Addr)
			port, errPort := strconv.Atoi(text)
			sid := int(p.SID)
			_, belongs := ensemble.Server(p.SID)
			if err == nil && errPort == nil && !tried[sid] && p.Addr != addrs[sid] && (belongs || p.Connected) {
				tried[sid] = true
				more = append(more, zabcompat.ServerSpec{ID: sid, Host: host, QuorumPort: port})
			}
		}
	}
	for _, s := range ensemble.Servers {
		if _, named := tried[s.ID]; !named {
			more = append(more, s)
		}
	}
	return more
}

// merge adds what further servers have answered; the result is in order of id.
func merge(members, more []member) []member {
	for _, m := range more {
		i := slices.IndexFunc(members, func(have member) bool { return have.SID == m.SID })
		switch {
		case i < 0:
			members = append(members, m)
		case m.Status != nil:
			members[i] = m
		}
	}
	slices.SortFunc(members, func(a, b member) int { return cmp.Compare(a.SID, b.SID) })
	return members
}

// agreed is the newest membership that a server has told of, empty if none has, as
// those of an earlier release.
func agreed(members []member) (newest zabcompat.Membership) {
	for _, m := range members {
		if m.Status == nil {
			continue
		}
		told, err := zabcompat.ParseMembership(m.Status.Membership)
		if err == nil && (len(newest.Servers) == 0 || told.Version > newest.Version) {
			newest = told
		}
	}
	return newest
}

// standing says whether a server belongs to an ensemble, and votes; both where nothing
// is known of it.
func standing(ensemble zabcompat.Membership, sid int) (belongs, votes bool) {
	if len(ensemble.Servers) == 0 {
		return true, true
	}
	s, belongs := ensemble.Server(int64(sid))
	return belongs, belongs && !s.Observer
}

func standaloneStatus(w io.Writer, cfg server.Config) error {
	port, err := clientPortOf(cfg)
	if err != nil {
		return err
	}
	answer, err := port.ask("srvr")
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, answer)
	return err
}

// printMembers shows who leads, a line for each server, and the order of votes.
func printMembers(w io.Writer, members []member) error {
	ensemble := agreed(members)
	size := cmp.Or(len(ensemble.Servers), len(members))
	order := make([]zabcompat.Vote, 0, len(members))
	leader := "nobody leads"
	for _, m := range members {
		st := m.Status
		if st == nil {
			continue
		}
		if _, votes := standing(ensemble, m.SID); votes && st.State != zabcompat.Observing {
			order = append(order, st.Vote)
		}
		if st.State == zabcompat.Leading {
			leader = fmt.Sprintf("server %d leads epoch 0x%x (raft term %d) since %s", m.SID, st.Zxid.Epoch(), st.RaftTerm, st.Since.Local().Format(time.DateTime))
		}
	}
	fmt.Fprintf(w, "ensemble of %d: %s\n\n", size, leader)

	// Addresses come last, for they may be long, and each line has all columns, or
	// those below it would not stand under the heading.
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SID\tSTATE\tLEADER\tZXID\tAPPLIED/LAST\tCLIENTS\tADDRESS")
	for _, m := range members {
		st := m.Status
		belongs, votes := standing(ensemble, m.SID)
		if st == nil {
			state := "no answer"
			if !belongs {
				state += " (no member)"
			}
			fmt.Fprintf(t, "%d\t%s\t-\t-\t-\t-\t%s\n", m.SID, state, m.Addr)
			continue
		}
		state := st.State.String()
		if !votes && st.State != zabcompat.Observing {
			state += " (no vote)"
		}
		if !st.Serving && st.State != zabcompat.Looking {
			state += " (not serving)"
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%v\t%d/%d\t%d\t%s\n", m.SID, state, sidOrNone(st.LeaderSID), st.Zxid,
			st.RaftAppliedIndex, st.RaftLastIndex, st.Connections, m.Addr)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	printErrors(w, members)
	slices.SortFunc(order, func(a, b zabcompat.Vote) int {
		if a.Beats(b) {
			return -1
		}
		return 1
	})
	fmt.Fprint(w, "\nvote order:")
	for i, v := range order {
		if i > 0 {
			fmt.Fprint(w, " >")
		}
		fmt.Fprintf(w, " %d", v.SID)
	}
	fmt.Fprint(w, "\n\n")
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "VOTE OF\tEPOCH\tZXID")
	for _, v := range order {
		fmt.Fprintf(t, "%d\t0x%x\t%v\n", v.SID, v.Epoch, v.Zxid)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return printElections(w, members)
}

// printErrors says why servers did not answer.
func printErrors(w io.Writer, members []member) {
	before := "\n"
	for _, m := range members {
		if m.Status == nil {
			fmt.Fprintf(w, "%sserver %d: %s\n", before, m.SID, m.Error)
			before = ""
		}
	}
}

// printElections shows the last elections as the leader saw them, or without one as
// the first server that has seen any.
func printElections(w io.Writer, members []member) error {
	var from *member
	for i, m := range members {
		if m.Status != nil && len(m.Status.Elections) > 0 && (from == nil || m.Status.State == zabcompat.Leading) {
			from = &members[i]
		}
	}
	if from == nil {
		return nil
	}
	fmt.Fprintf(w, "\nelections, as server %d saw them:\n", from.SID)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "TIME\tTOOK\tLEADER\tROUND\tSTATE")
	for _, e := range slices.Backward(from.Status.Elections) {
		fmt.Fprintf(t, "%s\t%d ms\t%d\t%d\t%v\n", e.At.Local().Format(time.DateTime), e.TookMillis, e.LeaderSID, e.Round, e.State)
	}
	return t.Flush()
}

func sidOrNone(sid int64) string {
	if sid == 0 {
		return "-"
	}
	return strconv.FormatInt(sid, 10)
}
