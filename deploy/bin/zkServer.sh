#!/usr/bin/env bash
# Starts, stops and asks a Zooraft server. Verbs, lines, streams and exit codes
# are those of ZooKeeper's script of this name; zkEnv.sh names the variables.
# Besides those it heeds
#
#   ZOOPIDFILE                      default dataDir/zookeeper_server.pid
#   ZOO_DATADIR_AUTOCREATE_DISABLE  if set, the data directories must be there
#   ZOO_NOEXEC                      if set, start-foreground stays as the parent
#   ZOO_LOG4J_PROP                  its first word, as INFO in INFO,CONSOLE, is the log level
#   JMX*                            named as ever on standard error; there is no JMX

# How long `stop` waits, in tenths of a second. The server needs 5 s at most.
stop_limit=300

# shellcheck source=deploy/bin/zkEnv.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/zkEnv.sh"

# Callers that cut the first lines off what they get count on these.
if [[ ${JMXDISABLE:-false} != false ]]; then
  echo 'JMX disabled by user request' >&2
else
  echo 'ZooKeeper JMX enabled by default' >&2
  if [[ -n ${JMXPORT-} ]]; then
    echo "ZooKeeper remote JMX Port set to $JMXPORT" >&2
    echo "ZooKeeper remote JMX authenticate set to ${JMXAUTH:-false}" >&2
    echo "ZooKeeper remote JMX ssl set to ${JMXSSL:-false}" >&2
    echo "ZooKeeper remote JMX log4j set to ${JMXLOG4J:-true}" >&2
    [[ -n ${JMXHOSTNAME-} ]] && echo "ZooKeeper remote JMX Hostname set to $JMXHOSTNAME" >&2
    echo "zkServer.sh: zooraft runs without a JVM: nothing will listen on $JMXPORT" >&2
  fi
fi

case ${2-} in
  '') ;;
  */*) ZOOCFG=$2 ;;
  *) ZOOCFG=$ZOOCFGDIR/$2 ;;
esac
echo "Using config: $ZOOCFG" >&2

data_dir=$(zoo_key dataDir)
log_dir=$(zoo_key dataLogDir)
options=()
if [[ -n ${ZOO_DATADIR_AUTOCREATE_DISABLE-} ]]; then
  if [[ ! -d $data_dir ]]; then
    echo "ZooKeeper data directory is missing at $data_dir fix the path or run initialize"
    exit 1
  fi
  if [[ -n $log_dir && ! -d $log_dir ]]; then
    echo "ZooKeeper txnlog directory is missing at $log_dir fix the path or run initialize"
    exit 1
  fi
  options+=(-D datadir.autocreate=false)
fi
level=${ZOO_LOG4J_PROP-}
level=${level%%,*}
case $level in
  TRACE | DEBUG | INFO | WARN | ERROR | OFF) options+=(--log-level "$(tr '[:upper:]' '[:lower:]' <<<"$level")") ;;
  ALL) options+=(--log-level trace) ;;
  FATAL) options+=(--log-level error) ;;
esac

pid_file=${ZOOPIDFILE:-${data_dir:-$ZOO_LOG_DIR}/zookeeper_server.pid}
output=$ZOO_LOG_DIR/zookeeper-${USER-}-server-$HOSTNAME.out
command=("$ZOORAFT" server "${options[@]}" "$ZOOCFG")

# server_pid prints the id in the pid file if that is a server that runs. Where
# /proc tells, another program is found out that has the id after a reboot, and a
# server that has ended without its parent having looked.
server_pid() {
  local pid stat name=${ZOORAFT##*/}
  pid=$(cat "$pid_file" 2>/dev/null)
  [[ $pid =~ ^[0-9]+$ ]] || return 1
  kill -0 "$pid" 2>/dev/null || [[ -d /proc/$pid ]] || return 1 # another user's may not be signalled
  stat=$(cat "/proc/$pid/stat" 2>/dev/null)
  [[ -z $stat || $stat == *"(${name:0:15}) "[!Z]* ]] && echo "$pid"
}

start() {
  local pid
  echo -n 'Starting zookeeper ... '
  if pid=$(server_pid); then
    echo "already running as process $pid."
    exit 1
  fi
  mkdir -p -- "$(dirname -- "$pid_file")" "$ZOO_LOG_DIR"
  if [[ ! -x $ZOORAFT ]] || ! : >"$output"; then
    echo 'SERVER DID NOT START'
    [[ -x $ZOORAFT ]] || echo "zkServer.sh: there is no program at $ZOORAFT; set ZOORAFT" >&2
    exit 1
  fi
  nohup "${command[@]}" >>"$output" 2>&1 </dev/null & # appended to, for logrotate's copytruncate
  pid=$!
  if ! echo -n "$pid" >"$pid_file"; then
    kill "$pid"
    echo 'FAILED TO WRITE PID'
    exit 1
  fi
  # A server that cannot start ends within a moment; one that can may have to
  # wait for the others.
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    sleep 0.1
    if ! kill -0 "$pid" 2>/dev/null; then
      rm -f -- "$pid_file"
      echo 'FAILED TO START'
      tail -n 20 -- "$output" >&2
      exit 1
    fi
  done
  echo 'STARTED'
}

stop() {
  local pid
  echo -n 'Stopping zookeeper ... '
  if [[ ! -f $pid_file ]]; then
    echo "no zookeeper to stop (could not find file $pid_file)"
    return
  fi
  if pid=$(server_pid); then
    if ! kill "$pid"; then
      echo "FAILED TO STOP process $pid"
      exit 1
    fi
    for ((i = 0; i < stop_limit; i++)); do
      server_pid >/dev/null || break
      sleep 0.1
    done
    if ((i == stop_limit)); then
      echo "FAILED TO STOP: process $pid is still running"
      exit 1
    fi
  fi
  rm -f -- "$pid_file"
  echo 'STOPPED'
}

# find_client_port sets port, address and tls, or ends the script.
find_client_port() {
  local myid line dynamic
  tls=false
  port=$(zoo_key clientPort)
  address=$(zoo_key clientPortAddress)
  address=${address:-localhost}
  [[ $port =~ ^[0-9]+$ ]] && return

  port=
  myid=$(cat -- "$data_dir/myid" 2>/dev/null)
  if [[ $myid =~ ^[0-9]+$ ]]; then
    line=$(zoo_key "server\\.$myid")
    if [[ $line != *';'* ]]; then
      echo 'Client port not found in static config file. Looking in dynamic config file.'
      dynamic=$(zoo_key dynamicConfigFile)
      line=
      [[ -n $dynamic ]] && line=$(zoo_key "server\\.$myid" "$dynamic")
    fi
    if [[ $line == *';'* ]]; then
      line=${line#*;}
      line=${line%%;*}
      port=${line##*:}
      if [[ $line == *:* ]]; then
        address=${line%:*}
        address=${address#[}
        address=${address%]}
      fi
    else
      echo 'Client port not found in the server configs'
    fi
  else
    echo 'myid could not be determined, will not able to locate clientPort in the server configs.'
  fi
  [[ -n $port ]] && return

  echo 'Client port not found. Looking for secureClientPort in the static config.'
  port=$(zoo_key secureClientPort)
  address=$(zoo_key secureClientPortAddress)
  address=${address:-localhost}
  tls=true
  if [[ -z $port ]]; then
    echo 'Unable to find either secure or unsecure client port in any configs. Terminating.'
    exit 1
  fi
}

status() {
  local mode host where
  find_client_port
  echo "Client port found: $port. Client address: $address. Client SSL: $tls."
  host=$address
  [[ $host == *:* ]] && host="[$host]"
  where=("$host:$port")
  [[ $tls == true ]] && where=(--config "$ZOOCFG")
  if mode=$("$ZOORAFT" 4lw srvr "${where[@]}" 2>/dev/null | grep Mode); then
    echo "$mode"
    return
  fi
  echo 'Error contacting service. It is probably not running.'
  exit 1
}

case ${1-} in
  start) start ;;
  start-foreground)
    if [[ -n ${ZOO_NOEXEC-} ]]; then
      "${command[@]}"
    else
      exec "${command[@]}"
    fi
    ;;
  stop) stop ;;
  restart)
    shift
    "${BASH_SOURCE[0]}" stop "$@" && "${BASH_SOURCE[0]}" start "$@"
    ;;
  status) status ;;
  version) "$ZOORAFT" version --zookeeper ;;
  print-cmd)
    for name in SERVER_JVMFLAGS JVMFLAGS GOMEMLIMIT; do
      [[ -n ${!name-} ]] && printf '%s=%q ' "$name" "${!name}"
    done
    printf '%q ' "${command[@]}"
    printf '> %q 2>&1 < /dev/null\n' "$output"
    ;;
  *)
    echo "Usage: $0 [--config <conf-dir>] {start|start-foreground|stop|version|restart|status|print-cmd}" >&2
    exit 1
    ;;
esac
