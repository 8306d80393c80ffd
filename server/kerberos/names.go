package kerberos

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"zooraft/protocol/krb5"
)

// names makes users of principals, as SaslServerCallbackHandler does: the short name by
// the first rule that applies, then /host and @REALM of the principal, unless they are
// to be removed.
type names struct {
	rules                   []rule
	realm                   string // whose users have short names by DEFAULT
	removeHost, removeRealm bool
}

// rule is one of auth_to_local's, or DEFAULT if it has no format.
type rule struct {
	components int            // of the principals that it is for
	format     []part         // of what match and from are applied to
	match      *regexp.Regexp // nil for all
	from       *regexp.Regexp // nil to leave it as it is
	to         string         // for Regexp.Expand
	all        bool           // not the first match of from only
}

// part is text, or what the number stands for: 0 the realm, 1 the first component.
type part struct {
	text   string
	number int // -1 for text
}

// syntax is that of one rule (KerberosName, ruleParser).
var syntax = regexp.MustCompile(`^(?:(DEFAULT)|RULE:\[(\d+):([^\]]*)\](\(([^)]*)\))?(s/([^/]*)/([^/]*)/(g?))?)`)

func newNames(rules, realm string, removeHost, removeRealm bool) (*names, error) {
	n := &names{realm: realm, removeHost: removeHost, removeRealm: removeRealm}
	left := strings.TrimSpace(rules)
	if left == "" {
		left = "DEFAULT"
	}
	for left != "" {
		m := syntax.FindStringSubmatch(left)
		if m == nil {
			return nil, fmt.Errorf("auth_to_local: %q is neither DEFAULT nor RULE:[COMPONENTS:FORMAT](MATCH)s/FROM/TO/g", left)
		}
		r, err := newRule(m)
		if err != nil {
			return nil, fmt.Errorf("auth_to_local: %s: %w", m[0], err)
		}
		n.rules = append(n.rules, r)
		left = strings.TrimSpace(left[len(m[0]):])
	}
	return n, nil
}

// newRule makes a rule of what syntax has found.
func newRule(m []string) (rule, error) {
	if m[1] != "" {
		return rule{}, nil
	}
	var r rule
	var err error
	if r.components, err = strconv.Atoi(m[2]); err != nil || r.components < 1 || r.components > 2 {
		return r, fmt.Errorf("a principal has 1 or 2 components, not %s", m[2])
	}
	if r.format, err = parseFormat(m[3], r.components); err != nil {
		return r, err
	}
	if m[4] != "" {
		if r.match, err = regexp.Compile(`\A(?:` + m[5] + `)\z`); err != nil {
			return r, err
		}
	}
	if m[6] != "" {
		if r.from, err = regexp.Compile(m[7]); err != nil {
			return r, err
		}
		if r.to, err = template(m[8], r.from); err != nil {
			return r, err
		}
		// Java also finds the empty string behind the last match, and Go does not.
		if r.all = m[9] == "g"; r.all && r.from.MatchString("") {
			return r, fmt.Errorf("with g behind it, %q must not match the empty string", m[7])
		}
	}
	return r, nil
}

// parseFormat splits $1@$0 into its parts.
func parseFormat(s string, components int) ([]part, error) {
	parts := []part{}
	for s != "" {
		text, rest, found := strings.Cut(s, "$")
		if text != "" {
			parts = append(parts, part{text, -1})
		}
		if !found {
			break
		}
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		number, err := strconv.Atoi(rest[:digits])
		if err != nil || number > components {
			return nil, fmt.Errorf("%q: $ needs a number from 0 to %d behind it", s, components)
		}
		parts = append(parts, part{"", number})
		s = rest[digits:]
	}
	return parts, nil
}

// template makes what Java's Matcher.replaceAll takes ($1, ${name}, \ before what stands
// for itself) into what Regexp.Expand takes.
func template(java string, from *regexp.Regexp) (string, error) {
	var b strings.Builder
	for i := 0; i < len(java); i++ {
		switch c := java[i]; {
		case c == '\\':
			if i++; i == len(java) {
				return "", fmt.Errorf(`%q: nothing behind the last \`, java)
			}
			if java[i] == '$' {
				b.WriteByte('$')
			}
			b.WriteByte(java[i])
		case c == '$' && i+1 < len(java) && java[i+1] == '{':
			name, _, ok := strings.Cut(java[i+2:], "}")
			if !ok || from.SubexpIndex(name) < 0 {
				return "", fmt.Errorf("%q: no group has the name behind ${", java)
			}
			fmt.Fprintf(&b, "${%s}", name)
			i += len(name) + 2
		case c == '$':
			// As many digits as are the number of a group, but one at least.
			group, digits := -1, 0
			for ; i+1+digits < len(java) && '0' <= java[i+1+digits] && java[i+1+digits] <= '9'; digits++ {
				next := max(group, 0)*10 + int(java[i+1+digits]-'0')
				if next > from.NumSubexp() {
					break
				}
				group = next
			}
			if group < 0 {
				return "", fmt.Errorf("%q: $ needs the number of a group behind it", java)
			}
			fmt.Fprintf(&b, "${%d}", group)
			i += digits
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

// user is the id in the scheme sasl of a principal. One that no rule is for, or that a
// rule makes an empty name or one with / or @ of, keeps its whole name. In ZooKeeper it
// becomes whoever it says it wants to be, which Java's clients make the same name.
func (n *names) user(p krb5.Principal) string {
	short, ok := n.short(p)
	if !ok {
		return p.String()
	}
	if len(p.Components) == 2 && !n.removeHost {
		short += "/" + p.Components[1]
	}
	if !n.removeRealm {
		short += "@" + p.Realm
	}
	return short
}

func (n *names) short(p krb5.Principal) (string, bool) {
	if len(p.Components) > 2 {
		return "", false // no name to KerberosName
	}
	for _, r := range n.rules {
		name, ok := r.apply(p, n.realm)
		if ok {
			return name, name != "" && !strings.ContainsAny(name, "/@")
		}
	}
	return "", false
}

func (r *rule) apply(p krb5.Principal, realm string) (string, bool) {
	if r.format == nil {
		return p.Components[0], p.Realm == realm
	}
	if len(p.Components) != r.components {
		return "", false
	}
	var b strings.Builder
	for _, f := range r.format {
		switch f.number {
		case -1:
			b.WriteString(f.text)
		case 0:
			b.WriteString(p.Realm)
		default:
			b.WriteString(p.Components[f.number-1])
		}
	}
	base := b.String()
	if r.match != nil && !r.match.MatchString(base) {
		return "", false
	}
	if r.from == nil {
		return base, true
	}
	if r.all {
		return r.from.ReplaceAllString(base, r.to), true
	}
	m := r.from.FindStringSubmatchIndex(base)
	if m == nil {
		return base, true
	}
	return base[:m[0]] + string(r.from.ExpandString(nil, r.to, base, m)) + base[m[1]:], true
}
