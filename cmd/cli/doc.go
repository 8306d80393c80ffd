// Package cli is a command line for servers that speak ZooKeeper's protocol. It
// takes zkCli.sh's place: the commands of ZooKeeper 3.9.5, and those of 3.4 that
// scripts still use, have the same syntax, texts, streams and exit codes. Behind
// them stand commands of its own.
//
// It leaves the session to package client, and the process (arguments, exit) to
// cmd/zooraft.
//
// Invariants:
//   - Results and events go to standard output; what was created, complaints and
//     usage go to standard error; as ZooKeeperMain has it.
//   - What only a person needs (colour, a prompt, progress, questions) is there on
//     a terminal only. A script's output does not depend on where it goes.
//   - One goroutine runs commands; the client's tells events. Each writes a whole
//     block at a time.
package cli
