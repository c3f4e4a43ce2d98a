//! The simulated target, unpacked beside: it judges option files as it would when it starts.

use super::port::SimPort;
use super::server::refused_option;
use crate::host::beside::{Fate, Judged, OptionTree};
use crate::host::{Beside, HostError, HostResult};
use async_trait::async_trait;
use refit_shared::observation::Fact;
use refit_shared::rules::libraries::path;
use refit_shared::version::PackageVersion;
use std::path::{Path, PathBuf};

#[async_trait]
impl Beside for SimPort {
    async fn judge_options(
        &self,
        packages: &[PathBuf],
        tree: &OptionTree,
        libraries: &[PathBuf],
    ) -> HostResult<Judged> {
        let file = packages.first().and_then(|file| version_of(file));
        let version = file.ok_or_else(|| HostError::Packages("no package is named".to_owned()))?;
        self.at("beside.judge_options", |world, member| {
            let known = &world.host(member).libraries;
            let fate = |file: &PathBuf| {
                let file = file.display().to_string();
                let known = known.iter().find(|(row, _)| path(row) == file);
                let fate = known.map_or(Fate::Absent, |(_, fate)| fate.clone());
                (file, fate)
            };
            let files = tree.files.iter().map(|(path, content)| (path, content));
            let refused = refused_option(files, version);
            let line =
                |name: String| format!("[ERROR] [MY-000067] [Server] unknown variable '{name}'");
            Ok(Judged {
                accepted: refused.is_none(),
                errors: refused.map(line).into_iter().collect(),
                libraries: Fact::Known(libraries.iter().map(fate).collect()),
            })
        })
        .await
    }

    async fn clear(&self) -> HostResult<()> {
        Ok(())
    }
}

/// `mysql-server_9.7.4-1.deb`.
pub(super) fn version_of(file: &Path) -> Option<refit_shared::version::MysqlVersion> {
    let (_, version) = file.file_stem()?.to_str()?.split_once('_')?;
    PackageVersion::new(version).ok()?.mysql_version().ok()
}
