//! mysqld's unit, through systemd's D-Bus interface. Connects when needed and again when the bus went away.

use super::files::disk;
use super::{HostError, HostResult, ServiceManager, seclusion};
use crate::process::Program;
use async_trait::async_trait;
use refit_shared::observation::ServiceState;
use std::sync::Mutex;
use std::time::Duration;
use zbus::zvariant::OwnedObjectPath;

/// systemd answers from memory; a daemon-reload reads a few hundred files.
const ANSWER: Duration = Duration::from_secs(30);

#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
trait Manager {
    fn start_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    fn stop_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    fn load_unit(&self, name: &str) -> zbus::Result<OwnedObjectPath>;
    fn reload(&self) -> zbus::Result<()>;
    fn reset_failed_unit(&self, name: &str) -> zbus::Result<()>;
}

#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Unit",
    default_service = "org.freedesktop.systemd1"
)]
trait Unit {
    #[zbus(property(emits_changed_signal = "false"))]
    fn active_state(&self) -> zbus::Result<String>;
    #[zbus(property(emits_changed_signal = "false"))]
    fn load_state(&self) -> zbus::Result<String>;
}

#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Service",
    default_service = "org.freedesktop.systemd1"
)]
trait Service {
    #[zbus(property(emits_changed_signal = "false"), name = "MainPID")]
    fn main_pid(&self) -> zbus::Result<u32>;
    #[zbus(property(emits_changed_signal = "false"))]
    fn exec_start(&self) -> zbus::Result<Vec<Command>>;
}

/// systemd's `a(sasbttttuii)`: the program, its arguments with its own name first, whether a failure is ignored; then its latest run.
type Command = (String, Vec<String>, bool, u64, u64, u64, u64, u32, i32, i32);

/// One unit of the system's service manager.
#[derive(Debug)]
pub struct SystemdUnit {
    name: String,
    /// The lock is held only to copy or replace the handle.
    bus: Mutex<Option<zbus::Connection>>,
}

impl SystemdUnit {
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            bus: Mutex::new(None),
        }
    }

    async fn connection(&self) -> zbus::Result<zbus::Connection> {
        let open = self.bus().clone();
        if let Some(connection) = open {
            return Ok(connection);
        }
        let connection = zbus::Connection::system().await?;
        *self.bus() = Some(connection.clone());
        Ok(connection)
    }

    fn bus(&self) -> std::sync::MutexGuard<'_, Option<zbus::Connection>> {
        self.bus
            .lock()
            .expect("no code panics while it holds this lock")
    }

    /// Asks; where the connection turns out to be dead, once more over a new one.
    async fn ask<T, A>(
        &self,
        what: &str,
        question: impl Fn(zbus::Connection, String) -> A,
    ) -> HostResult<T>
    where
        A: Future<Output = zbus::Result<T>>,
    {
        let ask = async {
            let connection = self.connection().await?;
            match question(connection, self.name.clone()).await {
                Err(e) if is_dead(&e) => {
                    *self.bus() = None;
                    question(self.connection().await?, self.name.clone()).await
                }
                other => other,
            }
        };
        match tokio::time::timeout(ANSWER, ask).await {
            Err(_) => {
                *self.bus() = None;
                Err(HostError::Timeout {
                    what: format!("systemd: {what} {}", self.name),
                    after: ANSWER,
                })
            }
            Ok(Err(e)) => Err(HostError::Service(format!("{what} {}: {e}", self.name))),
            Ok(Ok(value)) => Ok(value),
        }
    }
}

async fn unit_path(connection: &zbus::Connection, name: &str) -> zbus::Result<OwnedObjectPath> {
    ManagerProxy::new(connection).await?.load_unit(name).await
}

/// What systemd says of the unit as a service, asked anew each time.
async fn service<'a>(
    connection: &'a zbus::Connection,
    name: &str,
) -> zbus::Result<ServiceProxy<'a>> {
    let path = unit_path(connection, name).await?;
    ServiceProxy::builder(connection)
        .path(path)?
        .cache_properties(zbus::proxy::CacheProperties::No)
        .build()
        .await
}

fn is_dead(error: &zbus::Error) -> bool {
    match error {
        zbus::Error::InputOutput(_) => true,
        zbus::Error::FDO(e) => matches!(
            **e,
            zbus::fdo::Error::Disconnected(_)
                | zbus::fdo::Error::NoReply(_)
                | zbus::fdo::Error::ServiceUnknown(_)
        ),
        _ => false,
    }
}

#[async_trait]
impl ServiceManager for SystemdUnit {
    async fn state(&self) -> HostResult<ServiceState> {
        let (load, active) = self
            .ask("ask for the state of", |connection, name| async move {
                let path = unit_path(&connection, &name).await?;
                let unit = UnitProxy::builder(&connection)
                    .path(path)?
                    .cache_properties(zbus::proxy::CacheProperties::No)
                    .build()
                    .await?;
                Ok((unit.load_state().await?, unit.active_state().await?))
            })
            .await?;
        match (load.as_str(), active.as_str()) {
            ("not-found" | "masked" | "error" | "bad-setting", "inactive" | "failed") => Err(
                HostError::Service(format!("{} can't be used: it is {load}", self.name)),
            ),
            (_, "active" | "reloading" | "refreshing") => Ok(ServiceState::Active),
            (_, "activating") => Ok(ServiceState::Activating),
            (_, "deactivating") => Ok(ServiceState::Deactivating),
            (_, "inactive") => Ok(ServiceState::Inactive),
            (_, "failed") => Ok(ServiceState::Failed),
            (_, other) => Err(HostError::Service(format!(
                "{} is in the unknown state {other:?}",
                self.name
            ))),
        }
    }

    async fn begin_start(&self) -> HostResult<()> {
        self.ask("start", |connection, name| async move {
            let manager = ManagerProxy::new(&connection).await?;
            manager.start_unit(&name, "replace").await
        })
        .await
        .map(drop)
    }

    async fn begin_stop(&self) -> HostResult<()> {
        self.ask("stop", |connection, name| async move {
            let manager = ManagerProxy::new(&connection).await?;
            manager.stop_unit(&name, "replace").await
        })
        .await
        .map(drop)
    }

    async fn reload_units(&self) -> HostResult<()> {
        self.ask("reload the units for", |connection, _| async move {
            ManagerProxy::new(&connection).await?.reload().await
        })
        .await
    }

    async fn seclude(&self, on: bool) -> HostResult<()> {
        let file = seclusion::drop_in(&self.name);
        if !on {
            return disk::remove_durably(&file);
        }
        let commands = self
            .ask("ask for the command of", |connection, name| async move {
                service(&connection, &name).await?.exec_start().await
            })
            .await?;
        let commands = commands
            .into_iter()
            .map(|(program, argv, ignores_failure, ..)| (program, argv, ignores_failure))
            .collect::<Vec<_>>();
        let text = seclusion::text(&commands).map_err(HostError::Unexpected)?;
        disk::write_drop_in(&file, &text)
    }

    async fn is_secluded(&self) -> HostResult<bool> {
        disk::exists(&seclusion::drop_in(&self.name))
    }

    async fn reset_failed(&self) -> HostResult<()> {
        self.ask("reset the failed state of", |connection, name| async move {
            // A unit that is not loaded can't be in a failed state, and can't be reset.
            unit_path(&connection, &name).await?;
            ManagerProxy::new(&connection)
                .await?
                .reset_failed_unit(&name)
                .await
        })
        .await
    }

    async fn main_pid(&self) -> HostResult<Option<u32>> {
        let pid = self
            .ask("ask for the process of", |connection, name| async move {
                service(&connection, &name).await?.main_pid().await
            })
            .await?;
        Ok((pid != 0).then_some(pid))
    }

    async fn last_words(&self) -> HostResult<Vec<String>> {
        let said = Program::new("journalctl", ANSWER)
            .args([
                "--no-pager",
                "--quiet",
                "--output=cat",
                "--boot",
                "--lines=10",
                "--unit",
            ])
            .arg(&self.name)
            .succeed()
            .await?;
        let lines = said.stdout.lines().map(str::trim);
        Ok(lines
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect())
    }
}
