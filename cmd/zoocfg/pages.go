package zoocfg

// scraperAuth is what is asked of those who come for metrics with TLS, as Jetty has it.
type scraperAuth struct{ need, want bool }

func (a scraperAuth) String() string {
	switch {
	case a.need:
		return "need"
	case a.want:
		return "want"
	}
	return "none"
}

// derivePages fills in what follows from the keys of the ports for operators.
func (l *loader) derivePages() {
	l.cfg.MetricsTLS.ClientAuth = l.scrapers.String()
	if _, given := l.settings["metricsProvider.httpPort"]; !given && l.cfg.MetricsTLSPort != 0 {
		l.cfg.MetricsPort = -1
	}
	if l.cfg.AdminNeedClientAuth && !l.cfg.AdminForceHTTPS {
		l.warn("%s: admin.needClientAuth: who comes with plain text is asked for no certificate; set admin.forceHttps=true to refuse it", l.settings["admin.needClientAuth"].where)
	}
}
