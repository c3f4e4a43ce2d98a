//! `refit plan`: order and reasons, the steps, the pivot, the hand-over, risk, warnings.

use super::table::{Cell, Paint, Table};
use super::{Style, clean, time};
use refit_shared::config::edit::Rewrite;
use refit_shared::operation::Operation;
use refit_shared::plan::{ApprovePivot, Basis, Plan, Reversibility, RiskLevel, Step};

pub fn text(plan: &Plan, style: Style) -> String {
    let mut out = head(plan, style);
    list(&mut out, style, "Order", &plan.report.order);
    list(&mut out, style, "Hand-over", &plan.report.hand_over);
    for stage in &plan.stages {
        out.push_str(&format!("\n{}\n", style.bold(&clean(&stage.title))));
        out.push_str(&steps(
            plan,
            stage.lanes.iter().flat_map(|lane| &lane.steps),
            style,
        ));
    }
    out.push_str(&option_files(plan, style));
    out.push_str(&format!(
        "\n{}  {}\n",
        style.bold("Pivot"),
        pivot(plan, style)
    ));
    list(&mut out, style, "Can be undone", &plan.report.can_be_undone);
    let risk = match plan.report.risk.level {
        RiskLevel::Low => style.good("low"),
        RiskLevel::Medium => style.warn("medium"),
        RiskLevel::High => style.bad("high"),
    };
    out.push_str(&format!("\n{}  {risk}\n", style.bold("Risk")));
    for reason in &plan.report.risk.reasons {
        out.push_str(&format!("  - {}\n", clean(reason)));
    }
    list(&mut out, style, "Warnings", &plan.report.warnings);
    out.push_str(&format!(
        "\n{}  {}: {}\n",
        style.bold("Estimate"),
        time::about(plan.report.estimate.0),
        sources(plan)
    ));
    out.push_str(&downtime(plan, style));
    out
}

/// What is said in place of a plan.
pub fn nothing_advised(
    cluster: &str,
    version: &str,
    check_tables: bool,
    notes: &[String],
) -> String {
    let mut out = format!(
        "No table of {} is advised to be rebuilt for {}: there is nothing to plan.\n",
        clean(cluster),
        clean(version)
    );
    for note in notes {
        out.push_str(&format!("  {}\n", clean(note)));
    }
    if !check_tables {
        out.push_str("The servers themselves were not asked (CHECK TABLE … FOR UPGRADE): --check-tables does.\n");
    }
    out.push_str("No file was written. Nothing has been changed on any host.\n");
    out
}

/// Where the estimates of the steps come from.
fn sources(plan: &Plan) -> String {
    let [mut measured, mut rehearsed, mut by_tables, mut reckoned] = [0; 4];
    let steps = plan.stages.iter().flat_map(|stage| &stage.lanes);
    for step in steps.flat_map(|lane| &lane.steps) {
        match step.estimate.basis {
            Basis::Measured => measured += 1,
            Basis::Rehearsed { .. } => rehearsed += 1,
            Basis::TableSizes => by_tables += 1,
            Basis::Reckoned => reckoned += 1,
        }
    }
    let told = [
        (measured, "as measured on that host before"),
        (rehearsed, "as rehearsed on a clone of its data"),
        (
            by_tables,
            "reckoned from the sizes of the tables to rebuild",
        ),
        (
            reckoned,
            "reckoned from sizes and counts, not measured there yet",
        ),
    ];
    let told = told.iter().filter(|(count, _)| *count > 0);
    let told: Vec<String> = told
        .map(|(count, how)| format!("{count} steps {how}"))
        .collect();
    told.join(", ")
}

fn downtime(plan: &Plan, style: Style) -> String {
    plan.report.downtime.map_or_else(String::new, |downtime| {
        format!(
            "{}  {} without writes\n",
            style.bold("Downtime"),
            time::about(downtime.0)
        )
    })
}

/// What is asked about before it is carried out.
pub fn brief(plan: &Plan, style: Style) -> String {
    let mut out = head(plan, style);
    out.push_str(&format!(
        "{}  {}\n",
        style.bold("Pivot"),
        pivot(plan, style)
    ));
    out.push_str(&downtime(plan, style));
    list(&mut out, style, "Warnings", &plan.report.warnings);
    out
}

fn head(plan: &Plan, style: Style) -> String {
    let members: Vec<String> = plan
        .members()
        .into_iter()
        .map(|name| match plan.made_from.members.get(name) {
            Some(world) if world.primary => format!("{name} {} (primary)", world.version),
            Some(world) => format!("{name} {}", world.version),
            None => name.to_string(),
        })
        .collect();
    let [gates, operations] = [true, false].map(|gate| {
        let steps = plan.stages.iter().flat_map(|stage| &stage.lanes);
        steps
            .flat_map(|lane| &lane.steps)
            .filter(|step| step.is_gate() == gate)
            .count()
    });
    format!(
        "{} to {} ({}), {}\n{}\n{operations} operations behind {gates} gates, {}, soak {} s, plan {}\n",
        style.bold(plan.cluster.as_str()),
        style.bold(&plan.target.version.to_string()),
        plan.target.package_version,
        plan.strategy,
        members.join(", "),
        time::about(plan.report.estimate.0),
        plan.policy.soak_s,
        plan.digest().short(),
    )
}

/// Every change to an option file, in full: this is what is reviewed. Members with the same changes together.
fn option_files(plan: &Plan, style: Style) -> String {
    let mut told: Vec<(&Rewrite, Vec<&str>)> = Vec::new();
    for step in plan.steps() {
        let Some(Operation::RewriteConfig { files }) = step.operation() else {
            continue;
        };
        for file in files {
            let same = |one: &Rewrite| one.path == file.path && one.edits == file.edits;
            match told.iter_mut().find(|(one, _)| same(one)) {
                Some((_, who)) => who.push(step.member.as_str()),
                None => told.push((file, vec![step.member.as_str()])),
            }
        }
    }
    if told.is_empty() {
        return String::new();
    }
    let mut out = format!("\n{}\n", style.bold("Option files"));
    for (file, who) in told {
        let path = style.bold(&clean(&file.path));
        out.push_str(&format!("  {path} on {}\n", who.join(", ")));
        for edit in &file.edits {
            let what = match (edit.replaces, edit.new.is_empty()) {
                (true, true) => "line {} is taken out",
                (true, false) => "line {} becomes",
                (false, _) => "before line {}",
            };
            out.push_str(&format!(
                "    {}\n",
                what.replace("{}", &edit.line.to_string())
            ));
            for line in &edit.new {
                out.push_str(&format!("      {}\n", style.good(&clean(line))));
            }
        }
    }
    out
}

fn list(out: &mut String, style: Style, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    out.push_str(&format!("\n{}\n", style.bold(title)));
    for line in lines {
        out.push_str(&format!("  {}\n", clean(line)));
    }
}

fn pivot(plan: &Plan, style: Style) -> String {
    let Some(pivot) = &plan.pivot else {
        return "none: every step can be undone until `refit finalize`".to_owned();
    };
    let approval = match plan.policy.approve_pivot {
        ApprovePivot::Person => "waits for `refit approve`",
        ApprovePivot::Auto => "approved by the plan itself (--approve-pivot auto)",
    };
    format!(
        "{}: {}; {approval}",
        style.warn(&format!("step {}", pivot.step)),
        clean(&pivot.why)
    )
}

fn steps<'a>(plan: &Plan, steps: impl Iterator<Item = &'a Step>, style: Style) -> String {
    let mut table =
        Table::new(&["STEP", "MEMBER", "WHAT", "ESTIMATE", "BASIS", "UNDO", "WHY"]).indented();
    for step in steps {
        let is_pivot = plan
            .pivot
            .as_ref()
            .is_some_and(|pivot| pivot.step == step.id);
        let (undo, paint) = match step.reversibility {
            _ if is_pivot => ("PIVOT", Paint::Warn),
            Reversibility::NothingToUndo => ("-", Paint::Dim),
            Reversibility::Undoable => ("yes", Paint::Good),
            Reversibility::Irreversible => ("no", Paint::Warn),
        };
        let basis = match step.estimate.basis {
            Basis::Measured => "measured".to_owned(),
            Basis::Reckoned => "reckoned".to_owned(),
            Basis::TableSizes => "size of tables".to_owned(),
            Basis::Rehearsed { at_unix_ms } => {
                format!("rehearsed on {}", time::moment(at_unix_ms))
            }
        };
        table.row(vec![
            Cell::new(step.id.to_string()),
            Cell::new(step.member.as_str()),
            Cell::new(step.title()),
            Cell::new(time::span(step.estimate.seconds.0)).right(),
            Cell::new(basis).paint(Paint::Dim),
            Cell::new(undo).paint(paint),
            Cell::new(&step.why),
        ]);
    }
    table.text(style)
}
