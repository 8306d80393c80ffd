// Package interop runs clients that were written for ZooKeeper, unchanged, against a server: ZooKeeper's own command
// line (Java), Curator with its recipes (Java, under curator/), kazoo with its recipes (Python), the Go client, and the C
// client's shell. Curator's recipes work on while the ensemble's leader is killed and brought back. Clients that log in with
// Kerberos get their tickets of a key distribution center of MIT's, which a test starts for itself.
//
// Its tests have the build tag interop, since they need what setup.sh installs:
//
//	tests/interop/setup.sh && go test -tags interop ./tests/interop/...
//
// What a test expects is what a stock ZooKeeper does, and the same test says so: with ZOORAFT_ORACLE=1 it runs against
// one, started from the jars that setup.sh brought. A test that fails there is wrong, whatever Zooraft does.
//
// With ZOORAFT_INTEROP=full, which setup.sh heeds too, there is more, of some minutes, to be run by hand or at night
// ("make interop INTEROP=full"):
//   - TestKafka: a Kafka broker in ZooKeeper mode (under kafka/) whose topics, messages, configuration, ACLs and
//     controller outlive the ensemble's leaders. It logs what the broker said of its ZooKeeper sessions; the same with
//     ZOORAFT_ORACLE=1 tells what it would have said on a stock ensemble.
//   - TestZooKeeperTests: those of ZooKeeper's own tests, from its test jar, that ask a lone server by its port, with
//     Zooraft in the place of the server that they start (under zookeeper-tests/).
//
// It also plays scenarios to a Zooraft and a ZooKeeper of equal configuration, side by side, and compares every reply,
// event and end of a connection: those of scripts/*.txt, grouped by what they are about, and generated ones. Package
// differ describes the format and what is compared. A scenario says what is sent, never what is to come back. To write
// one, add to a file of scripts/ and look at what ZooKeeper answers:
//
//	ZOORAFT_SCENARIO=delete ZOORAFT_SHOW=1 go test -v -tags interop -run TestScripts ./tests/interop
//
// A difference is printed as a script that can be saved and replayed:
//
//	ZOORAFT_REPLAY=/tmp/script.txt go test -v -tags interop -run TestReplay ./tests/interop
//
// Environment of these:
//
//	ZOORAFT_SCENARIO  plays only the scenarios whose names contain it
//	ZOORAFT_SHOW      1: prints what ZooKeeper answers to each step
//	ZOORAFT_REPLAY    the file that TestReplay plays
//	DIFFER_TIME       how long TestGenerated makes up scenarios, 30s if it is not said; make differential takes 30m
//	DIFFER_SEED       the seed to begin with, which is printed; a scenario's own seed makes it again
//
// A tool that is missing skips its tests and is named; with CI=true it fails them.
package interop
