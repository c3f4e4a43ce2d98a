//! The real journal at each of its fault points: killed there, failed there, slowed there. Nothing acknowledged is lost, none invented,
//! and it opens again. Only with the feature `faults`.
//!
//! The test runs itself as the child, which prints the number of each entry once it is acknowledged.
#![cfg(feature = "faults")]

use refit_controller::journal::SledJournal;
use refit_controller::ports::{Journal, JournalError};
use refit_faults::POINTS;
use refit_shared::ids::{Attempt, ClusterName, Epoch, RolloutId, Seq, StepId};
use refit_shared::plan::Plan;
use refit_shared::planner;
use refit_shared::saga::{Actor, Entry, Event};
use std::path::Path;
use std::process::Command;

#[path = "../../shared/tests/core/support.rs"]
#[allow(dead_code)]
mod world;

const CHILD: &str = "REFIT_TEST_JOURNAL_FAULTS_CHILD";
/// The child ends by itself behind so many entries.
const ENTRIES: u64 = 12;

fn rollout() -> RolloutId {
    RolloutId::new("r1").unwrap()
}

fn plan() -> Plan {
    let seen = world::group(&["9.7.3"; 3], &["9.7.3-1", "9.7.4-1"]);
    planner::plan(&world::request("9.7.4"), &seen, 0).unwrap().0
}

fn entry(seq: u64, plan: &Plan) -> Entry {
    let event = match seq {
        0 => Event::RolloutCreated {
            cluster: ClusterName::new("orders").unwrap(),
            plan: plan.digest(),
            by: Actor::policy("a test"),
        },
        seq => Event::StepIntended {
            step: StepId(0),
            attempt: Attempt(u32::try_from(seq).unwrap()),
        },
    };
    Entry {
        rollout: rollout(),
        seq: Seq(seq),
        epoch: Epoch(1),
        at_unix_ms: i64::try_from(seq).unwrap(),
        event,
    }
}

/// Opens, raises the epoch, keeps the plan, appends: a commit each.
async fn child(dir: &Path) {
    let journal = SledJournal::open(dir).unwrap();
    let wrote = async {
        let epoch = journal.next_epoch().await?;
        println!("epoch {epoch}");
        let plan = plan();
        journal.keep_plan(&plan).await?;
        let mut next = journal.read(&rollout()).await?.len() as u64;
        while next < ENTRIES {
            journal.append(vec![entry(next, &plan)]).await?;
            println!("durable {next}");
            next += 1;
        }
        Ok::<(), JournalError>(())
    };
    if let Err(error) = wrote.await {
        println!("failed {error}");
        let again = journal.read(&rollout()).await;
        assert!(
            matches!(again, Err(JournalError::Poisoned(_))),
            "it is trusted no more: {again:?}"
        );
    }
    drop(journal);
    std::process::exit(0);
}

/// What the child said, and whether it ended by itself.
fn run(dir: &Path, rules: &str) -> (Vec<String>, bool) {
    let ran = Command::new(std::env::current_exe().unwrap())
        .args(["killed_or_failed_at_each_point", "--exact", "--nocapture"])
        .env(CHILD, dir)
        .env("REFIT_FAULTS", rules)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    let lines = said.lines().map(str::to_owned).collect();
    (lines, ran.status.success())
}

fn last(lines: &[String], what: &str) -> Option<u64> {
    let told = lines.iter().filter_map(|line| line.strip_prefix(what));
    told.map(|number| number.parse().unwrap()).next_back()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_or_failed_at_each_point() {
    if let Some(dir) = std::env::var_os(CHILD) {
        child(Path::new(&dir)).await;
    }
    let temporary = tempfile::tempdir().unwrap();
    let plan = plan();
    let points = POINTS
        .iter()
        .filter(|point| point.name.starts_with("journal."));
    let mut runs = 0;
    for point in points {
        for action in ["crash", "error", "delay:5ms"] {
            // The epoch, the plan, the creation, and entries behind it.
            for time in [1, 2, 3, 4, 9] {
                runs += 1;
                let rules = format!("{}={action}@{time}", point.name);
                let dir = temporary.path().join(format!("journal{runs}"));
                let (lines, ended) = run(&dir, &rules);
                assert_eq!(ended, action != "crash", "{rules}: {lines:?}");
                let failed = lines.iter().any(|line| line.starts_with("failed "));
                assert_eq!(failed, action == "error", "{rules}: {lines:?}");

                let journal = SledJournal::open(&dir).unwrap();
                let found = journal.read(&rollout()).await.unwrap();
                for (seq, found) in (0..).zip(&found) {
                    assert_eq!(*found, entry(seq, &plan), "{rules}");
                }
                let acknowledged = last(&lines, "durable ").map_or(0, |last| last + 1);
                let there = found.len() as u64;
                // One may be durable of which nobody was told.
                assert!(
                    (acknowledged..=acknowledged + 1).contains(&there),
                    "{rules}: {acknowledged} were acknowledged, {there} are there"
                );
                // No epoch is given twice.
                let epoch = journal.next_epoch().await.unwrap();
                let before = last(&lines, "epoch ").unwrap_or(0);
                assert!(epoch.0 > before, "{rules}: {epoch} after {before}");
                drop(journal);

                // It goes on without faults.
                let (lines, ended) = run(&dir, "");
                assert!(ended, "{rules}: {lines:?}");
                let journal = SledJournal::open(&dir).unwrap();
                let whole = journal.read(&rollout()).await.unwrap().len() as u64;
                assert_eq!(whole, ENTRIES, "{rules}: {lines:?}");
            }
        }
    }
}

/// A disk that lies is the one thing against which no journal helps. What it has not got is not invented, and it opens.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_was_left_out_is_missing_and_nothing_else() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path().join("journal");
    // From the sixth entry on.
    let rules = (8..=20).map(|time| format!("journal.append/before=drop@{time};"));
    let (lines, ended) = run(&dir, &rules.collect::<String>());
    assert!(ended, "{lines:?}");
    assert_eq!(last(&lines, "durable "), Some(ENTRIES - 1));
    let journal = SledJournal::open(&dir).unwrap();
    let found = journal.read(&rollout()).await.unwrap();
    let plan = plan();
    assert_eq!(found.len(), 5);
    for (seq, found) in (0..).zip(&found) {
        assert_eq!(*found, entry(seq, &plan));
    }
}

/// The daemon with a rule that is wrong does not start, and says which and what there is.
#[test]
fn a_rule_that_is_wrong_is_refused_at_the_start() {
    let ran = Command::new(env!("CARGO_BIN_EXE_refit-controller"))
        .args(["--config", "/nonexistent"])
        .env("REFIT_FAULTS", "nowhere=crash;call/reply=explode")
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(2));
    let said = String::from_utf8_lossy(&ran.stderr);
    for part in ["nowhere", "explode", "journal.append/before"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}
