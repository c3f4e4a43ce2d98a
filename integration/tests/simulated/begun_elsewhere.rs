//! A group could not be begun anew, or not put back, and a person begins it on another member. It is not begun a second time.

use crate::runs::count;
use crate::story::{looks_and_acts, person};
use crate::world::controller::Controller;
use crate::world::faults::{Break, Point, only_looking};
use crate::world::wire::Twice;
use crate::world::{Hop, World, cluster, member};
use refit_controller::api::Act;
use refit_controller::journal::faulty::Fault;
use refit_controller::rollouts::State;
use refit_shared::ids::RolloutId;
use refit_shared::observation::MemberState;
use std::time::Duration;
use tokio::time::{sleep, timeout};

const PATIENCE: Duration = Duration::from_secs(2400);

struct Run {
    world: World,
    controller: Controller,
    id: RolloutId,
    /// What a person says who is asked before the group is begun.
    answer: Act,
}

impl Run {
    async fn begin(answer: Act, breaks: Vec<(Point, Break)>) -> Self {
        count();
        let world = World::begin(Hop::OfflinePatch, breaks, None).await;
        let journal = world.journal.clone();
        let controller = Controller::start(&world, journal, Fault::None, Twice::No).await;
        let controller = controller.expect("a journal in memory does not fail");
        let rollouts = &controller.rollouts;
        let (plan, _) = rollouts.plan(&cluster(), &world.request()).await.unwrap();
        let id = rollouts.apply(&plan.digest(), person()).await.unwrap();
        Self {
            world,
            controller,
            id,
            answer,
        }
    }

    async fn acts(&self, act: Act) {
        let acted = looks_and_acts(&self.controller.rollouts, &self.id, act).await;
        acted.unwrap();
    }

    /// Where it rests: its end, or why it is parked.
    async fn rests(&self) -> String {
        let rests = async {
            loop {
                let view = self.controller.rollouts.show(&self.id).await.unwrap();
                match &view.summary.state {
                    State::Parked { reason } => return reason.to_string(),
                    State::Ended { end, .. } => return end.to_string(),
                    State::AwaitingApproval { .. } => self.acts(self.answer).await,
                    _ => sleep(Duration::from_millis(100)).await,
                }
            }
        };
        timeout(PATIENCE, rests).await.expect("it comes to rest")
    }

    async fn end(self) {
        // They know each other; this parts them.
        self.world.sim.no_faults();
        self.controller.end().await;
    }
}

async fn is_not_begun_again(answer: Act, end: &str, begins: &str) {
    let (db1, db2) = (member("db1"), member("db2"));
    let undisturbed = Run::begin(answer, Vec::new()).await;
    assert_eq!(undisturbed.rests().await, end);
    let met = undisturbed.world.faults.met().into_iter();
    let start = met
        .filter(|point| point.member == db1 && point.during.contains(begins))
        .find(|point| point.call == "mysql.start_group_replication");
    let start = start.expect("the group is begun with db1");
    undisturbed.end().await;

    let run = Run::begin(answer, vec![(start, Break::Fail)]).await;
    let why = run.rests().await;
    assert!(why.contains("the group could not be begun"), "{why}");
    only_looking(async {
        let host = run.world.sim.host(&db2);
        host.mysql.set_bootstrap_group(true).await.unwrap();
        let begun = host.mysql.start_group_replication(Duration::from_secs(60));
        begun.await.unwrap();
        host.mysql.set_bootstrap_group(false).await.unwrap();
    })
    .await;
    let state = |of| run.world.sim.member_state(of);
    assert_eq!(state(&db2), Some(MemberState::Online));

    run.acts(Act::Resume).await;
    sleep(Duration::from_secs(1)).await;
    let why = run.rests().await;
    let told = "db2 is in a group already, without db1";
    assert!(why.contains(told), "{why}");
    assert_eq!(state(&db1), Some(MemberState::Offline));
    run.end().await;
}

fn on_a_runtime(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O needs nothing of the machine");
    runtime.block_on(work);
}

#[test]
fn a_group_that_a_person_has_begun_elsewhere_is_not_begun_again() {
    on_a_runtime(is_not_begun_again(
        Act::Approve,
        "Upgraded",
        "bootstrap_group",
    ));
}

#[test]
fn a_group_that_a_person_has_put_back_elsewhere_is_not_put_back_again() {
    on_a_runtime(is_not_begun_again(
        Act::Unwind,
        "Restored",
        "dissolve_group",
    ));
}
