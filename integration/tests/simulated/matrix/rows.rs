//! The rows, read from runs in which nothing breaks.

use crate::story::{Moment, Person, Story, Told};
use crate::world::Hop;
use crate::world::faults::{Point, Strike, Trouble, When};
use refit_shared::ids::StepId;
use refit_shared::operation::{Direction, Operation};
use refit_shared::plan::Plan;
use refit_shared::saga::{End, Event};
use std::collections::BTreeSet;

/// A story that rows are made from: in it nothing breaks.
#[derive(Debug, Clone)]
pub struct Base {
    pub name: &'static str,
    pub story: Story,
    /// How it ends.
    pub end: End,
    /// Only what it does in this direction makes rows; the other one is another base's.
    pub direction: Direction,
}

/// One row.
#[derive(Debug, Clone)]
pub struct Row {
    pub base: &'static str,
    pub strategy: String,
    /// As in "s07 swap_packages perform".
    pub step: String,
    pub strike: Strike,
    pub end: End,
    /// See [`super::verdicts::Verdict::fails_the_build`].
    pub may_need_a_hand: bool,
    pub is_multi_primary: bool,
    /// What strikes is the member that can't come back once it has fallen out of its group: the last one of the old series.
    pub of_last_old_member: bool,
    story: Story,
}

impl Row {
    /// Unique, and the same in every run of the same program.
    pub fn name(&self) -> String {
        format!(
            "{}, {} on {}, {} {}",
            self.base,
            self.step,
            self.strike.member,
            self.strike.trouble.title(),
            self.strike.when.title()
        )
    }

    /// On the way back, the last member of the old series falls out of its group.
    pub fn is_shut_out(&self) -> bool {
        let falls_out = matches!(
            self.strike.trouble,
            Trouble::Mysqld | Trouble::HostPower | Trouble::CutFromMembers
        );
        self.of_last_old_member && self.end == End::Restored && falls_out
    }

    pub fn run(&self) -> Told {
        self.story.run()
    }
}

/// Everything that the simulated world can play.
pub fn bases() -> Vec<Base> {
    let mut bases = Vec::new();
    for hop in Hop::ALL {
        let (forward, back) = names(hop);
        let story = Story::of(hop);
        let told = story.run();
        let plan = told.plan.as_ref().expect("a rollout has a plan");
        let moment = last_way_back(plan);
        bases.push(Base {
            name: forward,
            story: story.clone(),
            end: End::Upgraded,
            direction: Direction::Perform,
        });
        bases.push(Base {
            name: back,
            story: Story {
                person: Person {
                    unwinds_at: Some(moment),
                    ..Person::default()
                },
                ..story
            },
            end: End::Restored,
            direction: Direction::Undo,
        });
    }
    bases
}

/// Of the way there, and of the way back from as far as everything can be undone.
fn names(hop: Hop) -> (&'static str, &'static str) {
    match hop {
        Hop::Patch => ("patch within a series", "patch, unwound at its end"),
        Hop::Series => (
            "change of series",
            "change of series, unwound before its pivot",
        ),
        Hop::OfflinePatch => ("group offline, patch", "group offline, patch, unwound"),
        Hop::OfflineSeries => ("group offline, series", "group offline, series, unwound"),
        Hop::MultiPatch => ("multi-primary, patch", "multi-primary, patch, unwound"),
        Hop::MultiSeries => ("multi-primary, series", "multi-primary, series, unwound"),
        Hop::AlonePatch => ("single server", "single server, unwound"),
        Hop::AloneSeries => ("single server, series", "single server, series, unwound"),
        Hop::ReplicasPatch => ("replicas first", "replicas first, unwound"),
        Hop::ReplicasSeries => ("replicas first, series", "replicas first, series, unwound"),
        Hop::ChainSeries => ("chain, series", "chain, series, unwound"),
        Hop::SwitchPatch => ("switchover", "switchover, unwound"),
        Hop::SwitchSeries => ("switchover, series", "switchover, series, unwound"),
        Hop::Downgrade => ("chain, downgrade", "chain, downgrade, unwound"),
        Hop::ChainOffline => ("chain offline, series", "chain offline, series, unwound"),
        Hop::Rebuild => ("tables of replicas", "tables of replicas, unwound"),
        Hop::RestartRebuild => (
            "tables, source restarted",
            "tables, source restarted, unwound",
        ),
        Hop::GroupRebuild => ("tables of a group", "tables of a group, unwound"),
        Hop::Statements => (
            "statements logged, series",
            "statements logged, series, unwound",
        ),
        Hop::Early => ("mysql_upgrade", "mysql_upgrade, unwound"),
        Hop::Release => ("release of a pin", "release of a pin, unwound"),
    }
}

/// The last moment at which everything can still be undone.
fn last_way_back(plan: &Plan) -> Moment {
    let Some(pivot) = &plan.pivot else {
        return Moment::End;
    };
    let mut before = None;
    for step in plan.steps() {
        if step.id == pivot.step {
            break;
        }
        before = Some(step.id);
    }
    let before = before.expect("a plan does not begin with its pivot");
    // Approved earlier, the pivot is begun at once when the step before it is done.
    if pivot.asked_at() < pivot.step {
        Moment::Intended(before)
    } else {
        Moment::Resolved(before)
    }
}

pub fn all() -> Vec<Row> {
    bases().iter().flat_map(of_base).collect()
}

/// Where each of [`Trouble::FENCES`] can be: at the steps of this name only; or while everybody is a member.
fn is_possible(trouble: Trouble, base: &Base, title: &str, all_serve: bool) -> bool {
    match trouble {
        // One more member lost than the group can lose is what the operator has accepted, and no fence's matter.
        Trouble::PrimaryPower | Trouble::MajorityLost => all_serve,
        Trouble::PersonInstalls => {
            // A rebuild of tables is about no package, nor is a release of pins.
            let upgrades = base.story.hop.from() != base.story.hop.to();
            upgrades && matches!(title, "back_up_config" | "enter_maintenance")
        }
        Trouble::MysqldInUpgrade => title == "start_server" && base.story.hop == Hop::Series,
        Trouble::OlderLedger => title != "gate",
        Trouble::PersonMovesPrimary => {
            let one = matches!(
                base.story.hop,
                Hop::Patch | Hop::Series | Hop::GroupRebuild | Hop::Release
            );
            one && title != "gate"
        }
        Trouble::Controller
        | Trouble::Agent
        | Trouble::Mysqld
        | Trouble::HostPower
        | Trouble::CutFromController
        | Trouble::CutFromMembers
        | Trouble::DiskFull
        | Trouble::RepositoryGone
        | Trouble::PackagesDamaged
        | Trouble::SlowDisk
        | Trouble::ClockJump => true,
    }
}

/// The steps at whose beginning every member serves.
fn all_serving(told: &Told, plan: &Plan) -> BTreeSet<StepId> {
    let mut out = BTreeSet::new();
    let mut serving = BTreeSet::new();
    for entry in &told.entries {
        let (step, begins) = match entry.event {
            Event::StepIntended { step, .. } => (step, true),
            Event::StepResolved { step, .. } => (step, false),
            _ => continue,
        };
        let Some(step) = plan.step(step) else {
            continue;
        };
        match step.operation() {
            Some(operation) if operation.takes_member_out() && begins => {
                out.insert(step.member.clone());
            }
            Some(Operation::JoinGroup { .. }) if !begins => {
                out.remove(&step.member);
            }
            _ => {}
        }
        if begins && out.is_empty() {
            serving.insert(step.id);
        }
    }
    serving
}

fn of_base(base: &Base) -> Vec<Row> {
    let told = base.story.run();
    assert_eq!(told.wrongs, Vec::<String>::new(), "{}", base.name);
    assert_eq!(told.end.as_ref(), Some(&base.end), "{}", base.name);
    let plan = told.plan.as_ref().expect("a rollout has a plan");
    let serving = all_serving(&told, plan);
    let pivot = plan.pivot.as_ref().and_then(|pivot| plan.step(pivot.step));
    let leaves = pivot.filter(|step| step.title() == "leave_group");
    let last_old = leaves.map(|step| &step.member);
    let mut rows = Vec::new();
    for (id, direction) in steps(&told, base.direction) {
        let step = plan.step(id).expect("a journal names the plan's steps");
        let title = format!("{id} {} {direction}", step.title());
        let at = middle(&told, &title, step.member.as_str());
        let fences = Trouble::FENCES.iter().filter(|trouble| {
            base.direction == Direction::Perform
                && is_possible(**trouble, base, step.title(), serving.contains(&id))
        });
        let fences = fences.map(|trouble| (*trouble, When::During));
        let troubles = Trouble::ALL
            .into_iter()
            .flat_map(|trouble| When::ALL.map(|when| (trouble, when)));
        for (trouble, when) in troubles.chain(fences) {
            let at = match trouble {
                Trouble::MysqldInUpgrade => the_call(&told, &title, "service.begin_start"),
                _ => at.clone(),
            };
            let strike = Strike {
                trouble,
                when,
                step: id,
                direction,
                member: step.member.clone(),
                at,
            };
            rows.push(Row {
                base: base.name,
                strategy: plan.strategy.to_string(),
                step: title.clone(),
                story: Story {
                    strike: Some(strike.clone()),
                    ..base.story.clone()
                },
                may_need_a_hand: !matches!(base.story.hop, Hop::Patch | Hop::Series),
                is_multi_primary: matches!(base.story.hop, Hop::MultiPatch | Hop::MultiSeries),
                of_last_old_member: last_old == Some(&step.member),
                strike,
                end: base.end.clone(),
            });
        }
    }
    rows
}

/// What was begun, each once, in order.
fn steps(told: &Told, wanted: Direction) -> Vec<(StepId, Direction)> {
    let mut seen = BTreeSet::new();
    let begun = told.entries.iter().filter_map(|entry| match entry.event {
        Event::StepIntended { step, .. } => Some((step, Direction::Perform)),
        Event::UndoIntended { step, .. } => Some((step, Direction::Undo)),
        _ => None,
    });
    begun
        .filter(|(_, direction)| *direction == wanted)
        .filter(|begun| seen.insert(*begun))
        .collect()
}

fn the_call(told: &Told, during: &str, call: &str) -> Option<Point> {
    let is = |point: &&Point| point.during == during && point.call == call;
    told.met.iter().find(is).cloned()
}

/// The call in the middle of what a step changes on its host; of what it looks at, where it changes nothing.
fn middle(told: &Told, during: &str, member: &str) -> Option<Point> {
    let calls: Vec<&Point> = told
        .met
        .iter()
        .filter(|point| point.during == during && point.member.as_str() == member)
        .collect();
    let changes: Vec<&Point> = calls
        .iter()
        .copied()
        .filter(|point| point.changes_something() && !point.call.starts_with("ledger."))
        .collect();
    let of = if changes.is_empty() { &calls } else { &changes };
    of.get(of.len() / 2).map(|point| (*point).clone())
}
