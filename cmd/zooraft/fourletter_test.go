package main

import (
	"bytes"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
)

func TestFourLetterWord(t *testing.T) {
	const banner = "Zookeeper version: 3.9.5\nMode: follower\n"
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	tests := []struct {
		name   string
		answer string
		args   []string // before the address
		code   int
		stderr string
	}{
		{"serving", banner, []string{"srvr"}, exitOK, ""},
		{"there", "imok", []string{"ruok"}, exitOK, ""},
		{"not serving", "This ZooKeeper instance is not currently serving requests\n", []string{"srvr"}, exitUnexpected, "does not carry the word out"},
		{"not allowed", "ruok is not executed because it is not in the whitelist.\n", []string{"ruok"}, exitUnexpected, "does not carry the word out"},
		{"unknown", "", []string{"what"}, exitUnexpected, "no server answered"},
		{"no word", banner, nil, exitInvalid, "a word of four letters"},
		{"too much", banner, []string{"srvr", "srvr"}, exitInvalid, "a word of four letters"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			answered := make(chan struct{})
			go func() {
				defer close(answered)
				conn, err := ln.Accept()
				if err != nil {
					return // nobody has asked
				}
				defer conn.Close()
				if _, err := io.ReadFull(conn, make([]byte, 4)); err == nil {
					_, _ = io.WriteString(conn, tt.answer)
				}
			}()
			var stdout, stderr bytes.Buffer
			code := run(append(append([]string{"4lw"}, tt.args...), ln.Addr().String()), &stdout, &stderr)
			ln.Close()
			<-answered
			if code != tt.code || !strings.Contains(stderr.String(), tt.stderr) {
				t.Errorf("exit code %d, stderr %q; want %d and %q", code, &stderr, tt.code, tt.stderr)
			}
			want := tt.answer
			if tt.code == exitInvalid {
				want = ""
			}
			if stdout.String() != want {
				t.Errorf("stdout: got %q, want %q", &stdout, want)
			}
		})
	}
	t.Setenv("ZOO_PORT_NUMBER", strconv.Itoa(nobody.Addr().(*net.TCPAddr).Port))
	var stdout, stderr bytes.Buffer
	if code := run([]string{"4lw", "srvr"}, &stdout, &stderr); code != exitUnexpected || !strings.Contains(stderr.String(), nobody.Addr().String()) {
		t.Errorf("address of the environment: exit code %d, stderr %q", code, &stderr)
	}
	stderr.Reset()
	if code := run([]string{"4lw", "srvr", nobody.Addr().String()}, &stdout, &stderr); code != exitUnexpected || !strings.Contains(stderr.String(), "no server answered") {
		t.Errorf("nobody there: exit code %d, stderr %q", code, &stderr)
	}
}
