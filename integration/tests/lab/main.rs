//! Scenarios on real hosts: real systemd, apt, mysqld, mTLS and journal, with a client that writes all the while. Each
//! asserts on rows, versions, membership and bytes. A scenario has a lab for itself; as many run at once as LAB_NAME lists.

mod advisor;
mod bad_input;
mod certificates;
#[path = "../check_fixtures/mod.rs"]
mod check_fixtures;
mod clock_jump;
mod clone_restart;
mod config_rewrite;
mod contract;
mod discovery;
mod downgrade;
mod fault_points;
mod group_rules;
mod join_refused;
mod kill_agent;
mod kill_controller;
mod libraries;
mod majority_lost;
mod matrix;
mod multi_primary;
mod offline;
mod older_dictionary;
mod option_files;
mod partition;
mod play;
mod power_loss;
mod probes;
mod rebuild;
mod rehearsal;
mod rehearsal_isolation;
mod rehearsal_places;
mod replicas_first;
mod seat;
mod security;
mod server_will_not_start;
mod single_server;
mod slow_shutdown;
mod statement_log;
mod switchover;
mod unwind;
mod upgrade_across_series;
mod upgrade_killed;
mod upgrade_within_series;
