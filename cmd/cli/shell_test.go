package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"zooraft/protocol"
)

func TestConnectToABadAddress(t *testing.T) {
	out, complaints, code := script(serve(t, znodes), "connect a:b\nget /\nquit\n")
	if !strings.Contains(out, "\nroot\n") || code != 0 {
		t.Errorf("get on the session that there was: got %q, exit code %d", out, code)
	}
	if want := "-server a:b: server \"a:b\": \"b\" is no port\n"; complaints != want {
		t.Errorf("said %q, want %q", complaints, want)
	}
}

// Scripts hear why there is no connection, and JSON has it in a field of its own.
func TestConnectionLossHasACause(t *testing.T) {
	listen := func() net.Listener {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ln.Close() })
		return ln
	}
	hangsUp := listen()
	go func() {
		for {
			nc, err := hangsUp.Accept()
			if err != nil {
				return
			}
			io.ReadFull(nc, make([]byte, 4+45)) // a client's first frame, or it would be reset
			nc.Close()
		}
	}()
	nobodyListens := listen()
	nobodyListens.Close()
	for _, tt := range []struct{ name, server, want string }{
		{"nobody there", nobodyListens.Addr().String(), "connection refused; is it running, and is this its client port?"},
		{"hangs up", hangsUp.Addr().String(), "it hangs up; has it a quorum, and is this its client port?"},
		{"unknown name", "nobody.invalid:2181", "the name nobody.invalid is not known; check -server"},
	} {
		var out, complaints bytes.Buffer
		code := Run([]string{"-server", tt.server, "ls", "/"}, IO{Stdout: &out, Stderr: &complaints})
		lines := strings.Split(strings.TrimSpace(complaints.String()), "\n")
		if code != exitFailed || len(lines) != 2 || lines[0] != "KeeperErrorCode = ConnectionLoss for /" ||
			!strings.HasPrefix(lines[1], "no server of "+tt.server+" answers: ") || !strings.HasSuffix(lines[1], tt.want) {
			t.Errorf("%s: exit code %d, said %q", tt.name, code, &complaints)
		}
		complaints.Reset()
		Run([]string{"-json", "-server", tt.server, "ls", "/"}, IO{Stdout: &out, Stderr: &complaints})
		var told struct{ Error, Cause string }
		if err := json.Unmarshal(complaints.Bytes(), &told); err != nil || told.Error != lines[0] || !strings.HasSuffix(told.Cause, tt.want) {
			t.Errorf("%s: in JSON %q, error %v", tt.name, &complaints, err)
		}
	}
}

// full is a standard output that takes so many bytes.
type full struct{ room int }

func (f *full) Write(b []byte) (int, error) {
	if f.room -= len(b); f.room < 0 {
		return 0, errors.New("no space left")
	}
	return len(b), nil
}

func TestOutputThatIsNotWritten(t *testing.T) {
	server := serve(t, znodes)
	for _, line := range []string{"-json export /", "export /", "-json get /", "get /"} {
		var complaints bytes.Buffer
		words := append([]string{"-server", server}, strings.Fields(line)...)
		code := Run(words, IO{Stdout: &full{}, Stderr: &complaints})
		if code != exitFailed || !strings.Contains(complaints.String(), "the output is not all written: no space left") {
			t.Errorf("%s: exit code %d, said %q", line, code, &complaints)
		}
	}
	// What prints nothing has lost nothing, nor has the command behind one that has.
	for _, lines := range []string{"printwatches off\n", "get /\nprintwatches off\n"} {
		var complaints bytes.Buffer
		code := Run([]string{"-server", server, "-json"}, IO{Stdin: strings.NewReader(lines), Stdout: &full{}, Stderr: &complaints})
		if code != exitOK {
			t.Errorf("%q: exit code %d, said %q", lines, code, &complaints)
		}
	}
}

func TestExportToOutputIsBare(t *testing.T) {
	server := serve(t, znodes)
	for _, line := range []string{"export /", "export / -"} {
		var out, complaints bytes.Buffer
		words := append([]string{"-server", server}, strings.Fields(line)...)
		code := Run(words, IO{Stdout: &out, Stderr: &complaints})
		back, err := readImport("-", bytes.NewReader(out.Bytes()))
		if code != exitOK || err != nil || len(back) != 1 || string(back[0].data) != "root" {
			t.Errorf("%s: exit code %d, %q does not come back: %v, %v", line, code, &out, back, err)
		}
	}
	for _, line := range []string{"", "export -d / dir", "export / file", "export -x", "get export"} {
		if exportsToOutput(strings.Fields(line)) {
			t.Errorf("%q is taken for an export to standard output", line)
		}
	}
}

func TestCtrlCEndsAScript(t *testing.T) {
	server := serve(t, func(op protocol.OpCode, request protocol.Decoder) ([]byte, protocol.ErrCode, bool) {
		if op == protocol.OpDelete {
			if self, err := os.FindProcess(os.Getpid()); err != nil || self.Signal(os.Interrupt) != nil {
				return nil, protocol.ErrSystemError, true
			}
			return nil, 0, false
		}
		return znodes(op, request)
	})
	out, complaints, code := script(server, "delete /a\nget /\n")
	if strings.Contains(out, "root") || complaints != "interrupted\n" || code != errInterrupted.code {
		t.Errorf("got %q, said %q, exit code %d", out, complaints, code)
	}
}
