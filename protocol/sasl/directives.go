package sasl

import (
	"errors"
	"fmt"
	"strings"
)

// errToken is wrapped by all that is said of a token that cannot be read.
var errToken = errors.New("malformed token")

// maxTokenBytes is what RFC 2831 allows a response; challenges are shorter.
const maxTokenBytes = 4096

// directives are the key=value pairs of a token, by their names in lower case; those
// that may be repeated have many values.
type directives map[string][]string

// parseDirectives reads a list key=value,key="value",…, blanks and empty elements
// allowed.
func parseDirectives(token []byte) (directives, error) {
	if len(token) > maxTokenBytes {
		return nil, fmt.Errorf("%w: %d bytes, of which %d are allowed", errToken, len(token), maxTokenBytes)
	}
	all := directives{}
	for rest := string(token); ; {
		rest = strings.TrimLeft(rest, " \t\r\n,")
		if rest == "" {
			return all, nil
		}
		key, after, found := strings.Cut(rest, "=")
		key = strings.ToLower(strings.TrimRight(key, " \t\r\n"))
		if !found || key == "" || strings.ContainsAny(key, " \t\r\n,\"\\") {
			return nil, fmt.Errorf("%w: a directive has no name", errToken)
		}
		var value string
		after = strings.TrimLeft(after, " \t\r\n")
		if strings.HasPrefix(after, `"`) {
			var closed bool
			if value, rest, closed = cutQuoted(after[1:]); !closed {
				return nil, fmt.Errorf("%w: the value of %q is not closed", errToken, key)
			}
		} else {
			end := strings.IndexAny(after, " \t\r\n,")
			if end < 0 {
				end = len(after)
			}
			value, rest = after[:end], after[end:]
		}
		rest = strings.TrimLeft(rest, " \t\r\n")
		if rest != "" && rest[0] != ',' {
			return nil, fmt.Errorf("%w: no comma after the value of %q", errToken, key)
		}
		all[key] = append(all[key], value)
	}
}

// cutQuoted undoes quotes: it returns the value before the closing quotation mark, and
// what follows that.
func cutQuoted(s string) (value, rest string, closed bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:], true
		case s[i] == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(s[i])
		}
	}
	return "", "", false
}

// quote puts a value into quotation marks.
func quote(value string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(value) {
		if c := value[i]; c == '"' || c == '\\' || c < ' ' || c == 0x7f {
			b.WriteByte('\\')
		}
		b.WriteByte(value[i])
	}
	b.WriteByte('"')
	return b.String()
}

// one returns the value of a directive that must stand there once.
func (d directives) one(key string) (string, error) {
	switch values := d[key]; len(values) {
	case 0:
		return "", fmt.Errorf("%w: no %s", errToken, key)
	case 1:
		return values[0], nil
	}
	return "", fmt.Errorf("%w: %s stands there more than once", errToken, key)
}

// atMostOne returns the value of a directive, or what stands for it if there is none.
func (d directives) atMostOne(key, otherwise string) (string, error) {
	if len(d[key]) == 0 {
		return otherwise, nil
	}
	return d.one(key)
}
