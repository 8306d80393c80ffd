#!/usr/bin/env bash
# ZooKeeper's script of this name adds up subtrees of one of ZooKeeper's snapshots.
# Here it ends with a line that says so.
echo "zkSnapshotRecursiveSummaryToolkit.sh: not supported; zooraft snapshot inspect --top N prints the largest subtrees, and zkCli.sh du any of a running server" >&2
exit 1
