//! A group of two: this server is its secondary, the other one its primary.

use super::group::{facts, is_in_a_group, is_outside, leave, until_online};
use super::{Kept, PairScene, promises, refused, same};
use anyhow::ensure;
use refit_shared::gtid::GtidSet;
use refit_shared::ids::ServerUuid;
use refit_shared::observation::MemberState;
use std::time::Duration;

promises!("Mysql, in a group with others", PairScene:
    a_secondary_tells_its_group_and_takes_no_writes,
    what_the_primary_commits_is_executed_here,
    who_leaves_lacks_what_is_committed_and_has_it_after_joining,
    who_is_appointed_takes_writes_and_gives_them_back,
    who_is_no_member_is_not_appointed,
);

/// What a statement may take.
const TIME: Duration = Duration::from_secs(60);

/// The group as it is before and after each promise; its view.
async fn is_secondary(scene: &PairScene) -> anyhow::Result<String> {
    let here = &scene.here;
    until_online(here, false).await?;
    let group = is_in_a_group(here, 2, &scene.there.address().uuid).await?;
    ensure!(
        here.host.mysql.super_read_only().await?,
        "a secondary is not read-only"
    );
    Ok(group.view_id)
}

async fn until_executed(scene: &PairScene, wanted: &GtidSet) -> Kept {
    let patience = scene.here.patience();
    loop {
        let executed = scene.here.host.mysql.replication().await?.executed;
        if wanted.is_subset_of(&executed) {
            return Ok(());
        }
        patience.more(&wanted.to_string(), &executed).await?;
    }
}

async fn a_secondary_tells_its_group_and_takes_no_writes(scene: &PairScene) -> Kept {
    let mysql = &scene.here.host.mysql;
    let process = scene.here.host.service.main_pid().await?;
    let view = is_secondary(scene).await?;
    // Who is in it starts nothing anew.
    mysql.start_group_replication(TIME).await?;
    same(&is_secondary(scene).await?, &view, "the view")?;
    let replication = mysql.replication().await?;
    ensure!(
        replication.channels.is_empty(),
        "the group's own channels are told: {replication:?}"
    );
    let now = scene.here.host.service.main_pid().await?;
    same(&now, &process, "the process")
}

async fn what_the_primary_commits_is_executed_here(scene: &PairScene) -> Kept {
    let mysql = &scene.here.host.mysql;
    let before = mysql.pulse().await?.transactions_executed;
    let view = is_secondary(scene).await?;
    for _ in 0..3 {
        let written = scene.there.write().await?;
        until_executed(scene, &written).await?;
    }
    let after = mysql.pulse().await?.transactions_executed;
    same(&after, &(before + 3), "the executed transactions")?;
    same(&is_secondary(scene).await?, &view, "the view")
}

async fn who_leaves_lacks_what_is_committed_and_has_it_after_joining(scene: &PairScene) -> Kept {
    let (here, mysql) = (&scene.here, &scene.here.host.mysql);
    let view = is_secondary(scene).await?;
    for _ in 0..2 {
        leave(here).await?;
        is_outside(here).await?;
    }
    let written = scene.there.write().await?;
    let executed = mysql.replication().await?.executed;
    ensure!(
        !written.is_subset_of(&executed),
        "it executes what its group commits, and has left it"
    );
    // Outside there is nobody to appoint.
    let other = scene.there.address().uuid;
    let appointed = mysql.appoint_primary(&other, TIME).await;
    refused(appointed, "a primary, appointed from outside")?;
    is_outside(here).await?;
    for _ in 0..2 {
        mysql.set_super_read_only(true).await?;
        mysql.start_group_replication(TIME).await?;
    }
    let now = is_secondary(scene).await?;
    ensure!(now != view, "the view is still {view}");
    until_executed(scene, &written).await
}

/// Primary here or there, by both: this server is the one that is asked.
async fn appoint(scene: &PairScene, uuid: &ServerUuid) -> Kept {
    let here = &scene.here;
    let own = here.host.mysql.uuid().await? == *uuid;
    for _ in 0..2 {
        here.host.mysql.appoint_primary(uuid, TIME).await?;
        until_online(here, own).await?;
        is_in_a_group(here, 2, uuid).await?;
    }
    Ok(())
}

async fn who_is_appointed_takes_writes_and_gives_them_back(scene: &PairScene) -> Kept {
    let mysql = &scene.here.host.mysql;
    let view = is_secondary(scene).await?;
    let before = mysql.replication().await?.executed;
    appoint(scene, &mysql.uuid().await?).await?;
    same(&facts(&scene.here).await?.view_id, &view, "the view")?;
    appoint(scene, &scene.there.address().uuid).await?;
    let after = mysql.replication().await?.executed;
    same(&after, &before, "gtid_executed")?;
    // The other one takes them again.
    let written = scene.there.write().await?;
    until_executed(scene, &written).await?;
    same(&is_secondary(scene).await?, &view, "the view")
}

async fn who_is_no_member_is_not_appointed(scene: &PairScene) -> Kept {
    let view = is_secondary(scene).await?;
    let stranger = ServerUuid::new("aaaaaaaa-0000-4000-8000-00000000dead")?;
    let appointed = scene.here.host.mysql.appoint_primary(&stranger, TIME).await;
    refused(appointed, "a primary that is no member")?;
    let pulse = scene.here.host.mysql.pulse().await?;
    same(&pulse.state, &Some(MemberState::Online), "its state")?;
    same(&is_secondary(scene).await?, &view, "the view")
}
