//! Has the target's own mysqld judge the option files as they would be, while the present server serves: what it refuses now
//! would otherwise be found when the member is down. So would a library that the server loads, that data, replication or logins
//! depend on, and that goes with its package: mysqld starts without it.

use super::context::refuse;
use super::{Action, Notes, OpContext, answering};
use crate::host::beside::OptionTree;
use crate::host::{Host, HostError, Phase};
use async_trait::async_trait;
use refit_shared::config::edit::{EditRefused, Rewrite, apply};
use refit_shared::ids::Digest;
use refit_shared::observation::PackagePin;
use refit_shared::receipt::{Failure, FailureCode, Probe};
use refit_shared::rules::libraries::{losses, path};
use refit_shared::survey::{Listing, Question};
use refit_shared::version::MysqlVersion;
use std::collections::BTreeSet;
use std::path::PathBuf;

pub struct ValidateConfig {
    pub version: MysqlVersion,
    pub packages: Vec<PackagePin>,
    pub files: Vec<Rewrite>,
}

/// The package files, verified. Where the cache has been damaged or cleared since it was filled, it is filled again.
pub(crate) async fn fetched(
    host: &Host,
    packages: &[PackagePin],
    phase: &Phase,
) -> Result<Vec<PathBuf>, HostError> {
    if let Ok(files) = host.packages.fetched_files(packages).await {
        return Ok(files);
    }
    host.packages.fetch(packages, phase).await?;
    host.packages.fetched_files(packages).await
}

/// The files of what the server loads.
pub(crate) fn library_files(loaded: &Listing) -> Vec<PathBuf> {
    let files: BTreeSet<PathBuf> = loaded.rows.iter().map(|row| path(row).into()).collect();
    files.into_iter().collect()
}

/// Why a file can't be edited as it is wanted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotEdited {
    #[error("{0} is another file by now")]
    Changed(String),
    #[error("{path} can't be changed so: {source}")]
    Refused { path: String, source: EditRefused },
}

/// The option files as they will be; only where their bytes are those that the edits were made for.
pub(crate) fn edit(mut tree: OptionTree, files: &[Rewrite]) -> Result<OptionTree, NotEdited> {
    for file in files {
        let found = tree.files.iter_mut().find(|(path, _)| *path == file.path);
        let content = found
            .map(|(_, content)| content)
            .filter(|content| Digest::of(content) == file.before)
            .ok_or_else(|| NotEdited::Changed(file.path.clone()))?;
        *content = apply(content, &file.edits).map_err(|source| NotEdited::Refused {
            path: file.path.clone(),
            source,
        })?;
    }
    Ok(tree)
}

/// The same for an order: the bytes are those that were reviewed.
pub(super) fn edited(tree: OptionTree, files: &[Rewrite]) -> Result<OptionTree, Failure> {
    edit(tree, files).map_err(|why| match why {
        NotEdited::Changed(path) => refuse(format!(
            "{path} is not the file that was reviewed: somebody has changed it since the plan was made; make a new plan"
        )),
        NotEdited::Refused { .. } => refuse(why.to_string()),
    })
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
        let packages = fetched(host, &self.packages, &cx.phase)
            .await
            .map_err(HostError::clean)?;
        cx.phase
            .say(format!("mysqld {} judges the option files", self.version));
        let ask = || host.mysql.ask(Question::LoadedLibraries);
        let loaded = match ask().await {
            // One that has just died is restarted by its service manager.
            Err(HostError::ServerAway(_)) => {
                answering::pulse(host, cx).await?;
                ask().await
            }
            answer => answer,
        };
        let loaded = loaded.map_err(HostError::clean)?;
        let files = library_files(&loaded);
        let judged = host
            .beside
            .judge_options(&packages, &tree, &files)
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
        let fates = judged.libraries.require();
        let losses = fates
            .map_err(str::to_owned)
            .and_then(|fates| losses(&loaded, fates))
            .map_err(refuse)?;
        if !losses.is_empty() {
            return Err(Failure::clean(
                FailureCode::ServerRefused,
                format!(
                    "the packages of MySQL {} do not bring what this server loads: {}; `refit check --validate-config` says what to do",
                    self.version,
                    losses.join("; ")
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
