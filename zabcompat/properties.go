package zabcompat

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// ErrBadEscape is what a \u without four hexadecimal digits gives.
var ErrBadEscape = errors.New(`\u needs four hexadecimal digits, for example \u00e9; write \\ for a backslash`)

// Property is one logical line of a properties file.
type Property struct {
	Key, Value string
	Line       int   // of its first natural line, from 1
	Err        error // ErrBadEscape, with key and value as far as they go
}

// ParseProperties splits a file by the rules of java.util.Properties.load:
// comments with # and !, separators =, : and blanks, continuation by an odd
// number of backslashes, and escapes. Blanks at the end of a value are kept.
//
// Java reads the bytes as ISO 8859-1. Here a file that is valid UTF-8 is taken
// as that, for nobody means the other today; any other file is ISO 8859-1.
func ParseProperties(data []byte) []Property {
	var props []Property
	text := decodeText(data)
	number := 0
	for text != "" {
		number++
		first := number
		var line string
		line, text = cutLine(text)
		line = trimBlanks(line)
		if line != "" && (line[0] == '#' || line[0] == '!') {
			continue
		}
		if continues(line) {
			var lines int
			line, text, lines = joinLines(line, text)
			number += lines
		}
		if line == "" {
			continue
		}
		key, value := splitKey(line)
		p := Property{Line: first}
		var errKey, errValue error
		p.Key, errKey = unescape(key)
		p.Value, errValue = unescape(value)
		p.Err = errors.Join(errKey, errValue)
		if p.Err != nil {
			p.Err = ErrBadEscape
		}
		props = append(props, p)
	}
	return props
}

// joinLines appends to first, which continues, what it is continued by at the
// beginning of text. It returns the logical line, the text after it and the
// number of natural lines appended.
func joinLines(first, text string) (line, rest string, lines int) {
	joined := []byte(first[:len(first)-1])
	for text != "" {
		var next string
		next, text = cutLine(text)
		lines++
		next = trimBlanks(next)
		if len(joined) == 0 && next != "" && (next[0] == '#' || next[0] == '!') {
			return "", text, lines // nothing stands before it, so it is a comment
		}
		joined = append(joined, next...)
		if !continues(next) {
			break
		}
		joined = joined[:len(joined)-1]
	}
	return string(joined), text, lines
}

func decodeText(data []byte) string {
	if utf8.Valid(data) {
		return strings.TrimPrefix(string(data), "\ufeff")
	}
	runes := make([]rune, len(data))
	for i, b := range data {
		runes[i] = rune(b)
	}
	return string(runes)
}

// cutLine cuts text after its first \n, \r or \r\n.
func cutLine(text string) (line, rest string) {
	i := strings.IndexAny(text, "\r\n")
	if i < 0 {
		return text, ""
	}
	if strings.HasPrefix(text[i:], "\r\n") {
		return text[:i], text[i+2:]
	}
	return text[:i], text[i+1:]
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\f' }

func trimBlanks(line string) string { return strings.TrimLeft(line, " \t\f") }

// continues reports whether line ends in an odd number of backslashes.
func continues(line string) bool {
	n := len(line) - len(strings.TrimRight(line, `\`))
	return n%2 == 1
}

// splitKey splits a logical line, still escaped, after its key: at the first
// separator that no backslash precedes, with the blanks around it and at most
// one = or :.
func splitKey(line string) (key, value string) {
	i := 0
	for i < len(line) && line[i] != '=' && line[i] != ':' && !isBlank(line[i]) {
		if line[i] == '\\' {
			i++
		}
		i++
	}
	i = min(i, len(line))
	key, value = line[:i], trimBlanks(line[i:])
	if value != "" && (value[0] == '=' || value[0] == ':') {
		value = trimBlanks(value[1:])
	}
	return key, value
}

// unescape undoes \t \n \r \f and \uXXXX; before any other character the
// backslash is dropped.
func unescape(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		if i == len(s) {
			break // a lone backslash at the end of the file
		}
		switch s[i] {
		case 't':
			b.WriteByte('\t')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 'f':
			b.WriteByte('\f')
		case 'u':
			r, ok := hexRune(s[i+1:])
			if !ok {
				return b.String(), ErrBadEscape
			}
			i += 4
			// A character beyond U+FFFF is written as two escapes.
			if utf16.IsSurrogate(r) && strings.HasPrefix(s[i+1:], `\u`) {
				if low, ok := hexRune(s[i+3:]); ok {
					if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
						r = pair
						i += 6
					}
				}
			}
			b.WriteRune(r)
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), nil
}

func hexRune(s string) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	v, err := strconv.ParseUint(s[:4], 16, 16)
	return rune(v), err == nil
}

// SplitList takes apart a value that is a list with commas; blanks around what stands
// there, and nothing between two, do not count (StringUtils.split).
func SplitList(value string) (parts []string) {
	for part := range strings.SplitSeq(value, ",") {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}
