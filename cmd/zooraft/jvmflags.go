package main

import (
	"strings"

	"zooraft/cmd/zoocfg"
)

// jvmFlagVariables are the environment variables in which zkServer.sh and the
// container images hand properties to the JVM, in the order in which they reach
// its command line.
var jvmFlagVariables = []string{"SERVER_JVMFLAGS", "JVMFLAGS"}

// jvmWords picks from the JVM flags the -D words that set a property of the
// server. All other flags, such as -Xmx, mean nothing here.
func jvmWords(getenv func(string) string) []zoocfg.Word {
	var words []zoocfg.Word
	for _, name := range jvmFlagVariables {
		for _, word := range shellWords(getenv(name)) {
			text, isDefinition := strings.CutPrefix(word, "-D")
			key, _, _ := strings.Cut(text, "=")
			if isDefinition && zoocfg.IsProperty(key) {
				words = append(words, zoocfg.Word{Text: text, Where: name})
			}
		}
	}
	return words
}

// shellWords splits text at blanks as a shell does that reads it as part of a
// command: what is quoted stays together, without its quotes, and a backslash takes
// the next character as it is. Nothing is expanded; a quote that is not closed ends
// with the text.
//
// ZooKeeper's scripts leave quotes in what they expand, so a value with quotes
// works in none of them, and nothing that works there means another thing here.
func shellWords(text string) []string {
	var (
		words []string
		word  strings.Builder
		quote byte // the one that is open, or 0
		begun bool // a word, perhaps an empty one
	)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote == '\'' && c == '\'', quote == '"' && c == '"':
			quote = 0
		case quote == '\'':
			word.WriteByte(c)
		case c == '\\' && i+1 < len(text) && (quote == 0 || strings.IndexByte(`"\$`+"`", text[i+1]) >= 0):
			i++
			word.WriteByte(text[i])
			begun = true
		case quote == '"':
			word.WriteByte(c)
		case c == '\'' || c == '"':
			quote, begun = c, true
		case c == ' ' || c == '\t' || c == '\n':
			if begun {
				words = append(words, word.String())
				word.Reset()
				begun = false
			}
		default:
			word.WriteByte(c)
			begun = true
		}
	}
	if begun {
		words = append(words, word.String())
	}
	return words
}
