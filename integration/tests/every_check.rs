//! Every check that is registered has a fixture on real hosts, or a reason why it has none.

mod check_fixtures;

use check_fixtures::{ASKED, Dirt, GROUP, OUT, TOPOLOGY};
use refit_shared::checks::ALL;
use std::collections::BTreeMap;
use std::path::Path;

/// What another scenario of the lab sees.
const ELSEWHERE: &[(&str, &str)] = &[
    ("addressesReachable", "advisor"),
    ("pinRelease", "config_rewrite"),
    ("pluginLibraries", "libraries"),
    ("sysVarsNewDefaults", "config_rewrite"),
    ("validateConfig", "config_rewrite"),
];

const OLD_SERVER: &str = "no server of this lab has or takes it any more: it is about objects of servers before 8.4, or of 5.7";
const THIS_LAB: &str = "the lab's kernel, clock or machine does not have it";
const MOMENT: &str = "it lasts for a moment, or takes more of it than a scenario can make";

/// Table-driven: `shared/tests/core/checks.rs`, `planner.rs` and `replication_checks.rs`.
const NOT_HERE: &[(&str, &str)] = &[
    (
        "agentStatements",
        "no server before 8.4 is in this lab; see shared/tests/core/old_targets.rs",
    ),
    (
        "asyncChannels",
        "a channel into a running group needs a second cluster",
    ),
    (
        "certificateEnds",
        "the server makes its certificates itself, for ten years",
    ),
    ("changedFunctionsInGeneratedColumns", OLD_SERVER),
    ("channelFailover", "a list of sources needs another group"),
    ("characterSetPinned", OLD_SERVER),
    ("circularDirectory", OLD_SERVER),
    ("clockSynchronised", THIS_LAB),
    (
        "clusterKind",
        "servers that contradict each other are drawn by the scenario discovery, and judged in kinds.rs",
    ),
    ("columnDefinition", OLD_SERVER),
    ("columnsWhichCannotHaveDefaults", OLD_SERVER),
    ("deprecatedDefaultAuth", OLD_SERVER),
    (
        "deprecatedRouterAuthMethod",
        "9.7 has no account with a method that Router's accounts had",
    ),
    ("deprecatedTemporalDelimiter", OLD_SERVER),
    ("dollarSignName", OLD_SERVER),
    ("emptyDotTableSyntax", OLD_SERVER),
    (
        "encryptedTablespaces",
        "a keyring component must be configured before mysqld starts",
    ),
    ("engineMixup", OLD_SERVER),
    ("enumSetElementLength", OLD_SERVER),
    ("foreignKeyLength", OLD_SERVER),
    ("ftsInTablename", OLD_SERVER),
    ("groupActions", MOMENT),
    (
        "groupJoin",
        "members of three series in one group do not come about by planned steps",
    ),
    (
        "groupReplicationDefaults",
        "the rollout pins them itself; only a line that a person must change is left",
    ),
    (
        "groupSettings",
        "a running group has no members with other settings: they could not join",
    ),
    ("groupbyAscSyntax", OLD_SERVER),
    ("gtidModePinned", "the rollout pins it itself"),
    ("indexTooLarge", OLD_SERVER),
    ("instantRowVersions", OLD_SERVER),
    ("invalid57Names", OLD_SERVER),
    ("invalidEngineForeignKey", OLD_SERVER),
    ("invalidPrivileges", OLD_SERVER),
    (
        "knownBadReleases",
        "the lab has packages of 9.7 only, and 8,000 tablespaces take minutes",
    ),
    ("longTransactions", MOMENT),
    ("mandatoryAccess", THIS_LAB),
    ("maxdbSqlModeFlags", OLD_SERVER),
    ("memoryAvailable", THIS_LAB),
    ("mysqlSchema", OLD_SERVER),
    (
        "mysqlUpgrade",
        "no target before 8.0.16 is in this lab; see shared/tests/core/old_targets.rs",
    ),
    ("nonNativePartitioning", OLD_SERVER),
    ("obsoleteSqlModeFlags", OLD_SERVER),
    ("oldGeometryTypes", OLD_SERVER),
    ("oldTemporal", OLD_SERVER),
    (
        "openFiles",
        "the server must be started anew with a low limit",
    ),
    ("orphanedObjects", OLD_SERVER),
    ("partitionedTablesInSharedTablespaces", OLD_SERVER),
    ("partitionsWithPrefixKeys", OLD_SERVER),
    ("purgeBacklog", MOMENT),
    (
        "refitLeftovers",
        "a rollout that is left half done holds the cluster",
    ),
    (
        "rehearsed",
        "what fails a rehearsal in this lab are directories of older servers, no member's own data",
    ),
    ("removedStatements", OLD_SERVER),
    ("replicationQueues", MOMENT),
    ("replicationVersions", "a topology of three versions"),
    ("routineSyntax", OLD_SERVER),
    ("schemaInconsistency", OLD_SERVER),
    ("semiSyncOptions", OLD_SERVER),
    (
        "serverTakesWrites",
        "who is the source is known only while it takes writes",
    ),
    ("spatialIndex", OLD_SERVER),
    ("tablespaceStates", MOMENT),
    ("zeroDates", OLD_SERVER),
];

#[test]
fn every_check_is_in_exactly_one_list() {
    let mut times: BTreeMap<&str, u32> = BTreeMap::new();
    let fixtures = GROUP
        .iter()
        .chain(OUT)
        .chain(TOPOLOGY)
        .map(|fixture| fixture.check);
    let others = ASKED.iter().map(|(check, _, _)| *check);
    let without = ELSEWHERE.iter().chain(NOT_HERE).map(|(check, _)| *check);
    for check in fixtures.chain(others).chain(without) {
        *times.entry(check).or_default() += 1;
    }
    for check in ALL {
        let listed = times.remove(check.id);
        assert_eq!(listed, Some(1), "{} is in so many lists", check.id);
    }
    assert!(times.is_empty(), "no such checks: {times:?}");
}

#[test]
fn reasons_and_scenarios_are_there() {
    let lab = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab");
    for (check, scenario) in ELSEWHERE {
        let file = lab.join(format!("{scenario}.rs"));
        let text = std::fs::read_to_string(&file);
        assert!(text.is_ok(), "{check}: {} is not there", file.display());
    }
    assert!(NOT_HERE.iter().all(|(_, why)| !why.is_empty()));
    for list in [GROUP, OUT, TOPOLOGY] {
        assert!(!matches!(list[0].dirt, Dirt::There), "nothing is there yet");
        for fixture in list {
            assert!(!fixture.objects.is_empty(), "{}", fixture.check);
            let host = match fixture.dirt {
                Dirt::There => continue,
                Dirt::Sql(host, statements) => {
                    assert!(!statements.is_empty(), "{}", fixture.check);
                    host
                }
                Dirt::Run(host, argv) => {
                    assert!(!argv.is_empty(), "{}", fixture.check);
                    host
                }
                Dirt::File(host, path, text) => {
                    assert!(
                        path.starts_with('/') && !text.contains('\r'),
                        "{}",
                        fixture.check
                    );
                    host
                }
            };
            assert!(["db1", "db2", "db3"].contains(&host), "{}", fixture.check);
        }
    }
    assert!(
        ASKED
            .iter()
            .all(|(_, arguments, objects)| arguments.contains(&"--target") && !objects.is_empty())
    );
}
