//! Crashes of the controller before and after every append, and a journal that can't be written.

use crate::fixture::{FakeAgents, controller, memory, somebody};
use crate::journal::FaultyJournal;
use crate::journal::MemoryJournal;
use crate::journal::faulty::Fault;
use crate::ports::Journal;
use crate::rollouts::State;
use crate::standing::Standing;
use refit_shared::ids::RolloutId;
use refit_shared::saga::End;
use std::sync::Arc;

/// How many appends a whole upgrade takes.
async fn appends_of_an_upgrade() -> u64 {
    let agents = FakeAgents::new();
    let journal = Arc::new(FaultyJournal::new(memory(), Fault::None));
    let controller = controller(&agents, Arc::clone(&journal) as Arc<dyn Journal>).await;
    let id = controller.applied().await;
    controller.at_rest(&id).await;
    journal.appends()
}

/// Runs until the crash, drops the controller, and starts the next one on what the journal has kept.
async fn crashed(agents: &FakeAgents, journal: &MemoryJournal, fault: Fault) -> Option<RolloutId> {
    let faulty = Arc::new(FaultyJournal::new(journal.clone(), fault));
    let mut crash = faulty.crash();
    let controller = controller(agents, faulty).await;
    let apply = async {
        let id = controller.applied().await;
        controller.at_rest(&id).await;
    };
    tokio::select! {
        () = apply => panic!("it was to crash by {fault:?}"),
        crashed = crash.wait_for(|crashed| *crashed) => drop(crashed.unwrap()),
    }
    controller.running.abort();
    controller.running.ended().await;
    journal.rollouts().await.unwrap().pop()
}

#[tokio::test(start_paused = true)]
async fn a_crash_before_or_after_any_append_harms_nothing() {
    let appends = appends_of_an_upgrade().await;
    assert!(appends > 60, "{appends}");
    for at in 0..appends {
        for fault in [Fault::CrashBefore(at), Fault::CrashAfter(at)] {
            let agents = FakeAgents::new();
            let journal = memory();
            let id = crashed(&agents, &journal, fault).await;
            let next = controller(&agents, Arc::new(journal)).await;
            let id = match id {
                Some(id) => id,
                // Nothing was durable, so nothing happened.
                None => {
                    assert!(matches!(fault, Fault::CrashBefore(0)));
                    assert_eq!(agents.orders(), 0);
                    next.applied().await
                }
            };
            let view = next.at_rest(&id).await;
            let upgraded = matches!(
                view.summary.state,
                State::Ended {
                    end: End::Upgraded,
                    ..
                }
            );
            assert!(upgraded, "{fault:?}: {}", view.summary.state);
            agents.assert_upgraded();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_while_unwinding_harms_nothing() {
    // Far enough that a member has been taken out and brought back.
    for at in (30..appends_of_an_upgrade().await).step_by(7) {
        for second in [1, 4, 9, 16] {
            let agents = FakeAgents::new();
            let journal = memory();
            let id = crashed(&agents, &journal, Fault::CrashAfter(at))
                .await
                .unwrap();
            let faulty = Arc::new(FaultyJournal::new(
                journal.clone(),
                Fault::CrashBefore(second),
            ));
            let mut crash = faulty.crash();
            let controller = controller(&agents, faulty).await;
            let unwind = async {
                if controller.rollouts.unwind(&id, somebody()).await.is_ok() {
                    controller.at_rest(&id).await;
                }
            };
            tokio::select! {
                () = unwind => {}
                crashed = crash.wait_for(|crashed| *crashed) => drop(crashed.unwrap()),
            }
            controller.running.abort();
            controller.running.ended().await;
            let last = crate::fixture::controller(&agents, Arc::new(journal)).await;
            // Where the crash came before the decision was durable, it is made again.
            let _ = last.rollouts.unwind(&id, somebody()).await;
            let view = last.at_rest(&id).await;
            let restored = matches!(
                view.summary.state,
                State::Ended {
                    end: End::Restored,
                    ..
                }
            );
            assert!(restored, "{at} {second}: {}", view.summary.state);
            agents.assert_restored();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_acts_on_a_journal_that_cannot_be_written() {
    for at in [0, 1, 5, 20, 21, 40] {
        let agents = FakeAgents::new();
        let journal = memory();
        let faulty = Arc::new(FaultyJournal::new(journal.clone(), Fault::FailAt(at)));
        let controller = controller(&agents, Arc::clone(&faulty) as Arc<dyn Journal>).await;
        let plan = controller.planned().await;
        let applied = controller.rollouts.apply(&plan, somebody()).await;
        assert_eq!(applied.is_err(), at == 0);
        controller.stand.stopped().await;
        assert!(matches!(controller.stand.now(), Standing::JournalFailed(_)));
        let asked = agents.orders();
        let refused = controller
            .rollouts
            .apply(&plan, somebody())
            .await
            .unwrap_err();
        assert_eq!(refused.code(), "stopped");
        controller.running.ended().await;
        assert_eq!(agents.orders(), asked, "nothing more was ordered");
        // Opened again, it goes on.
        let next = crate::fixture::controller(&agents, Arc::new(journal.clone())).await;
        if let Some(id) = journal.rollouts().await.unwrap().pop() {
            next.at_rest(&id).await;
            agents.assert_upgraded();
        }
    }
}
