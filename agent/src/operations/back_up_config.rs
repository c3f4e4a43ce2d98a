//! Copies the option files byte for byte, with modes and owners; the undo puts them back.

use super::{Action, Notes, OpContext};
use crate::host::{Host, HostError};
use async_trait::async_trait;
use refit_shared::receipt::{Failure, FailureCode, Probe};

pub struct BackUpConfig;

#[async_trait]
impl Action for BackUpConfig {
    async fn probe(&self, host: &Host, cx: &OpContext) -> Result<Probe, Failure> {
        match host.files.has_config_backup(cx.config_backup()).await {
            Ok(true) => Ok(Probe::Done),
            Ok(false) => Ok(Probe::NotDone),
            Err(error) => Err(error.clean()),
        }
    }

    async fn perform(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        let name = cx.config_backup();
        let before = host.files.config_digest().await.map_err(HostError::clean)?;
        host.files
            .back_up_config(name)
            .await
            .map_err(HostError::clean)?;
        let complete = host
            .files
            .has_config_backup(name)
            .await
            .map_err(HostError::clean)?;
        if !complete {
            return Err(Failure::clean(
                FailureCode::Host,
                "the copy of the option files is not complete",
            ));
        }
        Ok(vec![format!(
            "option files kept, digest {}",
            before.short()
        )])
    }

    async fn undo(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        let name = cx.config_backup();
        if !host
            .files
            .has_config_backup(name)
            .await
            .map_err(HostError::clean)?
        {
            return Ok(vec!["there is no copy to put back".to_owned()]);
        }
        host.files
            .restore_config(name)
            .await
            .map_err(HostError::partial)?;
        let digest = host
            .files
            .config_digest()
            .await
            .map_err(HostError::partial)?;
        Ok(vec![format!(
            "option files put back, digest {}",
            digest.short()
        )])
    }
}
