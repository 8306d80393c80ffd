package zabcompat

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Login modules that have a counterpart here, by their classes.
const (
	// DigestLogin holds users and passwords, for the mechanism DIGEST-MD5.
	DigestLogin = "org.apache.zookeeper.server.auth.DigestLoginModule"
	// KerberosLogin names a keytab or a ticket cache, for the mechanism GSSAPI.
	KerberosLogin = "com.sun.security.auth.module.Krb5LoginModule"

	// DigestUser stands before a user's name in an option of a server's DigestLogin, whose
	// value is the password.
	DigestUser = "user_"
)

// LoginModule is one way to log in that a section of a login file names.
type LoginModule struct {
	Class   string
	Options []LoginOption
	Line    int // of the class, from 1
}

// LoginOption is one option of a LoginModule. Its value may be a secret.
type LoginOption struct{ Key, Value string }

// Option returns what an option says, the last one if it stands there twice; "" if it
// does not.
func (m *LoginModule) Option(key string) string {
	value := ""
	for _, o := range m.Options {
		if o.Key == key {
			value = o.Value
		}
	}
	return value
}

// File returns the path that an option has, which may be written as FILE:PATH
// (sun.security.krb5.internal.ktab.KeyTab).
func (m *LoginModule) File(option string) string { return withoutScheme(m.Option(option)) }

// LoginPath returns the path that a value of the property java.security.auth.login.config
// has, which may be written as a URL. A second = before it says that there is to be no
// other login file, and here there never is.
func LoginPath(value string) string { return withoutScheme(strings.TrimPrefix(value, "=")) }

func withoutScheme(path string) string {
	const scheme = "file:"
	if len(path) >= len(scheme) && strings.EqualFold(path[:len(scheme)], scheme) {
		return path[len(scheme):]
	}
	return path
}

// ParseLogin reads a login file of Java's (JAAS): sections of modules, as
// javax.security.auth.login.Configuration describes them and
// sun.security.provider.ConfigFile reads them. A section without modules counts as
// none. An error names the line, and nothing of what stands there, for it may be a
// secret.
//
// What Java passes over without a word is an error here: a quotation mark or a comment
// that nothing closes, a single / outside quotation marks. So is a ${property}, for
// there are no properties of Java's. Numbers need no quotation marks.
func ParseLogin(data []byte) (map[string][]LoginModule, error) {
	sections := map[string][]LoginModule{}
	p := loginParser{text: decodeText(data), line: 1}
	p.next()
	for p.err == nil && p.kind != 0 {
		line := p.at
		name := p.word("the name of a section")
		modules := p.section()
		if _, twice := sections[name]; twice && p.err == nil {
			p.at = line
			p.fail("a second section " + name)
		}
		if len(modules) > 0 {
			sections[name] = modules
		}
	}
	if p.err != nil {
		return nil, p.err
	}
	return sections, nil
}

// loginParser holds one token of a login file, and what follows it. The first error
// stays; after it there are no more tokens.
type loginParser struct {
	text  string // what follows the token
	line  int    // where that begins
	kind  byte   // wordToken, a mark such as {, or 0 at the end
	value string // of a word, without quotation marks
	at    int    // line of the token
	err   error
}

const wordToken = 'w'

func (p *loginParser) fail(problem string) {
	if p.err == nil {
		p.err = fmt.Errorf("line %d: %s", p.at, problem)
	}
	p.kind, p.text = 0, ""
}

// section reads what follows a section's name.
func (p *loginParser) section() (modules []LoginModule) {
	p.mark('{', "after the name of a section")
	for p.err == nil && p.kind != '}' {
		m := LoginModule{Line: p.at}
		m.Class = p.word("the class of a module, or }")
		line := p.at
		switch strings.ToLower(p.word("required, requisite, sufficient or optional")) {
		case "required", "requisite", "sufficient", "optional":
		default:
			p.at = line
			p.fail("after a module's class comes required, requisite, sufficient or optional")
		}
		for p.err == nil && p.kind != ';' {
			m.Options = append(m.Options, p.option())
		}
		p.mark(';', "after a module")
		modules = append(modules, m)
	}
	p.mark('}', "at the end of a section")
	p.mark(';', "after the } of a section")
	return modules
}

func (p *loginParser) option() LoginOption {
	var o LoginOption
	o.Key = p.word("the name of an option, or ; after the last")
	p.mark('=', "after the name of an option")
	line := p.at
	o.Value = p.word("the value of an option; what is not letters and digits needs quotation marks")
	if expands(o.Value) {
		p.at = line
		p.fail("${…} in a value stands for a property of Java's, and there are none here; write out what it means")
	}
	return o
}

// expands reports whether Java would look for a property in an option's value: ${ and
// a }, but not ${{.
func expands(value string) bool {
	for {
		_, rest, found := strings.Cut(value, "${")
		if !found {
			return false
		}
		if !strings.HasPrefix(rest, "{") {
			return strings.Contains(rest, "}")
		}
		_, value, _ = strings.Cut(rest, "}}")
	}
}

func (p *loginParser) word(what string) string {
	value := p.value
	if p.kind != wordToken {
		p.fail("here should stand " + what)
		return ""
	}
	p.next()
	return value
}

func (p *loginParser) mark(mark byte, where string) {
	if p.kind != mark {
		p.fail(string(mark) + " is missing " + where)
		return
	}
	p.next()
}

// next reads a token.
func (p *loginParser) next() {
	p.skip()
	p.at, p.kind, p.value = p.line, 0, ""
	if p.text == "" {
		return
	}
	switch c := p.text[0]; {
	case c == '"':
		p.quoted()
	case c == '/':
		p.fail("a / outside quotation marks; put paths into them")
	case strings.IndexByte("{};=", c) >= 0:
		p.kind, p.text = c, p.text[1:]
	default:
		n := 0
		for n < len(p.text) && inWord(p.text[n]) {
			n++
		}
		if n == 0 {
			r, _ := utf8.DecodeRuneInString(p.text)
			p.fail(fmt.Sprintf("%q needs quotation marks around it", r))
			return
		}
		p.kind, p.value, p.text = wordToken, p.text[:n], p.text[n:]
	}
}

func inWord(c byte) bool {
	return c >= utf8.RuneSelf || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || strings.IndexByte("$_-*.", c) >= 0
}

// skip passes over blanks and comments.
func (p *loginParser) skip() {
	for {
		n := 0
		for n < len(p.text) && p.text[n] <= ' ' {
			n++
		}
		comment := p.text[n:]
		switch {
		case strings.HasPrefix(comment, "//"):
			line, _ := cutLine(comment)
			n += len(line)
		case strings.HasPrefix(comment, "/*"):
			end := strings.Index(comment[2:], "*/")
			if end < 0 {
				p.take(n)
				p.at = p.line
				p.fail("nothing closes this /*")
				return
			}
			n += 2 + end + 2
		case n == 0:
			return
		}
		p.take(n)
	}
}

// take drops n bytes and counts the lines that end in them.
func (p *loginParser) take(n int) {
	taken := p.text[:n]
	p.text = p.text[n:]
	p.line += strings.Count(taken, "\n") + strings.Count(taken, "\r") - strings.Count(taken, "\r\n")
}

// quoted reads a word in quotation marks, with the escapes of java.io.StreamTokenizer.
func (p *loginParser) quoted() {
	var b strings.Builder
	s := p.text
	for i := 1; i < len(s) && s[i] != '\n' && s[i] != '\r'; i++ {
		switch {
		case s[i] == '"':
			p.kind, p.value = wordToken, b.String()
			p.take(i + 1)
			return
		case s[i] == '\\' && i+1 < len(s):
			i++
			if n := octal(s[i:]); n > 0 {
				value := rune(0)
				for _, digit := range s[i : i+n] {
					value = value<<3 + digit - '0'
				}
				b.WriteRune(value)
				i += n - 1
				break
			}
			if k := strings.IndexByte("abfnrtv", s[i]); k >= 0 {
				b.WriteByte("\a\b\f\n\r\t\v"[k])
				break
			}
			b.WriteByte(s[i])
		default:
			b.WriteByte(s[i])
		}
	}
	p.fail("a quotation mark is not closed on its line")
}

// octal returns how many digits of an octal escape s begins with: three from 000 to
// 377, or fewer.
func octal(s string) int {
	n := 0
	for n < len(s) && n < 3 && '0' <= s[n] && s[n] <= '7' {
		n++
	}
	if n == 3 && s[0] > '3' {
		n = 2
	}
	return n
}
