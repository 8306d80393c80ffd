#!/usr/bin/env bash
# The command line client: zkCli.sh [-server HOST:PORT,...] [COMMAND ...]

# shellcheck source=deploy/bin/zkEnv.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/zkEnv.sh"

exec "$ZOORAFT" cli "$@"
