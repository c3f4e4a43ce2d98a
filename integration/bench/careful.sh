#!/bin/bash
# The best that a careful person's script does: careful.sh PACKAGE_VERSION MEMBER... (primary last). Read-only first, then leave;
# FROZEN, so that no maintainer script runs mysqld. It takes no snapshot and checks nothing: a floor, not a model.
set -euo pipefail
# shellcheck source=integration/bench/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
version=$1
shift
leave() { sql "$1" 'SET GLOBAL super_read_only = 1; STOP GROUP_REPLICATION'; }
swap() {
  on "$1" touch /etc/mysql/FROZEN
  install_packages "$1" "$version"
  on "$1" rm -f /etc/mysql/FROZEN
}
join() {
  sql "$1" 'START GROUP_REPLICATION' 2>/dev/null || true # a member that starts on boot has begun already
  online "$1"
}
for member in "$@"; do
  step "$member leave" leave "$member"
  step "$member stop" on "$member" systemctl stop mysql
  step "$member swap" swap "$member"
  step "$member start" on "$member" systemctl start mysql
  step "$member join" join "$member"
done
