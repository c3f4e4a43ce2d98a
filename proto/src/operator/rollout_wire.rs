//! [`super::rollout`]'s views over the wire and back. An enumerator that is missing or unknown is an error, never a default.

use super::rollout::{
    InFlightView, LineView, MemberBefore, NextView, PivotView, RolloutView, State, StepState,
    StepView, SummaryView, WritesView,
};
use super::{Malformed, wire};
use refit_shared::plan::Reversibility;
use refit_shared::receipt::{Failure, FailureCode};

impl From<SummaryView> for wire::Summary {
    fn from(view: SummaryView) -> Self {
        let state = match view.state {
            State::Running => wire::State::Running,
            State::AwaitingApproval => wire::State::AwaitingApproval,
            State::Unwinding => wire::State::Unwinding,
            State::Parked => wire::State::Parked,
            State::Upgraded => wire::State::Upgraded,
            State::Restored => wire::State::Restored,
            State::Abandoned => wire::State::Abandoned,
            State::Finalizing => wire::State::Finalizing,
        };
        Self {
            id: view.id,
            cluster: view.cluster,
            target_version: view.target_version,
            created_by: view.created_by,
            created_unix_ms: view.created_unix_ms,
            last_unix_ms: view.last_unix_ms,
            state: state.into(),
            why: view.why,
            finalized: view.finalized,
        }
    }
}

impl TryFrom<wire::Summary> for SummaryView {
    type Error = Malformed;
    fn try_from(wire: wire::Summary) -> Result<Self, Malformed> {
        let state = match wire.state() {
            wire::State::Running => State::Running,
            wire::State::AwaitingApproval => State::AwaitingApproval,
            wire::State::Unwinding => State::Unwinding,
            wire::State::Parked => State::Parked,
            wire::State::Upgraded => State::Upgraded,
            wire::State::Restored => State::Restored,
            wire::State::Abandoned => State::Abandoned,
            wire::State::Finalizing => State::Finalizing,
            wire::State::Unspecified => {
                return Err(Malformed::new("Summary", "state", "missing or unknown"));
            }
        };
        Ok(Self {
            id: wire.id,
            cluster: wire.cluster,
            target_version: wire.target_version,
            created_by: wire.created_by,
            created_unix_ms: wire.created_unix_ms,
            last_unix_ms: wire.last_unix_ms,
            state,
            why: wire.why,
            finalized: wire.finalized,
        })
    }
}

impl From<RolloutView> for wire::Rollout {
    fn from(view: RolloutView) -> Self {
        let pivot = |pivot: PivotView| wire::Pivot {
            step: pivot.step.into(),
            why: pivot.why,
            approved_by: pivot.approved_by.unwrap_or_default(),
            crossed: pivot.crossed,
        };
        let member = |member: MemberBefore| wire::RolloutMember {
            name: member.name,
            version_before: member.version_before,
        };
        let next = |next: NextView| wire::NextCommand {
            command: next.command,
            effect: next.effect,
        };
        Self {
            summary: Some(view.summary.into()),
            plan_digest: view.plan_digest,
            strategy: view.strategy,
            next_seq: view.next_seq,
            turn: view.turn,
            pivot: view.pivot.map(pivot),
            no_way_back: view.no_way_back,
            members: view.members.into_iter().map(member).collect(),
            steps: view.steps.into_iter().map(Into::into).collect(),
            writes: Some(wire::Writes {
                gap_ms: view.writes.gap_ms,
                quiet_ms: view.writes.quiet_ms,
                largest_gap_ms: view.writes.largest_gap_ms,
                writable_members: view.writes.writable_members,
            }),
            waiting_for: view.waiting_for,
            next: view.next.into_iter().map(next).collect(),
            estimate_ms: view.estimate_ms,
            planned_downtime_ms: view.planned_downtime_ms,
            at_unix_ms: view.at_unix_ms,
        }
    }
}

impl TryFrom<wire::Rollout> for RolloutView {
    type Error = Malformed;
    fn try_from(wire: wire::Rollout) -> Result<Self, Malformed> {
        let summary = wire
            .summary
            .ok_or_else(|| Malformed::new("Rollout", "summary", "missing"))?;
        let writes = wire
            .writes
            .ok_or_else(|| Malformed::new("Rollout", "writes", "missing"))?;
        let pivot = |pivot: wire::Pivot| {
            Ok(PivotView {
                step: step_id("Pivot", pivot.step)?,
                why: pivot.why,
                approved_by: some(pivot.approved_by),
                crossed: pivot.crossed,
            })
        };
        let member = |member: wire::RolloutMember| MemberBefore {
            name: member.name,
            version_before: member.version_before,
        };
        let next = |next: wire::NextCommand| NextView {
            command: next.command,
            effect: next.effect,
        };
        let steps = wire.steps.into_iter().map(StepView::try_from);
        Ok(Self {
            summary: summary.try_into()?,
            plan_digest: wire.plan_digest,
            strategy: wire.strategy,
            next_seq: wire.next_seq,
            turn: wire.turn,
            pivot: wire.pivot.map(pivot).transpose()?,
            no_way_back: wire.no_way_back,
            members: wire.members.into_iter().map(member).collect(),
            steps: steps.collect::<Result<_, _>>()?,
            writes: WritesView {
                gap_ms: writes.gap_ms,
                quiet_ms: writes.quiet_ms,
                largest_gap_ms: writes.largest_gap_ms,
                writable_members: writes.writable_members,
            },
            waiting_for: wire.waiting_for,
            next: wire.next.into_iter().map(next).collect(),
            estimate_ms: wire.estimate_ms,
            planned_downtime_ms: wire.planned_downtime_ms,
            at_unix_ms: wire.at_unix_ms,
        })
    }
}

impl From<StepView> for wire::Step {
    fn from(view: StepView) -> Self {
        let reversibility = match view.reversibility {
            Reversibility::NothingToUndo => wire::Reversibility::NothingToUndo,
            Reversibility::Undoable => wire::Reversibility::Undoable,
            Reversibility::Irreversible => wire::Reversibility::Irreversible,
        };
        let state = match view.status {
            StepState::Pending => wire::StepState::Pending,
            StepState::Running => wire::StepState::Running,
            StepState::Done => wire::StepState::Done,
            StepState::Failed => wire::StepState::Failed,
            StepState::Undoing => wire::StepState::Undoing,
            StepState::Undone => wire::StepState::Undone,
            StepState::UndoFailed => wire::StepState::UndoFailed,
        };
        let failure = |failure: Failure| wire::Failure {
            code: failure.code.as_str().to_owned(),
            message: failure.message,
            partial: failure.partial,
        };
        let in_flight = |work: InFlightView| wire::InFlight {
            undoing: work.undoing,
            phase: work.phase,
            percent: work.percent.map(u32::from),
            waiting: work.waiting,
        };
        Self {
            id: view.id.into(),
            stage: view.stage,
            member: view.member,
            title: view.title,
            why: view.why,
            reversibility: reversibility.into(),
            estimate_ms: view.estimate_ms,
            state: state.into(),
            attempt: view.attempt,
            began_unix_ms: view.began_unix_ms,
            took_ms: view.took_ms,
            failure: view.failure.map(failure),
            in_flight: view.in_flight.map(in_flight),
            notes: view.notes,
            largest_write_gap_ms: view.largest_write_gap_ms,
            finalize: view.finalize,
        }
    }
}

impl TryFrom<wire::Step> for StepView {
    type Error = Malformed;
    fn try_from(wire: wire::Step) -> Result<Self, Malformed> {
        let unknown = |field| Malformed::new("Step", field, "missing or unknown");
        let reversibility = match wire.reversibility() {
            wire::Reversibility::NothingToUndo => Reversibility::NothingToUndo,
            wire::Reversibility::Undoable => Reversibility::Undoable,
            wire::Reversibility::Irreversible => Reversibility::Irreversible,
            wire::Reversibility::Unspecified => return Err(unknown("reversibility")),
        };
        let state = match wire.state() {
            wire::StepState::Pending => StepState::Pending,
            wire::StepState::Running => StepState::Running,
            wire::StepState::Done => StepState::Done,
            wire::StepState::Failed => StepState::Failed,
            wire::StepState::Undoing => StepState::Undoing,
            wire::StepState::Undone => StepState::Undone,
            wire::StepState::UndoFailed => StepState::UndoFailed,
            wire::StepState::Unspecified => return Err(unknown("state")),
        };
        let failure = |failure: wire::Failure| {
            Ok(Failure {
                code: FailureCode::parse(&failure.code)
                    .ok_or_else(|| Malformed::new("Failure", "code", failure.code))?,
                message: failure.message,
                partial: failure.partial,
            })
        };
        let in_flight = |work: wire::InFlight| {
            let percent = |p: u32| {
                u8::try_from(p)
                    .ok()
                    .filter(|p| *p <= 100)
                    .ok_or_else(|| Malformed::new("InFlight", "percent", p))
            };
            Ok(InFlightView {
                undoing: work.undoing,
                phase: work.phase,
                percent: work.percent.map(percent).transpose()?,
                waiting: work.waiting,
            })
        };
        Ok(Self {
            id: step_id("Step", wire.id)?,
            stage: wire.stage,
            member: wire.member,
            title: wire.title,
            why: wire.why,
            reversibility,
            estimate_ms: wire.estimate_ms,
            status: state,
            attempt: wire.attempt,
            began_unix_ms: wire.began_unix_ms,
            took_ms: wire.took_ms,
            failure: wire.failure.map(failure).transpose()?,
            in_flight: wire.in_flight.map(in_flight).transpose()?,
            notes: wire.notes,
            largest_write_gap_ms: wire.largest_write_gap_ms,
            finalize: wire.finalize,
        })
    }
}

impl From<LineView> for wire::JournalLine {
    fn from(line: LineView) -> Self {
        Self {
            rollout: line.rollout,
            seq: line.seq,
            epoch: line.epoch,
            at_unix_ms: line.at_unix_ms,
            event: line.event,
            text: line.text,
            by: line.by.unwrap_or_default(),
            step: line.step.map(u32::from),
            member: line.member.unwrap_or_default(),
        }
    }
}

impl TryFrom<wire::JournalLine> for LineView {
    type Error = Malformed;
    fn try_from(wire: wire::JournalLine) -> Result<Self, Malformed> {
        let step = |id| step_id("JournalLine", id);
        Ok(Self {
            rollout: wire.rollout,
            seq: wire.seq,
            epoch: wire.epoch,
            at_unix_ms: wire.at_unix_ms,
            event: wire.event,
            text: wire.text,
            by: some(wire.by),
            step: wire.step.map(step).transpose()?,
            member: some(wire.member),
        })
    }
}

fn step_id(message: &'static str, id: u32) -> Result<u16, Malformed> {
    u16::try_from(id).map_err(|_| Malformed::new(message, "step", format!("no step {id}")))
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}
