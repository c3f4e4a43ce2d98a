//! A server that is asked while it ends: it may be one that asked to be started again, as after a clone, and it may be one that does not end.

use super::rig::{Hop, Rig, member};
use crate::operations::answering::pulse;
use crate::simhost::{Beginning, Shape, SimWorld, Timings};
use refit_shared::observation::ServiceState;
use refit_shared::operation::{Direction, Operation};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// A server that stands alone and is being stopped, which takes so long.
async fn that_ends(after: Duration) -> Rig {
    let hop = Hop::patch();
    let beginning = Beginning {
        members: vec![member("m1")],
        installed: hop.from.clone(),
        offered: vec![hop.to.clone()],
        timings: Timings {
            stop: after,
            ..Timings::STANDARD
        },
    };
    let world = SimWorld::shaped(Shape::Alone, beginning);
    let rig = Rig::in_world(world, "m1", hop);
    let host = rig.world.ports(&rig.member).host();
    host.service.begin_stop().await.unwrap();
    assert_eq!(
        rig.world.service_state(&rig.member),
        ServiceState::Deactivating
    );
    rig
}

#[tokio::test(start_paused = true)]
async fn one_that_ends_and_is_started_again_answers() {
    let rig = that_ends(Duration::from_secs(5)).await;
    let (host, cx) = rig.context(rig.order(Direction::Perform, &Operation::AllowWrites));
    let starter = rig.world.ports(&rig.member).host();
    let started = tokio::spawn(async move {
        while starter.service.state().await.unwrap() == ServiceState::Deactivating {
            sleep(Duration::from_millis(100)).await;
        }
        starter.service.begin_start().await.unwrap();
    });
    pulse(&host, &cx).await.expect("it comes up again");
    started.await.unwrap();
    assert_eq!(rig.world.service_state(&rig.member), ServiceState::Active);
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_end_is_not_waited_for_without_end() {
    let rig = that_ends(Duration::from_secs(3000)).await;
    let (host, cx) = rig.context(rig.order(Direction::Perform, &Operation::AllowWrites));
    let began = Instant::now();
    let failure = pulse(&host, &cx).await.unwrap_err();
    assert!(!failure.partial, "{failure}");
    let waited = began.elapsed().as_secs();
    assert!((15..17).contains(&waited), "{waited} s");
    assert_eq!(
        rig.world.service_state(&rig.member),
        ServiceState::Deactivating
    );
}
