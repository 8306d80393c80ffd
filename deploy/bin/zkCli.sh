#!/usr/bin/env bash
# The command line client: zkCli.sh [-server HOST:PORT,...] [COMMAND ...]

# shellcheck source=deploy/bin/zkEnv.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/zkEnv.sh"

if ! "$ZOORAFT" --help 2>/dev/null | grep -q '^  cli '; then
  echo "zkCli.sh: $ZOORAFT has no command line client; any ZooKeeper client works with its servers, ZooKeeper's own zkCli.sh too" >&2
  exit 1
fi
exec "$ZOORAFT" cli "$@"
