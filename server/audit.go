package server

import (
	"fmt"
	"os/user"

	"zooraft/fsm"
	"zooraft/protocol"
	"zooraft/server/audit"
)

// openAudit opens the audit log, if there is to be one, and says so in ZooKeeper's
// words (ZKAuditProvider).
func (s *Server) openAudit() error {
	if !s.cfg.Audit {
		s.log.Info("ZooKeeper audit is disabled.")
		return nil
	}
	name := ""
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	var err error
	s.audit, err = audit.Open(audit.Config{File: s.cfg.AuditFile(), User: name, Log: s.log.Named("audit")})
	if err != nil {
		return fmt.Errorf("open the audit log: %w", err)
	}
	s.log.Info("ZooKeeper audit is enabled.", "file", s.cfg.AuditFile())
	return nil
}

// auditStart notes how the start ended.
func (s *Server) auditStart(err error) {
	if s.audit == nil {
		return
	}
	s.audit.Started(err == nil)
	if err != nil {
		s.audit.Close() // its own failure is in the log
	}
}

// auditor is what the client port tells of writes.
func (s *Server) auditor() func(protocol.SessionID, string, *fsm.Result) {
	if s.audit == nil {
		return nil
	}
	return func(session protocol.SessionID, ip string, r *fsm.Result) {
		s.audit.Request(audit.Who{Session: session, IP: ip}, r)
	}
}

// audited is the completion of a write that came by the web console: it has no
// session, but somebody's address.
type audited struct {
	log  *audit.Log
	ip   string
	done fsm.Completion
}

func (a audited) Complete(v fsm.View, r *fsm.Result) {
	if r.Request != nil {
		a.log.Request(audit.Who{IP: a.ip}, r)
	}
	a.done.Complete(v, r)
}
