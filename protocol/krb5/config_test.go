package krb5

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// inMemory are files by their paths.
func inMemory(files map[string]string) Files {
	return Files{
		Read: func(path string) ([]byte, error) {
			text, ok := files[path]
			if !ok {
				return nil, fmt.Errorf("open %s: %w", path, fs.ErrNotExist)
			}
			return []byte(text), nil
		},
		List: func(dir string) ([]fs.DirEntry, error) {
			all := fstest.MapFS{}
			for path := range files {
				all[strings.TrimPrefix(path, "/")] = &fstest.MapFile{}
			}
			return all.ReadDir(strings.TrimPrefix(dir, "/"))
		},
	}
}

func TestReadConfig(t *testing.T) {
	c, err := inMemory(map[string]string{
		"/etc/krb5.conf": `# To opt out of the system crypto-policies
includedir /etc/krb5.conf.d
include /etc/more

[logging]
    default = FILE:/var/log/krb5libs.log
[libdefaults]
	default_realm = EXAMPLE.COM
	default_realm = SECOND
  dns_lookup_kdc = false
  permitted_enctypes = aes256-cts aes128-cts
[realms]
 EXAMPLE.COM = {
     kdc = kdc1.example.com
     kdc = tcp/kdc2.example.com:1088
     kdc = kdc1.example.com
     kdc = udp/kdc3.example.com
     kdc = https://proxy/KdcProxy
     admin_server = kdc1.example.com
     auth_to_local_names = {
        kdc = no.center
     }
     pkinit = { a = b }
 }
; the rest
[domain_realm]
 .example.com = EXAMPLE.COM
 Example.com = EXAMPLE.COM
 odd.example.com = ODD
 plain = PLAIN`,
		"/etc/krb5.conf.d/b":        "[realms]\nODD = {\nkdc = [::1]:88\n}",
		"/etc/krb5.conf.d/a.conf":   "[libdefaults]\nclockskew = 120\n",
		"/etc/krb5.conf.d/.a.conf":  "broken",
		"/etc/krb5.conf.d/a.rpmnew": "broken",
		"/etc/more":                 "[libdefaults]\nclockskew = 1h\nmodule x:y\n",
	}).ReadConfig("/etc/krb5.conf")
	if err != nil {
		t.Fatal(err)
	}
	if c.DefaultRealm != "EXAMPLE.COM" || c.Skew != 2*time.Minute || c.DNS {
		t.Errorf("got %+v", c)
	}
	want := map[string][]string{"EXAMPLE.COM": {"kdc1.example.com", "kdc2.example.com:1088"}, "ODD": {"[::1]:88"}}
	if !maps.EqualFunc(c.KDCs, want, slices.Equal) {
		t.Errorf("got %v, want %v", c.KDCs, want)
	}
	for host, want := range map[string]string{
		"zk1.example.com": "EXAMPLE.COM", "ZK1.a.example.COM.": "EXAMPLE.COM", "example.com": "EXAMPLE.COM", "odd.example.com": "ODD",
		"plain": "PLAIN", "x.plain": "PLAIN", "example.org": "", "localhost": "", "": "",
	} {
		if got := c.RealmOf(host); got != want {
			t.Errorf("%q is in %q, want %q", host, got, want)
		}
	}
}

// Nobody need have a krb5.conf; what is named, or included, has to be there.
func TestReadNoConfig(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files map[string]string
		path  string
		realm string
		err   string
	}{
		{"none", nil, "", "", ""},
		{"the usual one", map[string]string{"/etc/krb5.conf": "[libdefaults]\ndefault_realm = ETC"}, "", "ETC", ""},
		{"one that is named", nil, "/etc/krb5.conf", "", "open /etc/krb5.conf"},
		{"one that is included", map[string]string{"/etc/krb5.conf": "include /none"}, "", "", "/etc/krb5.conf: line 1: open /none"},
		{"a directory that is included", map[string]string{"/etc/krb5.conf": "includedir /none"}, "", "", "/etc/krb5.conf: line 1: open none"},
	} {
		c, err := inMemory(tt.files).ReadConfig(tt.path)
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) || err == nil && (c.DefaultRealm != tt.realm || !c.DNS) {
			t.Errorf("%s: got %+v, %v, want %q, %q", tt.name, c, err, tt.realm, tt.err)
		}
	}
}

func TestReadConfigFaults(t *testing.T) {
	for text, want := range map[string]string{
		"[libdefaults\n":                      "/k: line 1: a section",
		"[a]\nx = {\n[b]":                     "/k: line 3: a section",
		"}":                                   "/k: line 1: } without {",
		"[realms]\nX = {\n":                   "/k: { without }",
		"\nword":                              "/k: line 2: neither",
		"[libdefaults]\nclockskew = soon":     "/k: line 2: clockskew = soon: give from 1 second",
		"[libdefaults]\nclockskew = 0":        "give from 1 second",
		"include /none":                       "/k: line 1: open /none",
		"include /k":                          "more than 32 files",
		strings.Repeat("#", maxConfigBytes+1): "/k: larger than 1 MiB",
	} {
		_, err := inMemory(map[string]string{"/k": text}).ReadConfig("/k")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: got %v, want %q in it", text, err, want)
		}
	}
}

func FuzzReadConfig(f *testing.F) {
	f.Add("[realms]\nX = {\nkdc = y\n}\ninclude /k\n[domain_realm]\n.x = Y")
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := inMemory(map[string]string{"/k": text}).ReadConfig("/k"); err == nil {
			c.RealmOf("a.b.c")
		}
	})
}
