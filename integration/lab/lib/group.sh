# shellcheck shell=bash
# What makes mysqld on the hosts a replication group: my.cnf as it would be in production, and the first start.

GROUP_UUID=aaaaaaaa-1111-2222-3333-bbbbbbbbbbbb

# my_cnf HOST: everything that a version's defaults could change is said here, so that members of different versions
# agree. loose_: the plugin is not loaded yet when mysqld --verbose --help judges the file.
my_cnf() {
  local name seeds='' binlog=binlog
  for name in $(database_hosts); do seeds+=${seeds:+,}$(cat "$RUN/$name/address"):33061; done
  [ "$(cat "$RUN/$1/number")" != 2 ] || binlog=/srv/mysql/binlog/binlog # the second host keeps them elsewhere
  cat <<CNF
[mysqld]
server_id                     = $(cat "$RUN/$1/number")
datadir                       = /srv/mysql/data
log_error                     = /var/log/mysql/error.log
log_error_verbosity           = 3
bind_address                  = 0.0.0.0
report_host                   = $(cat "$RUN/$1/address")
port                          = 3306
mysqlx                        = OFF
skip_name_resolve             = ON
super_read_only               = ON

gtid_mode                     = ON
enforce_gtid_consistency      = ON
log_bin                       = $binlog
relay_log                     = relay
log_replica_updates           = ON
binlog_format                 = ROW
binlog_expire_logs_seconds    = 604800
innodb_flush_log_at_trx_commit = 1
sync_binlog                   = 1
replica_parallel_workers      = 8
replica_preserve_commit_order = ON

innodb_buffer_pool_size       = 96M
innodb_redo_log_capacity      = 64M
innodb_log_buffer_size        = 4M
max_connections               = 100
table_open_cache              = 400
table_definition_cache        = 400
performance_schema_max_table_instances = 500
performance_schema_max_digest_length   = 256

plugin_load_add = group_replication.so
plugin_load_add = mysql_clone.so
loose_group_replication_group_name       = $GROUP_UUID
loose_group_replication_local_address    = $(cat "$RUN/$1/address"):33061
loose_group_replication_group_seeds      = $seeds
loose_group_replication_ip_allowlist     = 10.77.0.0/24
loose_group_replication_single_primary_mode = ON
loose_group_replication_enforce_update_everywhere_checks = OFF
loose_group_replication_communication_stack = XCOM
loose_group_replication_bootstrap_group  = OFF
loose_group_replication_start_on_boot    = OFF
loose_group_replication_ssl_mode         = REQUIRED
loose_group_replication_recovery_use_ssl = ON
loose_group_replication_recovery_get_public_key = ON
loose_group_replication_recovery_reconnect_interval = 2
loose_group_replication_consistency      = BEFORE_ON_PRIMARY_FAILOVER
loose_group_replication_exit_state_action = OFFLINE_MODE
loose_group_replication_member_expel_timeout = 5
loose_group_replication_unreachable_majority_timeout = 20
loose_group_replication_autorejoin_tries = 3
loose_group_replication_message_cache_size = 128M
CNF
}

# sql HOST STATEMENTS
sql() { run_in "$1" timeout 90 mysql -NBe "$2"; }

# Its group, or whose replica it is; a server without either is only read-only or writable.
member_line() {
  sql "$1" "SELECT RPAD(VERSION(), 10, ' '), CONCAT_WS(' ',
      COALESCE(
        (SELECT CONCAT_WS(' ', member_state, LOWER(member_role)) FROM performance_schema.replication_group_members
          WHERE member_id IN (@@server_uuid, '') LIMIT 1),
        (SELECT CONCAT('replica of ', GROUP_CONCAT(host ORDER BY host)) FROM performance_schema.replication_connection_configuration)),
      IF(@@super_read_only, 'read-only', 'writable'))" 2>/dev/null | tr '\t' ' ' || echo "?"
}

group() {
  [ "${1:-}" = bootstrap ] || die "usage: lab.sh group bootstrap [--multi-primary] [HOST...]"
  shift
  local multi=''
  [ "${1:-}" != --multi-primary ] || { multi=yes && shift; }
  local members=("$@") name start
  [ $# -gt 0 ] || mapfile -t members < <(database_hosts)
  for name in "${members[@]}"; do need_host "$name"; done
  start=$(now_ms)
  lock "$LAB_NAME" 5
  make_passwords
  [ -z "$multi" ] || each multi_primary "${members[@]}"
  bootstrap "${members[0]}"
  # One after another: of two that join at once one is turned away and tries again seconds later.
  for name in "${members[@]:1}"; do join_group "$name"; done
  within 60 all_online "${members[@]}" || die "the group is not complete: $(status)"
  within 60 same_gtids "${members[@]}" || die "the members' gtid_executed differ: $(status)"
  each start_on_boot "${members[@]}"
  say "group of ${#members[@]} ONLINE in $(since "$start"); primary ${members[0]}"
}

# multi_primary HOST: every member of its group may take writes.
multi_primary() {
  run_in "$1" sed -i -e '/single_primary_mode/s/ON/OFF/' -e '/enforce_update_everywhere_checks/s/OFF/ON/' \
    /etc/mysql/mysql.conf.d/zz-production.cnf
  sql "$1" "SET GLOBAL group_replication_single_primary_mode = OFF;
    SET GLOBAL group_replication_enforce_update_everywhere_checks = ON"
}

# standalone HOST: its option file without the group and without super_read_only, a restart, the application's account.
standalone() {
  need_host "$1"
  lock "$LAB_NAME" 5
  make_passwords
  run_in "$1" sed -i -e '/group_replication/d' -e '/super_read_only/d' /etc/mysql/mysql.conf.d/zz-production.cnf
  run_in "$1" systemctl restart mysql
  within 60 writable "$1" || die "$1 does not take writes: $(run_in "$1" tail -5 /var/log/mysql/error.log)"
  sql "$1" "$(application)"
  say "$1 stands alone"
}

# The passwords of this lab's accounts: in $RUN, and the application's also on every host without mysqld.
make_passwords() {
  local file name
  umask 077
  for file in app recovery; do
    head -c 15 /dev/urandom | base64 | tr '+/' 'ab' >"$RUN/$file.password"
  done
  for name in $(hosts); do is_database "$name" || put "$name" "$RUN/app.password" /root/refit_app.password; done
}

recovery_channel() {
  echo "CHANGE REPLICATION SOURCE TO SOURCE_USER='repl', SOURCE_PASSWORD='$(cat "$RUN/recovery.password")'
    FOR CHANNEL 'group_replication_recovery';"
}

# The accounts are made once, on the member that starts the group; the others receive them as transactions.
bootstrap() {
  sql "$1" "$(recovery_channel)
    SET GLOBAL group_replication_bootstrap_group = ON; START GROUP_REPLICATION; SET GLOBAL group_replication_bootstrap_group = OFF"
  within 30 writable "$1" || die "$1 did not become a writable primary: $(run_in "$1" tail -5 /var/log/mysql/error.log)"
  sql "$1" "
    CREATE USER 'repl'@'%' IDENTIFIED WITH caching_sha2_password BY '$(cat "$RUN/recovery.password")';
    GRANT REPLICATION SLAVE, BACKUP_ADMIN, CONNECTION_ADMIN, GROUP_REPLICATION_STREAM ON *.* TO 'repl'@'%';
    $(application)"
}

application() {
  echo "CREATE USER IF NOT EXISTS 'refit_app'@'%' IDENTIFIED WITH caching_sha2_password BY '$(cat "$RUN/app.password")';
    GRANT ALL ON refit_load.* TO 'refit_app'@'%';
    GRANT SELECT ON performance_schema.* TO 'refit_app'@'%';
    CREATE DATABASE IF NOT EXISTS refit_load"
}

writable() { [ "$(sql "$1" 'SELECT @@super_read_only' 2>/dev/null)" = 0 ]; }

join_group() { sql "$1" "$(recovery_channel) START GROUP_REPLICATION"; }

online() {
  [ "$(sql "$1" "SELECT SUM(member_state = 'ONLINE') FROM performance_schema.replication_group_members" 2>/dev/null)" = "$2" ]
}
all_online() {
  local name
  for name in "$@"; do online "$name" $# || return 1; done
}

same_gtids() {
  local name
  [ "$(for name in "$@"; do sql "$name" "SELECT REPLACE(@@gtid_executed, '\n', '')"; done | sort -u | wc -l)" = 1 ]
}

# Only now: a member that boots before there is a group would try to join it for a minute.
start_on_boot() {
  run_in "$1" sed -i '/start_on_boot/s/OFF/ON/' /etc/mysql/mysql.conf.d/zz-production.cnf
  sql "$1" "SET GLOBAL group_replication_start_on_boot = ON"
}
