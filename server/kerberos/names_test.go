package kerberos

import (
	"strings"
	"testing"

	"zooraft/protocol/krb5"
)

// All but the whole names that follow from no rule are what KerberosName's main prints.
func TestNames(t *testing.T) {
	for _, tt := range []struct {
		rules string
		names map[string]string // the short name by principal, "" for none
	}{
		{"", map[string]string{"alice@HOME": "alice", "alice/h@HOME": "alice", "alice@OTHER": ""}},
		{"DEFAULT", map[string]string{"alice@HOME": "alice", "alice/h@HOME": "alice", "alice@OTHER": "", "a/b/c@HOME": ""}},
		{"RULE:[1:$1@$0](.*@OTHER)s/@.*// DEFAULT", map[string]string{"alice@OTHER": "alice", "bob@HOME": "bob", "al/h@OTHER": ""}},
		{`RULE:[2:$1;$2](zk;.*)s/^(\w+);(\w)(.*)$/$2\-$1\$$11/`, map[string]string{"zk/host@X": "h-zk$zk1", "zl/host@X": ""}},
		{"RULE:[1:$1]s/l/L/RULE:[2:$1$2]s/l/L/g\n", map[string]string{"lala@X": "Lala", "la/la@X": "LaLa"}},
		{"RULE:[1:$1](a.)", map[string]string{"alice@X": "", "ab@X": "ab"}},
		{"RULE:[1:pre$1post$0]", map[string]string{"a@X": "preapostX"}},
		{"RULE:[1:$1@$0] DEFAULT", map[string]string{"a@HOME": ""}}, // not simple, and that is the end of it
		{"RULE:[1:a]s/a//", map[string]string{"a@X": ""}},
		{"RULE:[1:$1]s/a(b)?/<$1>/g", map[string]string{"acab@X": "<>c<b>"}},
		{"RULE:[1:$1]s/(?<n>a)/${n}${n}x/g", map[string]string{"acab@X": "aaxcaaxb"}},
		{"RULE:[1:$1]s/(a)/$1x/", map[string]string{"acab@X": "axcab"}},
		{"RULE:[1:$1]()s/a/b/ DEFAULT", map[string]string{"a@X": "", "a@HOME": "a"}},
	} {
		n, err := newNames(tt.rules, "HOME", true, true)
		if err != nil {
			t.Errorf("%q: %v", tt.rules, err)
			continue
		}
		for name, want := range tt.names {
			p, err := krb5.ParsePrincipal(name, "")
			if err != nil {
				t.Fatal(err)
			}
			if want == "" {
				want = name
			}
			if got := n.user(p); got != want {
				t.Errorf("%q: %s is %q, want %q", tt.rules, name, got, want)
			}
		}
	}
}

// As a stock ZooKeeper 3.9.5 says in whoAmI.
func TestNamesRemove(t *testing.T) {
	for _, tt := range []struct {
		host, realm bool
		rules       string
		alice, bob  string
	}{
		{false, false, "", "alice@HOME", "bob/h.example@HOME"},
		{true, false, "", "alice@HOME", "bob@HOME"},
		{false, true, "", "alice", "bob/h.example"},
		{true, true, "RULE:[1:$1_x](a.*)s/_(x)/-$1$1/ RULE:[2:$1.$2]s/\\./-/g DEFAULT", "alice-xx", "bob-h-example"},
		{false, false, "RULE:[1:$1@$0]", "alice@HOME", "bob/h.example@HOME"},
		{false, true, "RULE:[2:$1]", "alice@HOME", "bob/h.example"},
	} {
		n, err := newNames(tt.rules, "HOME", tt.host, tt.realm)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"alice@HOME": tt.alice, "bob/h.example@HOME": tt.bob} {
			p, err := krb5.ParsePrincipal(name, "")
			if err != nil {
				t.Fatal(err)
			}
			if got := n.user(p); got != want {
				t.Errorf("%+v: %s is %q, want %q", tt, name, got, want)
			}
		}
	}
}

func TestNamesRefuse(t *testing.T) {
	for rules, want := range map[string]string{
		"nonsense":                     `"nonsense" is neither DEFAULT nor RULE:`,
		"DEFAULT RULE:[:$1]":           `"RULE:[:$1]" is neither DEFAULT nor RULE:`,
		"RULE:[1:$2]":                  "a number from 0 to 1",
		"RULE:[2:$3]":                  "a number from 0 to 2",
		"RULE:[1:$]":                   "a number from 0 to 1",
		"RULE:[1:$99999999999999999]":  "a number from 0 to 1",
		"RULE:[3:$1]":                  "1 or 2 components, not 3",
		"RULE:[1:$1](a[)":              "RULE:[1:$1](a[): error parsing regexp",
		"RULE:[1:$1]s/(?=a)/b/":        "error parsing regexp",
		"RULE:[1:$1]s/(a)/$2/":         "the number of a group",
		"RULE:[1:$1]s/(a)/$/":          "the number of a group",
		"RULE:[1:$1]s/(?<n>a)/${m}/":   "no group has the name",
		"RULE:[1:$1]s/(?<n>a)/${n/":    "no group has the name",
		`RULE:[1:$1]s/a/b\/`:           "nothing behind the last",
		"RULE:[1:$1](A|alice)s/.*/x/g": "must not match the empty string",
	} {
		if _, err := newNames(rules, "HOME", false, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q in it", rules, err, want)
		}
	}
}
