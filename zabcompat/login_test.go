package zabcompat

import (
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseLogin(t *testing.T) {
	client := func(options ...string) map[string][]LoginModule {
		m := LoginModule{Class: "a.B", Line: 1}
		for i := 0; i < len(options); i += 2 {
			m.Options = append(m.Options, LoginOption{options[i], options[i+1]})
		}
		return map[string][]LoginModule{"Client": {m}}
	}
	tests := []struct {
		name, text string
		want       map[string][]LoginModule
	}{
		{"empty", "", map[string][]LoginModule{}},
		{"no module", "Client { };", map[string][]LoginModule{}},
		{"words and quoted words", `Client { a.B required username="bob" password=pw; };`, client("username", "bob", "password", "pw")},
		{"all is quoted", `"Client" { "a.B" "required" "k"="v"; };`, client("k", "v")},
		{"characters of words", `Client { a.B Required k=a-b_c$d*e.f1 user_é=ö n=60 ; } ;`, client("k", "a-b_c$d*e.f1", "user_é", "ö", "n", "60")},
		{"escapes", `Client { a.B required k="a\"b\\c\n\t\101x\0\477\z"; };`, client("k", "a\"b\\c\n\tAx\x00'7z")},
		{"an octal escape above 127", `Client { a.B required k="\344"; };`, client("k", "ä")},
		{"an escaped line end", "Client { a.B required k=\"a\\\nb\"; };", client("k", "a\nb")},
		{"comments", "/* x { */ Client // foo {\r { a.B//\r\nrequired/**/k = \"/*v//\" ; } ; ", map[string][]LoginModule{"Client": {
			{"a.B", []LoginOption{{"k", "/*v//"}}, 2}}}},
		{"an option twice", `Client { a.B required k=1 k=2; };`, client("k", "1", "k", "2")},
		{"nothing to expand", `Client { a.B required k="$x${{y}}}" l="}${z" m=""; };`, client("k", "$x${{y}}}", "l", "}${z", "m", "")},
		{"sections and modules", "\xef\xbb\xbfServer{a.B OPTIONAL;\nc.D sufficient k=v;}; \n\"A b\" { a.B requisite; };", map[string][]LoginModule{
			"Server": {{"a.B", nil, 1}, {"c.D", []LoginOption{{"k", "v"}}, 2}},
			"A b":    {{"a.B", nil, 3}},
		}},
	}
	for _, tt := range tests {
		got, err := ParseLogin([]byte(tt.text))
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %+v, %v; want %+v", tt.name, got, err, tt.want)
		}
	}
}

func TestParseLoginErrors(t *testing.T) {
	tests := []struct{ text, want string }{
		{"\nClient { a.B required k=hunter2 }; ", "line 2: here should stand the name of an option, or ;"},
		{"Client { a.B required; } \n", "line 2: ; is missing after the }"},
		{"Client { a.B required; \n", "line 2: here should stand the class of a module, or }"},
		{"Client \n a.B required; };", "line 2: { is missing"},
		{"Client { a.B hunter2 k=v; };", "line 1: after a module's class comes required"},
		{"Client { a.B required password=hun ter2; };", "line 1: = is missing"},
		{"Client { a.B required password=; };", "line 1: here should stand the value of an option"},
		{"Client { a.B required keyTab=/etc/x; };", "line 1: a / outside quotation marks"},
		{"Client { a.B required\nuser_bob@X=hunter2; };", `line 2: '@' needs quotation marks`},
		{"Client { a.B required password='hunter2'; };", `line 1: '\'' needs quotation marks`},
		{"Client { a.B required a=b, c=d; };", `line 1: ',' needs quotation marks`},
		{"Client { a.B required k=\"hunter2; };\n", "line 1: a quotation mark is not closed"},
		{"Client { a.B required\nk=\"hunter2\\", "line 2: a quotation mark is not closed"},
		{"Client { a.B required k=\"${user.home}/x\"; };", "line 1: ${"},
		{"Client { a.B required k=\"${{a}}${b}\"; };", "line 1: ${"},
		{"Client { a.B required; };\n\nClient { a.C required; };", "line 3: a second section Client"},
		{"\n/* open\n", "line 2: nothing closes this /*"},
		{"# x\n", "line 1: '#' needs"},
		{"Client { a.B required; };;", "line 1: here should stand the name of a section"},
	}
	for _, tt := range tests {
		got, err := ParseLogin([]byte(tt.text))
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: got %v, %v; want %q", tt.text, got, err, tt.want)
		}
	}
}

func TestLoginModuleOption(t *testing.T) {
	m := LoginModule{Options: []LoginOption{{"a", "1"}, {"b", "2"}, {"a", "3"}}}
	if a, none := m.Option("a"), m.Option("c"); a != "3" || none != "" {
		t.Errorf("got %q and %q, want the last one and nothing", a, none)
	}
}

func TestLoginPaths(t *testing.T) {
	for value, want := range map[string]struct{ path, file string }{
		"/a":           {"/a", "/a"},
		"file:/a":      {"/a", "/a"},
		"FILE:/a":      {"/a", "/a"},
		"file:///a":    {"///a", "///a"},
		"=/a":          {"/a", "=/a"},
		"=file:/a":     {"/a", "=file:/a"},
		"file:file:/a": {"file:/a", "file:/a"},
		"profile:a":    {"profile:a", "profile:a"},
		"":             {"", ""},
		"file":         {"file", "file"},
	} {
		m := LoginModule{Options: []LoginOption{{"keyTab", value}}}
		if path, file := LoginPath(value), m.File("keyTab"); path != want.path || file != want.file {
			t.Errorf("%q: got %q and %q, want %q and %q", value, path, file, want.path, want.file)
		}
	}
}

func FuzzParseLogin(f *testing.F) {
	f.Add([]byte("Client { a.B required user_x=\"\\1\\\"\" k=v; c.D optional; }; // x\n/* y */ \"A b\" { a.B required; };"))
	f.Add([]byte("Client{a.B required k=\"${{a}}${"))
	f.Fuzz(func(t *testing.T, data []byte) {
		sections, err := ParseLogin(data)
		if err != nil && (sections != nil || !strings.HasPrefix(err.Error(), "line ")) {
			t.Fatalf("got %v, %v", sections, err)
		}
		for name, modules := range sections {
			if len(modules) == 0 || !utf8.ValidString(name) {
				t.Fatalf("section %q has %d modules", name, len(modules))
			}
			for _, m := range modules {
				if m.Line < 1 || !utf8.ValidString(m.Class) {
					t.Fatalf("%+v", m)
				}
			}
		}
	})
}
