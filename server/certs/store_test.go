package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"software.sslmate.com/src/go-pkcs12"

	"zooraft/tests/testkit"
)

// testdata/make.sh says how the files were made.
func TestKeyStores(t *testing.T) {
	const password = "changeit"
	tests := []struct {
		file, password string
		chain          int    // certificates from leaf up
		want           string // of the error
	}{
		{"keytool-key.p12", password, 2, ""},
		{"keytool-legacy-key.p12", password, 2, ""},
		{"keytool-both.p12", password, 2, ""},
		{"openssl-key.p12", password, 2, ""},
		{"openssl-legacy-key.p12", password, 2, ""},
		{"umlaut.p12", "pässwörd", 2, ""},
		{"pkcs12.jks", password, 1, ""},
		{"keytool-key.jks", password, 2, ""},
		{"keytool-both.jks", password, 2, ""},
		{"umlaut.jks", "pässwörd", 2, ""},
		{"encrypted.pem", password, 2, ""},
		{"encrypted-sha1.pem", password, 2, ""},
		{"encrypted-sha512.pem", password, 2, ""},
		{"encrypted-3des.pem", password, 2, ""},

		{"keytool-key.p12", "changed", 0, "the password is wrong"},
		{"keytool-legacy-key.p12", "changed", 0, "the password is wrong"},
		{"keytool-key.jks", "changed", 0, "the password is wrong"},
		{"encrypted.pem", "changed", 0, "the password is wrong"},
		{"encrypted-3des.pem", "changed", 0, "the password is wrong"},
		{"keytool-key.p12", "", 0, "set keyStore.passwordPath or keyStore.password"},
		{"keytool-key.jks", "", 0, "set keyStore.passwordPath or keyStore.password"},
		{"encrypted.pem", "", 0, "set keyStore.passwordPath or keyStore.password"},
		{"encrypted-scrypt.pem", password, 0, "openssl pkcs8 -topk8"},
		{"keytool-trust.p12", password, 0, "private key missing"},
		{"keytool-trust.jks", password, 0, "no private key in it"},
		{"keytool-two-keys.p12", password, 0, "exactly one key"},
		{"keytool-two-keys.jks", password, 0, `2 private keys, ["first" "second"]`},
		{"keytool-other-password.jks", password, 0, "keytool -keypasswd"},
		{"make.sh", password, 0, "set keyStore.type"},
		{"missing.pem", password, 0, "no such file"},
	}
	for _, tt := range tests {
		t.Run(tt.file+" "+tt.password, func(t *testing.T) {
			file := filepath.Join("testdata", tt.file)
			own, err := readKeyStore(Store{File: file, Password: tt.password})
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), file) ||
					!strings.HasPrefix(err.Error(), "keyStore.") {
					t.Errorf("got %v, want %q, key and file", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := own.Leaf.Subject.CommonName; got != "leaf" || len(own.Certificate) != tt.chain {
				t.Errorf("got %d certificates, first of %q, want %d, of leaf", len(own.Certificate), got, tt.chain)
			}
			if !own.PrivateKey.(*ecdsa.PrivateKey).PublicKey.Equal(own.Leaf.PublicKey) {
				t.Error("the key is not the certificate's")
			}
		})
	}
}

func TestTrustStores(t *testing.T) {
	const password = "changeit"
	tests := []struct {
		file, password string
		want           string // of the error
	}{
		{"keytool-trust.p12", password, ""},
		{"keytool-legacy-trust.p12", password, ""},
		{"keytool-trust.jks", password, ""},
		{"keytool-both.jks", password, ""},
		{"encrypted.pem", "", ""}, // its certificates are not

		{"keytool-trust.p12", "changed", "the password is wrong"},
		{"keytool-trust.jks", "changed", "the password is wrong"},
		{"keytool-trust.p12", "", "set trustStore.passwordPath or trustStore.password"},
		{"keytool-both.p12", password, "keytool -importcert"},
		{"keytool-key.p12", password, "keytool -importcert"},
		{"openssl-trust.p12", password, "keytool -importcert"},
		{"keytool-key.jks", password, "no certificate"},
	}
	for _, tt := range tests {
		t.Run(tt.file+" "+tt.password, func(t *testing.T) {
			file := filepath.Join("testdata", tt.file)
			roots, err := readTrustStore(Store{File: file, Password: tt.password})
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), file) ||
					!strings.HasPrefix(err.Error(), "trustStore.") {
					t.Errorf("got %v, want %q, key and file", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			// All leaves were signed by the one root.
			own, err := readKeyStore(Store{File: "testdata/openssl-key.p12", Password: password})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := own.Leaf.Verify(x509.VerifyOptions{Roots: roots}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestStoresOfPEM(t *testing.T) {
	root := testkit.NewCA(t)
	between := root.Under("between")
	leaf := between.Issue("leaf")
	other := root.Issue("other")
	ec, err := x509.MarshalECPrivateKey(leaf.TLS.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	block := func(typ string, b []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: b}) }
	certs := func(ders ...[]byte) (b []byte) {
		for _, der := range ders {
			b = append(b, block("CERTIFICATE", der)...)
		}
		return b
	}
	legacy := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: ec, Headers: map[string]string{"DEK-Info": "AES"}})
	key := bytes.TrimPrefix(leaf.PEM, certs(leaf.TLS.Certificate...))
	up := append(leaf.TLS.Certificate, root.Cert.Raw)
	tests := []struct {
		name string
		pem  [][]byte
		want string // of the error
	}{
		{"key first", [][]byte{key, certs(up...)}, ""},
		{"key last", [][]byte{certs(up...), key}, ""},
		{"upside down", [][]byte{certs(up[2], up[1]), key, certs(up[0])}, ""},
		{"others among them", [][]byte{certs(other.TLS.Certificate...), key, certs(up...)}, ""},
		{"words between", [][]byte{[]byte("subject=\n"), key, []byte("\r\nissuer=\n"), certs(up...)}, ""},
		{"key of SEC 1", [][]byte{block("EC PARAMETERS", []byte{6}), block("EC PRIVATE KEY", ec), certs(up...)}, ""},

		{"no key", [][]byte{certs(up...)}, "no private key"},
		{"no certificate", [][]byte{key}, "no certificate"},
		{"another's certificate", [][]byte{key, certs(other.TLS.Certificate...)}, "belongs to its private key"},
		{"two keys", [][]byte{key, key, certs(up...)}, "more than one private key"},
		{"old encryption", [][]byte{legacy, certs(up...)}, "openssl pkcs8 -topk8"},
		{"no key in its block", [][]byte{block("PRIVATE KEY", []byte{1}), certs(up...)}, "private key: "},
		{"no certificate in its block", [][]byte{key, certs(up[0]), block("CERTIFICATE", []byte{1})}, "certificate 2: "},
		{"no PEM", [][]byte{up[0]}, "is it PEM?"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			own, err := readKeyStore(Store{File: testkit.WriteFile(t, "x.txt", bytes.Join(tt.pem, nil)), Type: "pem"})
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %v, want %q", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(own.Certificate) != 3 {
				t.Fatalf("got %d certificates, want 3", len(own.Certificate))
			}
			for i, cert := range up {
				if !bytes.Equal(own.Certificate[i], cert) {
					t.Errorf("certificate %d is another", i)
				}
			}
		})
	}
}

func TestPasswordFile(t *testing.T) {
	for _, content := range []string{"changeit", "changeit\n", "changeit\r\n"} {
		store := Store{File: "testdata/keytool-key.p12", Password: "wrong", PasswordFile: testkit.WriteFile(t, "password", []byte(content))}
		if _, err := readKeyStore(store); err != nil {
			t.Errorf("%q: %v", content, err)
		}
	}
	_, err := readKeyStore(Store{File: "testdata/keytool-key.p12", PasswordFile: "testdata/none"})
	if err == nil || !strings.Contains(err.Error(), "keyStore.passwordPath: ") || !strings.Contains(err.Error(), "testdata/none") {
		t.Errorf("got %v, want the key and the file", err)
	}
}

// Whatever a store holds is an error or its content, never a panic.
func checkDecoded(t *testing.T, c *content, err error) {
	t.Helper()
	if (c == nil) != (err != nil) {
		t.Errorf("got content %v with error %v", c, err)
	}
	if c != nil && c.key != nil {
		chain(c.key, c.certs)
	}
}

func seed(f *testing.F, pattern string) {
	f.Helper()
	names, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(names) == 0 {
		f.Fatalf("no %s: %v", pattern, err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

func FuzzPEM(f *testing.F) {
	seed(f, "*.pem")
	for _, typ := range []string{"EC PRIVATE KEY", "RSA PRIVATE KEY", "PRIVATE KEY"} {
		f.Add(pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: []byte{0x30}}))
		f.Add(slices.Concat(testkit.NewCA(f).PEM, pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: []byte{0x30}})))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decodePEM(b, "")
		checkDecoded(t, c, err)
	})
}

// The bytes of a block, since hardly a change of PEM leaves it readable.
func FuzzPKCS8(f *testing.F) {
	for _, name := range []string{"encrypted.pem", "encrypted-sha1.pem", "encrypted-3des.pem"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		block, _ := pem.Decode(b)
		f.Add(block.Bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if slow(b) {
			t.Skip()
		}
		if key, err := decryptPKCS8(b, "changeit"); (key == nil) != (err != nil) {
			t.Errorf("got key %v with error %v", key, err)
		}
	})
}

func FuzzPKCS12(f *testing.F) {
	seed(f, "*.p12")
	f.Fuzz(func(t *testing.T, b []byte) {
		if slow(b) {
			t.Skip()
		}
		for _, trust := range []bool{false, true} {
			c, err := decodePKCS12(b, "changeit", trust)
			checkDecoded(t, c, err)
		}
	})
}

// slow reports whether a number of DER is that high that as a count of hashes it
// would keep the fuzzing waiting.
func slow(b []byte) bool {
	for i := 0; i+3 < len(b); i++ {
		if b[i] == 2 && b[i+1] >= 3 && b[i+1] <= 8 && b[i+2] >= 0x10 {
			return true
		}
	}
	return false
}

// The checksum is made right, or nothing behind it would be reached.
func FuzzJKS(f *testing.F) {
	seed(f, "*.jks")
	f.Fuzz(func(t *testing.T, b []byte) {
		if !isJKS(b) {
			return
		}
		c, err := decodeJKS(b, "changeit")
		checkDecoded(t, c, err)
		c, err = decodeJKS(slices.Concat(b, jksSum(utf16Bytes("changeit"), b)), "changeit")
		checkDecoded(t, c, err)
	})
}

// What the library writes is read too, as by programs in Go.
func TestPKCS12OfGo(t *testing.T) {
	root := testkit.NewCA(t)
	leaf := root.Issue("leaf")
	for name, enc := range map[string]*pkcs12.Encoder{"legacy": pkcs12.LegacyDES, "2023": pkcs12.Modern2023, "2026": pkcs12.Modern2026} {
		key, err := enc.Encode(leaf.TLS.PrivateKey, leaf.TLS.Leaf, []*x509.Certificate{root.Cert}, "x")
		if err != nil {
			t.Fatal(err)
		}
		trust, err := enc.EncodeTrustStore([]*x509.Certificate{root.Cert}, "x")
		if err != nil {
			t.Fatal(err)
		}
		cfg := Config{
			Key:          Store{File: testkit.WriteFile(t, "key.PFX", key), Password: "x"},
			Trust:        Store{File: testkit.WriteFile(t, "trust", trust), Type: "pkcs12", Password: "x"},
			ClientAuth:   NeedClientAuth,
			VerifyServer: true,
		}
		if e := meet(t, open(t, cfg), open(t, cfg), "leaf"); e.acceptedErr != nil || e.dialledErr != nil {
			t.Errorf("%s: accepted with %v, dialled with %v", name, e.acceptedErr, e.dialledErr)
		}
	}
}
