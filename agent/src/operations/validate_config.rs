//! Has the target's own mysqld judge the option files as they would be, while the present server serves: what it refuses now
//! would otherwise be found when the member is down.

use super::context::refuse;
use super::{Action, Notes, OpContext};
use crate::host::beside::OptionTree;
use crate::host::{Host, HostError};
use async_trait::async_trait;
use refit_shared::config::edit::{Rewrite, apply};
use refit_shared::ids::Digest;
use refit_shared::observation::PackagePin;
use refit_shared::receipt::{Failure, FailureCode, Probe};
use refit_shared::version::MysqlVersion;
use std::path::PathBuf;

pub struct ValidateConfig {
    pub version: MysqlVersion,
    pub packages: Vec<PackagePin>,
    pub files: Vec<Rewrite>,
}

/// The package files, verified. Where the cache has been damaged or cleared since it was filled, it is filled again.
pub(super) async fn fetched(
    host: &Host,
    packages: &[PackagePin],
    cx: &OpContext,
) -> Result<Vec<PathBuf>, Failure> {
    if let Ok(files) = host.packages.fetched_files(packages).await {
        return Ok(files);
    }
    host.packages
        .fetch(packages, &cx.phase)
        .await
        .map_err(HostError::clean)?;
    host.packages
        .fetched_files(packages)
        .await
        .map_err(HostError::clean)
}

/// The option files as they will be; only where their bytes are those that were reviewed.
pub(super) fn edited(mut tree: OptionTree, files: &[Rewrite]) -> Result<OptionTree, Failure> {
    for file in files {
        let found = tree.files.iter_mut().find(|(path, _)| *path == file.path);
        let content = found
            .map(|(_, content)| content)
            .filter(|content| Digest::of(content) == file.before)
            .ok_or_else(|| {
                refuse(format!(
                    "{} is not the file that was reviewed: somebody has changed it since the plan was made; make a new plan",
                    file.path
                ))
            })?;
        *content = apply(content, &file.edits)
            .map_err(|error| refuse(format!("{} can't be changed so: {error}", file.path)))?;
    }
    Ok(tree)
}

#[async_trait]
impl Action for ValidateConfig {
    /// A judgement is never done for good: the files may have changed since.
    async fn probe(&self, _: &Host, _: &OpContext) -> Result<Probe, Failure> {
        Ok(Probe::NotDone)
    }

    async fn perform(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        let tree = host.files.option_tree().await.map_err(HostError::clean)?;
        let tree = edited(tree, &self.files)?;
        let packages = fetched(host, &self.packages, cx).await?;
        cx.phase
            .say(format!("mysqld {} judges the option files", self.version));
        let judged = host
            .beside
            .judge_options(&packages, &tree)
            .await
            .map_err(HostError::clean)?;
        if !judged.accepted {
            return Err(Failure::clean(
                FailureCode::ServerRefused,
                format!(
                    "mysqld {} would not start with the option files: {}",
                    self.version,
                    judged.in_words()
                ),
            ));
        }
        Ok(vec![format!(
            "mysqld {} accepts the option files{}",
            self.version,
            if self.files.is_empty() {
                ""
            } else {
                " as they will be"
            }
        )])
    }

    async fn undo(&self, _: &Host, _: &OpContext) -> Result<Notes, Failure> {
        Ok(vec!["nothing was changed".to_owned()])
    }
}
