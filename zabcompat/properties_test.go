package zabcompat

import (
	"slices"
	"testing"
	"unicode/utf8"
)

func TestParseProperties(t *testing.T) {
	type kv struct {
		key, value string
		line       int
	}
	tests := []struct {
		name, text string
		want       []kv
	}{
		{"separators", "a=1\nb:2\nc 3\nd\t4\ne = 5\nf : 6\ng\t=\f7", []kv{
			{"a", "1", 1}, {"b", "2", 2}, {"c", "3", 3}, {"d", "4", 4}, {"e", "5", 5}, {"f", "6", 6}, {"g", "7", 7}}},
		{"only one separator counts", "a==1\nb=:2\nc : =3", []kv{{"a", "=1", 1}, {"b", ":2", 2}, {"c", "=3", 3}}},
		{"no value", "a\nb=\nc:", []kv{{"a", "", 1}, {"b", "", 2}, {"c", "", 3}}},
		{"no key", "=1", []kv{{"", "1", 1}}},
		{"comments", "#a=1\n \t!b=2\nc=3#4", []kv{{"c", "3#4", 3}}},
		{"a comment does not continue", "#a \\\nb=1", []kv{{"b", "1", 2}}},
		{"line ends", "a=1\rb=2\r\nc=3\n\n\r\n  \nd=4", []kv{{"a", "1", 1}, {"b", "2", 2}, {"c", "3", 3}, {"d", "4", 7}}},
		{"continuation", "a=1,\\\n   2,\\\r\n\t3\nb=4", []kv{{"a", "1,2,3", 1}, {"b", "4", 4}}},
		{"continued over a comment mark", "a=1\\\n#2", []kv{{"a", "1#2", 1}}},
		{"continued by an empty line", "a=1\\\n\nb=2", []kv{{"a", "1", 1}, {"b", "2", 3}}},
		{"an empty start and a comment", "\\\n#a\nb=2", []kv{{"b", "2", 3}}},
		{"even backslashes end the line", "a=1\\\\\nb=2", []kv{{"a", `1\`, 1}, {"b", "2", 2}}},
		{"backslash at the end", "a=1\\", []kv{{"a", "1", 1}}},
		{"escapes", `a\ b\=c\:=x\ty\nz\\\q`, []kv{{"a b=c:", "x\ty\nz\\q", 1}}},
		{"windows path", `dataDir=C:\\zk\\data`, []kv{{"dataDir", `C:\zk\data`, 1}}},
		{"unicode", `a=\u00e9\ud83d\ude00`, []kv{{"a", "é😀", 1}}},
		{"blanks at the end stay", "a=1 \t", []kv{{"a", "1 \t", 1}}},
		{"utf-8", "a=é", []kv{{"a", "é", 1}}},
		{"iso 8859-1", "a=\xe9", []kv{{"a", "é", 1}}},
		{"byte order mark", "\xef\xbb\xbfa=1", []kv{{"a", "1", 1}}},
		{"empty", "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []kv
			for _, p := range ParseProperties([]byte(tt.text)) {
				if p.Err != nil {
					t.Errorf("%q: %v", p.Key, p.Err)
				}
				got = append(got, kv{p.Key, p.Value, p.Line})
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestParsePropertiesBadEscape(t *testing.T) {
	for _, text := range []string{`a=\u12`, `a=\u12x4`, `a=\u`, `\uzzzz=1`, `a=\u+123`} {
		props := ParseProperties([]byte("ok=1\n" + text))
		if len(props) != 2 || props[1].Err == nil || props[1].Line != 2 {
			t.Errorf("%q: got %+v, want a fault on line 2", text, props)
		}
	}
}

func FuzzParseProperties(f *testing.F) {
	f.Add([]byte("a=1\\\n  2\r\n#c\n\\u00e9 : \\\\"))
	f.Add([]byte("\xff\\ud83d\\ude00=\\"))
	f.Fuzz(func(t *testing.T, data []byte) {
		last := 0
		for _, p := range ParseProperties(data) {
			if p.Line <= last {
				t.Fatalf("line %d comes after line %d", p.Line, last)
			}
			last = p.Line
			if !utf8.ValidString(p.Key) || !utf8.ValidString(p.Value) {
				t.Fatalf("invalid UTF-8: %q=%q", p.Key, p.Value)
			}
		}
	})
}

func TestSplitList(t *testing.T) {
	for value, want := range map[string][]string{"": nil, " , ": nil, "a": {"a"}, " a b ,c,,d, ": {"a b", "c", "d"}} {
		if got := SplitList(value); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", value, got, want)
		}
	}
}
