//! Checks of source and replica topologies: what triggers each, and what is alike and does not.

use crate::support::{change_server, channel_of, member, replicas, request};
use refit_shared::checks::{ALL, Finding, Level, Subject, VersionPair};
use refit_shared::observation::{Fact, ReplicationService, ServerFacts};
use refit_shared::survey::{Listing, Question, Row};
use refit_shared::topology::{Kind, Sighting};
use std::collections::BTreeSet;

/// `db1` with the replicas `db2` and `db3`, of which `db3` has `db4` below it.
fn tree(version: &str) -> Sighting {
    replicas(&[version; 4], &[(2, 1), (3, 1), (4, 3)], &["9.7.4-2"])
}

fn found(seen: &Sighting, to: &str, id: &str) -> Vec<Finding> {
    let check = ALL.iter().find(|check| check.id == id);
    let check = check.unwrap_or_else(|| panic!("no check {id}"));
    assert!(check.kinds.contains(&Kind::ReplicationTopology), "{id}");
    let want = request(to);
    let pair = |server: &ServerFacts| VersionPair {
        from: server.version,
        to: want.target,
    };
    if !seen
        .servers()
        .any(|(_, server)| check.applies.applies(pair(server)))
    {
        return Vec::new();
    }
    let subject = Subject {
        seen,
        target: want.target,
        policy: &want.policy,
        strategy: None,
        today: "2026-11-20".parse().unwrap(),
    };
    (check.run)(subject)
}

fn set(server: &mut ServerFacts, variable: &str, value: &str) {
    server
        .variables
        .insert(variable.to_owned(), value.to_owned());
}

fn pin(server: &mut ServerFacts, variable: &str) {
    server.explicit_variables.insert(variable.to_owned());
}

fn unpin(server: &mut ServerFacts, variable: &str) {
    server.explicit_variables.remove(variable);
}

type Change = fn(&mut ServerFacts);
/// A check's id, from, to, whose server is changed how, and at which level it must be told (None: passed).
type Case = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    Change,
    Option<Level>,
);

const E: Option<Level> = Some(Level::Error);
const W: Option<Level> = Some(Level::Warning);

/// Each row's rule is in its check's file, with its source.
const CASES: &[Case] = &[
    ("channelsRun", "9.7.3", "9.7.4", "db2", |_| {}, None),
    (
        "channelsRun",
        "9.7.3",
        "9.7.4",
        "db2",
        |s| channel_of(s).receiver.service = ReplicationService::Connecting,
        E,
    ),
    (
        "channelsRun",
        "9.7.3",
        "9.7.4",
        "db4",
        |s| channel_of(s).applier.service = ReplicationService::Off,
        E,
    ),
    (
        "channelsRun",
        "9.7.3",
        "9.7.4",
        "db4",
        |s| channel_of(s).applier.errno = 1062,
        E,
    ),
    (
        "channelsRun",
        "9.7.3",
        "9.7.4",
        "db4",
        |s| s.channels = Fact::Unknown("no answer".into()),
        E,
    ),
    ("gtidAutoPosition", "9.7.3", "9.7.4", "db2", |_| {}, None),
    (
        "gtidAutoPosition",
        "9.7.3",
        "9.7.4",
        "db2",
        |s| channel_of(s).auto_position = false,
        E,
    ),
    (
        "gtidAutoPosition",
        "9.7.3",
        "9.7.4",
        "db1",
        |s| set(s, "gtid_mode", "ON_PERMISSIVE"),
        E,
    ),
    ("gtidModePinned", "8.4.6", "9.7.4", "db2", |_| {}, None),
    (
        "gtidModePinned",
        "8.4.6",
        "9.7.4",
        "db2",
        |s| unpin(s, "gtid_mode"),
        E,
    ),
    (
        "gtidModePinned",
        "8.4.6",
        "9.7.4",
        "db1",
        |s| unpin(s, "enforce_gtid_consistency"),
        E,
    ),
    (
        "gtidModePinned",
        "9.7.3",
        "9.7.4",
        "db2",
        |s| unpin(s, "gtid_mode"),
        None,
    ),
    (
        "gtidModePinned",
        "8.0.46",
        "8.4.6",
        "db2",
        |s| unpin(s, "gtid_mode"),
        None,
    ),
    ("channelLogin", "9.7.3", "9.7.4", "db2", |_| {}, None),
    (
        "channelLogin",
        "9.7.3",
        "9.7.4",
        "db2",
        |s| channel_of(s).ssl = false,
        E,
    ),
    (
        "channelLogin",
        "9.7.3",
        "9.7.4",
        "db2",
        |s| (channel_of(s).ssl, channel_of(s).get_public_key) = (false, true),
        W,
    ),
    ("channelRetries", "9.7.3", "9.7.4", "db2", |_| {}, None),
    (
        "channelRetries",
        "9.7.3",
        "9.7.4",
        "db2",
        |s| (channel_of(s).retry_count, channel_of(s).connect_retry_s) = (10, 60),
        None,
    ),
    (
        "channelRetries",
        "9.7.3",
        "9.7.4",
        "db2",
        |s| (channel_of(s).retry_count, channel_of(s).connect_retry_s) = (3, 10),
        W,
    ),
    (
        "channelFailover",
        "9.7.3",
        "9.7.4",
        "db3",
        |s| channel_of(s).auto_failover = true,
        E,
    ),
    ("channelFailover", "9.7.3", "9.7.4", "db3", |_| {}, None),
    ("semiSyncReplicas", "9.7.3", "9.7.4", "db1", |_| {}, None),
    (
        "semiSyncReplicas",
        "9.7.3",
        "9.7.4",
        "db2",
        |s| set(s, "rpl_semi_sync_replica_enabled", "ON"),
        None,
    ),
    (
        "semiSyncOptions",
        "8.4.6",
        "9.7.4",
        "db1",
        |s| pin(s, "rpl_semi_sync_master_enabled"),
        E,
    ),
    (
        "semiSyncOptions",
        "8.4.6",
        "9.7.4",
        "db2",
        |s| pin(s, "rpl_semi_sync_slave_enabled"),
        E,
    ),
    (
        "semiSyncOptions",
        "8.4.6",
        "9.7.4",
        "db2",
        |s| pin(s, "rpl_semi_sync_replica_enabled"),
        None,
    ),
    (
        "semiSyncOptions",
        "8.0.46",
        "8.4.6",
        "db1",
        |s| pin(s, "rpl_semi_sync_master_enabled"),
        None,
    ),
    ("statementBinaryLog", "8.4.6", "9.7.4", "db1", |_| {}, None),
    (
        "statementBinaryLog",
        "8.4.6",
        "9.7.4",
        "db1",
        |s| set(s, "binlog_format", "STATEMENT"),
        W,
    ),
    (
        "statementBinaryLog",
        "8.4.6",
        "9.7.4",
        "db1",
        |s| set(s, "binlog_format", "MIXED"),
        W,
    ),
    (
        "statementBinaryLog",
        "9.7.3",
        "9.7.4",
        "db1",
        |s| set(s, "binlog_format", "MIXED"),
        W,
    ),
    (
        "statementBinaryLog",
        "8.4.6",
        "9.7.4",
        "db2",
        |s| set(s, "binlog_format", "MIXED"),
        None,
    ),
    (
        "statementBinaryLog",
        "8.4.6",
        "9.7.4",
        "db1",
        |s| drop(s.variables.remove("binlog_format")),
        E,
    ),
    (
        "commitOrder",
        "9.7.3",
        "9.7.4",
        "db2",
        |s| {
            set(s, "replica_parallel_workers", "4");
            set(s, "replica_preserve_commit_order", "OFF");
        },
        W,
    ),
    (
        "commitOrder",
        "9.7.3",
        "9.7.4",
        "db2",
        |s| {
            set(s, "replica_parallel_workers", "1");
            set(s, "replica_preserve_commit_order", "OFF");
        },
        None,
    ),
    (
        "commitOrder",
        "9.7.3",
        "9.7.4",
        "db1",
        |s| {
            set(s, "replica_parallel_workers", "4");
            set(s, "replica_preserve_commit_order", "OFF");
        },
        None,
    ),
    (
        "commitOrder",
        "5.7.44",
        "8.0.46",
        "db2",
        |s| {
            set(s, "slave_parallel_workers", "4");
            set(s, "slave_preserve_commit_order", "OFF");
        },
        W,
    ),
    (
        "delayedReplicas",
        "9.7.3",
        "9.7.4",
        "db3",
        |s| channel_of(s).delay_s = 3600,
        W,
    ),
    ("delayedReplicas", "9.7.3", "9.7.4", "db3", |_| {}, None),
    (
        "replicationFilters",
        "9.7.3",
        "9.7.4",
        "db3",
        |s| channel_of(s).filters.push("REPLICATE_DO_DB=shop".into()),
        W,
    ),
    ("replicationFilters", "9.7.3", "9.7.4", "db3", |_| {}, None),
    (
        "replicasReadOnly",
        "9.7.3",
        "9.7.4",
        "db3",
        |s| (s.read_only, s.super_read_only) = (false, false),
        W,
    ),
    (
        "replicasReadOnly",
        "9.7.3",
        "9.7.4",
        "db3",
        |s| s.super_read_only = false,
        W,
    ),
    ("replicasReadOnly", "9.7.3", "9.7.4", "db3", |_| {}, None),
    ("serverTakesWrites", "9.7.3", "9.7.4", "db1", |_| {}, None),
    (
        "serverTakesWrites",
        "9.7.3",
        "9.7.4",
        "db1",
        |s| s.read_only = true,
        E,
    ),
    ("errantTransactions", "9.7.3", "9.7.4", "db2", |_| {}, None),
];

#[test]
fn each_check_is_triggered_by_what_it_is_for_and_by_nothing_alike() {
    for (id, from, to, whose, change, expected) in CASES {
        let mut seen = tree(from);
        change_server(&mut seen, whose, change);
        let told = found(&seen, to, id);
        let worst: Option<Level> = told.iter().map(|finding| finding.level).min();
        assert_eq!(
            worst, *expected,
            "{id} {from} to {to} of {whose}: {told:#?}"
        );
        for finding in &told {
            assert!(finding.object.starts_with(whose), "{id}: {finding:#?}");
            assert!(!finding.fix.is_empty(), "{id}: {finding:#?}");
        }
    }
}

#[test]
fn every_check_of_topologies_alone_has_a_case() {
    let tried: BTreeSet<&str> = CASES.iter().map(|case| case.0).collect();
    let elsewhere = ["characterSetPinned", "replicationVersions"];
    let only = ALL
        .iter()
        .filter(|check| check.kinds == [Kind::ReplicationTopology]);
    for check in only {
        assert!(
            tried.contains(check.id) || elsewhere.contains(&check.id),
            "{}",
            check.id
        );
    }
}

#[test]
fn errant_transactions_are_named_exactly() {
    let mut seen = tree("9.7.3");
    let own = seen.server(&member("db3")).unwrap().uuid.clone();
    change_server(&mut seen, "db3", |s| {
        s.gtid_executed = s
            .gtid_executed
            .union(&format!("{own}:1-2:7").parse().unwrap());
    });
    let told = found(&seen, "9.7.4", "errantTransactions");
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0].object, "db3");
    assert_eq!(
        told[0].description,
        format!("has transactions of its own: {own}:1-2:7")
    );
}

#[test]
fn a_semi_synchronous_source_needs_one_replica_more_than_it_waits_for() {
    // Replicas of db1 that acknowledge, for how many it waits, and whether that is too many.
    for (acknowledging, waits_for, wrong) in [
        (&["db2", "db3"][..], "1", false),
        (&["db2", "db3"], "2", true),
        (&["db2"], "1", true),
        (&["db4"], "1", true),
    ] {
        for old_names in [false, true] {
            let mut seen = tree("8.0.46");
            let (enabled, count, replica) = if old_names {
                (
                    "rpl_semi_sync_master_enabled",
                    "rpl_semi_sync_master_wait_for_slave_count",
                    "rpl_semi_sync_slave_enabled",
                )
            } else {
                (
                    "rpl_semi_sync_source_enabled",
                    "rpl_semi_sync_source_wait_for_replica_count",
                    "rpl_semi_sync_replica_enabled",
                )
            };
            change_server(&mut seen, "db1", |s| {
                set(s, enabled, "ON");
                set(s, count, waits_for);
            });
            for name in acknowledging {
                change_server(&mut seen, name, |s| set(s, replica, "ON"));
            }
            let told = found(&seen, "8.4.6", "semiSyncReplicas");
            assert_eq!(
                !told.is_empty(),
                wrong,
                "{acknowledging:?} {waits_for}: {told:#?}"
            );
            assert!(
                told.iter()
                    .all(|f| f.object == "db1" && f.fix.contains("semi")),
                "{told:#?}"
            );
        }
    }
}

#[test]
fn an_old_account_logs_in_without_tls_and_any_other_does_not() {
    let account = |name: &str, plugin: &str| Row {
        name: name.to_owned(),
        detail: plugin.to_owned(),
        ..Row::default()
    };
    for (row, expected) in [
        (account("repl@%", "mysql_native_password"), Level::Warning),
        (account("repl@%", "sha256_password"), Level::Error),
        (account("replica@%", "mysql_native_password"), Level::Error),
    ] {
        let mut seen = tree("8.0.46");
        change_server(&mut seen, "db2", |s| channel_of(s).ssl = false);
        let Some(Fact::Known(survey)) = seen.surveys.get_mut(&member("db1")) else {
            panic!("db1 was asked")
        };
        let listing = Listing {
            total: 1,
            rows: vec![row.clone()],
        };
        survey
            .answers
            .insert(Question::OldAuthentication, Fact::Known(listing));
        let told = found(&seen, "8.0.47", "channelLogin");
        let worst = told.iter().map(|finding| finding.level).min();
        assert_eq!(worst, Some(expected), "{row:?}: {told:#?}");
    }
}

#[test]
fn retries_must_outlast_what_the_source_took_before() {
    use refit_shared::observation::Seconds;
    use refit_shared::operation::OperationKind;
    let mut seen = tree("9.7.3");
    crate::support::change_member(&mut seen, "db3", |seen| {
        seen.agent
            .measured_s
            .insert(OperationKind::SnapshotData, Seconds::from_millis(2_000_000));
    });
    for name in ["db2", "db3", "db4"] {
        change_server(&mut seen, name, |s| {
            (channel_of(s).retry_count, channel_of(s).connect_retry_s) = (10, 60);
        });
    }
    let told = found(&seen, "9.7.4", "channelRetries");
    let who: Vec<&str> = told.iter().map(|finding| finding.object.as_str()).collect();
    assert_eq!(who, ["db4"], "only its source takes so long: {told:#?}");
    assert!(told[0].fix.contains("SOURCE_RETRY_COUNT=134"), "{told:#?}");
}

#[test]
fn the_character_set_is_pinned_before_its_default_changes() {
    let mut seen = tree("5.7.44");
    assert_eq!(found(&seen, "8.0.46", "characterSetPinned").len(), 8);
    for name in ["db1", "db2", "db3", "db4"] {
        change_server(&mut seen, name, |s| {
            pin(s, "character_set_server");
            pin(s, "collation_server");
        });
    }
    assert!(found(&seen, "8.0.46", "characterSetPinned").is_empty());
    assert!(found(&tree("8.0.46"), "8.4.6", "characterSetPinned").is_empty());
}

#[test]
fn two_versions_and_one_direction() {
    // db1 is the source of db2 and db3: their versions, the target, and the worst that is told. Manual 19.5.2.
    for (versions, to, expected) in [
        (["9.7.3", "9.7.3", "9.7.3"], "9.7.4", None),
        (["9.7.3", "9.7.4", "9.7.4"], "9.7.4", None),
        (["9.7.3", "9.7.3", "9.7.4"], "9.7.5", E),
        (["8.4.6", "8.4.6", "8.4.6"], "9.7.4", None),
        (["8.4.6", "9.7.4", "8.4.6"], "9.7.4", None),
        (["8.0.46", "8.0.46", "8.0.46"], "9.7.4", E),
        (["9.7.4", "9.7.3", "9.7.4"], "9.7.4", W),
        (["9.7.4", "9.7.3", "9.7.4"], "9.7.5", E),
        (["9.7.4", "8.4.6", "8.4.6"], "8.4.7", E),
        (["9.7.4", "9.7.4", "9.7.4"], "9.7.3", None),
        // That no server can go back to another series is what upgradePath says.
        (["9.7.4", "9.7.4", "9.7.4"], "8.4.6", None),
    ] {
        let seen = replicas(&versions, &[(2, 1), (3, 1)], &[]);
        let told = found(&seen, to, "replicationVersions");
        let worst = told.iter().map(|finding| finding.level).min();
        assert_eq!(worst, expected, "{versions:?} to {to}: {told:#?}");
    }
}
