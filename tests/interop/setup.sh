#!/usr/bin/env bash
# Installs the stock clients (and the stock server) that the interop tests run: ZooKeeper's jars and Curator's, the Python
# client kazoo, ZooKeeper's C shell, MIT Kerberos. Run it as often as you like: what is there is left alone.
#
#   ZOORAFT_INTEROP_DEPS   where the jars and the Python environment go
#                          (default: ${XDG_CACHE_HOME:-$HOME/.cache}/zooraft-interop)
#   ZOORAFT_INTEROP=full   also what the long tests need: Kafka, ZooKeeper's own tests
#   CI=true                a part that cannot be installed ends the script with 1; otherwise it is named and
#                          its tests skip
set -euo pipefail

zookeeper_version=3.9.5
curator_version=5.9.0
kafka_version=3.9.1
kazoo_version=2.11.0

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
deps=${ZOORAFT_INTEROP_DEPS:-${XDG_CACHE_HOME:-$HOME/.cache}/zooraft-interop}
venv=$deps/kazoo-$kazoo_version
[[ ${ZOORAFT_INTEROP:-} == full ]] && full=1 || full=
missing=()

step() { printf '== %s\n' "$*"; }
lack() { printf 'interop setup: %s\n' "$*" >&2; missing+=("$*"); }
have() { command -v "$1" >/dev/null 2>&1; }

# Debian's packages, where this user may install them. One update, and only if something is wanted.
wanted=()
have javac || wanted+=(openjdk-17-jdk-headless)
for jars in "zookeeper-$zookeeper_version" "curator-$curator_version" \
    ${full:+"kafka-$kafka_version" "zookeeper-tests-$zookeeper_version"}; do
  [[ -e $deps/$jars/.complete ]] || have mvn || { wanted+=(maven); break; }
done
[[ -x $venv/bin/python ]] || python3 -c 'import ensurepip' >/dev/null 2>&1 || wanted+=(python3-venv)
[[ -x /usr/lib/zookeeper/bin/cli_mt ]] || wanted+=(zookeeper-bin libzookeeper-mt2)
[[ -x /usr/sbin/krb5kdc && -x /usr/sbin/kadmin.local && -x /usr/bin/kvno ]] || wanted+=(krb5-kdc krb5-admin-server krb5-user)
/usr/bin/python3 -c 'import gssapi' >/dev/null 2>&1 || wanted+=(python3 python3-gssapi)
if ((${#wanted[@]})) && have apt-get && [[ $(id -u) == 0 ]]; then
  step "Debian packages: ${wanted[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${wanted[@]}" >/dev/null || lack "apt-get install ${wanted[*]}"
fi
have java || lack "no java: Java 17 or newer is needed for zkCli and the stock server"
have javac || lack "no javac: it compiles the program that works with Curator"
[[ -x /usr/lib/zookeeper/bin/cli_mt ]] || have cli_mt || lack "no cli_mt: Debian's package zookeeper-bin has it"
[[ -x /usr/sbin/krb5kdc ]] || lack "no krb5kdc: Debian's packages krb5-kdc, krb5-admin-server and krb5-user have what Kerberos needs"

mkdir -p "$deps"
# Each part is made beside its place and renamed when whole, so that an interrupted run leaves nothing half done.

# jars POM NAME JAR: the jars that a pom names, and that one must be among, into the directory NAME.
jars() {
  [[ -e $deps/$2/.complete ]] && return
  have mvn || { lack "no mvn: it brings the jars of $2"; return; }
  step "$2"
  local new
  new=$(mktemp -d "$deps/.jars.XXXXXX")
  if mvn -q -B -f "$here/$1" dependency:copy-dependencies \
      -DincludeScope=runtime -DoutputDirectory="$new" -Dmdep.useBaseVersion=true && [[ -e $new/$3 ]]; then
    touch "$new/.complete"
    rm -rf "${deps:?}/$2"
    mv "$new" "$deps/$2"
  else
    rm -rf "$new"
    lack "the jars of $2 could not be had through mvn"
  fi
}
jars zookeeper-pom.xml "zookeeper-$zookeeper_version" "zookeeper-$zookeeper_version.jar"
jars curator-pom.xml "curator-$curator_version" "curator-recipes-$curator_version.jar"
if [[ $full ]]; then
  jars kafka-pom.xml "kafka-$kafka_version" "kafka_2.13-$kafka_version.jar"
  jars zookeeper-tests-pom.xml "zookeeper-tests-$zookeeper_version" "zookeeper-$zookeeper_version-tests.jar"
fi
if ! "$venv/bin/python" -c 'import kazoo, puresasl' >/dev/null 2>&1; then
  if have python3; then
    step "kazoo $kazoo_version"
    rm -rf "$venv"
    # An environment does not survive a rename, so a failed one is removed instead.
    if ! { python3 -m venv "$venv" && "$venv/bin/python" -m pip install -q --disable-pip-version-check \
        "kazoo[sasl]==$kazoo_version"; }; then
      rm -rf "$venv"
      lack "kazoo could not be installed"
    fi
  else
    lack "no python3"
  fi
fi

if ((${#missing[@]})); then
  [[ ${CI:-} == true ]] && exit 1
  step "ready, but for what is named above"
else
  step "ready: $deps"
fi
