//! The group is whole: one single-primary view, every member ONLINE, and exactly the members that the fleet file names.

use super::{Check, Finding, Subject};
use crate::observation::MemberState;
use crate::topology::View;

pub const CHECK: Check = Check {
    id: "groupReplicationMembers",
    title: "The group is whole",
    description: "An in-group rolling upgrade begins from a single-primary group in which every member is ONLINE and all agree.",
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
        if !group.single_primary {
            found.push(CHECK.error(
                name,
                "the group is multi-primary; this strategy upgrades single-primary groups",
                "SELECT group_replication_switch_to_single_primary_mode()",
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
    if view.members.len() < 3 {
        found.push(CHECK.error(
            &seen.cluster,
            format!("the group has {} member(s); with one out, no other loss and no majority would be left", view.members.len()),
            "add members until there are three, or upgrade offline",
        ));
    }
    if view.primary().is_none() {
        found.push(CHECK.error(
            &seen.cluster,
            "the group has no single ONLINE primary",
            "SELECT member_host, member_role FROM performance_schema.replication_group_members",
        ));
    }
}
