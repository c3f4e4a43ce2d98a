# shellcheck shell=bash
# What both scripts need: the hosts, their SQL, and the time. Sourced; $LAB_NAME says which lab.
LAB=$(dirname "${BASH_SOURCE[0]}")/../lab/lab.sh
now() { echo $(($(date +%s%N) / 1000000)); }
on() { "$LAB" exec "$@"; }
sql() { on "$1" timeout 60 mysql -uroot -NBe "$2"; }
state() { sql "$1" 'SELECT member_state FROM performance_schema.replication_group_members WHERE member_id = @@server_uuid'; }
online() {
  local _
  for _ in $(seq 3000); do
    [ "$(state "$1" 2>/dev/null)" != ONLINE ] || return 0
    sleep 0.1
  done
  echo "error: $1 did not become ONLINE" >&2
  return 1
}
install_packages() { # HOST VERSION
  on "$1" env DEBIAN_FRONTEND=noninteractive timeout 300 apt-get install -y -q --allow-downgrades --allow-change-held-packages \
    -o Dpkg::Options::=--force-confold "mysql-server-core=$2" "mysql-server=$2" >/dev/null
}
# step NAME COMMAND...: runs it and prints "NAME milliseconds" for the benchmark.
step() {
  local name=$1 start
  start=$(now)
  shift
  "$@"
  echo "$name $(($(now) - start))"
}
