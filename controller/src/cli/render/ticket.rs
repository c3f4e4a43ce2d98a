//! The summary at the end, to be pasted into a ticket.

use super::table::{Cell, Table};
use super::{Style, clean, time};
use crate::cli::writer::WriterStatus;
use refit_proto::operator::{
    ClusterView, MemberView, NextView, PivotView, RolloutView, State, StepState,
};
use refit_shared::observation::{MemberRole, MemberState};
use serde::Serialize;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ticket {
    pub rollout: String,
    pub cluster: String,
    pub state: State,
    pub finalized: bool,
    pub why: String,
    pub target_version: String,
    pub plan_digest: String,
    pub begun_by: String,
    pub began_unix_ms: i64,
    pub last_unix_ms: i64,
    pub members: Vec<MemberLine>,
    /// Who replicates from whom now; empty for a group or a server that stands alone.
    pub tree: Vec<String>,
    /// In the plan's order; steps that were never begun are left out.
    pub steps: Vec<StepTimes>,
    pub largest_write_gap_ms: u64,
    /// Where the strategy stops writes by design: for how long, as it was estimated.
    pub planned_downtime_ms: Option<u64>,
    pub client: Option<ClientLine>,
    pub no_way_back: Option<String>,
    pub pivot: Option<PivotView>,
    pub next: Vec<NextView>,
    /// Why the members could not be looked at.
    pub not_seen: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MemberLine {
    pub name: String,
    pub version_before: String,
    /// As it was found when the rollout had come to rest.
    pub version_after: Option<String>,
    pub package_after: Option<String>,
    pub state: Option<MemberState>,
    pub role: Option<MemberRole>,
    pub writable: Option<bool>,
}

/// How long a kind of step took, for each member.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepTimes {
    pub title: String,
    pub took_ms: Vec<Option<u64>>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClientLine {
    pub acknowledged: u64,
    pub largest_gap_ms: f64,
}

impl Ticket {
    pub fn of(
        view: &RolloutView,
        fleet: Result<&[ClusterView], &String>,
        writer: Option<&Result<WriterStatus, String>>,
    ) -> Self {
        let summary = &view.summary;
        let seen = fleet.as_ref().ok().and_then(|clusters| {
            let own = |cluster: &&ClusterView| cluster.name == summary.cluster;
            clusters.iter().find(own)
        });
        let member = |name: &str| -> Option<&MemberView> {
            seen?.members.iter().find(|member| member.name == name)
        };
        let members: Vec<MemberLine> = view
            .members
            .iter()
            .map(|before| {
                let now = member(&before.name);
                MemberLine {
                    name: before.name.clone(),
                    version_before: before.version_before.clone(),
                    version_after: now.and_then(|now| now.mysqld_version.clone()),
                    package_after: now.and_then(|now| now.package_version.clone()),
                    state: now.and_then(|now| now.state),
                    role: now.and_then(|now| now.role),
                    writable: now.and_then(|now| now.writable),
                }
            })
            .collect();
        Self {
            rollout: summary.id.clone(),
            cluster: summary.cluster.clone(),
            state: summary.state,
            finalized: summary.finalized,
            why: summary.why.clone(),
            target_version: summary.target_version.clone(),
            plan_digest: view.plan_digest.clone(),
            begun_by: summary.created_by.clone(),
            began_unix_ms: summary.created_unix_ms,
            last_unix_ms: summary.last_unix_ms,
            steps: times(view, &members),
            members,
            tree: seen.map(|cluster| cluster.tree.clone()).unwrap_or_default(),
            largest_write_gap_ms: view.writes.largest_gap_ms,
            planned_downtime_ms: view.planned_downtime_ms,
            client: writer
                .and_then(|writer| writer.as_ref().ok())
                .map(|client| ClientLine {
                    acknowledged: client.acked,
                    largest_gap_ms: client.largest_gap_ms(),
                }),
            no_way_back: view.no_way_back.clone(),
            pivot: view.pivot.clone(),
            next: view.next.clone(),
            not_seen: fleet.err().cloned(),
        }
    }
}

/// Steps of the same kind (gates above all) are added up.
fn times(view: &RolloutView, members: &[MemberLine]) -> Vec<StepTimes> {
    let mut times: Vec<StepTimes> = Vec::new();
    for step in view
        .steps
        .iter()
        .filter(|step| step.status != StepState::Pending)
    {
        let Some(column) = members.iter().position(|member| member.name == step.member) else {
            continue;
        };
        let row = match times.iter().position(|row| row.title == step.title) {
            Some(row) => row,
            None => {
                times.push(StepTimes {
                    title: step.title.clone(),
                    took_ms: vec![None; members.len()],
                });
                times.len() - 1
            }
        };
        if let Some(took) = step.took_ms {
            let sum = &mut times[row].took_ms[column];
            *sum = Some(sum.unwrap_or(0) + took);
        }
    }
    times
}

pub fn text(ticket: &Ticket, style: Style) -> String {
    // A release of pins and a rebuild of tables upgrade nothing.
    let target = &ticket.target_version;
    let stays = ticket
        .members
        .iter()
        .all(|member| member.version_before == *target);
    let word = if stays && ticket.state == State::Upgraded {
        "DONE".to_owned()
    } else {
        ticket.state.as_str().to_uppercase()
    };
    let word = match ticket.state {
        State::Upgraded | State::Restored => style.good(&word),
        State::Parked => style.bad(&word),
        State::Running
        | State::AwaitingApproval
        | State::Unwinding
        | State::Abandoned
        | State::Finalizing => style.warn(&word),
    };
    let finalized = if ticket.finalized { ", finalized" } else { "" };
    let mut out = format!(
        "\n{word}{finalized}  {} {} {target}, rollout {}\n",
        style.bold(&ticket.cluster),
        if stays { "at" } else { "to" },
        ticket.rollout
    );
    if !ticket.why.is_empty() {
        out.push_str(&format!("  {}\n", clean(&ticket.why)));
    }
    out.push_str(&format!(
        "  {} to {} ({}), begun by {}, plan {}\n\n",
        time::moment(ticket.began_unix_ms),
        time::moment(ticket.last_unix_ms),
        time::span(time::between(ticket.began_unix_ms, ticket.last_unix_ms)),
        clean(&ticket.begun_by),
        ticket.plan_digest.get(..12).unwrap_or(&ticket.plan_digest),
    ));
    out.push_str(&members(ticket, style));
    if !ticket.tree.is_empty() {
        out.push('\n');
    }
    for line in &ticket.tree {
        out.push_str(&format!("  {}\n", clean(line)));
    }
    if let Some(why) = &ticket.not_seen {
        out.push_str(&format!(
            "  {}\n",
            style.warn(&format!(
                "The members could not be looked at: {}",
                clean(why)
            ))
        ));
    }
    out.push('\n');
    out.push_str(&step_table(ticket, style));
    let gap = match ticket.largest_write_gap_ms {
        0 => "none seen".to_owned(),
        ms => format!("at most {}", time::span(ms)),
    };
    out.push_str(&format!(
        "\n  largest write gap   {gap} (no member could be written to, as the agents saw it)\n"
    ));
    if let Some(planned) = ticket.planned_downtime_ms {
        out.push_str(&format!(
            "  planned downtime    {} (and the wait for approval, where a person gives it)\n",
            time::about(planned)
        ));
    }
    if let Some(client) = &ticket.client {
        out.push_str(&format!(
            "  the client's own    {:.0} ms, {} writes acknowledged\n",
            client.largest_gap_ms, client.acknowledged
        ));
    }
    out.push_str(&format!("  way back            {}\n", way_back(ticket)));
    if !ticket.next.is_empty() {
        out.push_str(&format!("\n{}\n", style.bold("Next")));
        let mut table = Table::new(&["", ""]).indented();
        for next in &ticket.next {
            table.row(vec![Cell::new(&next.command), Cell::new(&next.effect)]);
        }
        out.push_str(&table.text(style));
    }
    out
}

fn way_back(ticket: &Ticket) -> String {
    match (&ticket.no_way_back, &ticket.pivot) {
        (Some(why), _) => format!("none: {}", clean(why)),
        (None, Some(pivot)) => format!(
            "open: `refit unwind` undoes everything, until the pivot (step s{:02}: {})",
            pivot.step,
            clean(&pivot.why)
        ),
        (None, None) => "open: `refit unwind` undoes everything, until `refit finalize`".to_owned(),
    }
}

fn members(ticket: &Ticket, style: Style) -> String {
    let mut table = Table::new(&["MEMBER", "BEFORE", "NOW", "PACKAGE", "STATE", "ROLE"]).indented();
    for member in &ticket.members {
        let some = |text: &Option<String>| Cell::new(text.as_deref().unwrap_or("?"));
        table.row(vec![
            Cell::new(&member.name),
            Cell::new(&member.version_before),
            some(&member.version_after),
            some(&member.package_after),
            Cell::new(match (member.state, member.role) {
                (Some(state), _) => state.as_str(),
                // A server in no group has no state in one.
                (None, Some(MemberRole::None)) => "-",
                (None, _) => "?",
            }),
            Cell::new(match (member.role, member.writable) {
                (Some(MemberRole::Primary), _) => "PRIMARY",
                (Some(MemberRole::Secondary), _) => "SECONDARY",
                (Some(MemberRole::None), Some(true)) => "takes writes",
                (Some(MemberRole::None), Some(false)) => "read-only",
                (Some(MemberRole::None), None) => "none",
                (None, _) => "?",
            }),
        ]);
    }
    table.text(style)
}

fn step_table(ticket: &Ticket, style: Style) -> String {
    let mut head = vec!["STEP"];
    head.extend(ticket.members.iter().map(|member| member.name.as_str()));
    let mut table = Table::new(&head).indented();
    let said = |took: &Option<u64>| Cell::new(took.map(time::span).unwrap_or_default()).right();
    for row in &ticket.steps {
        let mut cells = vec![Cell::new(&row.title)];
        cells.extend(row.took_ms.iter().map(said));
        table.row(cells);
    }
    let mut all = vec![Cell::new("all")];
    for column in 0..ticket.members.len() {
        let sum: u64 = ticket
            .steps
            .iter()
            .filter_map(|row| row.took_ms[column])
            .sum();
        all.push(said(&Some(sum)));
    }
    table.row(all);
    table.text(style)
}
