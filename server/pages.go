package server

import (
	"fmt"
	"net"
	"strconv"

	"zooraft/server/admin"
	"zooraft/server/console"
)

// startAdmin opens the admin server's port and the exporter's. Where ZooKeeper's
// admin server cannot start, a server alone ends; a member of an ensemble goes on
// without one. Here a server alone ends only if the port was asked for: several may
// run on one host with the default.
func (s *Server) startAdmin() error {
	if s.cfg.AdminEnabled {
		secure, err := s.secureAdmin()
		if err != nil {
			return err
		}
		guesses := console.NewGuesses() // of the super user's password, here or there
		s.startConsole(guesses)
		h := admin.NewHTTP(admin.HTTPConfig{
			Addr:        net.JoinHostPort(s.cfg.AdminAddress, strconv.Itoa(s.cfg.AdminPort)),
			Hosts:       admin.NewHosts(s.cfg.ownNames()),
			CommandURL:  s.cfg.AdminCommandURL,
			IdleTimeout: s.cfg.AdminIdleTimeout,
			Profiling:   s.cfg.AdminProfiling,
			UI:          s.consoleHandler(),
			Backup: admin.BackupConfig{
				Snapshot:   s.cfg.AdminSnapshot,
				Restore:    s.cfg.AdminRestore,
				Serialized: s.cfg.SerializeZxid,
				Interval:   s.cfg.AdminRateInterval,
			},
			Backups: source{s},
			Guesses: guesses,
			Secure:  secure,
		}, source{s}, s.log.Named("admin"))
		switch err := h.Listen(); {
		case err == nil:
			s.admin = h
		case s.cfg.Standalone() && s.cfg.AdminPortSet:
			return fmt.Errorf("%w: %w", ErrAdminBind, err)
		default:
			s.log.Warn("Problem starting AdminServer", "error", err)
		}
	}
	if !s.cfg.MetricsEnabled {
		return nil
	}
	if s.cfg.MetricsPort != noPort {
		if err := s.startExporter(s.cfg.MetricsPort, nil); err != nil {
			return err
		}
	}
	if s.cfg.MetricsTLSPort == 0 {
		return nil
	}
	secure, err := s.securePage(s.cfg.MetricsTLS, MetricsSSL, false, s.log.Named("metrics"))
	if err != nil {
		return err
	}
	return s.startExporter(s.cfg.MetricsTLSPort, secure)
}

func (s *Server) startExporter(port int, secure admin.Secure) error {
	addr := net.JoinHostPort(s.cfg.MetricsHost, strconv.Itoa(port))
	h := admin.NewExporter(addr, source{s}, s.cfg.MetricsRuntime, secure, s.log.Named("metrics"))
	if err := h.Listen(); err != nil {
		return fmt.Errorf("metrics exporter: %w", err)
	}
	s.scrapes = append(s.scrapes, h)
	return nil
}

func (s *Server) stopAdmin() {
	s.stopConsole() // its streams would hold up the admin server
	if s.admin != nil {
		s.admin.Close()
	}
	for _, h := range s.scrapes {
		h.Close()
	}
	for _, c := range s.pageCerts {
		c.Close()
	}
}
