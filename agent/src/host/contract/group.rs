//! A group of one: the server is configured for a group that nobody is in.

use super::{Kept, Scene, promises, refused, same};
use crate::host::Pulse;
use anyhow::{Context, ensure};
use refit_shared::ids::ServerUuid;
use refit_shared::observation::{Fact, GroupFacts, MemberRole, MemberState};
use std::time::Duration;

promises!("Mysql, in a group", Scene:
    outside_its_group_it_is_offline_and_takes_no_writes,
    a_group_of_one_is_begun_takes_writes_and_writes_no_transaction,
    a_restart_in_maintenance_ends_its_group_and_what_was_to_begin_another,
    bootstrap_group_is_as_it_was_set,
    whether_it_starts_at_boot_is_told_as_it_was_set,
    where_nobody_is_nobody_is_joined,
);

/// What a statement may take: START GROUP_REPLICATION waits a minute for a group that does not answer.
const TIME: Duration = Duration::from_secs(120);
/// Nobody's.
const STRANGER: &str = "aaaaaaaa-0000-4000-8000-00000000dead";

pub(super) async fn facts(scene: &Scene) -> anyhow::Result<GroupFacts> {
    let group = scene.host.mysql.group().await?;
    group.context("no group is told")
}

/// In no group, by every answer, and nobody may write.
pub(super) async fn is_outside(scene: &Scene) -> Kept {
    let mysql = &scene.host.mysql;
    let pulse = mysql.pulse().await?;
    same(&pulse.state, &Some(MemberState::Offline), "its state")?;
    ensure!(!pulse.primary, "it is primary, and in no group");
    ensure!(!pulse.writable(), "it takes writes outside its group");
    let group = facts(scene).await?;
    let own = "its state among the facts of the group";
    same(&group.own_state, &MemberState::Offline, own)?;
    ensure!(!group.group_name.is_empty(), "the group has no name");
    same(&group.view_id, &String::new(), "the view")?;
    let protocol = group.communication_protocol.known();
    same(&protocol, &None, "the protocol of no group")?;
    let uuid = mysql.uuid().await?;
    for member in &group.members {
        same(&member.uuid, &uuid, "a member of no group")?;
        same(&member.state, &MemberState::Offline, "its own row's state")?;
        same(&member.role, &MemberRole::None, "its own row's role")?;
    }
    let all = mysql.facts().await?;
    same(&all.group, &Fact::Known(Some(group)), "the facts' group")?;
    same(&all.super_read_only, &true, "super_read_only")
}

/// As the operations do it. `group_replication_bootstrap_group` is ON for the one statement.
pub(super) async fn begin(scene: &Scene) -> Kept {
    let mysql = &scene.host.mysql;
    mysql.set_super_read_only(true).await?;
    mysql.set_bootstrap_group(true).await?;
    let started = mysql.start_group_replication(TIME).await;
    mysql.set_bootstrap_group(false).await?;
    Ok(started?)
}

pub(super) async fn leave(scene: &Scene) -> Kept {
    scene.host.mysql.set_super_read_only(true).await?;
    Ok(scene.host.mysql.stop_group_replication(TIME).await?)
}

/// ONLINE, primary or not, and writable just if it is.
pub(super) async fn until_online(scene: &Scene, primary: bool) -> anyhow::Result<Pulse> {
    let patience = scene.patience();
    let role = if primary { "primary" } else { "secondary" };
    loop {
        let pulse = scene.host.mysql.pulse().await?;
        let online = pulse.state == Some(MemberState::Online);
        if online && pulse.primary == primary && pulse.writable() == primary {
            return Ok(pulse);
        }
        patience.more(&format!("ONLINE as {role}"), &pulse).await?;
    }
}

/// What the facts say of a member that is ONLINE, whose primary is this one.
pub(super) async fn is_in_a_group(
    scene: &Scene,
    size: usize,
    primary: &ServerUuid,
) -> anyhow::Result<GroupFacts> {
    let group = facts(scene).await?;
    let uuid = scene.host.mysql.uuid().await?;
    same(&group.own_state, &MemberState::Online, "its own state")?;
    same(&group.members.len(), &size, "how many members are told")?;
    ensure!(!group.view_id.is_empty(), "there is no view");
    ensure!(group.single_primary, "it should have one primary");
    let protocol = &group.communication_protocol;
    ensure!(protocol.known().is_some(), "its protocol is {protocol:?}");
    let own = group.members.iter().filter(|m| m.uuid == uuid).count();
    same(&own, &1, "how often it is itself among them")?;
    let version = scene.present[0].version.mysql_version()?;
    for member in &group.members {
        same(&member.state, &MemberState::Online, "a member's state")?;
        same(&member.version, &version, "a member's version")?;
        let role = if member.uuid == *primary {
            MemberRole::Primary
        } else {
            MemberRole::Secondary
        };
        same(&member.role, &role, "a member's role")?;
    }
    Ok(group)
}

async fn outside_its_group_it_is_offline_and_takes_no_writes(scene: &Scene) -> Kept {
    let mysql = &scene.host.mysql;
    let before = mysql.replication().await?;
    is_outside(scene).await?;
    for _ in 0..2 {
        mysql.stop_group_replication(TIME).await?;
        is_outside(scene).await?;
    }
    let uuid = mysql.uuid().await?;
    let appointed = mysql.appoint_primary(&uuid, TIME).await;
    refused(appointed, "a primary of no group")?;
    is_outside(scene).await?;
    // The group's own channels are none of the operator's.
    ensure!(before.channels.is_empty(), "it has a channel");
    same(&mysql.replication().await?, &before, "the replication")
}

async fn a_group_of_one_is_begun_takes_writes_and_writes_no_transaction(scene: &Scene) -> Kept {
    let mysql = &scene.host.mysql;
    let (uuid, process) = (mysql.uuid().await?, scene.host.service.main_pid().await?);
    let before = mysql.replication().await?;
    begin(scene).await?;
    let pulse = until_online(scene, true).await?;
    same(&pulse.applier_queue, &0, "the queue")?;
    let group = is_in_a_group(scene, 1, &uuid).await?;
    let view = group.view_id;
    // Doing what is done changes nothing.
    mysql.start_group_replication(TIME).await?;
    mysql.appoint_primary(&uuid, TIME).await?;
    let stranger = ServerUuid::new(STRANGER)?;
    let appointed = mysql.appoint_primary(&stranger, TIME).await;
    refused(appointed, "a primary that is no member")?;
    until_online(scene, true).await?;
    let group = is_in_a_group(scene, 1, &uuid).await?;
    same(&group.view_id, &view, "the view")?;
    let bootstrap = scene.variable("group_replication_bootstrap_group").await?;
    same(&bootstrap.as_str(), &"OFF", "bootstrap_group")?;
    let executed = mysql.replication().await?.executed;
    same(&executed, &before.executed, "gtid_executed")?;
    for _ in 0..2 {
        leave(scene).await?;
        is_outside(scene).await?;
    }
    same(&mysql.replication().await?, &before, "the replication")?;
    let now = scene.host.service.main_pid().await?;
    same(&now, &process, "the process")
}

async fn is_told(scene: &Scene, variable: &str, on: bool) -> Kept {
    let value = scene.variable(variable).await?;
    let wanted = if on { "ON" } else { "OFF" };
    same(&value.as_str(), &wanted, variable)
}

async fn bootstrap_group_is_as_it_was_set(scene: &Scene) -> Kept {
    let variable = "group_replication_bootstrap_group";
    is_told(scene, variable, false).await?;
    for on in [true, false] {
        for _ in 0..2 {
            scene.host.mysql.set_bootstrap_group(on).await?;
            is_told(scene, variable, on).await?;
            is_outside(scene).await?;
        }
    }
    Ok(())
}

async fn a_restart_in_maintenance_ends_its_group_and_what_was_to_begin_another(
    scene: &Scene,
) -> Kept {
    let (mysql, uuid) = (&scene.host.mysql, scene.host.mysql.uuid().await?);
    let (boot, bootstrap) = (
        "group_replication_start_on_boot",
        "group_replication_bootstrap_group",
    );
    let before = scene.variable(boot).await? == "ON";
    begin(scene).await?;
    until_online(scene, true).await?;
    let view = is_in_a_group(scene, 1, &uuid).await?.view_id;
    leave(scene).await?;
    // An operation that is cut short between ON and OFF counts on the end of the process.
    mysql.set_bootstrap_group(true).await?;
    scene.enter_maintenance().await?;
    scene.restart().await?;
    is_told(scene, boot, false).await?;
    is_told(scene, bootstrap, false).await?;
    is_outside(scene).await?;
    scene.leave_maintenance().await?;
    mysql.set_start_on_boot(before).await?;
    // Begun once more it is another group.
    begin(scene).await?;
    until_online(scene, true).await?;
    let again = is_in_a_group(scene, 1, &uuid).await?.view_id;
    ensure!(again != view, "both groups have view {view}");
    leave(scene).await?;
    is_outside(scene).await
}

async fn whether_it_starts_at_boot_is_told_as_it_was_set(scene: &Scene) -> Kept {
    let variable = "group_replication_start_on_boot";
    let before = scene.variable(variable).await? == "ON";
    for on in [false, true, before] {
        for _ in 0..2 {
            scene.host.mysql.set_start_on_boot(on).await?;
            is_told(scene, variable, on).await?;
        }
    }
    is_outside(scene).await
}

async fn where_nobody_is_nobody_is_joined(scene: &Scene) -> Kept {
    let mysql = &scene.host.mysql;
    let before = mysql.replication().await?;
    let joined = mysql.start_group_replication(TIME).await;
    refused(joined, "joining a group that nobody is in")?;
    is_outside(scene).await?;
    same(&mysql.replication().await?, &before, "the replication")
}
