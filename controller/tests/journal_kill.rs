//! `kill -9` of a process that writes the journal, again and again: nothing that it was told is durable may be missing.
//!
//! The test runs itself as the child, which prints the number of each entry once it is acknowledged.

use refit_controller::journal::SledJournal;
use refit_controller::ports::Journal;
use refit_shared::ids::{Attempt, ClusterName, Epoch, RolloutId, Seq, StepId};
use refit_shared::plan::Plan;
use refit_shared::planner;
use refit_shared::saga::{Actor, Entry, Event};
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

#[path = "../../shared/tests/core/support.rs"]
#[allow(dead_code)]
mod world;

const CHILD: &str = "REFIT_TEST_JOURNAL_CHILD";
const ROUNDS: u64 = 20;

fn rollout() -> RolloutId {
    RolloutId::new("r1").unwrap()
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

fn plan() -> Plan {
    let seen = world::group(&["9.7.3"; 3], &["9.7.3-1", "9.7.4-1"]);
    planner::plan(&world::request("9.7.4"), &seen, 0).unwrap().0
}

/// Appends until it is killed.
async fn child(dir: &Path) {
    let journal = SledJournal::open(dir).unwrap();
    let plan = plan();
    journal.keep_plan(&plan).await.unwrap();
    let mut next = journal.read(&rollout()).await.unwrap().len() as u64;
    loop {
        journal.append(vec![entry(next, &plan)]).await.unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "durable {next}").unwrap();
        out.flush().unwrap();
        drop(out);
        next += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost() {
    if let Some(dir) = std::env::var_os(CHILD) {
        child(Path::new(&dir)).await;
    }
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path().join("journal");
    let mut told = None;
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["nothing_acknowledged_is_lost", "--exact", "--nocapture"])
            .env(CHILD, &dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut durable =
            lines.filter_map(|line| line.unwrap().strip_prefix("durable ").map(str::to_owned));
        // Each round it comes a different way before it is killed.
        for _ in 0..=round * 7 {
            told = Some(
                durable
                    .next()
                    .expect("the child writes")
                    .parse::<u64>()
                    .unwrap(),
            );
        }
        child.kill().unwrap();
        // What it still said before it died counts too.
        told = durable.last().map(|last| last.parse().unwrap()).or(told);
        child.wait().unwrap();

        let journal = SledJournal::open(&dir).unwrap();
        let entries = journal.read(&rollout()).await.unwrap();
        let plan = plan();
        assert!(
            entries.len() as u64 > told.unwrap(),
            "round {round}: {told:?} was acknowledged"
        );
        for (seq, found) in (0..).zip(&entries) {
            assert_eq!(*found, entry(seq, &plan));
        }
    }
}
