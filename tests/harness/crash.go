package harness

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"testing"
)

// signs are what a Go program writes at the start of a line when it has raced or crashed.
var signs = []struct {
	text, what string
	race       bool
}{
	{"WARNING: DATA RACE", "data race", true},
	{"panic: ", "panic", false},
	{"fatal error: ", "fatal error", false},
}

// unforgiven is where what runs a failed test once more looks for reasons not to.
var unforgiven io.Writer = os.Stdout

// Crashed fails the test if the log of a server has a sign that it raced or, unless that is expected, crashed. It is
// not forgiven because it does not come again: what runs failed tests once more stops at such a sign at the start of a
// line, and would not know the one in the test's failure, which is indented.
func Crashed(t testing.TB, who string, log []byte, crashOK bool) {
	t.Helper()
	at, what, race := findCrash(log, crashOK)
	if at < 0 {
		return
	}
	t.Errorf("%s: %s in its log:\n%s", who, what, log[at:min(len(log), at+logTailBytes)])
	sign := "panic: "
	if race {
		sign = "WARNING: DATA RACE: "
	}
	fmt.Fprintf(unforgiven, "\n%s%s of %s\n", sign, what, who)
}

// findCrash looks for the first sign in a log that a Go server has crashed or raced; at is -1 if there is none.
func findCrash(log []byte, crashOK bool) (at int, what string, race bool) {
	for _, sign := range signs {
		if crashOK && !sign.race {
			continue
		}
		// At the start of a line: a log line may quote one.
		if bytes.HasPrefix(log, []byte(sign.text)) {
			return 0, sign.what, sign.race
		}
		if i := bytes.Index(log, []byte("\n"+sign.text)); i >= 0 {
			return i + 1, sign.what, sign.race
		}
	}
	return -1, "", false
}
