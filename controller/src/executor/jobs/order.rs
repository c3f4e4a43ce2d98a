//! Giving an order to an agent and waiting for its receipt, through every loss of the connection; then looking whether the
//! world is as the step promises. The same for an order that is new and one that was perhaps given before a crash.

use super::{Finding, Judged, Teller};
use crate::executor::World;
use crate::ports::AgentError;
use refit_shared::operation::{Direction, Order};
use refit_shared::plan::Step;
use refit_shared::receipt::{Failure, FailureCode, Outcome, Receipt};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};

/// Progress messages that may wait; they are taken at once.
const PROGRESS: usize = 16;

pub(super) async fn carry_out(
    world: &World,
    order: &Order,
    step: &Step,
    teller: &Teller,
) -> Finding {
    let receipt = match receipt(world, order, teller).await {
        Ok(receipt) => receipt,
        Err(finding) => return finding,
    };
    match receipt.outcome {
        Outcome::Done { notes } if order.direction == Direction::Perform => {
            after_holds(world, step, notes, teller).await
        }
        outcome => Finding::Resolved(outcome),
    }
}

/// Asks until there is a receipt, a refusal, or the time is up.
async fn receipt(world: &World, order: &Order, teller: &Teller) -> Result<Receipt, Finding> {
    let deadline = Duration::from_secs(order.deadline_s.into());
    let limit = Instant::now() + deadline + world.timing.patience;
    let (first, last) = world.timing.redial;
    let mut pause = first;
    let mut why = "the agent has not ended it".to_owned();
    loop {
        let mut heard = false;
        let asked = timeout_at(limit, ask(world, order, teller, &mut heard)).await;
        match asked {
            Ok(Ok(receipt)) => return belongs(receipt, order),
            Ok(Err(AgentError::Refused { failure, .. })) => {
                return Err(Finding::Resolved(Outcome::Failed(failure)));
            }
            Ok(Err(AgentError::Superseded { member, highest })) => {
                return Err(Finding::Superseded { member, highest });
            }
            Ok(Err(AgentError::Unreachable { why: now, .. })) => why = now,
            Err(_) => {}
        }
        if Instant::now() >= limit {
            let waited = (deadline + world.timing.patience).as_secs();
            return Err(Finding::Unknown(format!(
                "no receipt for {waited} s: {why}"
            )));
        }
        if heard {
            pause = first;
        }
        teller
            .waiting(format!("agent unreachable, asking again: {why}"))
            .await;
        sleep(pause.min(limit - Instant::now())).await;
        pause = (pause * 2).min(last);
    }
}

/// One call, passing on what the agent says meanwhile.
async fn ask(
    world: &World,
    order: &Order,
    teller: &Teller,
    heard: &mut bool,
) -> Result<Receipt, AgentError> {
    let (tell, mut told) = mpsc::channel(PROGRESS);
    let call = world.agents.carry_out(order, tell);
    let mut call = std::pin::pin!(call);
    loop {
        tokio::select! {
            biased;
            Some(progress) = told.recv() => {
                *heard = true;
                teller.working(progress).await;
            }
            ended = &mut call => return ended,
        }
    }
}

/// A receipt counts only for exactly what was ordered.
fn belongs(receipt: Receipt, order: &Order) -> Result<Receipt, Finding> {
    if receipt.id == order.id && receipt.content == order.content_digest() {
        Ok(receipt)
    } else {
        Err(Finding::Unknown(format!(
            "the agent answered with a receipt for {} (content {}), not for this order: its ledger can't be trusted",
            receipt.id,
            receipt.content.short()
        )))
    }
}

/// The agent says it is done; the world must agree, soon.
async fn after_holds(world: &World, step: &Step, notes: Vec<String>, teller: &Teller) -> Finding {
    if step.after.is_empty() {
        return Finding::Resolved(Outcome::Done { notes });
    }
    let timing = &world.timing;
    let limit = Instant::now() + timing.patience;
    let mut wrong_since: Option<Instant> = None;
    loop {
        let why = match world
            .observer
            .look(&step.member, timing.look_deadline)
            .await
        {
            Ok(seen) => {
                let judged = Judged::of(&step.after, &seen);
                if judged.all_hold() {
                    return Finding::Resolved(Outcome::Done { notes });
                }
                let since = *wrong_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= timing.settle_after {
                    let message = format!(
                        "the agent has done it, but {} s later: {}",
                        timing.settle_after.as_secs(),
                        judged.text()
                    );
                    let failure = Failure::partial(FailureCode::Expectation, message);
                    return Finding::Resolved(Outcome::Failed(failure));
                }
                judged.text()
            }
            Err(AgentError::Unreachable { why, .. }) => {
                wrong_since = None;
                format!("agent unreachable: {why}")
            }
            Err(AgentError::Refused { failure, .. }) => {
                return Finding::Resolved(Outcome::Failed(Failure {
                    partial: true,
                    ..failure
                }));
            }
            Err(AgentError::Superseded { member, highest }) => {
                return Finding::Superseded { member, highest };
            }
        };
        if Instant::now() >= limit {
            return Finding::Unknown(format!(
                "the agent has done it, but for {} s it could not be seen whether the server is as expected: {why}",
                timing.patience.as_secs()
            ));
        }
        teller
            .waiting(format!("looking at the result: {why}"))
            .await;
        sleep(timing.gate_interval).await;
    }
}
