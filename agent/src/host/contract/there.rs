//! Another server that the host's own belongs with, and somebody who has an account there.

use async_trait::async_trait;
use refit_shared::gtid::GtidSet;
use refit_shared::operation::SourceAddress;

/// See the module.
#[async_trait]
pub trait There: Send + Sync + std::fmt::Debug {
    /// How it is replicated from.
    fn address(&self) -> SourceAddress;
    /// Commits one transaction there, as soon as it takes writes; all that is executed there then.
    async fn write(&self) -> anyhow::Result<GtidSet>;
}
