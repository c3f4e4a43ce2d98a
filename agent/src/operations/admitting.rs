//! Administrators alone may write for a while on a server that is closed: what rebuilds tables or upgrades the server's own has to.
//!
//! That they were admitted is durable before they are, so that whoever comes after a crash keeps them out again.

use super::OpContext;
use crate::host::{Host, HostError};
use refit_shared::receipt::Failure;

const ADMITTED: &str = "administrators-admitted";

pub async fn are_in(cx: &OpContext) -> Result<bool, Failure> {
    let known: Option<bool> = cx.memory.get(ADMITTED).await.map_err(HostError::clean)?;
    Ok(known.unwrap_or(false))
}

/// On a server that is super_read_only; on any other there is nobody to admit.
pub async fn open(host: &Host, cx: &OpContext) -> Result<(), Failure> {
    cx.memory
        .put(ADMITTED, &true)
        .await
        .map_err(HostError::clean)?;
    host.mysql
        .admit_administrators(true)
        .await
        .map_err(HostError::partial)
}

/// Keeps them out again, where they were admitted.
pub async fn close(host: &Host, cx: &OpContext) -> Result<(), Failure> {
    if are_in(cx).await? {
        host.mysql
            .admit_administrators(false)
            .await
            .map_err(HostError::partial)?;
        forget(cx).await?;
    }
    Ok(())
}

/// The server is down: its next start is read-only, whatever was admitted.
pub async fn forget(cx: &OpContext) -> Result<(), Failure> {
    cx.memory
        .put(ADMITTED, &false)
        .await
        .map_err(HostError::partial)
}
