package protocol

import "testing"

func TestOnOneLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "",
		"/ein/Übung \"x\" \\":    "/ein/Übung \"x\" \\",
		"a\nFATAL forged":        `a\nFATAL forged`,
		"\x1b[2Jgone":            `\x1b[2Jgone`,
		"no UTF-8: \xff":         `no UTF-8: \xff`,
		"right to left: \u202e":  `right to left: \u202e`,
		"\tin a \"quoted\" word": `\tin a \"quoted\" word`,
		"next line\u0085, too":   `next line\u0085, too`,
	} {
		if got := OnOneLine(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
