#!/usr/bin/env bash
# Starts the three servers of zoo1.cfg to zoo3.cfg on this machine, with their
# data in ./data/ensemble/N, and shows their output with the server's number
# before each line. Ctrl-C stops all three.
#
#   configs/ensemble.sh [BINARY]      default bin/zooraft; run it at the top of the source
set -euo pipefail
set -m # each server in a process group of its own, so that Ctrl-C is for this script alone

binary=${1:-bin/zooraft}
configs=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
pids=()

stop() {
  trap '' INT TERM # once is enough: a second signal ends a server on the spot
  trap - EXIT
  ((${#pids[@]})) && kill -TERM "${pids[@]}" 2>/dev/null
  wait "${pids[@]}" 2>/dev/null
  exit "$1"
}
trap 'stop 0' INT TERM
trap 'stop $?' EXIT

for n in 1 2 3; do
  mkdir -p "data/ensemble/$n"
  echo "$n" >"data/ensemble/$n/myid"
  # The prefixing must outlive the server, to show its last words.
  "$binary" server "$configs/zoo$n.cfg" </dev/null > >(trap '' INT TERM; exec sed -u "s/^/[$n] /") 2>&1 &
  pids+=($!)
done

for i in "${!pids[@]}"; do
  code=0
  wait "${pids[i]}" || code=$?
  echo "[$((i + 1))] has ended with exit code $code" >&2
done
