package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/term"
)

func TestOptionsParse(t *testing.T) {
	o := options{list: []option{{"s", false, ""}, {"w", false, ""}, {"v", true, ""}, {"file", true, ""}}}
	tests := []struct {
		line, args, values, err string
	}{
		{"get /a -s", "get /a", "s=", ""},
		{"get -sw /a", "get /a", "s= w=", ""},
		{"get -v 5 /a", "get /a", "v=5", ""},
		{"get -v5 /a", "get /a", "v=5", ""},
		{"get -swv5 /a", "get /a", "s= v=5 w=", ""},
		{"get -v=5 /a", "get /a", "v=5", ""},
		{"get -v -1 /a", "get /a", "v=-1", ""},
		{"get -file x -s", "get", "file=x s=", ""},
		{"get -- -s", "get -s", "", ""},
		{"get - /a", "get - /a", "", ""},
		{"get -x /a", "", "", "UnrecognizedOptionException: Unrecognized option: -x"},
		{"get -sx /a", "", "", "UnrecognizedOptionException: Unrecognized option: -sx"},
		{"get -v", "", "", "MissingArgumentException: Missing argument for option: v"},
		{"get -v -s /a", "", "", "MissingArgumentException: Missing argument for option: v"},
	}
	for _, tt := range tests {
		p, err := o.parse(strings.Fields(tt.line))
		if tt.err != "" {
			if err == nil || !strings.HasSuffix(err.Error(), tt.err) {
				t.Errorf("%s: got the error %v, want %s", tt.line, err, tt.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.line, err)
			continue
		}
		values := map[string]string{}
		for _, kv := range strings.Fields(tt.values) {
			k, v, _ := strings.Cut(kv, "=")
			values[k] = v
		}
		if got := strings.Join(p.args, " "); got != tt.args || !reflect.DeepEqual(p.values, values) {
			t.Errorf("%s: got %s and %v, want %s and %v", tt.line, got, p.values, tt.args, values)
		}
	}
}

func TestSplitWords(t *testing.T) {
	tests := []struct {
		line string
		want []string
	}{
		{` create /a "two words" `, []string{"create", "/a", "two words"}},
		{`create /a 'it "is"' ""`, []string{"create", "/a", `it "is"`, ""}},
		{`set /a {"k":1}`, []string{"set", "/a", `{"k":1}`}},
		{`set /a "open end`, []string{"set", "/a", "open", "end"}},
	}
	for _, tt := range tests {
		if got := splitWords(tt.line); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.line, got, tt.want)
		}
	}
}

func TestParseInvocation(t *testing.T) {
	var complaints bytes.Buffer
	inv, err := parseInvocation(strings.Fields("-server a:1/x -timeout 500 --json -nonsense -r ls -s /"), &complaints)
	if err != nil || inv.server != "a:1/x" || inv.timeout.Milliseconds() != 500 || !inv.json || !inv.readOnly || strings.Join(inv.words, " ") != "ls -s /" {
		t.Errorf("got %+v, %v", inv, err)
	}
	inv, err = parseInvocation([]string{"-r", "-server"}, &complaints)
	if err != nil || inv.server != defaultServer || complaints.String() != "Error: no argument found for option -server\n" {
		t.Errorf("-server without a value: got %+v, %v, said %q", inv, err, &complaints)
	}
	if _, err := parseInvocation([]string{"-timeout", "soon"}, &complaints); errorCode(err) != exitInvalid {
		t.Errorf("-timeout soon: got %v", err)
	}
}

func TestReadClientConfig(t *testing.T) {
	tests := []struct{ text, err string }{
		{"# none\nzookeeper.request.timeout=1500\njute.maxbuffer = 0x1000\nzookeeper.client.secure=false\n", ""},
		{"zookeeper.request.timeout 1500\njute.maxbuffer : 010000\nzookeeper.sasl.client=false\njava.security.auth.login.config=x\n", ""},
		{"zookeeper.request.timeout=1500\njute.maxbuffer=4096\nzookeeper.clientCnxnSocket org.apache.zookeeper.ClientCnxnSocketNetty\nzookeeper.ssl.crl=true\n", ""},
		{"zookeeper.sasl.clientconfig=Client\n", "name the file that has this section by java.security.auth.login.config"},
		{"java.security.auth.login.config: /none\n", "client.properties: java.security.auth.login.config: open /none"},
		{"zookeeper.sasl.client=off\n", "give true or false"},
		{"a=1\nb=\\u12\n", "line 2"},
		{"zookeeper.request.timeout=x\n", "no number"},
	}
	for _, tt := range tests {
		path := filepath.Join(t.TempDir(), "client.properties")
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		var c configured
		err := c.read(nil, path)
		switch {
		case tt.err != "":
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%q: got the error %v, want %q", tt.text, err, tt.err)
			}
		case err != nil || c.tls != nil || c.requestTimeout.Milliseconds() != 1500 || c.maxReplyBytes != 4096:
			t.Errorf("%q: got %+v, %v", tt.text, c, err)
		}
	}
}

func TestMembersFile(t *testing.T) {
	tests := []struct{ text, want, err string }{
		{"clientPort=1\nserver.1=a:2:3;4\n server.2 : b:2:3;4 \n", "server.1=a:2:3;4,server.2=b:2:3;4", ""},
		{"server.1=a:2:3\ngroup.1=1:2\nweight.1=0\nversion=100", "server.1=a:2:3,group.1=1:2,weight.1=0", ""},
		{"group.1=1\n", "", "no line server.N"},
	}
	for _, tt := range tests {
		path := filepath.Join(t.TempDir(), "zoo.cfg.dynamic")
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := membersFile(path)
		if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%q: got %q, %v; want %q, %q", tt.text, got, err, tt.want, tt.err)
		}
	}
}

func TestQuotaText(t *testing.T) {
	for _, text := range []string{"count=3,bytes=4", "count=-1,bytes=2=;byteHardLimit=5;countHardLimit=-1"} {
		if got := parseQuota([]byte(text)).String(); got != text {
			t.Errorf("%s came back as %s", text, got)
		}
	}
}

func TestVisible(t *testing.T) {
	tests := []struct{ text, want string }{
		{"plain größe 😀\n\ttwo\r\nlines", "plain größe 😀\n\ttwo\r\nlines"},
		{"\x1b]0;owned\a\x1b[2J", `\x1b]0;owned\a\x1b[2J`},
		{"over\rwritten", `over\rwritten`},
		{"\u009b31m \x7f", `\u009b31m \x7f`},
		{"gnp.\u202eexe", `gnp.\u202eexe`},
	}
	for _, tt := range tests {
		if got := visible(tt.text); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestLastWord(t *testing.T) {
	tests := []struct {
		line, word string
		start      int
		quote      byte
	}{
		{"", "", 0, 0},
		{"get", "get", 0, 0},
		{"get ", "", 4, 0},
		{"get -s /a", "/a", 7, 0},
		{`get "/a b`, "/a b", 4, '"'},
		{`get "/a b"`, "/a b", 4, '"'},
		{`get "/a b" `, "", 11, 0},
		{`cp '/a "b' /c`, "/c", 11, 0},
		{`set /a'b c`, "c", 9, 0},
	}
	for _, tt := range tests {
		if start, word, quote := lastWord(tt.line); start != tt.start || word != tt.word || quote != tt.quote {
			t.Errorf("%s: got %q from %d on with %q, want %q from %d on with %q", tt.line, word, start, quote, tt.word, tt.start, tt.quote)
		}
	}
}

func TestQuotedIsOneWord(t *testing.T) {
	for _, path := range []string{"/a", "/a b", `/a "b"`, "/it's", `/it's so`, "/größe und mehr"} {
		if got := splitWords("get " + quoted(path, 0, true)); len(got) != 2 || got[1] != path {
			t.Errorf("%s: got the words %q", path, got)
		}
	}
	if got := quoted("/a b/", 0, false); got != `"/a b/` {
		t.Errorf("what is not whole: got %s", got)
	}
}

func TestCommonPrefixKeepsCharacters(t *testing.T) {
	if got := commonPrefix([]string{"/é", "/è"}); got != "/" {
		t.Errorf("got %q, want a slash", got)
	}
}

func TestParseACL(t *testing.T) {
	tests := []struct{ text, entries, complaints string }{
		{"world:anyone:cdrwa", "world:anyone:cdrwa", ""},
		{"world:anyone:r,ip:10.0.0.1/8:rw", "world:anyone:r ip:10.0.0.1/8:rw", ""},
		{"digest:bob:hash:w", "digest:bob:hash:w", ""},
		{"world:anyone:r,,", "world:anyone:r", ""},
		{",world:anyone:r", "world:anyone:r", " does not have the form scheme:id:perm\n"},
		{",", "", ""},
		{"", "", " does not have the form scheme:id:perm\n"},
		{"world:anyone", "", "world:anyone does not have the form scheme:id:perm\n"},
		{"world:anyone:rx", "world:anyone:r", "Unknown perm type: x\n"},
	}
	for _, tt := range tests {
		var complaints bytes.Buffer
		entries := strings.Join(aclTexts(parseACL(tt.text, &complaints)), " ")
		if entries != tt.entries || complaints.String() != tt.complaints {
			t.Errorf("%q: got %q, said %q; want %q and %q", tt.text, entries, &complaints, tt.entries, tt.complaints)
		}
	}
}

func TestNearest(t *testing.T) {
	tests := []struct{ name, want string }{
		{"getacl", "getAcl"}, {"lss", ""}, {"creat", "create"}, {"deletall", "deleteall"}, {"stta", ""}, {"xyzzy", ""}, {"gets", "get"}, {"tee", "tree"},
	}
	for _, tt := range tests {
		if got := nearest(tt.name); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestExportedFilesComeBack(t *testing.T) {
	all := []znode{
		{path: "/app", data: []byte("top")}, {path: "/app/dir", data: nil}, {path: "/app/dir/leaf", data: []byte{0, 1, 0xff}}, {path: "/app/z", data: []byte("z\n")},
	}
	dir := filepath.Join(t.TempDir(), "out")
	if err := exportFiles(all, "/app", dir); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "out.json")
	if err := exportFile(all, "/app", file); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{dir, file} {
		back, err := readImport(from, nil)
		if err != nil || len(back) != len(all) {
			t.Fatalf("%s: got %d znodes, want %d (%v)", from, len(back), len(all), err)
		}
		for i := range all {
			if got := target(back[i].path, "/", "/app"); got != all[i].path || !bytes.Equal(back[i].data, all[i].data) {
				t.Errorf("%s: got %s with %q, want %s with %q", from, got, back[i].data, all[i].path, all[i].data)
			}
		}
	}
	if err := exportFiles(all, "/app", dir); err == nil {
		t.Error("a directory that is there already was written into")
	}
}

func TestHistoryIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "history")
	h := openHistory(path)
	for _, line := range []string{"ls /", "ls /", "addauth digest bob:secret", "get /a", ""} {
		h.Add(line)
	}
	h.close()
	h = openHistory(path)
	defer h.close()
	if h.Len() != 2 || h.At(0) != "get /a" || h.At(1) != "ls /" {
		t.Errorf("kept %q", h.lines)
	}
}

func TestSearch(t *testing.T) {
	e := &editor{history: &history{lines: []string{"ls /app", "get /b", "get /app", "stat /c"}}}
	var _ term.History = e.history
	line, pos := "get", 3
	for _, want := range []string{"get /app", "get /b", "get /b"} {
		line, pos, _ = e.key(line, pos, keyCtrlR)
		if line != want || pos != len(want) {
			t.Errorf("got %q at %d, want %q", line, pos, want)
		}
	}
}
