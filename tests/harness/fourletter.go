package harness

import (
	"errors"
	"io"
	"net"
	"strings"
	"time"
)

// errNoMode says that a server answered srvr without a mode: it is up and does not serve.
var errNoMode = errors.New("not currently serving")

const fourLetterTimeout = 5 * time.Second

// FourLetter sends a four-letter word to a client port and returns the whole answer. It blocks for at most 5 s.
func FourLetter(addr, word string) (string, error) {
	conn, err := net.DialTimeout("tcp", addr, fourLetterTimeout)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(fourLetterTimeout)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, word); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	return string(answer), err
}

// mode asks a client port for its mode: standalone, leader, follower, observer or read-only.
func mode(addr string) (string, error) {
	answer, err := FourLetter(addr, "srvr")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(answer) {
		if m, ok := strings.CutPrefix(line, "Mode: "); ok {
			return strings.TrimSpace(m), nil
		}
	}
	return "", errNoMode
}
