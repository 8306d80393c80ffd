package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zooraft/server"
)

func TestForeignData(t *testing.T) {
	for _, tt := range []struct {
		name    string
		files   []string
		refused bool
	}{
		{"nothing", nil, false},
		{"what zkServer-initialize.sh and an operator leave", []string{"data/myid", "data/initialize"}, false},
		{"epochs alone", []string{"data/version-2/currentEpoch"}, false},
		{"a snapshot", []string{"data/version-2/snapshot.100000001"}, true},
		{"a log elsewhere", []string{"log/version-2/log.1"}, true},
		{"data of both", []string{"data/version-2/snapshot.0", "data/raft/identity"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, f := range tt.files {
				path := filepath.Join(dir, f)
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("x"), 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			cfg := server.DefaultConfig()
			cfg.DataDir, cfg.DataLogDir = filepath.Join(dir, "data"), filepath.Join(dir, "log")
			err := foreignData(cfg)
			if (err != nil) != tt.refused || err != nil && (exitCode(err) != exitDataDir || !strings.Contains(err.Error(), "version-2")) {
				t.Errorf("got %v, refused must be %v", err, tt.refused)
			}
		})
	}
}
