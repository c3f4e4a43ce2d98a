//! Has the target's packages, and those to go back to, in the agent's cache with their hashes verified, before anything is
//! stopped.

use super::{Action, Notes, OpContext};
use crate::host::{Host, HostError};
use async_trait::async_trait;
use refit_shared::observation::PackagePin;
use refit_shared::receipt::{Failure, Probe};

pub struct FetchPackages {
    pub target: Vec<PackagePin>,
    pub rollback: Vec<PackagePin>,
}

impl FetchPackages {
    fn all(&self) -> Vec<PackagePin> {
        self.target.iter().chain(&self.rollback).cloned().collect()
    }
}

#[async_trait]
impl Action for FetchPackages {
    async fn probe(&self, host: &Host, _: &OpContext) -> Result<Probe, Failure> {
        // Whatever is amiss with the cache, fetching mends it or says why it can't; a part of it is as good as nothing.
        Ok(match host.packages.verify_fetched(&self.all()).await {
            Ok(()) => Probe::Done,
            Err(_) => Probe::NotDone,
        })
    }

    async fn perform(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        let all = self.all();
        host.packages
            .fetch(&all, &cx.phase)
            .await
            .map_err(HostError::clean)?;
        host.packages
            .verify_fetched(&all)
            .await
            .map_err(HostError::clean)?;
        Ok(all
            .iter()
            .map(|pin| format!("{} {} sha256 {}", pin.name, pin.version, pin.sha256))
            .collect())
    }

    async fn undo(&self, _: &Host, _: &OpContext) -> Result<Notes, Failure> {
        Ok(vec!["a package cache harms nobody".to_owned()])
    }
}
