//! The group is whole: one view, every member ONLINE, and exactly the members that the fleet file names.

use super::{
    ALSO_WITHOUT_UPGRADE, Check, Finding, GROUPS, Level, Overriding, Reference, Subject, When,
};
use crate::observation::MemberState;
use crate::topology::{Kind, View};

pub const CHECK: Check = Check {
    id: "groupReplicationMembers",
    level: Level::Error,
    reference: Reference {
        source: "MySQL manual, \"Group Replication Online Upgrade Methods\"",
        link: Some(
            "https://dev.mysql.com/doc/refman/8.4/en/group-replication-online-upgrade-methods.html",
        ),
    },
    applies: When::Always,
    overriding: Overriding::Refused(
        "a group that is not whole can lose writes when a member is taken out",
    ),
    needs: &[],
    title: "The group is whole",
    description: "The upgrade of a group begins with every member ONLINE, all agreeing, and somebody who takes writes.",
    kinds: GROUPS,
    strategies: ALSO_WITHOUT_UPGRADE,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let seen = subject.seen;
    let cluster = &seen.cluster;
    let mut found = Vec::new();
    match seen.agreed_view() {
        Err(why) => {
            found.push(CHECK.error(
                cluster,
                why,
                "bring the group together first: every member ONLINE in one view",
            ));
        }
        Ok(view) => judge(subject, &view, &mut found),
    }
    for (name, _, group) in seen.groups() {
        if group.own_state != MemberState::Online {
            found.push(CHECK.error(
                name,
                format!("the member says that it is {}", group.own_state.as_str()),
                format!(
                    "on {name}: START GROUP_REPLICATION, and see the error log where it is refused"
                ),
            ));
        }
    }
    for (name, server) in seen.servers() {
        match server.group.require() {
            Ok(Some(_)) => {}
            Ok(None) => found.push(CHECK.error(
                name,
                "Group Replication is not set up on this server",
                "take it out of the fleet file's cluster, or let it join",
            )),
            Err(why) => found.push(CHECK.untold(name, "the group", why)),
        }
    }
    found
}

fn judge(subject: Subject<'_>, view: &View, found: &mut Vec<Finding>) {
    let seen = subject.seen;
    let multi_primary = subject.chosen().map(|chosen| chosen.kind) == Ok(Kind::MultiPrimaryGroup);
    if !view.has_majority() {
        found.push(CHECK.error(
            &seen.cluster,
            "the group has lost its majority",
            "bring the unreachable members back; only as a last resort: group_replication_force_members",
        ));
    }
    for member in &view.members {
        if member.state != MemberState::Online {
            found.push(CHECK.error(
                &member.host,
                format!("is {} in the group's view", member.state.as_str()),
                "every member must be ONLINE before the first one is touched",
            ));
        }
        if seen.member_of(&member.uuid).is_none() {
            found.push(CHECK.error(
                format!("{}:{}", member.host, member.port),
                "is a member of the group, but no agent of the fleet file speaks for it",
                "add the member to the cluster in the controller's fleet file",
            ));
        }
    }
    if multi_primary {
        let writable = seen.groups().any(|(_, server, group)| {
            group.own_state == MemberState::Online && server.takes_writes()
        });
        if !writable {
            found.push(CHECK.error(
                &seen.cluster,
                "no ONLINE member can write, by its super_read_only",
                "SELECT @@super_read_only on each member; MEMBER_ROLE says PRIMARY even of those that can't write",
            ));
        }
    } else if view.primary().is_none() {
        found.push(CHECK.error(
            &seen.cluster,
            "the group has no single ONLINE primary",
            "SELECT member_host, member_role FROM performance_schema.replication_group_members",
        ));
    }
}
