#!/bin/bash
# What a hurried script does: naive.sh PACKAGE_VERSION MEMBER... (primary last). Leave, let apt do as it likes, rejoin. A drop-in
# keeps the maintainer script's own statement out of the binary log, or the member could not rejoin at all.
set -euo pipefail
# shellcheck source=integration/bench/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
version=$1
shift
leave() { sql "$1" 'SET GLOBAL super_read_only = 1; STOP GROUP_REPLICATION'; }
keep_quiet() {
  on "$1" sh -c 'printf "[mysqld]\nskip_log_bin\nskip_networking\nskip_replica_start=ON\nloose_group_replication_start_on_boot=OFF\n" >/etc/mysql/mysql.conf.d/zzz-naive.cnf
    ln -sf /dev/null /run/systemd/system/mysql.service; systemctl daemon-reload'
}
start() {
  on "$1" sh -c 'rm -f /etc/mysql/mysql.conf.d/zzz-naive.cnf /run/systemd/system/mysql.service; systemctl daemon-reload; systemctl start mysql'
}
join() {
  sql "$1" 'START GROUP_REPLICATION' 2>/dev/null || true # a member that starts on boot has begun already
  online "$1"
}
for member in "$@"; do
  step "$member leave" leave "$member"
  step "$member stop" on "$member" systemctl stop mysql
  keep_quiet "$member"
  step "$member swap" install_packages "$member" "$version"
  step "$member start" start "$member"
  step "$member join" join "$member"
done
