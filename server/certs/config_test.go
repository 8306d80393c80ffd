package certs

import (
	"crypto/tls"
	"slices"
	"strings"
	"testing"

	"zooraft/tests/testkit"
)

func TestValidate(t *testing.T) {
	tests := []struct {
		name string
		cfg  Config
		want []string // key and a word of the problem
	}{
		{"nothing", Config{}, nil},
		{"all", Config{
			Key:          Store{File: "a.P12"},
			Trust:        Store{File: "a", Type: "jks"},
			ClientAuth:   "WANT",
			Protocols:    []string{"TLSv1.3", "TLSv1.2"},
			CipherSuites: []string{"TLS_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "SSL_RSA_WITH_3DES_EDE_CBC_SHA"},
		}, nil},
		{"store of no known kind", Config{Key: Store{File: "key.crt"}}, []string{"keyStore.location keyStore.type"}},
		{"unknown type", Config{Trust: Store{File: "a.pem", Type: "DER"}}, []string{`trustStore.type "DER"`}},
		{"BCFKS by name", Config{Key: Store{File: "key.bcfks"}}, []string{"keyStore.type keytool -importkeystore"}},
		{"BCFKS by type", Config{Trust: Store{File: "x", Type: "bcfks"}}, []string{"trustStore.type keytool -importkeystore"}},
		{"type of no store", Config{Key: Store{Type: "DER"}}, nil},
		{"client auth", Config{ClientAuth: "yes"}, []string{`clientAuth "yes"`}},
		{"old protocols", Config{Protocols: []string{"TLSv1.1", "SSLv3"}}, []string{"enabledProtocols TLSv1.1,SSLv3"}},
		{"old protocols beside others", Config{Protocols: []string{"TLSv1.1", "TLSv1.2"}}, nil},
		{"unknown suite", Config{CipherSuites: []string{"TLS_NO"}}, []string{"ciphersuites TLS_NO"}},
		{"unknown suite beside others", Config{CipherSuites: []string{"TLS_NO", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}}, nil},
		{"no suite for TLSv1.2", Config{Protocols: []string{"TLSv1.2"}, CipherSuites: []string{"TLS_AES_128_GCM_SHA256"}}, []string{"ciphersuites TLSv1.2"}},
		{"several", Config{ClientAuth: "x", Protocols: []string{"y"}, Key: Store{File: "z"}}, []string{"keyStore.location z", "clientAuth x", "enabledProtocols y"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			faults := tt.cfg.Validate()
			if !slices.EqualFunc(faults, tt.want, func(f Fault, want string) bool {
				key, word, _ := strings.Cut(want, " ")
				return f.Key == key && strings.Contains(f.Problem, word)
			}) {
				t.Errorf("got %q, want %q", faults, tt.want)
			}
		})
	}
}

func TestVersions(t *testing.T) {
	root := testkit.NewCA(t)
	own := root.Issue("zk")
	const ecdsa = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"
	tests := []struct {
		name                  string
		protocols             []string
		suites                []string
		wantVersion, wantName string // of the suite, empty for any
	}{
		{"neither", nil, nil, "TLS 1.3", ""},
		{"1.2", []string{"TLSv1.2"}, nil, "TLS 1.2", ""},
		{"1.2 and a suite", []string{"TLSv1.2"}, []string{ecdsa}, "TLS 1.2", ecdsa},
		{"both, other order", []string{"TLSv1.3", "TLSv1.2"}, []string{ecdsa}, "TLS 1.3", ""},
		{"suites of 1.3 only", nil, []string{"TLS_AES_128_GCM_SHA256"}, "TLS 1.3", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := open(t, Config{
				Key: Store{File: own.File}, Trust: Store{File: root.File}, ClientAuth: NoClientAuth,
				Protocols: tt.protocols, CipherSuites: tt.suites,
			})
			e := meet(t, c, open(t, Config{Trust: Store{File: root.File}}), "zk")
			if e.acceptedErr != nil || e.dialledErr != nil {
				t.Fatalf("accepted with %v, dialled with %v", e.acceptedErr, e.dialledErr)
			}
			state := e.accepted.(*tls.Conn).ConnectionState()
			if got := tls.VersionName(state.Version); got != tt.wantVersion {
				t.Errorf("got %s, want %s", got, tt.wantVersion)
			}
			if got := tls.CipherSuiteName(state.CipherSuite); tt.wantName != "" && got != tt.wantName {
				t.Errorf("got %s, want %s", got, tt.wantName)
			}
		})
	}
	only3 := open(t, Config{Key: Store{File: own.File}, ClientAuth: NoClientAuth, CipherSuites: []string{"TLS_AES_128_GCM_SHA256"}})
	only2 := open(t, Config{Trust: Store{File: root.File}, Protocols: []string{"TLSv1.2"}})
	if e := meet(t, only3, only2, "zk"); e.acceptedErr == nil || e.dialledErr == nil {
		t.Error("TLSv1.2 is spoken with suites of TLSv1.3 only")
	}
}
