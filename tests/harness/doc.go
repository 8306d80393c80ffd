// Package harness starts real servers, as processes on free loopback ports, for tests that need more than one package:
// Zooraft's own binary, or a stock ZooKeeper under the same methods, so that a test can ask both the same question.
//
// It leaves to its callers what is asked of the servers: it speaks no protocol beyond the four-letter words, which it
// needs to know when a server serves and who leads.
//
// Environment:
//
//	ZOORAFT_BIN     the binary to test; without it, cmd/zooraft is built once per test process
//	ZOORAFT_RACE    0: build without the race detector (no C compiler needed, faster)
//	ZOORAFT_KEEP    a directory: each test's server directories, logs included, go there and stay
//
// Invariants:
//   - A process started here ends with the test that started it, and on Linux also with a test process that is killed.
//   - A port given out here is given to nobody else who asks through this package, in this process or another, until
//     the test that has it ends; and it lies outside the range that the kernel takes for outgoing connections.
//   - No state is awaited by sleeping for a guessed time: states are polled up to a deadline, and the test fails at the
//     deadline with the tail of the server's log.
package harness
