#!/usr/bin/env bash
# Takes the arguments of ZooKeeper's script of this name, with which cron jobs
# call it, and removes nothing: a running server prunes its snapshots and its log
# itself, and a file that is taken from under it would stop its next start.
#
#   zkCleanup.sh [--config DIR] [DATALOGDIR [SNAPDIR]] -n COUNT

# shellcheck source=deploy/bin/zkEnv.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/zkEnv.sh"

usage() {
  echo "Usage: $0 [--config <conf-dir>] [dataLogDir [snapDir]] -n count   (count of 3 or more)" >&2
  exit 1
}

count=
dirs=()
while (($#)); do
  case $1 in
    -n)
      (($# > 1)) || usage
      count=$2
      shift
      ;;
    -*) usage ;;
    *) dirs+=("$1") ;;
  esac
  shift
done
if [[ ! $count =~ ^[0-9]+$ ]] || ((${#dirs[@]} > 2)); then
  usage
fi
if ((count < 3)); then
  echo 'count should be greater than or equal to 3' >&2
  usage
fi

kept=$(zoo_key 'autopurge\.snapRetainCount')
if [[ ! $kept =~ ^[0-9]+$ ]] || ((kept < 3)); then
  kept=3
fi
echo "Nothing removed: the server itself keeps its $kept newest snapshots and the log that they need (autopurge.snapRetainCount in $ZOOCFG)."
