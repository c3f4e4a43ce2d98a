//! Every rule of the linter condemns a plan that breaks it.

use crate::support::{group, request};
use refit_shared::ids::StepId;
use refit_shared::linter::judge;
use refit_shared::operation::{Operation, OperationKind};
use refit_shared::plan::{Action, Plan, Reversibility, Step};
use refit_shared::planner::plan;

fn good(from: &str) -> Plan {
    plan(
        &request("9.7.4"),
        &group(&[from; 3], &["9.7.4-2", &format!("{from}-1")]),
        5,
    )
    .unwrap()
    .0
}

fn is(step: &Step, kind: OperationKind) -> bool {
    step.operation()
        .is_some_and(|operation| operation.kind() == kind)
}

fn remove(plan: &mut Plan, unwanted: impl Fn(&Step) -> bool) {
    for lane in plan.stages.iter_mut().flat_map(|stage| &mut stage.lanes) {
        lane.steps.retain(|step| !unwanted(step));
    }
    renumber(plan);
}

fn renumber(plan: &mut Plan) {
    let stages = plan
        .stages
        .iter_mut()
        .chain(std::iter::once(&mut plan.finalize));
    let steps = stages
        .flat_map(|stage| &mut stage.lanes)
        .flat_map(|lane| &mut lane.steps);
    for (next, step) in (0u16..).zip(steps) {
        step.id = StepId(next);
    }
}

#[test]
fn plans_of_the_planner_pass() {
    assert_eq!(judge(&good("9.7.3")), vec![]);
    assert_eq!(judge(&good("8.4.6")), vec![]);
}

#[test]
fn each_rule_condemns() {
    type Break = fn(&mut Plan);
    let cases: &[(&str, Break)] = &[
        ("steps are numbered densely in order", |p| {
            p.stages[0].lanes[0].steps[0].id = StepId(9)
        }),
        ("every step has a deadline", |p| {
            p.stages[0].lanes[0].steps[0].deadline_s = 0
        }),
        ("one member is out at a time", |p| {
            let lane = p.stages.remove(3).lanes.remove(0);
            p.stages[2].lanes.push(lane);
            renumber(p);
        }),
        ("a gate stands directly before a member is taken out", |p| {
            let mut gates = 0;
            for lane in p.stages[2].lanes.iter_mut() {
                lane.steps.retain(|step| {
                    gates += u32::from(step.is_gate());
                    !(step.is_gate() && gates == 1)
                });
            }
            renumber(p);
        }),
        ("a member's steps are complete and in order", |p| {
            remove(p, |s| is(s, OperationKind::EnterMaintenance))
        }),
        (
            "a member's lane ends with a gate that also guards the way back",
            |p| {
                p.stages[2].lanes[0].steps.pop();
                renumber(p);
            },
        ),
        ("a snapshot is taken before a new version starts", |p| {
            remove(p, |s| is(s, OperationKind::SnapshotData))
        }),
        (
            "packages of both ways are fetched before they are needed",
            |p| remove(p, |s| is(s, OperationKind::FetchPackages)),
        ),
        ("the primary is upgraded last", |p| {
            p.stages.swap(2, 4);
            renumber(p);
        }),
        ("packages go from what was seen to the target", |p| {
            for step in p
                .stages
                .iter_mut()
                .flat_map(|s| &mut s.lanes)
                .flat_map(|l| &mut l.steps)
            {
                if let Action::Operate {
                    order: Operation::SwapPackages { from, to },
                } = &mut step.action
                {
                    std::mem::swap(from, to);
                }
            }
        }),
        ("a change of series has a pivot", |p| p.pivot = None),
        (
            "steps can be undone up to the pivot and not behind it",
            |p| {
                let steps = p
                    .stages
                    .iter_mut()
                    .flat_map(|s| &mut s.lanes)
                    .flat_map(|l| &mut l.steps);
                steps.last().unwrap().reversibility = Reversibility::Undoable;
            },
        ),
        ("what going back needs is deleted only by finalize", |p| {
            let lane = p.finalize.lanes.remove(0);
            p.stages[0].lanes.push(lane);
            renumber(p);
        }),
    ];
    for (rule, break_it) in cases {
        let mut plan = good("8.4.6");
        break_it(&mut plan);
        let found = judge(&plan);
        assert!(
            found.iter().any(|violation| violation.rule == *rule),
            "{rule}: {found:#?}"
        );
    }
}
