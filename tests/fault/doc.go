// Package fault makes servers fail under load, as processes on this machine, and checks what their clients saw.
//
// Each scenario starts three servers (package harness), puts load on them (package loadclient), makes its fault, takes
// the figures that it promises something about, and in the end holds the whole history, and the state of each server,
// against the rules of package history. The seed of what is random is printed; a history that breaks a rule is saved, and
// its path printed. Scenarios take seconds; -short leaves them out.
//
// Environment and flags:
//
//	ZOORAFT_FAULT_FULL=1      full scale: more rounds, more writes, and the promised limits on pauses, which only a quiet
//	                          machine can hold
//	ZOORAFT_FAULT_SEED=N      take this seed
//	ZOORAFT_FAULT_DIR=dir     where to save histories; default the system's temporary directory
//	ZOORAFT_FAULT_HISTORY=f   have TestSavedHistory judge this file once more
//	ZOORAFT_ORACLE=1          test the stock ZooKeeper instead, without what Zooraft alone promises; its jars are those of
//	                          the interop tests (ZOORAFT_INTEROP_DEPS)
//	-rounds, -conns           rounds of TestKillLeader; client connections per server
//
// The figures in the logs are one line each: "name: key=value ...".
package fault
