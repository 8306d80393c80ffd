// Package bench measures running servers, and Zooraft beside a stock ZooKeeper.
//
// TestCompare is what `make bench` runs. It takes minutes and wants the machine to itself, as the other tests do:
//
//	make bench                                    the quick form: every scenario once and shortly, under five minutes
//	make bench BENCH=full                         the figures to publish: half an hour and more
//	make bench BENCH_RUN='one server|lone'        the scenarios whose names match a regular expression, in either form
//	make bench BENCH_ROUNDS=5 BENCH_SECONDS=10    more alternations, longer measurements
//	make bench BENCH_OUT=/tmp/bench               where results.json and report.html go (default bench-results)
//
//	ZOORAFT_BENCH=1 ZOORAFT_BIN=$PWD/bin/zooraft go test -count=1 -v -timeout 20m -run TestMillionZnodes ./tests/bench
//	ZOORAFT_BENCH=1 go test -count=1 -v -run TestBare ./tests/bench      what the system calls alone take
//
// It tells of every measurement at once, with Zooraft's figure in parts of ZooKeeper's and whether that is as wanted, and
// writes results.json each time (package cmd/bench has its format), so an interrupted run has told and kept what it
// found. It fails when a request fails that should not, never for a figure. Scenarios:
//
//	three servers: …   loads on an ensemble; 128 x 64 are 128 clients with 64 requests under way each
//	one server: …
//	memory, start, restart, longest, idle, pause, missed      single figures; their names say what they are
//	failures: …        a load under the failures that ZooKeeper's overview shows, section Reliability
//	cost: znodes, sessions, watches, children, servers        what a request costs as there are more of them; only in the
//	                   full form or when named
//
// ZooKeeper is that of tests/interop/setup.sh with the same zoo.cfg and its own defaults: forceSync on, a heap of 1000 MB
// as zkServer.sh gives it, the collector that the JVM chooses, remote management off. Without it Zooraft is measured alone.
//
// It measures from outside: latency at the socket, memory and processor time from /proc, the time of a snapshot from
// the server's log. It leaves the meaning of replies to other tests; here each must merely be a success. The load comes
// from cmd/bench, in this process; the client of this package serves for what the generator does not do: single probes,
// and filling.
//
// TestProfile is `make pgo`: it profiles the servers under the loads of three servers, for the compiler.
//
// TestMillionZnodes judges snapshots and restarts of one server; its environment:
//
//	ZOORAFT_BENCH_ZNODES    znodes to fill (default 1000000)
//	ZOORAFT_BENCH_QUIET     seconds of rest after the fill (default 60)
//
// Invariants:
//   - Zooraft and ZooKeeper get the same requests from the same client, in alternation within one run, with every write
//     forced to the disk on both, and their data on one file system.
//   - Both have been warmed up by the same load before anything under load is measured, and no measurement begins before
//     all servers are at rest. Starts, restarts and memory are those of servers without any warm-up.
//   - In TestMillionZnodes a pause is judged against a probe that echoes through the loopback within the test process at
//     the same time: what the machine does to everybody is not held against the server.
package bench
