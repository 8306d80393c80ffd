# shellcheck shell=bash
# Where things are, for the scripts beside this one, which source it; scripts of
# an operator's own may source it too. It reads zookeeper-env.sh and java.env
# from the configuration directory, and sets what is not set yet:
#
#   ZOORAFT      the binary: beside this script, else in bin/ of the source
#                tree, else the one on the PATH
#   ZOOCFGDIR    the configuration directory: what --config says, else ../conf,
#                ../etc/zookeeper or /etc/zookeeper/conf, the first that exists
#   ZOOCFG       the configuration file, as a path (default zoo.cfg in ZOOCFGDIR)
#   ZOO_LOG_DIR  where the server's output goes (default ../logs)
#
# SERVER_JVMFLAGS and JVMFLAGS reach the server, which takes -Dzookeeper.* from
# them and leaves what concerns a JVM. ZK_SERVER_HEAP, in MB, becomes the
# server's memory limit if it is set.

ZOOBINDIR=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd)

# The arguments are those of the script that sources this one.
if [[ ${1-} == --config && $# -gt 1 ]]; then
  ZOOCFGDIR=$2
  shift 2
fi
if [[ -z ${ZOOCFGDIR-} ]]; then
  for ZOOCFGDIR in "$ZOOBINDIR/../conf" "$ZOOBINDIR/../etc/zookeeper" /etc/zookeeper/conf "$ZOOBINDIR/../conf"; do
    [[ -d $ZOOCFGDIR ]] && break
  done
fi

# shellcheck source=/dev/null
[[ -f $ZOOCFGDIR/zookeeper-env.sh ]] && . "$ZOOCFGDIR/zookeeper-env.sh"
# shellcheck source=/dev/null
[[ -f $ZOOCFGDIR/java.env ]] && . "$ZOOCFGDIR/java.env"

ZOOCFG=${ZOOCFG:-zoo.cfg}
[[ $ZOOCFG == */* ]] || ZOOCFG=$ZOOCFGDIR/$ZOOCFG
ZOO_LOG_DIR=${ZOO_LOG_DIR:-$ZOOBINDIR/../logs}

if [[ -z ${ZOORAFT-} ]]; then
  ZOORAFT=$ZOOBINDIR/zooraft
  [[ -x $ZOORAFT ]] || ZOORAFT=$ZOOBINDIR/../../bin/zooraft
  [[ -x $ZOORAFT ]] || ZOORAFT=$(command -v zooraft) || ZOORAFT=$ZOOBINDIR/zooraft
fi

if [[ -n ${ZK_SERVER_HEAP-} ]]; then
  export GOMEMLIMIT=${GOMEMLIMIT:-${ZK_SERVER_HEAP}MiB}
fi
# Whatever has set these, the server gets them by its environment. ZOOCFGDIR is
# for zkServer.sh, which calls itself to restart.
export ZOOCFGDIR ZOO_LOG_DIR SERVER_JVMFLAGS=${SERVER_JVMFLAGS-} CLIENT_JVMFLAGS=${CLIENT_JVMFLAGS-} JVMFLAGS=${JVMFLAGS-}

# zoo_key KEY [FILE] prints the value of a key of zoo.cfg, or nothing. The last
# line with the key counts.
zoo_key() {
  sed -n "s/^[[:space:]]*$1[[:space:]]*[=:[:space:]][[:space:]]*//p" "${2:-$ZOOCFG}" 2>/dev/null |
    sed -n -e 's/[[:space:]]*$//' -e '$p'
}
