package cli

import (
	"strings"
	"testing"
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
