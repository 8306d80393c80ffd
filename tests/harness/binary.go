package harness

import "testing"

// Binary is the zooraft under test, for those who run another of its commands than a server.
func Binary(t testing.TB) string {
	t.Helper()
	bin, err := zooraftBinary()
	if err != nil {
		t.Fatalf("build zooraft: %v", err)
	}
	return bin
}
