#!/usr/bin/env bash
# Makes the data directories that zoo.cfg names, and myid.
#
#   zkServer-initialize.sh [--configfile=FILE] [--myid=N] [--force]
#
# --force removes what is there, of Zooraft and of ZooKeeper.

# shellcheck source=deploy/bin/zkEnv.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/zkEnv.sh"

usage() {
  echo "usage: $0 [-h|--help] [--configfile=FILE] [--myid=N] [--force]"
  exit 1
}

force=
myid=
while (($#)); do
  case $1 in
    --force) force=1 ;;
    --configfile=*) ZOOCFG=${1#*=} ;;
    --myid=*) myid=${1#*=} ;;
    --configfile | --myid)
      (($# > 1)) || usage
      if [[ $1 == --myid ]]; then myid=$2; else ZOOCFG=$2; fi
      shift
      ;;
    -h | --help) usage ;;
    *)
      echo "Unknown option: $1"
      usage
      ;;
  esac
  shift
done

if [[ ! -r $ZOOCFG ]]; then
  echo "Unable to find config file at $ZOOCFG"
  exit 1
fi
if [[ -n $myid && ! $myid =~ ^[0-9]+$ ]]; then
  echo "myid must be a number, not $myid"
  exit 1
fi
data_dir=$(zoo_key dataDir)
log_dir=$(zoo_key dataLogDir)
log_dir=${log_dir:-$data_dir}
if [[ -z $data_dir ]]; then
  echo "Unable to determine dataDir from $ZOOCFG"
  exit 1
fi

if [[ -n $force ]]; then
  # A server that runs has this file locked, and would lose what it holds.
  for dir in "$data_dir" "$log_dir"; do
    if [[ -f $dir/raft/lock ]] && command -v flock >/dev/null && ! flock -n "$dir/raft/lock" true; then
      echo "A server is running on $dir; stop it first"
      exit 1
    fi
  done
  echo 'Force enabled, data/txnlog directories will be re-initialized'
  rm -rf -- "$data_dir/myid" "$data_dir"/{raft,version-2} "$log_dir"/{raft,version-2} || exit 1
fi
for dir in "$data_dir"/{raft,version-2}; do
  if [[ -e $dir ]]; then
    echo "ZooKeeper data directory already exists at $data_dir (or use --force to force re-initialization)"
    exit 1
  fi
done
for dir in "$log_dir"/{raft,version-2}; do
  if [[ -e $dir ]]; then
    echo "ZooKeeper txnlog directory already exists at $log_dir (or use --force to force re-initialization)"
    exit 1
  fi
done

mkdir -p -- "$data_dir" "$log_dir" || exit 1
if [[ -n $myid ]]; then
  echo "Using myid of $myid"
  echo "$myid" >"$data_dir/myid" || exit 1
else
  echo "No myid provided, be sure to specify it in $data_dir/myid if using non-standalone"
fi
touch -- "$data_dir/initialize"
