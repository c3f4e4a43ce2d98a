# shellcheck shell=bash
# Asynchronous replication between hosts: GTIDs, auto-position, TLS, caching_sha2_password. The shape is the command line's.

declare -A SOURCES=() # of each replica, separated by blanks

# replication bootstrap REPLICA:SOURCE[,SOURCE...]...: a replica of several sources has a channel named after each. Hosts that
# replicate from nobody take writes (of a ring: the first source named); all others are read-only.
replication() {
  [ "${1:-}" = bootstrap ] && [ $# -gt 1 ] || die "usage: lab.sh replication bootstrap REPLICA:SOURCE[,SOURCE...]..."
  shift
  local servers=() replicas=() writable=() name start
  read_shape "$@"
  start=$(now_ms)
  lock "$LAB_NAME" 5
  make_passwords
  for name in "${servers[@]}"; do
    if has "$name" "${writable[@]}"; then read_only_at_start "$name" OFF; else read_only_at_start "$name" ON; fi
  done
  each without_group "${servers[@]}"
  each make_accounts "${writable[@]}"
  each keep_account "${servers[@]}"
  connect_all
  for name in "${replicas[@]}"; do
    within 60 replicating "$name" || die "$name does not replicate: $(replication_errors "$name")"
    within 60 caught_up "$name" || die "$name lacks transactions of ${SOURCES[$name]}: $(replication_errors "$name")"
  done
  say "replication of ${#servers[@]} servers running in $(since "$start"); writes go to ${writable[*]}"
}

# read_shape REPLICA:SOURCE...: fills servers, replicas, writable and SOURCES; every mistake is found before anything is touched.
read_shape() {
  local pair name
  for pair in "$@"; do
    [[ $pair =~ ^[a-z0-9-]+:[a-z0-9-]+(,[a-z0-9-]+)*$ ]] || die "'$pair' is not REPLICA:SOURCE[,SOURCE...]"
    name=${pair%%:*}
    ! has "$name" "${replicas[@]}" || die "$name is given twice: name all its sources at once, $name:SOURCE,SOURCE"
    replicas+=("$name")
    SOURCES[$name]=$(tr , ' ' <<<"${pair#*:}")
    for name in "$name" ${SOURCES[$name]}; do
      need_host "$name"
      is_database "$name" || die "$name has no mysqld"
      has "$name" "${servers[@]}" || servers+=("$name")
    done
    ! has "${pair%%:*}" ${SOURCES[${pair%%:*}]} || die "${pair%%:*} cannot replicate from itself"
  done
  for name in "${servers[@]}"; do has "$name" "${replicas[@]}" || writable+=("$name"); done
  [ ${#writable[@]} -gt 0 ] || read -r writable _ <<<"${SOURCES[${replicas[0]}]}"
}

# has ITEM LIST...
has() {
  local item=$1 one
  shift
  for one in "$@"; do [ "$one" != "$item" ] || return 0; done
  return 1
}

read_only_at_start() {
  run_in "$1" sed -i "/^super_read_only/s/ON\|OFF/$2/" /etc/mysql/mysql.conf.d/zz-production.cnf
}

# relay_log_recovery: relay logs are not synced at every event, so after a power loss they are fetched again.
without_group() {
  run_in "$1" sed -i -e '/group_replication/d' -e '/^relay_log /a relay_log_recovery            = ON' \
    /etc/mysql/mysql.conf.d/zz-production.cnf
  run_in "$1" systemctl restart mysql
  within 60 sql "$1" "DO 1" 2>/dev/null || die "$1 does not answer: $(run_in "$1" tail -5 /var/log/mysql/error.log)"
}

# IF NOT EXISTS: a replica of two sources receives the accounts from both.
make_accounts() {
  sql "$1" "
    CREATE USER IF NOT EXISTS 'repl'@'%' IDENTIFIED WITH caching_sha2_password BY '$(cat "$RUN/recovery.password")' REQUIRE SSL;
    GRANT REPLICATION SLAVE ON *.* TO 'repl'@'%';
    $(application)"
}

# For whoever has to make a server follow another one: /etc/replication.cnf, root's only.
keep_account() {
  printf '[client]\nuser=repl\npassword="%s"\n' "$(cat "$RUN/recovery.password")" |
    run_in "$1" sh -c 'umask 077; cat > /etc/replication.cnf'
}

# A server can be replicated from as soon as it has the account, which it got from its own source.
connect_all() {
  local waiting=("${replicas[@]}") left name end
  end=$(($(now_ms) + 90000))
  while [ ${#waiting[@]} -gt 0 ]; do
    [ "$(now_ms)" -lt "$end" ] || die "the account of replication does not reach the sources of ${waiting[*]}"
    left=()
    for name in "${waiting[@]}"; do
      if sources_ready "$name"; then connect_to_sources "$name"; else left+=("$name"); fi
    done
    waiting=("${left[@]}")
    [ ${#waiting[@]} -eq 0 ] || sleep 0.1
  done
}

sources_ready() {
  local source
  for source in ${SOURCES[$1]}; do
    [ "$(sql "$source" "SELECT COUNT(*) FROM mysql.user WHERE user = 'repl'")" = 1 ] || return 1
  done
}

# Two hours of a source's absence are survived; a source that is back is found within two seconds.
connect_to_sources() {
  local source statements='' channel
  for source in ${SOURCES[$1]}; do
    channel=$source
    [ "$source" != "${SOURCES[$1]}" ] || channel=''
    statements+="CHANGE REPLICATION SOURCE TO SOURCE_HOST='$(cat "$RUN/$source/address")', SOURCE_PORT=3306, SOURCE_USER='repl',
      SOURCE_PASSWORD='$(cat "$RUN/recovery.password")', SOURCE_AUTO_POSITION=1, SOURCE_SSL=1,
      SOURCE_CONNECT_RETRY=2, SOURCE_RETRY_COUNT=3600 FOR CHANNEL '$channel';"
  done
  sql "$1" "$statements START REPLICA"
}

replicating() {
  local wanted
  wanted=$(wc -w <<<"${SOURCES[$1]}")
  [ "$(sql "$1" "SELECT COUNT(*) FROM performance_schema.replication_connection_status c
    JOIN performance_schema.replication_applier_status a USING (channel_name)
    WHERE c.service_state = 'ON' AND a.service_state = 'ON'" 2>/dev/null)" = "$wanted" ]
}

# caught_up REPLICA: it has all that each of its sources has.
caught_up() {
  local source
  for source in ${SOURCES[$1]}; do
    [ "$(sql "$1" "SELECT GTID_SUBSET('$(gtids "$source")', @@GLOBAL.gtid_executed)" 2>/dev/null)" = 1 ] || return 1
  done
}

gtids() { sql "$1" "SELECT REPLACE(@@GLOBAL.gtid_executed, '\n', '')"; }

replication_errors() {
  sql "$1" "SELECT channel_name, service_state, last_error_message FROM performance_schema.replication_connection_status;
    SELECT channel_name, service_state, last_error_message FROM performance_schema.replication_applier_status_by_worker
      WHERE last_error_number <> 0"
}
