//! Every message that is converted: bytes → message → value never panics, and a value that came out says itself again.

use crate::fuzz;
use crate::message::{Tape, make, names};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;
use refit_proto::exchange;
use refit_proto::operator as views;
use refit_proto::{agent, common, journal, operator::wire as operator};
use refit_shared::{operation, plan, receipt, rehearsal, saga, survey};
use std::fmt::Debug;

/// A conversion: takes bytes, tells whether they were a valid message of the type.
type Converts = fn(&[u8]) -> Result<bool, TestCaseError>;

fn both<W, D>(bytes: &[u8]) -> Result<bool, TestCaseError>
where
    W: Message + Default + From<D> + Clone,
    D: TryFrom<W> + PartialEq + Debug + Clone,
{
    let Ok(wire) = W::decode(bytes) else {
        return Ok(false);
    };
    let Ok(value) = D::try_from(wire) else {
        return Ok(false);
    };
    let again = W::from(value.clone());
    let again = W::decode(&again.encode_to_vec()[..]).expect("what we have encoded");
    match D::try_from(again) {
        Ok(again) => prop_assert_eq!(value, again),
        Err(_) => prop_assert!(
            false,
            "what was read is refused when it is said again: {value:?}"
        ),
    }
    Ok(true)
}

fn plans(bytes: &[u8]) -> Result<bool, TestCaseError> {
    let Ok(wire) = common::PlanDocument::decode(bytes) else {
        return Ok(false);
    };
    Ok(plan::Plan::try_from(wire).is_ok())
}

const CONVERSIONS: &[(&str, Converts)] = &[
    (
        "refit.agent.v1.ObserveRequest",
        both::<agent::ObserveRequest, exchange::ObserveRequest>,
    ),
    (
        "refit.agent.v1.CarryOutEvent",
        both::<agent::CarryOutEvent, exchange::CarryOutEvent>,
    ),
    (
        "refit.agent.v1.ProbeReply",
        both::<agent::ProbeReply, exchange::ProbeReply>,
    ),
    (
        "refit.agent.v1.BeatsRequest",
        both::<agent::BeatsRequest, exchange::BeatsRequest>,
    ),
    (
        "refit.agent.v1.LedgerRequest",
        both::<agent::LedgerRequest, exchange::LedgerRequest>,
    ),
    (
        "refit.agent.v1.LedgerEntry",
        both::<agent::LedgerEntry, exchange::LedgerEntry>,
    ),
    (
        "refit.agent.v1.SurveyRequest",
        both::<agent::SurveyRequest, exchange::SurveyRequest>,
    ),
    (
        "refit.common.v1.Observation",
        both::<common::Observation, refit_shared::observation::Observation>,
    ),
    (
        "refit.common.v1.Beat",
        both::<common::Beat, refit_shared::observation::Beat>,
    ),
    (
        "refit.common.v1.Order",
        both::<common::Order, operation::Order>,
    ),
    (
        "refit.common.v1.Operation",
        both::<common::Operation, operation::Operation>,
    ),
    (
        "refit.common.v1.AttemptId",
        both::<common::AttemptId, operation::AttemptId>,
    ),
    ("refit.common.v1.PlanDocument", plans),
    (
        "refit.common.v1.Receipt",
        both::<common::Receipt, receipt::Receipt>,
    ),
    (
        "refit.common.v1.Failure",
        both::<common::Failure, receipt::Failure>,
    ),
    (
        "refit.common.v1.Probe",
        both::<common::Probe, receipt::Probe>,
    ),
    (
        "refit.common.v1.Progress",
        both::<common::Progress, receipt::Progress>,
    ),
    (
        "refit.common.v1.Rehearsal",
        both::<common::Rehearsal, rehearsal::Rehearsal>,
    ),
    ("refit.common.v1.Actor", both::<common::Actor, saga::Actor>),
    (
        "refit.common.v1.UnwindCause",
        both::<common::UnwindCause, saga::UnwindCause>,
    ),
    ("refit.common.v1.Scope", both::<common::Scope, saga::Scope>),
    (
        "refit.common.v1.ParkReason",
        both::<common::ParkReason, saga::ParkReason>,
    ),
    ("refit.common.v1.End", both::<common::End, saga::End>),
    (
        "refit.common.v1.Survey",
        both::<common::Survey, survey::Survey>,
    ),
    (
        "refit.journal.v1.Entry",
        both::<journal::Entry, saga::Entry>,
    ),
    (
        "refit.journal.v1.Event",
        both::<journal::Event, saga::Event>,
    ),
    (
        "refit.operator.v1.Cluster",
        both::<operator::Cluster, views::ClusterView>,
    ),
    (
        "refit.operator.v1.Rollout",
        both::<operator::Rollout, views::RolloutView>,
    ),
    (
        "refit.operator.v1.Summary",
        both::<operator::Summary, views::SummaryView>,
    ),
    (
        "refit.operator.v1.JournalLine",
        both::<operator::JournalLine, views::LineView>,
    ),
];

#[test]
fn messages_of_any_content_are_read_or_refused() {
    let known = names();
    for (name, _) in CONVERSIONS {
        assert!(known.contains(name), "{name} is in no .proto file");
    }
    let valid = std::cell::RefCell::new(std::collections::BTreeSet::new());
    let strategy = (0..CONVERSIONS.len(), vec(any::<u8>(), 0..600));
    fuzz("messages", &strategy, |(which, tape)| {
        let (name, convert) = CONVERSIONS[which];
        if convert(&make(name, &mut Tape::new(&tape)))? {
            valid.borrow_mut().insert(name);
        }
        Ok(())
    });
    // A generator that never makes a valid message looks at nothing but refusals.
    assert!(
        valid.borrow().len() > 6,
        "only {:?} were ever valid",
        valid.borrow()
    );
}

#[test]
fn bytes_of_any_kind_are_read_or_refused() {
    let strategy = (0..CONVERSIONS.len(), vec(any::<u8>(), 0..200));
    fuzz("bytes", &strategy, |(which, bytes)| {
        CONVERSIONS[which].1(&bytes).map(drop)
    });
}

/// A message that was cut, or in which bytes were turned, on its way.
#[test]
fn damaged_messages_are_read_or_refused() {
    let damage = vec((any::<prop::sample::Index>(), any::<u8>()), 1..4);
    let strategy = (
        0..CONVERSIONS.len(),
        vec(any::<u8>(), 0..600),
        any::<prop::sample::Index>(),
        damage,
    );
    fuzz("damage", &strategy, |(which, tape, end, damage)| {
        let (name, convert) = CONVERSIONS[which];
        let mut bytes = make(name, &mut Tape::new(&tape));
        bytes.truncate(end.index(bytes.len() + 1));
        for (at, to) in damage {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = to;
            }
        }
        convert(&bytes).map(drop)
    });
}
