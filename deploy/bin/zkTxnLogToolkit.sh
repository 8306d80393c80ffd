#!/usr/bin/env bash
# ZooKeeper's script of this name prints and mends files of ZooKeeper's log.
# Here it ends with a line that says so.
echo "zkTxnLogToolkit.sh: not supported: the log is Raft's (dataLogDir/raft/log), not ZooKeeper's. The server checks it at each start and names what is damaged; what a member has lost it takes from the others" >&2
exit 1
