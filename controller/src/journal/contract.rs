//! What every journal must do, run on each of them.

use super::{FaultyJournal, MemoryJournal, SledJournal, faulty::Fault};
use crate::fixture;
use crate::ports::{Journal, JournalError};
use refit_shared::ids::{Attempt, Digest, Epoch, RolloutId, Seq, StepId};
use refit_shared::plan::Plan;
use refit_shared::saga::{Entry, Event};
use std::path::Path;
use std::sync::Arc;

pub(super) fn rollout(name: &str) -> RolloutId {
    RolloutId::new(name).unwrap()
}

/// The first entry of a rollout of this plan.
pub(super) fn created(id: &RolloutId, plan: &Plan) -> Entry {
    Entry {
        rollout: id.clone(),
        seq: Seq(0),
        epoch: Epoch(1),
        at_unix_ms: 5,
        event: Event::RolloutCreated {
            cluster: plan.cluster.clone(),
            plan: plan.digest(),
            by: fixture::somebody(),
        },
    }
}

pub(super) fn intended(id: &RolloutId, seq: u64) -> Entry {
    Entry {
        rollout: id.clone(),
        seq: Seq(seq),
        epoch: Epoch(1),
        at_unix_ms: 6,
        event: Event::StepIntended {
            step: StepId(0),
            attempt: Attempt(seq as u32),
        },
    }
}

async fn keeps_what_it_acknowledges(journal: &dyn Journal) {
    let plan = fixture::plan().await;
    assert_eq!(journal.plan(&plan.digest()).await.unwrap(), None);
    journal.keep_plan(&plan).await.unwrap();
    journal.keep_plan(&plan).await.unwrap();
    assert_eq!(
        journal.plan(&plan.digest()).await.unwrap(),
        Some(plan.clone())
    );
    assert_eq!(journal.plan(&Digest::ZERO).await.unwrap(), None);

    let (a, b) = (rollout("a"), rollout("a.b"));
    assert_eq!(journal.rollouts().await.unwrap(), []);
    assert_eq!(journal.read(&a).await.unwrap(), []);
    let of_b = vec![created(&b, &plan), intended(&b, 1)];
    journal.append(of_b.clone()).await.unwrap();
    let mut of_a = vec![created(&a, &plan)];
    journal.append(of_a.clone()).await.unwrap();
    for seq in 1..300 {
        let entry = intended(&a, seq);
        of_a.push(entry.clone());
        journal.append(vec![entry]).await.unwrap();
    }
    assert_eq!(journal.read(&a).await.unwrap(), of_a);
    assert_eq!(
        journal.read(&b).await.unwrap(),
        of_b,
        "no rollout's prefix is another's"
    );
    assert_eq!(journal.rollouts().await.unwrap(), [a, b]);
}

async fn takes_only_what_follows(journal: &dyn Journal) {
    let plan = fixture::plan().await;
    journal.keep_plan(&plan).await.unwrap();
    let a = rollout("a");
    for wrong in [
        vec![intended(&a, 1)],
        vec![created(&a, &plan), intended(&a, 2)],
        vec![created(&a, &plan), created(&a, &plan)],
    ] {
        let refused = journal.append(wrong).await;
        assert!(
            matches!(refused, Err(JournalError::Write(_))),
            "{refused:?}"
        );
        assert_eq!(journal.read(&a).await.unwrap(), [], "all or nothing");
    }
    journal.append(Vec::new()).await.unwrap();
    journal.append(vec![created(&a, &plan)]).await.unwrap();
    journal.append(vec![intended(&a, 1)]).await.unwrap();
}

async fn every_start_is_a_new_epoch(journal: &dyn Journal) {
    assert_eq!(journal.next_epoch().await.unwrap(), Epoch(1));
    assert_eq!(journal.next_epoch().await.unwrap(), Epoch(2));
}

async fn takes_many_at_once(journal: Arc<dyn Journal>) {
    let plan = fixture::plan().await;
    journal.keep_plan(&plan).await.unwrap();
    let writers = (0..40).map(|number| {
        let (journal, plan) = (Arc::clone(&journal), plan.clone());
        tokio::spawn(async move {
            let id = rollout(&format!("r{number:02}"));
            journal.append(vec![created(&id, &plan)]).await.unwrap();
            for seq in 1..20 {
                journal.append(vec![intended(&id, seq)]).await.unwrap();
            }
            assert_eq!(journal.read(&id).await.unwrap().len(), 20);
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    assert_eq!(journal.rollouts().await.unwrap().len(), 40);
}

async fn the_contract<J: Journal>(mut fresh: impl FnMut() -> J) {
    keeps_what_it_acknowledges(&fresh()).await;
    takes_only_what_follows(&fresh()).await;
    every_start_is_a_new_epoch(&fresh()).await;
    takes_many_at_once(Arc::new(fresh())).await;
}

pub(super) fn open(dir: &Path) -> SledJournal {
    SledJournal::open(dir).unwrap()
}

#[tokio::test]
async fn memory() {
    the_contract(MemoryJournal::default).await;
}

#[tokio::test]
async fn faulty_without_a_fault() {
    the_contract(|| FaultyJournal::new(MemoryJournal::default(), Fault::None)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sled() {
    let dir = tempfile::tempdir().unwrap();
    let mut number = 0;
    the_contract(|| {
        number += 1;
        open(&dir.path().join(format!("journal{number}")))
    })
    .await;
}

/// The contract once more, the real journal slow at each of its fault points: in a process with rules of its own.
#[cfg(feature = "faults")]
#[test]
fn sled_that_is_slow() {
    let journal = refit_faults::POINTS
        .iter()
        .filter(|point| point.name.starts_with("journal."));
    let rules: Vec<String> = journal
        .map(|point| format!("{}=delay:1ms", point.name))
        .collect();
    let ran = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["journal::contract::sled", "--exact"])
        .env("REFIT_FAULTS", rules.join(";"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(
        ran.status.success() && said.contains("1 passed"),
        "{rules:?}:\n{said}"
    );
}

#[tokio::test]
async fn faults() {
    let plan = fixture::plan().await;
    let a = rollout("a");
    let memory = MemoryJournal::default();
    let fails = FaultyJournal::new(memory.clone(), Fault::FailAt(1));
    fails.append(vec![created(&a, &plan)]).await.unwrap();
    assert!(fails.append(vec![intended(&a, 1)]).await.is_err());
    assert!(matches!(
        fails.read(&a).await,
        Err(JournalError::Poisoned(_))
    ));
    let lies = FaultyJournal::new(memory.clone(), Fault::LieFrom(0));
    lies.append(vec![intended(&a, 1)]).await.unwrap();
    assert_eq!(memory.read(&a).await.unwrap().len(), 1);
    for (fault, kept) in [(Fault::CrashBefore(0), 1), (Fault::CrashAfter(0), 2)] {
        let crashes = FaultyJournal::new(memory.clone(), fault);
        let mut crash = crashes.crash();
        tokio::select! {
            done = crashes.append(vec![intended(&a, 1)]) => panic!("{done:?}"),
            crashed = crash.wait_for(|crashed| *crashed) => drop(crashed.unwrap()),
        }
        assert_eq!(memory.read(&a).await.unwrap().len(), kept);
    }
}
