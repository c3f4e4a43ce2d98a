//! Turns: which of a rollout's states a person spoke of. Read from the journal alone, like all else.
//!
//! An act carries the turn that its caller saw, and is obeyed only in that turn. Every act that is obeyed begins a new one, so a
//! copy of it that comes late is refused, however often the rollout has been paused, resumed or turned round since. Steps that
//! merely go on begin none: nobody has to hurry between looking and acting.

use super::event::{Entry, Event, ParkReason};
use super::fold::{Phase, Rollout, StepStatus};
use crate::ids::{Seq, Turn};

/// A rebuilt journal begins its turns so far up, times its epoch: beyond every one that the lost journal can have had.
const REBUILT: u64 = 1 << 20;

/// The turns of one rollout, each with the entry that began it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turns(Vec<(Turn, Seq)>);

impl Turns {
    pub(super) fn created() -> Self {
        Self(vec![(Turn(1), Seq(0))])
    }

    pub fn now(&self) -> Turn {
        self.0.last().expect("the creation is the first").0
    }

    /// The entries that began a turn after the one that was seen.
    pub fn since(&self, seen: Turn) -> Vec<Seq> {
        let later = self.0.iter().filter(|(turn, _)| *turn > seen);
        later.map(|(_, seq)| *seq).collect()
    }

    /// `changed`: what may be asked of the rollout is not what it was before this entry.
    pub(super) fn take(&mut self, entry: &Entry, changed: bool) {
        let now = self.now();
        let next = || Turn(now.0.saturating_add(1));
        let turn = match &entry.event {
            Event::Parked {
                reason: ParkReason::Rebuilt { .. },
            } => Turn(entry.epoch.0.saturating_mul(REBUILT)).max(next()),
            Event::UnwindDecided { .. }
            | Event::PivotApproved { .. }
            | Event::Parked { .. }
            | Event::Resumed { .. }
            | Event::RolloutClosed { .. }
            | Event::FinalizeDecided { .. }
            | Event::Finalized => next(),
            Event::RolloutCreated { .. }
            | Event::StepIntended { .. }
            | Event::StepResolved { .. }
            | Event::UndoIntended { .. }
            | Event::UndoResolved { .. }
            | Event::Recovered { .. } => match changed {
                true => next(),
                false => return,
            },
        };
        self.0.push((turn, entry.seq));
    }
}

impl Rollout {
    /// What steps, which begin no turn by themselves, change of what may be asked: an approval that came too early must not be
    /// obeyed when it comes again, nor what was said before the way back was given up.
    pub(super) fn choices(&self) -> (bool, bool) {
        (self.may_approve().is_ok(), self.pivot_crossed)
    }

    /// Whether the pivot can be approved now; `Err` says why not. A person approves what they can see: the operations up to it must
    /// have been done. Gates between here and the pivot still hold it back.
    pub fn may_approve(&self) -> Result<(), String> {
        let Some(pivot) = &self.plan.pivot else {
            return Err("the plan has no pivot: nothing needs to be approved".to_owned());
        };
        if let Some(by) = &self.pivot_approved {
            return Err(format!("the pivot has been approved already, by {by}"));
        }
        if !matches!(self.phase, Phase::Forward) {
            return Err("it is not going forward".to_owned());
        }
        let before = self
            .plan
            .steps()
            .take_while(|step| step.id != pivot.asked_at());
        let mut open = before.filter(|step| {
            !step.is_gate() && !matches!(self.record(step.id).status, StepStatus::Done { .. })
        });
        match open.next() {
            Some(step) => Err(format!(
                "the pivot, step {}, has not been reached: {} on {} comes first",
                pivot.step, step.id, step.member
            )),
            None => Ok(()),
        }
    }
}
