package zoocfg

import (
	"slices"
	"strings"
	"testing"
)

// Who is asked for a certificate, and which ports there are.
func TestPages(t *testing.T) {
	const class = "dataDir=/d\nmetricsProvider.className=" + prometheus + "\n"
	const tls = class + "metricsProvider.httpsPort=7443\nmetricsProvider.ssl.keyStore.location=/k.pem\n"
	tests := []struct {
		name, text string
		auth       string
		plain, tls int
		fault      string
	}{
		{"plain text", class, "need", 7000, 0, ""},
		{"TLS alone", tls, "need", -1, 7443, ""},
		{"both", tls + "metricsProvider.httpPort=7001\n", "need", 7001, 7443, ""},
		{"wanted", tls + "metricsProvider.ssl.need.client.auth=false\n", "want", -1, 7443, ""},
		{"nobody", tls + "metricsProvider.ssl.need.client.auth=false\nmetricsProvider.ssl.want.client.auth=FALSE\n", "none", -1, 7443, ""},
		{"needed wins", tls + "metricsProvider.ssl.want.client.auth=false\n", "need", -1, 7443, ""},
		{"no certificate", class + "metricsProvider.httpsPort=7443\n", "need", -1, 7443,
			"/zoo.cfg: metricsProvider.ssl.keyStore.location: it is not set, and metricsProvider.httpsPort asks for TLS; give the file"},
		{"any port", tls + "metricsProvider.httpsPort=0\n", "need", 7000, 0, "/zoo.cfg:5: metricsProvider.httpsPort: port 0 is out of range"},
		{"neither true nor false", tls + "metricsProvider.ssl.need.client.auth=no\n", "need", -1, 7443, "/zoo.cfg:5: metricsProvider.ssl.need.client.auth: Invalid option no"},
		{"admin server", class + "admin.forceHttps=true\n", "need", 7000, 0, "/zoo.cfg: ssl.quorum.keyStore.location: it is not set, and admin.forceHttps asks for TLS"},
	}
	for _, tt := range tests {
		loaded, err := load(Sources{Path: "/zoo.cfg"}, files{"/zoo.cfg": tt.text}.read)
		c := loaded.Config
		if c.MetricsTLS.ClientAuth != tt.auth || c.MetricsPort != tt.plain || c.MetricsTLSPort != tt.tls {
			t.Errorf("%s: got %s, %d, %d", tt.name, c.MetricsTLS.ClientAuth, c.MetricsPort, c.MetricsTLSPort)
		}
		if (err == nil) != (tt.fault == "") || err != nil && !strings.HasPrefix(err.Error(), tt.fault) {
			t.Errorf("%s: got the fault %v, want %q", tt.name, err, tt.fault)
		}
	}

	all, _ := effectiveOf(t, files{"/zoo.cfg": tls + "metricsProvider.ssl.keyStore.password=hunter2\n"}, "/zoo.cfg")
	if s := all["metricsProvider.httpPort"]; s.Value != "" || s.Origin != OriginDerived+"metricsProvider.httpsPort" {
		t.Errorf("the other port: %+v", s)
	}
	if s := all["metricsProvider.ssl.keyStore.password"]; s.Value != "***" {
		t.Errorf("password: %+v", s)
	}
}

func TestNeedClientAuthIsNotLostInSilence(t *testing.T) {
	for text, warned := range map[string]bool{
		"admin.needClientAuth=true\n": true,
		"admin.needClientAuth=true\nadmin.portUnification=true\nadmin.enableServer=false\n": true,
		"admin.needClientAuth=true\nadmin.forceHttps=true\nadmin.enableServer=false\n":      false,
		"admin.needClientAuth=false\n": false,
	} {
		loaded, err := load(Sources{Path: "/zoo.cfg"}, files{"/zoo.cfg": "dataDir=/d\n" + text}.read)
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.ContainsFunc(loaded.Warnings, func(w string) bool { return strings.HasPrefix(w, "/zoo.cfg:2: admin.needClientAuth: ") }); got != warned {
			t.Errorf("%q: warnings %q", text, loaded.Warnings)
		}
	}
}
