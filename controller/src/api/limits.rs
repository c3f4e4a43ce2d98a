//! Bounds on what a caller can make the controller hold or wait for.

use refit_proto::operator::{ErrorCode, Refusal};
use refit_shared::survey::JUDGING;
use std::time::Duration;

/// The largest message that is read. A plan of a nine-member group is about 200 KiB.
pub const MAX_MESSAGE: usize = 4 << 20;
/// The largest plan document.
pub const MAX_DOCUMENT: usize = 2 << 20;
/// The longest reason, in characters.
pub const MAX_REASON: usize = 500;
/// Journal lines in one answer of Audit; more are left out, the oldest first, and counted.
pub const MAX_LINES: usize = 5_000;
/// Calls that one connection may have open at once.
pub const MAX_STREAMS: u32 = 64;

/// For what reads the journal or a view in memory.
pub const QUICK: Duration = Duration::from_secs(10);
/// For what asks every agent of a cluster; longer than the look at the slowest of them.
pub const LOOK: Duration = Duration::from_secs(60);
/// Beyond that, where the target's mysqld is fetched and asked about option files, and its answer comes back.
pub const JUDGEMENT: Duration = JUDGING.saturating_add(Duration::from_secs(15));
/// For what appends to the journal.
pub const MUTATION: Duration = Duration::from_secs(60);
/// How long an end waits for calls that are under way.
pub const GOODBYE: Duration = Duration::from_secs(5);

/// Waits at most so long. The work behind a mutation goes on when this gives up.
pub async fn within<T>(
    limit: Duration,
    what: &'static str,
    work: impl Future<Output = Result<T, Refusal>>,
) -> Result<T, Refusal> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done,
        Err(_) => Err(Refusal::new(
            ErrorCode::RequestDeadline,
            format!("{what}: no answer within {} s", limit.as_secs()),
        )
        .safe("What was begun goes on; look before repeating it.")
        .next("refit list")
        .next("refit health")),
    }
}
