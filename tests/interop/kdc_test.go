//go:build interop

package interop

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"zooraft/tests/harness"
	"zooraft/tests/testkit"
)

const realm = "TEST.EXAMPLE"

// kdc is a key distribution center of MIT Kerberos, on a port of its own on this machine, with its files in a directory
// of the test.
type kdc struct {
	t      *testing.T
	dir    string
	config string // krb5.conf
}

const krb5Conf = `[libdefaults]
  default_realm = ` + realm + `
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
  udp_preference_limit = 1
[realms]
  ` + realm + ` = {
    kdc = 127.0.0.1:%d
  }
`

const kdcConf = `[realms]
  ` + realm + ` = {
    database_name = %[1]s/principal
    key_stash_file = %[1]s/stash
    acl_file = %[1]s/acl
    supported_enctypes = aes256-cts:normal aes128-cts:normal aes256-sha2:normal aes128-sha2:normal
    kdc_listen = 127.0.0.1:%[2]d
    kdc_tcp_listen = 127.0.0.1:%[2]d
  }
[logging]
  kdc = FILE:%[1]s/kdc.log
`

// startKDC starts one that knows the principals, each with keys that nobody knows.
func startKDC(t *testing.T, principals ...string) *kdc {
	t.Helper()
	daemon := krb5Tool(t, "krb5kdc")
	port := testkit.Ports(t, 1)[0]
	k := &kdc{t: t, dir: t.TempDir()}
	k.config = filepath.Join(k.dir, "krb5.conf")
	must(t, "write krb5.conf", os.WriteFile(k.config, fmt.Appendf(nil, krb5Conf, port), 0o600))
	must(t, "write kdc.conf", os.WriteFile(filepath.Join(k.dir, "kdc.conf"), fmt.Appendf(nil, kdcConf, k.dir, port), 0o600))
	k.run("kdb5_util", "create", "-s", "-r", realm, "-P", "master")
	for _, p := range principals {
		k.admin("addprinc -randkey " + p)
	}
	log, err := os.Create(filepath.Join(k.dir, "kdc.out"))
	must(t, "create a log", err)
	defer log.Close()
	cmd := exec.Command(daemon, "-n", "-r", realm)
	cmd.Env, cmd.Stdout, cmd.Stderr = k.environment(), log, log
	must(t, "start krb5kdc", cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			for _, name := range []string{"kdc.out", "kdc.log"} {
				text, _ := os.ReadFile(filepath.Join(k.dir, name))
				t.Logf("%s:\n%s", name, text)
			}
		}
	})
	harness.Eventually(t, time.Minute, "a key distribution center that listens", func() error {
		nc, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			nc.Close()
		}
		return err
	})
	return k
}

// krb5Tool finds a program of MIT Kerberos.
func krb5Tool(t *testing.T, name string) string {
	t.Helper()
	for _, path := range []string{name, "/usr/sbin/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	lacking(t, name+" of MIT Kerberos")
	return ""
}

func (k *kdc) environment() []string {
	return append(os.Environ(), "KRB5_CONFIG="+k.config, "KRB5_KDC_PROFILE="+filepath.Join(k.dir, "kdc.conf"),
		"KRB5CCNAME=FILE:"+filepath.Join(k.dir, "cache"), "KRB5RCACHEDIR="+k.dir)
}

// run runs a program of MIT Kerberos, which must succeed, and returns what it says.
func (k *kdc) run(name string, args ...string) string {
	k.t.Helper()
	cmd := exec.CommandContext(withDeadline(k.t, clientTimeout), krb5Tool(k.t, name), args...)
	cmd.Env = k.environment()
	out, err := cmd.CombinedOutput()
	if err != nil {
		k.t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func (k *kdc) admin(query string) {
	k.t.Helper()
	// It exits with 0 whatever happens.
	if said := k.run("kadmin.local", "-r", realm, "-q", query); strings.Contains(said, "while") {
		k.t.Fatalf("kadmin.local %s:\n%s", query, said)
	}
}

// keytab adds new keys of a principal to a keytab in the test's directory, and returns its path.
func (k *kdc) keytab(name, principal string) string {
	k.t.Helper()
	path := filepath.Join(k.dir, name)
	k.admin("ktadd -k " + path + " " + principal)
	return path
}
