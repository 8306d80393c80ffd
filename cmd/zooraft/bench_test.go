package main

import (
	"bytes"
	"net"
	"strings"
	"testing"
)

func TestBenchCommandLine(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := ln.Addr().String()
	ln.Close()
	tests := []struct {
		name string
		args string
		code int
		want []string // on standard error
	}{
		{"no workload", "bench", exitInvalid, []string{"give one workload", "mixed"}},
		{"two workloads", "bench get set", exitInvalid, []string{"give one workload"}},
		{"unknown workload", "bench fetch", exitInvalid, []string{`"fetch"`}},
		{"all faults", "bench get --servers a --window 0 --connections -1 --hot=-1", exitInvalid, []string{"connections", "hot", "host:port"}},
		{"zeros", "bench multi --connections 0 --window 0 --keys 0 --batch 0 --duration 0s --interval 0s --session-timeout 0s", exitInvalid, []string{"connections: got 0", "window: got 0", "keys: got 0", "batch: got 0", "duration: got 0s", "interval: got 0s", "session timeout: got 0s"}},
		{"no children", "bench children --children 0", exitInvalid, []string{"children: got 0"}},
		{"unknown flag", "bench get --threads 5", exitInvalid, []string{"threads"}},
		{"no server", "bench get --servers " + nobody, exitUnexpected, []string{"set-up", "refused"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if code := run(strings.Fields(tt.args), &stdout, &stderr); code != tt.code {
				t.Errorf("exit code: got %d, want %d", code, tt.code)
			}
			for _, want := range tt.want {
				if !strings.Contains(stderr.String(), want) {
					t.Errorf("stderr: got %q, want it to tell %q", &stderr, want)
				}
			}
			if stdout.Len() > 0 {
				t.Errorf("stdout: got %q", &stdout)
			}
		})
	}
}
