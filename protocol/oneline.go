package protocol

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// OnOneLine escapes what could end a line of a log or confuse a terminal, as in a Go
// string. Text without such comes back as it is.
func OnOneLine(text string) string {
	if utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return text
	}
	q := strconv.Quote(text)
	return q[1 : len(q)-1]
}
