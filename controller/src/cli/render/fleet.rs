//! `refit fleet`.

use super::Style;
use super::table::{Cell, Paint, Table};
use refit_proto::operator::{AgentView, ClusterView, MemberView};
use refit_shared::observation::{MemberRole, MemberState};
use refit_shared::topology::Kind;

pub fn text(clusters: &[ClusterView], style: Style) -> String {
    if clusters.is_empty() {
        return "The fleet file names no cluster.\n".to_owned();
    }
    let mut out = String::new();
    for (at, cluster) in clusters.iter().enumerate() {
        if at > 0 {
            out.push('\n');
        }
        out.push_str(&heading(cluster, style));
        for line in &cluster.tree {
            out.push_str(&format!("  {}\n", super::clean(line)));
        }
        let mut table = Table::new(&[
            "MEMBER", "AGENT", "MYSQLD", "PACKAGE", "STATE", "ROLE", "WRITABLE", "QUEUE", "NOTES",
        ])
        .indented();
        for member in &cluster.members {
            table.row(row(member));
        }
        out.push_str(&table.text(style));
    }
    out
}

fn heading(cluster: &ClusterView, style: Style) -> String {
    let mut out = style.bold(&cluster.name);
    if let Some(kind) = cluster.kind {
        out.push_str(&format!(": {kind}"));
    }
    match (&cluster.primary, &cluster.disagreement) {
        (Some(source), _) if !cluster.tree.is_empty() => {
            out.push_str(&format!(", source {source}"));
        }
        (Some(primary), _) => out.push_str(&format!(", primary {primary}")),
        (None, Some(why)) => {
            // Of a group, what is in brackets is each member's own reason, and that is in its row.
            let short = match why.split_once(" (") {
                Some((short, _)) if cluster.kind != Some(Kind::ReplicationTopology) => short,
                Some(_) | None => why,
            };
            out.push_str(&format!(": {}", style.bad(&super::clean(short))));
        }
        (None, None) if cluster.kind.is_some_and(|kind| !kind.is_group()) => {}
        (None, None) if cluster.kind == Some(Kind::MultiPrimaryGroup) => {}
        (None, None) => out.push_str(&format!(": {}", style.bad("no primary"))),
    }
    if let Some(rollout) = &cluster.rollout {
        out.push_str(&format!("; rollout {rollout} (refit show {rollout})"));
    }
    out.push('\n');
    out
}

fn row(member: &MemberView) -> Vec<Cell> {
    let unknown = || Cell::new("?").paint(Paint::Dim);
    let some = |text: &Option<String>| text.as_ref().map_or_else(unknown, Cell::new);
    let mut notes = member.notes.clone();
    let agent = match &member.agent {
        AgentView::Answers { version } => Cell::new(version),
        AgentView::Unreachable(why) => {
            notes.insert(0, why.clone());
            Cell::new("unreachable").paint(Paint::Bad)
        }
    };
    let outside = || match member.role {
        // A server in no group has no state in one.
        Some(MemberRole::None) => Cell::new("-").paint(Paint::Dim),
        _ => unknown(),
    };
    let state = member.state.map_or_else(outside, |state| {
        Cell::new(state.as_str()).paint(match state {
            MemberState::Online => Paint::Good,
            MemberState::Recovering => Paint::Warn,
            MemberState::Offline | MemberState::Error | MemberState::Unreachable => Paint::Bad,
        })
    });
    let role = member.role.map_or_else(unknown, |role| {
        Cell::new(match role {
            MemberRole::Primary => "PRIMARY",
            MemberRole::Secondary => "SECONDARY",
            MemberRole::None => "none",
        })
    });
    let writable = member.writable.map_or_else(unknown, |writable| {
        Cell::new(if writable { "yes" } else { "no" })
    });
    let queue = member
        .queue
        .map_or_else(unknown, |queue| Cell::new(queue.to_string()));
    vec![
        Cell::new(&member.name),
        agent,
        some(&member.mysqld_version),
        some(&member.package_version),
        state,
        role,
        writable,
        queue.right(),
        Cell::new(notes.join("; ")),
    ]
}
