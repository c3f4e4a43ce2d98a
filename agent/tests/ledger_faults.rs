//! The real ledger at each of its fault points: killed there, failed there, slowed there. Nothing acknowledged is lost, none invented,
//! and it opens again. Only with the feature `faults`.
//!
//! The test runs itself as the child, which prints what it was told is durable.
#![cfg(feature = "faults")]

use refit_agent::ledger::{FileDisk, KEPT, Ledger, LedgerError};
use refit_faults::POINTS;
use refit_shared::ids::{Attempt, ClusterName, Epoch, MemberName, RolloutId, StepId};
use refit_shared::operation::{AttemptId, Direction, Operation, Order};
use refit_shared::receipt::Outcome;
use std::path::Path;
use std::process::Command;

const CHILD: &str = "REFIT_TEST_LEDGER_FAULTS_CHILD";
/// More than are kept, so that some are removed.
const ROLLOUTS: usize = KEPT + 3;

fn order(number: usize) -> Order {
    Order {
        id: AttemptId {
            rollout: RolloutId::new(format!("r{number:03}")).unwrap(),
            step: StepId(1),
            attempt: Attempt(1),
        },
        epoch: Epoch(7),
        cluster: ClusterName::new("c1").unwrap(),
        member: MemberName::new("m1").unwrap(),
        direction: Direction::Perform,
        operation: Operation::BackUpConfig,
        deadline_s: 60,
    }
}

fn done() -> Outcome {
    Outcome::Done { notes: Vec::new() }
}

/// As the worker does: room, the order, its end.
async fn child(dir: &Path) {
    let mut ledger = Ledger::open(dir, FileDisk::durable()).unwrap();
    let wrote = async {
        ledger.obey(Epoch(7)).await?;
        println!("obeys 7");
        for number in 0..ROLLOUTS {
            let order = order(number);
            let id = order.id.clone();
            if ledger.has_forgotten(&id.rollout) {
                continue;
            }
            if ledger.find(&id).is_none() {
                ledger.make_room(&id.rollout).await?;
                ledger.accept(order, 1000).await?;
                println!("accepted {number}");
            }
            if ledger.find(&id).unwrap().receipt.is_none() {
                ledger.close(&id, done(), 2000).await?;
                println!("closed {number}");
            }
        }
        Ok::<(), LedgerError>(())
    };
    if let Err(error) = wrote.await {
        println!("failed {error}");
    }
    std::process::exit(0);
}

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

fn told(lines: &[String], what: &str) -> Vec<usize> {
    let told = lines.iter().filter_map(|line| line.strip_prefix(what));
    told.map(|number| number.parse().unwrap()).collect()
}

/// What was acknowledged is there or is known to be over, and what is there was written.
fn judge(dir: &Path, lines: &[String], rules: &str) {
    let ledger = Ledger::open(dir, FileDisk::durable())
        .unwrap_or_else(|error| panic!("{rules}: it does not open: {error}"));
    let (accepted, closed) = (told(lines, "accepted "), told(lines, "closed "));
    if lines.iter().any(|line| line == "obeys 7") {
        assert_eq!(ledger.highest_epoch(), Epoch(7), "{rules}");
    }
    for number in 0..ROLLOUTS {
        let order = order(number);
        let found = ledger.find(&order.id);
        if let Some(found) = found {
            assert_eq!(found.order, order, "{rules}");
            // One may be durable of which nobody was told.
            assert!(
                number <= accepted.len(),
                "{rules}: r{number:03} was never written"
            );
            assert!(
                found.receipt.is_none() || number <= closed.len(),
                "{rules}: r{number:03} was never closed"
            );
        }
        let over = ledger.has_forgotten(&order.id.rollout);
        if accepted.contains(&number) {
            assert!(found.is_some() || over, "{rules}: r{number:03} is lost");
        }
        if closed.contains(&number) && !over {
            let receipt = found.and_then(|found| found.receipt.as_ref());
            assert!(
                receipt.is_some(),
                "{rules}: the end of r{number:03} is lost"
            );
        }
    }
}

#[tokio::test]
async fn killed_or_failed_at_each_point() {
    if let Some(dir) = std::env::var_os(CHILD) {
        child(Path::new(&dir)).await;
    }
    let temporary = tempfile::tempdir().unwrap();
    let mut runs = 0;
    let points = POINTS
        .iter()
        .filter(|point| point.name.starts_with("ledger."));
    for point in points {
        // Of writes: the epoch, an order, its end, further on, and what is forgotten.
        let times: &[usize] = match point.name.starts_with("ledger.write") {
            true => &[1, 2, 3, 20, 2 + 2 * KEPT, 3 + 2 * KEPT],
            false => &[1, 2],
        };
        for time in times {
            for action in ["crash", "error", "delay:5ms"] {
                runs += 1;
                let rules = format!("{}={action}@{time}", point.name);
                let dir = temporary.path().join(format!("agent{runs}"));
                let (lines, ended) = run(&dir, &rules);
                assert_eq!(ended, action != "crash", "{rules}: {lines:?}");
                let failed = lines.iter().any(|line| line.starts_with("failed "));
                assert_eq!(failed, action == "error", "{rules}: {lines:?}");
                judge(&dir, &lines, &rules);

                // It goes on without faults, to the end.
                let (again, ended) = run(&dir, "");
                assert!(ended, "{rules}: {again:?}");
                let ledger = Ledger::open(&dir, FileDisk::durable()).unwrap();
                assert!(ledger.open_attempts().is_empty(), "{rules}");
                assert_eq!(ledger.entries().len(), KEPT, "{rules}: {again:?}");
            }
        }
    }
}

/// A record that was left out is missing: its order counts as never given. Nothing else is touched, and it opens.
#[tokio::test]
async fn a_write_that_was_left_out_is_missing_and_nothing_else() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path().join("agent");
    // The epoch is the first write, and each order has two: the end of r010.
    let (lines, ended) = run(&dir, "ledger.write/before=drop@23");
    assert!(ended, "{lines:?}");
    let ledger = Ledger::open(&dir, FileDisk::durable()).unwrap();
    assert_eq!(ledger.open_attempts(), [order(10).id]);
    assert_eq!(ledger.entries().len(), KEPT);
}
