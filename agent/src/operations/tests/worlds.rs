//! The three worlds without faults: each operation twice, each undo twice, after never and after fully.

use super::rig::{Hop, Rig};

async fn from_all_worlds(name: &str, hop: Hop) {
    for step in 0..hop.lane().len() {
        let operation = hop.lane()[step].clone();

        // Never ran.
        let rig = Rig::new(name, hop.clone());
        rig.up_to(step).await;
        let before = rig.picture().await;
        rig.undo(&operation).await;
        rig.undo(&operation).await;
        assert_eq!(rig.picture().await, before, "never ran: {operation:?}");

        // Fully ran, and asked twice.
        rig.perform(&operation).await;
        let after = rig.picture().await;
        rig.perform(&operation).await;
        assert_eq!(rig.picture().await, after, "twice: {operation:?}");
        rig.undo(&operation).await;
        rig.undo(&operation).await;
        let undone = rig.picture().await;
        assert_eq!(undone, before, "fully ran: {operation:?}");

        // And forward once more after it was undone.
        rig.perform(&operation).await;
        assert_eq!(rig.picture().await, after, "again: {operation:?}");
        assert_eq!(
            rig.world.violations(),
            Vec::<String>::new(),
            "{operation:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_secondary_within_a_series() {
    from_all_worlds("m3", Hop::patch()).await;
}

#[tokio::test(start_paused = true)]
async fn a_secondary_across_series() {
    from_all_worlds("m3", Hop::series()).await;
}

#[tokio::test(start_paused = true)]
async fn the_primary_within_a_series() {
    // The role goes back by keep_primary, not by joining: only the secondaries' picture is whole again.
    let rig = Rig::new("m1", Hop::patch());
    let lane = rig.hop.lane();
    for operation in &lane {
        rig.perform(operation).await;
    }
    for operation in lane.iter().rev() {
        rig.undo(operation).await;
    }
    assert_eq!(rig.world.wrongs_at_rest(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_whole_group_upgraded_and_put_back_loses_nothing() {
    for hop in [Hop::patch(), Hop::series()] {
        let rig = Rig::new("m3", hop);
        let lane = rig.hop.lane();
        for operation in &lane {
            rig.perform(operation).await;
            let _ = rig.world.write();
        }
        assert_eq!(rig.world.data_version(&rig.member), rig.hop.new_version());
        assert_eq!(rig.world.wrongs_at_rest(), Vec::<String>::new());
        for operation in lane.iter().rev() {
            rig.undo(operation).await;
            let _ = rig.world.write();
        }
        assert_eq!(rig.world.data_version(&rig.member), rig.hop.old());
        assert_eq!(rig.world.wrongs_at_rest(), Vec::<String>::new());
    }
}
