//! What controller and agent say to each other beyond the domain's own types, as values: requests, and replies that can also
//! be a refusal. The generated messages of the same names are in [`crate::agent`].

use refit_shared::ids::{ClusterName, Digest, Epoch, MemberName, RolloutId};
use refit_shared::operation::Order;
use refit_shared::receipt::{Failure, Probe, Progress, Receipt};
use refit_shared::survey::{Address, Candidate};
use refit_shared::table::TableName;
use std::time::Duration;

/// "Look at the host and the server once."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObserveRequest {
    pub cluster: ClusterName,
    pub member: MemberName,
}

/// "Answer these questions."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyRequest {
    pub cluster: ClusterName,
    pub member: MemberName,
    /// By their stable names: a newer controller may ask what this agent does not know.
    pub questions: Vec<String>,
    pub tables: Vec<TableName>,
    /// To be judged by the target's mysqld.
    pub candidate: Option<Candidate>,
    /// To be tried.
    pub addresses: Vec<Address>,
}

/// The answer to a question of a newer controller.
pub fn unknown_question(name: &str) -> crate::common::Answer {
    let why = format!("this agent does not know the question {name:?}: upgrade refit-agent");
    crate::common::Answer {
        question: name.to_owned(),
        fact: Some(crate::common::answer::Fact::UnknownReason(why)),
    }
}

/// One message of an answer to an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CarryOutEvent {
    Progress(Progress),
    /// The end: done or failed.
    Receipt(Receipt),
    /// The end: nothing was done.
    Refusal(Refusal),
}

/// The agent did nothing, and never will under this attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub failure: Failure,
    /// The highest epoch that the agent has obeyed, when the order came from an older controller.
    pub highest_epoch: Option<Epoch>,
}

/// An answer to "has this been done?"
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeReply {
    Found(Probe),
    Refusal(Refusal),
}

/// "Say how you are, again and again."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BeatsRequest {
    pub cluster: ClusterName,
    pub member: MemberName,
    /// Whole milliseconds from [`BeatsRequest::SHORTEST`] to [`BeatsRequest::LONGEST`].
    pub every: Duration,
}

impl BeatsRequest {
    pub const SHORTEST: Duration = Duration::from_millis(20);
    pub const LONGEST: Duration = Duration::from_millis(60_000);
}

/// "What have you been asked, and how did it end?"
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRequest {
    pub cluster: ClusterName,
    pub member: MemberName,
    /// Only this rollout's orders.
    pub rollout: Option<RolloutId>,
}

/// One order in an agent's ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    pub order: Order,
    /// The digest of the order's content as it was recorded when the order was accepted.
    pub content: Digest,
    pub began_unix_ms: i64,
    /// None: the attempt is still open.
    pub receipt: Option<Receipt>,
}
