//! The transient unit that a rehearsal's mysqld runs in: systemd gives it limits, takes the network, the live directories, sockets
//! and processes from it, and ends it when its time is up, also when the agent is gone.

use crate::host::{HostError, HostResult};
use std::path::{Path, PathBuf};
use std::time::Duration;
use zbus::zvariant::{OwnedObjectPath, Value};

const NAME: &str = "refit-rehearsal.service";
/// systemd answers from memory.
const ANSWER: Duration = Duration::from_secs(30);
/// mysqld gets so long to stop before it is killed; the clone is thrown away anyhow.
const STOP: Duration = Duration::from_secs(120);

#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
trait Manager {
    fn start_transient_unit(
        &self,
        name: &str,
        mode: &str,
        properties: &[(&str, Value<'_>)],
        aux: &[(&str, Vec<(&str, Value<'_>)>)],
    ) -> zbus::Result<OwnedObjectPath>;
    fn stop_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    fn kill_unit(&self, name: &str, whom: &str, signal: i32) -> zbus::Result<()>;
    fn reset_failed_unit(&self, name: &str) -> zbus::Result<()>;
    fn load_unit(&self, name: &str) -> zbus::Result<OwnedObjectPath>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn version(&self) -> zbus::Result<String>;
}

#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Unit",
    default_service = "org.freedesktop.systemd1"
)]
trait Unit {
    #[zbus(property(emits_changed_signal = "false"))]
    fn active_state(&self) -> zbus::Result<String>;
    /// Number 0: nothing is to be done with it.
    #[zbus(property(emits_changed_signal = "false"))]
    fn job(&self) -> zbus::Result<(u32, OwnedObjectPath)>;
}

#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Service",
    default_service = "org.freedesktop.systemd1"
)]
trait Service {
    #[zbus(property(emits_changed_signal = "false"), name = "MainPID")]
    fn main_pid(&self) -> zbus::Result<u32>;
}

/// What is run, and within which bounds.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) environment: Vec<String>,
    pub(super) user: u32,
    pub(super) group: u32,
    pub(super) memory_bytes: u64,
    pub(super) cpu_percent: u32,
    /// systemd ends it after so long, whoever is gone.
    pub(super) at_most: Duration,
    /// A directory of the host, and where the program sees it.
    pub(super) bound: (PathBuf, PathBuf),
    pub(super) writable: PathBuf,
    /// Directories and sockets of the member.
    pub(super) out_of_sight: Vec<PathBuf>,
}

/// Asks within a bound, over a connection of its own: a rehearsal asks a few times a second for a while, and then for weeks not
/// at all.
#[derive(Debug)]
pub(super) struct Bus(zbus::Connection);

impl Bus {
    pub(super) async fn connect() -> HostResult<Self> {
        bounded("connect to", zbus::Connection::system())
            .await
            .map(Self)
    }

    async fn manager(&self) -> zbus::Result<ManagerProxy<'_>> {
        ManagerProxy::new(&self.0).await
    }

    pub(super) async fn start(&self, order: &Order) -> HostResult<()> {
        let start = async {
            let manager = self.manager().await?;
            let properties = properties(order, &manager.version().await?);
            manager
                .start_transient_unit(NAME, "fail", &properties, &[])
                .await
        };
        bounded("start", start).await.map(drop)
    }

    /// Is there a process of it, or will there be?
    pub(super) async fn is_up(&self) -> HostResult<bool> {
        let ask = async {
            let path = self.manager().await?.load_unit(NAME).await?;
            let unit = UnitProxy::builder(&self.0)
                .path(path)?
                .cache_properties(zbus::proxy::CacheProperties::No)
                .build()
                .await?;
            // Asked first: a unit that systemd has not come to yet is still inactive.
            let (job, _) = unit.job().await?;
            Ok((job, unit.active_state().await?))
        };
        let (job, state) = bounded("ask for the state of", ask).await?;
        Ok(job != 0 || !matches!(state.as_str(), "inactive" | "failed"))
    }

    pub(super) async fn main_pid(&self) -> HostResult<Option<u32>> {
        let ask = async {
            let path = self.manager().await?.load_unit(NAME).await?;
            let service = ServiceProxy::builder(&self.0)
                .path(path)?
                .cache_properties(zbus::proxy::CacheProperties::No)
                .build()
                .await?;
            service.main_pid().await
        };
        let pid = bounded("ask for the process of", ask).await?;
        Ok((pid != 0).then_some(pid))
    }

    /// Asks it to end, and waits until it has.
    pub(super) async fn stop(&self) -> HostResult<()> {
        self.end(false).await
    }

    /// Kills whatever is left of it, and waits until nothing is.
    pub(super) async fn kill(&self) -> HostResult<()> {
        self.end(true).await
    }

    async fn end(&self, kill: bool) -> HostResult<()> {
        let until = tokio::time::Instant::now() + STOP + ANSWER;
        if self.is_up().await? {
            let end = async {
                let manager = self.manager().await?;
                if kill {
                    manager.kill_unit(NAME, "all", KILL).await?;
                }
                manager.stop_unit(NAME, "replace").await
            };
            // It may have ended by itself in between: what counts is that it is gone.
            if let Err(why) = bounded("stop", end).await
                && self.is_up().await?
            {
                return Err(why);
            }
        }
        while self.is_up().await? {
            if tokio::time::Instant::now() >= until {
                return Err(HostError::Timeout {
                    what: format!("the end of {NAME}"),
                    after: STOP + ANSWER,
                });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let forget = async { self.manager().await?.reset_failed_unit(NAME).await };
        // A unit that left nothing behind is not known any more, which is what is wanted.
        let _ = bounded("forget", forget).await;
        Ok(())
    }
}

const KILL: i32 = 9;

async fn bounded<T>(what: &str, work: impl Future<Output = zbus::Result<T>>) -> HostResult<T> {
    match tokio::time::timeout(ANSWER, work).await {
        Err(_) => Err(HostError::Timeout {
            what: format!("systemd: {what} {NAME}"),
            after: ANSWER,
        }),
        Ok(Err(e)) => Err(HostError::Service(format!("{what} {NAME}: {e}"))),
        Ok(Ok(value)) => Ok(value),
    }
}

/// systemd gives a service a process namespace of its own since 257 (systemd.exec(5), `PrivatePIDs=`). Before, the throw-away
/// mysqld could still signal the live one, which runs as the same user.
fn hides_processes(systemd: &str) -> bool {
    let digits = systemd.split(|c: char| !c.is_ascii_digit()).next();
    digits.and_then(|digits| digits.parse().ok()) >= Some(257u32)
}

fn properties(order: &Order, systemd: &str) -> Vec<(&'static str, Value<'static>)> {
    let text = |path: &Path| path.display().to_string();
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let program = text(&order.program);
    let argv: Vec<String> = std::iter::once(program.clone())
        .chain(order.arguments.iter().cloned())
        .collect();
    let hidden: Vec<String> = order
        .out_of_sight
        .iter()
        .map(|path| format!("-{}", text(path)))
        .collect();
    let (from, to) = &order.bound;
    let own = text(&order.writable);
    let mut properties = vec![
        (
            "Description",
            Value::from("Refit rehearses an upgrade on a clone"),
        ),
        ("Type", Value::from("exec")),
        ("ExecStart", Value::new(vec![(program, argv, false)])),
        ("Environment", Value::new(order.environment.clone())),
        ("User", Value::from(order.user.to_string())),
        ("Group", Value::from(order.group.to_string())),
        ("CollectMode", Value::from("inactive-or-failed")),
        // Limits: what serves on this host goes first.
        ("MemoryMax", Value::from(order.memory_bytes)),
        ("MemorySwapMax", Value::from(0u64)),
        (
            "CPUQuotaPerSecUSec",
            Value::from(u64::from(order.cpu_percent) * 10_000),
        ),
        ("CPUWeight", Value::from(10u64)),
        ("IOWeight", Value::from(10u64)),
        ("OOMScoreAdjust", Value::from(1000i32)),
        ("LimitCORE", Value::from(0u64)),
        ("LimitNOFILE", Value::from(65_536u64)),
        ("RuntimeMaxUSec", Value::from(micros(order.at_most))),
        ("TimeoutStopUSec", Value::from(micros(STOP))),
        // What it may reach: its own place, and nothing else.
        ("PrivateNetwork", Value::from(true)),
        ("PrivateTmp", Value::from(true)),
        ("PrivateDevices", Value::from(true)),
        ("PrivateIPC", Value::from(true)),
        // The live mysqld is the same user: in a user namespace of its own, /proc gives nothing of that one's away.
        ("PrivateUsers", Value::from(true)),
        ("ProtectProc", Value::from("invisible")),
        ("ProtectSystem", Value::from("strict")),
        ("ProtectHome", Value::from("yes")),
        ("ProtectKernelTunables", Value::from(true)),
        ("ProtectKernelModules", Value::from(true)),
        ("ProtectKernelLogs", Value::from(true)),
        ("ProtectControlGroups", Value::from(true)),
        ("RestrictNamespaces", Value::from(0u64)),
        ("NoNewPrivileges", Value::from(true)),
        ("CapabilityBoundingSet", Value::from(0u64)),
        // Sockets of others: a read-only file system does not keep anybody from connecting to them.
        (
            "TemporaryFileSystem",
            Value::new(vec![("/run".to_owned(), "ro".to_owned())]),
        ),
        ("InaccessiblePaths", Value::new(hidden)),
        ("ReadWritePaths", Value::new(vec![own.clone()])),
        (
            "BindPaths",
            Value::new(vec![
                (own.clone(), own, false, 0u64),
                (text(from), text(to), false, 0u64),
            ]),
        ),
    ];
    if hides_processes(systemd) {
        properties.push(("PrivatePIDs", Value::from("yes")));
    }
    properties
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On a host that serves: what the rehearsal may use, how long it may last without its agent, and what it may reach.
    #[test]
    fn what_serves_goes_first_and_is_out_of_reach() {
        let order = Order {
            program: "/var/lib/refit/beside/usr/sbin/mysqld".into(),
            arguments: vec!["--defaults-file=/x".to_owned()],
            environment: Vec::new(),
            user: 101,
            group: 102,
            memory_bytes: 2 << 30,
            cpu_percent: 150,
            at_most: Duration::from_secs(600),
            bound: ("/var/lib/refit/rehearsal".into(), "/run/refit".into()),
            writable: "/run/refit".into(),
            out_of_sight: vec!["/var/lib/mysql".into(), "/srv/binlogs".into()],
        };
        let properties = properties(&order, "252");
        let has = |name: &str, value: Value<'_>| {
            let found: Vec<_> = properties.iter().filter(|(n, _)| *n == name).collect();
            assert_eq!(found.len(), 1, "{name}");
            assert_eq!(found[0].1, value, "{name}");
        };
        has("MemoryMax", Value::from(2u64 << 30));
        has("MemorySwapMax", Value::from(0u64));
        // Microseconds in each second: one CPU and a half.
        has("CPUQuotaPerSecUSec", Value::from(1_500_000u64));
        has("OOMScoreAdjust", Value::from(1000i32));
        has("RuntimeMaxUSec", Value::from(600_000_000u64));
        has("User", Value::from("101"));
        has("PrivateNetwork", Value::from(true));
        has("ProtectSystem", Value::from("strict"));
        has("CapabilityBoundingSet", Value::from(0u64));
        let hidden = properties.iter().find(|(n, _)| *n == "InaccessiblePaths");
        let hidden = format!("{:?}", hidden.unwrap().1);
        for path in ["-/var/lib/mysql", "-/srv/binlogs"] {
            assert!(hidden.contains(path), "{path}: {hidden}");
        }
    }

    #[test]
    fn processes_are_hidden_where_systemd_can() {
        for (systemd, hidden) in [
            ("252.39-1~deb12u1", false),
            ("256~rc3-1", false),
            ("257", true),
            ("259.1-1", true),
            ("", false),
        ] {
            assert_eq!(hides_processes(systemd), hidden, "{systemd:?}");
        }
    }
}
