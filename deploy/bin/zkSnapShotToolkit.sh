#!/usr/bin/env bash
# Says what is in a snapshot of this server: zxid, znodes, sessions, the largest
# subtrees. It takes the arguments of ZooKeeper's script of this name; the form of
# what it prints is its own.
#
#   zkSnapShotToolkit.sh [-d|-json] FILE     FILE as zooraft snapshot inspect has it

# shellcheck source=deploy/bin/zkEnv.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/zkEnv.sh"

options=()
case ${1-} in
  -json)
    options=(--json)
    shift
    ;;
  -d)
    echo 'zkSnapShotToolkit.sh: znodes are not listed, so -d does nothing; zkCli.sh export prints them from a running server' >&2
    shift
    ;;
esac
if (($# != 1)); then
  echo "USAGE: $0 [-d|-json] snapshot_file" >&2
  exit 2
fi
exec "$ZOORAFT" snapshot inspect "${options[@]}" "$1"
