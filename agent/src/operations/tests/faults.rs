//! Half ran: every operation and every undo is failed, killed and cut from power before and after every single call to the
//! host, and must then either be completed by asking again, or be put back by its undo.

use super::rig::{Hop, Picture, Rig};
use crate::simhost::FaultAction;
use refit_shared::operation::{Direction, Operation};
use refit_shared::receipt::Outcome;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::sleep;

const ACTIONS: [FaultAction; 6] = [
    FaultAction::FailBefore,
    FaultAction::FailAfter,
    FaultAction::CrashBefore,
    FaultAction::CrashAfter,
    FaultAction::PowerCutBefore,
    FaultAction::PowerCutAfter,
];

/// Calls beyond this in one operation are repetitions of a wait.
const CALLS: usize = 40;

/// An undo that fails because of a fault is asked again, as a person's `resume` does.
async fn undo(rig: &Rig, operation: &Operation) {
    let mut last = None;
    for _ in 0..3 {
        match rig.carry_out(Direction::Undo, operation).await {
            Outcome::Done { .. } => return,
            Outcome::Failed(failure) => last = Some(failure),
        }
        sleep(Duration::from_secs(30)).await;
    }
    panic!("the undo of {operation:?} fails again and again: {last:?}");
}

/// Taking the drop-ins away belongs to a member that is ONLINE. Where a power cut took it out of the group, putting them back
/// does not bring it in again: the undo of the join, which comes next, wants it out.
async fn settled(rig: &Rig, operation: &Operation) -> Picture {
    if matches!(operation, Operation::LeaveMaintenance) {
        rig.perform(&Operation::JoinGroup { drain_s: 60 }).await;
    }
    rig.picture().await
}

async fn half_performed(hop: &Hop, step: usize, call: usize, action: FaultAction) -> bool {
    let rig = Rig::new("m3", hop.clone());
    rig.up_to(step).await;
    let before = rig.picture().await;
    let operation = hop.lane()[step].clone();
    let what = || format!("{operation:?} struck by {action:?} at call {call}");
    let calls = rig.strike(call, action);
    let outcome = rig.carry_out(Direction::Perform, &operation).await;
    let struck = calls.load(Ordering::Relaxed) > call;
    rig.world.no_faults();
    if let Outcome::Failed(failure) = &outcome
        && !failure.partial
    {
        // "Nothing was changed" must be true.
        assert_eq!(rig.picture().await, before, "{}: {failure}", what());
    }
    undo(&rig, &operation).await;
    same(&before, &settled(&rig, &operation).await, &what());
    undo(&rig, &operation).await;
    same(&before, &settled(&rig, &operation).await, &what());
    // And forward again from there.
    rig.perform(&operation).await;
    assert_eq!(
        rig.world.wrongs_at_rest(),
        Vec::<String>::new(),
        "{}",
        what()
    );
    struck
}

async fn half_undone(hop: &Hop, step: usize, call: usize, action: FaultAction) -> bool {
    let rig = Rig::new("m3", hop.clone());
    rig.up_to(step).await;
    let before = rig.picture().await;
    let operation = hop.lane()[step].clone();
    rig.perform(&operation).await;
    let calls = rig.strike(call, action);
    undo(&rig, &operation).await;
    let struck = calls.load(Ordering::Relaxed) > call;
    rig.world.no_faults();
    let what = format!("undo of {operation:?} struck by {action:?} at call {call}");
    same(&before, &settled(&rig, &operation).await, &what);
    assert_eq!(rig.world.wrongs_at_rest(), Vec::<String>::new(), "{what}");
    struck
}

fn same(before: &Picture, after: &Picture, what: &str) {
    assert_eq!(before, after, "{what}");
}

async fn every_call(hop: Hop, step: usize) {
    for action in ACTIONS {
        for call in 0..CALLS {
            if !half_performed(&hop, step, call, action).await {
                break;
            }
        }
        for call in 0..CALLS {
            if !half_undone(&hop, step, call, action).await {
                break;
            }
        }
    }
}

macro_rules! every_call_of {
    ($($name:ident = $step:literal),* $(,)?) => { $(
        #[tokio::test(start_paused = true)]
        async fn $name() {
            every_call(Hop::patch(), $step).await;
        }
    )* };
}

every_call_of! {
    fetch_packages = 0,
    back_up_config = 1,
    validate_config = 2,
    enter_maintenance = 3,
    leave_group = 4,
    stop_server = 5,
    snapshot_data = 6,
    rewrite_config = 7,
    swap_packages = 8,
    start_server = 9,
    join_group = 10,
    leave_maintenance = 11,
}

#[tokio::test(start_paused = true)]
async fn a_first_start_that_changes_the_series() {
    every_call(Hop::series(), 9).await;
}

#[test]
fn the_list_above_is_the_whole_lane() {
    assert_eq!(Hop::patch().lane().len(), 12);
}
