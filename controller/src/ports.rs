//! The controller's ports to the world: agents, the journal, the clock. Each has a production implementation and one that
//! injects faults, and both pass the same contract tests.

use async_trait::async_trait;
use refit_proto::exchange::LedgerEntry;
use refit_shared::ids::{Digest, Epoch, MemberName, RolloutId};
use refit_shared::observation::{Beat, Fact, Observation};
use refit_shared::operation::Order;
use refit_shared::plan::Plan;
use refit_shared::receipt::{Failure, Progress, Receipt};
use refit_shared::saga::Entry;
use refit_shared::survey::{Address, Candidate, Judged, Question, Survey, Unreached};
use refit_shared::table::TableName;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::mpsc;

/// Why an agent did not do what it was asked. "Don't know whether it did" is [`AgentError::Unreachable`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgentError {
    /// No connection, a lost one, or no answer in time: nothing follows about the order.
    #[error("{member}: {why}")]
    Unreachable { member: MemberName, why: String },
    /// The agent refused the order: it did nothing, and never will under this attempt.
    #[error("{member} refused: {failure}")]
    Refused {
        member: MemberName,
        failure: Failure,
    },
    /// A newer controller has been seen by the agent: this one must stop acting.
    #[error("{member} obeys a newer controller (epoch {highest}); this one must not act any more")]
    Superseded { member: MemberName, highest: Epoch },
}

/// All agents of the fleet.
#[async_trait]
pub trait Agents: Send + Sync + 'static {
    async fn observe(
        &self,
        member: &MemberName,
        deadline: Duration,
    ) -> Result<Observation, AgentError>;
    /// Asks what a look does not tell, and about tables by name. Every question gets an answer, be it the reason why there is none.
    async fn survey(
        &self,
        member: &MemberName,
        questions: &BTreeSet<Question>,
        tables: &[TableName],
        deadline: Duration,
    ) -> Result<Survey, AgentError>;
    /// Has the target's mysqld fetched, unpacked beside and asked what it says of option files as they would be. `None`: the agent
    /// does not know of such questions.
    async fn judge_options(
        &self,
        member: &MemberName,
        candidate: &Candidate,
        deadline: Duration,
    ) -> Result<Option<Fact<Judged>>, AgentError>;
    /// Has these addresses tried from the member's host, and tells those that were not reached. `None`: as above.
    async fn unreached(
        &self,
        member: &MemberName,
        addresses: &BTreeSet<Address>,
        deadline: Duration,
    ) -> Result<Option<Fact<BTreeMap<Address, Unreached>>>, AgentError>;
    /// Gives the order, or attaches to it when the agent has it already, and waits for its receipt. Dropping the future
    /// stops the waiting, never the work.
    async fn carry_out(
        &self,
        order: &Order,
        progress: mpsc::Sender<Progress>,
    ) -> Result<Receipt, AgentError>;
    /// Several quick looks a second, until the receiver is dropped. A member that can't be asked sends nothing.
    async fn beats(
        &self,
        member: &MemberName,
        every: Duration,
        to: mpsc::Sender<Beat>,
    ) -> Result<(), AgentError>;
}

/// Why the journal can't be used. After any of these it refuses everything until it is opened again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    #[error("the journal can't be written: {0}")]
    Write(String),
    #[error("the journal can't be read: {0}")]
    Read(String),
    /// A checksum, a sequence number or a digest is wrong. Nothing acts on such a journal.
    #[error("the journal is corrupt: {0}; see `refit journal verify`")]
    Corrupt(String),
    #[error("the journal has failed before and must be opened again: {0}")]
    Poisoned(String),
}

/// The durable memory. What `append` has acknowledged survives `kill -9` and power loss.
#[async_trait]
pub trait Journal: Send + Sync + 'static {
    /// Appends in order, all or nothing, durable when it returns.
    async fn append(&self, entries: Vec<Entry>) -> Result<(), JournalError>;
    /// A rollout's entries from its first.
    async fn read(&self, rollout: &RolloutId) -> Result<Vec<Entry>, JournalError>;
    /// Every rollout, oldest first.
    async fn rollouts(&self) -> Result<Vec<RolloutId>, JournalError>;
    /// Keeps a plan that this controller made, durable when it returns.
    async fn keep_plan(&self, plan: &Plan) -> Result<(), JournalError>;
    /// A plan that this controller made; `None` when it never did.
    async fn plan(&self, digest: &Digest) -> Result<Option<Plan>, JournalError>;
    /// Raises the epoch, durably, and returns the new one. Once at start.
    async fn next_epoch(&self) -> Result<Epoch, JournalError>;
    /// Durably, the next epoch will be higher than this one. For a journal that is being rebuilt.
    async fn pass_epoch(&self, epoch: Epoch) -> Result<(), JournalError>;
}

/// What agents remember of their orders. Only read when a journal is rebuilt.
#[async_trait]
pub trait Ledgers: Send + Sync {
    /// The whole ledger of one agent, oldest first.
    async fn ledger(
        &self,
        member: &MemberName,
        deadline: Duration,
    ) -> Result<Vec<LedgerEntry>, AgentError>;
}

/// Wall time, for entries and reports only. Waiting uses tokio's clock, which tests pause.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since 1970.
    fn now_unix_ms(&self) -> i64;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_unix_ms(&self) -> i64 {
        jiff::Timestamp::now().as_millisecond()
    }
}
