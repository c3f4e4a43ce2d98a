//! The production adapters of one host, put together.

use super::Host;
use super::apt::Apt;
use super::beside::Unpacked;
use super::files::HostFiles;
use super::machine::LocalMachine;
use super::mysql::{Credentials, LocalMysql};
use super::rehearsal::Stage;
use super::systemd::SystemdUnit;
use crate::config::AgentConfig;
use std::path::Path;
use std::sync::Arc;

impl Host {
    /// This machine, as the configuration describes it. Nothing is opened or connected yet.
    pub fn production(config: &AgentConfig) -> Self {
        let credentials =
            Credentials::new(&config.mysql.user, config.mysql.credentials_file.as_deref());
        let mysql = Arc::new(
            LocalMysql::new(&config.mysql.socket, credentials, &config.mysql.option_file)
                .replicating_as(
                    config
                        .mysql
                        .replication_credentials_file
                        .as_deref()
                        .map(|file| Credentials::new(&config.mysql.user, Some(file))),
                ),
        );
        Self {
            rehearsals: Arc::new(stage(config, mysql.clone())),
            service: Arc::new(SystemdUnit::new(&config.unit)),
            packages: Arc::new(Apt::new(
                &config.packages,
                &config.state_dir.join("packages"),
                &config.mysql.frozen_file,
            )),
            files: Arc::new(HostFiles::new(config, mysql.clone())),
            machine: Arc::new(LocalMachine::new(Path::new("/"), &config.unit)),
            beside: Arc::new(Unpacked::new(&config.state_dir)),
            mysql,
        }
    }
}

/// Where upgrades are rehearsed, with files of its own: the only state that these keep is a short memory of sizes.
fn stage(config: &AgentConfig, mysql: Arc<LocalMysql>) -> Stage {
    let files = Arc::new(HostFiles::new(config, mysql));
    let credentials = (
        config.mysql.user.clone(),
        config.mysql.credentials_file.clone(),
    );
    Stage::new(
        files,
        &config.state_dir,
        credentials,
        config.mysql.socket.clone(),
        config.rehearsal.clone(),
    )
}
