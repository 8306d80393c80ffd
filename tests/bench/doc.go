// Package bench measures running servers: what a million znodes cost and how long a snapshot or a restart holds up
// clients, and what a write costs beside a stock ZooKeeper.
//
// Its tests run for minutes and want the machine to themselves, so they are skipped unless asked for:
//
//	make build
//	ZOORAFT_BENCH=1 ZOORAFT_BIN=$PWD/bin/zooraft go test -count=1 -v -timeout 20m -run TestMillionZnodes ./tests/bench
//	ZOORAFT_BENCH=1 ZOORAFT_BIN=$PWD/bin/zooraft go test -count=1 -v -timeout 20m -run TestLoneWriter ./tests/bench
//
// TestLoneWriter needs the jars that tests/interop/setup.sh installs. Environment:
//
//	ZOORAFT_BENCH_ZNODES    znodes to fill (default 1000000)
//	ZOORAFT_BENCH_QUIET     seconds of rest after the fill (default 60)
//	ZOORAFT_BENCH_SECONDS   length of one measurement (default 4)
//	ZOORAFT_BENCH_ROUNDS    alternations of Zooraft and ZooKeeper (default 2)
//
// It measures from outside: latency at the socket, memory and processor time from /proc, the time of a snapshot from
// the server's log. It leaves the meaning of replies to other tests; here each must merely be a success.
//
// Invariants:
//   - Zooraft and ZooKeeper get the same requests from the same client, in alternation within one run, with every write
//     forced to the disk on both.
//   - A pause is judged against a probe that echoes through the loopback within the test process at the same time: what
//     the machine does to everybody is not held against the server.
package bench
