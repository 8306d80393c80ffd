package server

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"zooraft/server/client"
	"zooraft/server/console"
	"zooraft/server/quorum"
	"zooraft/server/quorum/store"
)

// From where on something is worth a warning.
const (
	slowSyncMs    = 50  // average of a sync of the log, in a minute
	lowDiskShare  = 0.1 // of the file system
	manyFilesPart = 0.8 // of the file descriptors
	manyConnsPart = 0.9 // of maxCnxns
)

// Warnings are about this server, its host and its ensemble.
func (p *pageSource) Warnings(e *console.Ensemble) []console.Warning {
	l := &warnings{}
	p.quorumWarnings(l)
	l.members(e)
	p.diskWarnings(l)
	p.limitWarnings(l)
	p.configWarnings(l, e)
	return l.all
}

type warnings struct{ all []console.Warning }

func (l *warnings) add(severity console.Severity, code, subject, link, format string, args ...any) {
	l.all = append(l.all, console.Warning{Severity: severity, Code: code, Subject: subject, Link: link, Text: fmt.Sprintf(format, args...)})
}

// quorumWarnings say that this server cannot do all that clients want.
func (p *pageSource) quorumWarnings(l *warnings) {
	self := serverName(int64(p.s.cfg.SID))
	switch p.s.duty.quorumServes() {
	case client.NoService:
		l.add(console.Critical, "NoQuorum", self, "ensemble", "this server is not part of a quorum and serves no clients")
	case client.ReadOnly:
		l.add(console.Critical, "ReadOnly", self, "ensemble", "this server is cut off from its quorum and serves reads only")
	}
}

func serverName(sid int64) string { return fmt.Sprintf("server.%d", sid) }

// members says which members are missing or behind, and how many may still go.
func (l *warnings) members(e *console.Ensemble) {
	if e.Standalone {
		return
	}
	fit := 0
	versions := make(map[string][]string)
	for i := range e.Members {
		m := &e.Members[i]
		name := serverName(m.SID)
		if m.Version != "" {
			release, _, _ := strings.Cut(m.Version, ",")
			versions[release] = append(versions[release], name)
		}
		switch {
		case !m.Member:
			l.add(console.Info, "Stranger", name, "ensemble", "it runs, and is no member of the ensemble")
			continue
		case !m.Connected:
			l.add(console.Warn, "MemberGone", name, "ensemble", "no connection to it from %s", serverName(e.SID))
			continue
		case m.Problem != "":
			l.add(console.Warn, "MemberSilent", name, "ensemble", "it does not say how it is: %s", m.Problem)
			continue
		case m.Lag != nil && *m.Lag > catchingUp:
			l.add(console.Warn, "MemberLags", name, "ensemble", "it is %d entries of the log behind", *m.Lag)
		case m.Serving != nil && !*m.Serving:
			// A leader that takes no clients is well.
			if !m.Leader {
				l.add(console.Warn, "MemberNotServing", name, "ensemble", "it serves no clients")
			}
		}
		if m.Room != quorum.RoomPlenty.String() && !m.Self {
			l.add(console.Warn, "DiskSpace", name, "ensemble", "the room on its disks is %s", m.Room)
		}
		if m.Role != "observer" {
			fit++
		}
	}
	switch {
	case fit < e.Quorum:
		l.add(console.Critical, "QuorumLost", "", "ensemble", "%d of %d voters are fit and %d are needed: nothing can be written", fit, e.Voters, e.Quorum)
	case fit == e.Quorum && e.Voters > 2:
		l.add(console.Warn, "QuorumThin", "", "ensemble", "%d of %d voters are fit: if another one fails, nothing can be written", fit, e.Voters)
	case e.Voters == 2:
		l.add(console.Warn, "TwoVoters", "", "ensemble", "of two voters none may fail; three can spare one")
	case e.Voters%2 == 0:
		l.add(console.Info, "EvenVoters", "", "ensemble", "%d voters can spare no more servers than %d", e.Voters, e.Voters-1)
	}
	if len(versions) > 1 {
		var parts []string
		for v, names := range versions {
			slices.Sort(names)
			parts = append(parts, fmt.Sprintf("%s: %s", v, strings.Join(names, ", ")))
		}
		slices.Sort(parts)
		l.add(console.Info, "MixedVersions", "", "ensemble", "the members run different releases; %s", strings.Join(parts, "; "))
	}
}

// diskWarnings say that the disk is slow or nearly full.
func (p *pageSource) diskWarnings(l *warnings) {
	if avg, n := p.recentSyncs(); n > 0 && avg >= slowSyncMs {
		l.add(console.Warn, "SlowDisk", p.s.cfg.LogDir(), "history", "a sync of the log has taken %.0f ms on average in the last minute; each write waits for one", avg)
	}
	room, data, log := p.s.node.Space()
	disks := map[string]store.Space{p.s.cfg.LogDir(): log}
	if data != log { // else they are one
		disks[p.s.cfg.DataDir] = data
	}
	for dir, space := range disks {
		severity := console.Warn
		switch {
		case room == quorum.RoomNone:
			severity = console.Critical
		case room == quorum.RoomPlenty && (space.Total == 0 || float64(space.Free) >= lowDiskShare*float64(space.Total)):
			continue
		}
		l.add(severity, "DiskSpace", dir, "", "%.1f GiB of %.1f GiB are free on its file system%s", gib(space.Free), gib(space.Total), roomText[room])
	}
}

// roomText is what little room means.
var roomText = map[quorum.Room]string{
	quorum.RoomScarce: ": another server is made the leader, and if none has more, only deletions are taken",
	quorum.RoomNone:   ": this server takes nothing into its log",
}

func gib(n uint64) float64 { return float64(n) / (1 << 30) }

// limitWarnings say that this process is near a limit.
func (p *pageSource) limitWarnings(l *warnings) {
	self := serverName(int64(p.s.cfg.SID))
	if open, limit := fileDescriptors(); limit > 0 && float64(open) >= manyFilesPart*float64(limit) {
		l.add(console.Warn, "FileDescriptors", self, "connections", "%d of %d file descriptors are in use: no connection will be taken without one", open, limit)
	}
	if n, _ := p.s.clients.Load(); p.s.cfg.MaxCnxns > 0 && float64(n) >= manyConnsPart*float64(p.s.cfg.MaxCnxns) {
		l.add(console.Warn, "Connections", self, "connections", "%d connections of maxCnxns=%d are open", n, p.s.cfg.MaxCnxns)
	}
}

// configWarnings say where the configuration is not what counts, differs from that
// of other members, or is dangerous.
func (p *pageSource) configWarnings(l *warnings, e *console.Ensemble) {
	c := &p.s.cfg
	if !e.Standalone {
		if diff := differences(c.Servers, p.s.membership().Servers, agree); len(diff) > 0 {
			l.add(console.Warn, "ServerLines", "server.N", "config", "the server lines of this server's configuration are not those of the ensemble%s (%s)", p.s.whichCount(), strings.Join(diff, ", "))
		}
		p.differingSettings(l)
	}
	for _, set := range c.Settings {
		switch set.Effect {
		case "not supported", "unknown":
			if set.Origin != "default" && set.Origin != "not set" {
				l.add(console.Info, "KeyWithoutEffect", set.Key, "config", "it is set (%s) and does nothing here; %s", set.Origin, cmp.Or(set.Note, "no such key is known"))
			}
		}
	}
	if c.SkipACL {
		l.add(console.Warn, "SkipACL", "skipACL", "config", "no ACL is looked at: every client may do everything")
	}
	if c.AdminUI == UIOn && !c.AdminForceHTTPS {
		text := "the console is served to other hosts without TLS"
		if c.AdminUnified {
			text = "the console is served to other hosts without TLS too"
		}
		l.add(console.Warn, "PlainConsole", "admin.ui", "config", "%s: passwords and data cross the network in clear; admin.forceHttps=true protects them", text)
	}
}

// differingSettings compares what the members say of their settings.
func (p *pageSource) differingSettings(l *warnings) {
	p.mu.Lock()
	answers := p.answers
	p.mu.Unlock()
	own := p.s.cfg.shared()
	for _, key := range slices.Sorted(maps.Keys(own)) {
		var others []string
		for sid, st := range answers {
			if value, ok := st.Settings[key]; ok && value != own[key] {
				others = append(others, fmt.Sprintf("%s has %s", serverName(sid), value))
			}
		}
		if len(others) > 0 {
			slices.Sort(others)
			l.add(console.Warn, "SettingDiffers", key, "config", "it is %s here, and %s", own[key], strings.Join(others, ", "))
		}
	}
}
