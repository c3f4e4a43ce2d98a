//! What an order and a survey must not use at once: the cache of packages and the place where programs are unpacked beside.
//!
//! ```text
//! worker ──claim──> orders in hand: 1 ──tells──> borrower: drops its work at once
//!    │                                              │
//!    └──vacated (orders that use it only) <──lets go┘
//! ```
//!
//! The worker comes first, always: what has borrowed gives way, and nothing is lent while an order is in hand.

use refit_shared::operation::OperationKind;
use std::sync::Arc;
use tokio::sync::{Mutex, watch};

/// A handle; clones are the same bench.
#[derive(Debug, Clone, Default)]
pub struct Bench(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// In hand: none or one.
    orders: watch::Sender<usize>,
    /// Held by who has borrowed.
    borrowed: Mutex<()>,
}

/// Why it was not lent, or not to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Occupied {
    #[error("the agent has an order in hand, which comes first")]
    ByAnOrder,
    #[error("another check is at it")]
    ByACheck,
}

/// An order is in hand, until this goes.
#[derive(Debug)]
pub struct Claim(Bench);

impl Bench {
    pub fn claim(&self) -> Claim {
        self.0.orders.send_modify(|count| *count += 1);
        Claim(self.clone())
    }

    /// Does the work while no order is in hand; as soon as one is, the work is dropped where it stands.
    pub async fn borrow<T>(&self, work: impl Future<Output = T>) -> Result<T, Occupied> {
        let mut orders = self.0.orders.subscribe();
        let Ok(_held) = self.0.borrowed.try_lock() else {
            return Err(Occupied::ByACheck);
        };
        tokio::select! {
            biased;
            _ = orders.wait_for(|count| *count > 0) => Err(Occupied::ByAnOrder),
            done = work => Ok(done),
        }
    }
}

impl Claim {
    /// Whoever has borrowed has let go. Orders that do not use the bench need not wait for that.
    pub async fn vacated(&self, kind: OperationKind) {
        if uses(kind) {
            drop(self.0.0.borrowed.lock().await);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.0.0.orders.send_modify(|count| *count -= 1);
    }
}

/// They fill, read or clear the cache, or unpack.
fn uses(kind: OperationKind) -> bool {
    matches!(
        kind,
        OperationKind::FetchPackages
            | OperationKind::ValidateConfig
            | OperationKind::RehearseUpgrade
            | OperationKind::SwapPackages
            | OperationKind::ReleaseArtifacts
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;

    #[tokio::test]
    async fn an_order_comes_first_and_is_not_kept_waiting() {
        let bench = Bench::default();
        assert_eq!(bench.borrow(async { 1 }).await, Ok(1));

        let borrowed = tokio::spawn({
            let bench = bench.clone();
            async move { bench.borrow(pending::<()>()).await }
        });
        while bench.0.borrowed.try_lock().is_ok() {
            tokio::task::yield_now().await;
        }
        let second = bench.borrow(async {}).await;
        assert_eq!(second, Err(Occupied::ByACheck));

        let claim = bench.claim();
        claim.vacated(OperationKind::FetchPackages).await;
        assert!(bench.0.borrowed.try_lock().is_ok());
        assert_eq!(borrowed.await.unwrap(), Err(Occupied::ByAnOrder));
        let begun = bench.borrow(async { panic!("an order is in hand") }).await;
        assert_eq!(begun, Err(Occupied::ByAnOrder));
        drop(claim);
        assert_eq!(bench.borrow(async { 2 }).await, Ok(2));
    }

    #[tokio::test]
    async fn an_order_that_does_not_use_it_does_not_wait() {
        let bench = Bench::default();
        let _held = bench.0.borrowed.lock().await;
        let claim = bench.claim();
        claim.vacated(OperationKind::StopServer).await;
    }
}
