//! Questions about the machine that mysqld runs on: read from the kernel's files and by three programs that only ask.

use super::{HostError, HostResult, Machine};
use crate::process::Program;
use async_trait::async_trait;
use refit_shared::survey::{Address, Listing, Question, Row, Unreached};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Programs that restart services or change packages by themselves when they are installed.
const OTHERS: [(&str, &str); 10] = [
    ("monit", "usr/bin/monit"),
    ("puppet", "opt/puppetlabs/bin/puppet"),
    ("puppet", "usr/bin/puppet"),
    ("chef", "usr/bin/chef-client"),
    ("salt", "usr/bin/salt-minion"),
    ("cfengine", "var/cfengine/bin/cf-agent"),
    ("pacemaker", "usr/sbin/pacemakerd"),
    ("supervisor", "usr/bin/supervisord"),
    ("orchestrator", "usr/local/orchestrator/orchestrator"),
    ("mha", "usr/bin/masterha_manager"),
];

/// This machine, below a root directory (`/`; tests give another).
#[derive(Debug)]
pub struct LocalMachine {
    root: PathBuf,
    /// mysqld's.
    unit: String,
}

impl LocalMachine {
    pub fn new(root: &Path, unit: &str) -> Self {
        Self {
            root: root.to_owned(),
            unit: unit.to_owned(),
        }
    }

    /// The file's text; `None` where there is none.
    fn read(&self, path: &str) -> HostResult<Option<String>> {
        let path = self.root.join(path);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(HostError::Io {
                action: "read",
                what: path.display().to_string(),
                source,
            }),
        }
    }

    fn is_there(&self, path: &str) -> HostResult<bool> {
        let path = self.root.join(path);
        path.try_exists().map_err(|source| HostError::Io {
            action: "look for",
            what: path.display().to_string(),
            source,
        })
    }

    fn memory(&self) -> HostResult<Listing> {
        let text = self.read("proc/meminfo")?.unwrap_or_default();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("MemAvailable:"));
        let kib: Option<u64> = line
            .and_then(|line| line.trim().strip_suffix("kB"))
            .and_then(|number| number.trim().parse().ok());
        let kib = kib.ok_or_else(|| {
            HostError::Unexpected("/proc/meminfo does not tell MemAvailable".to_owned())
        })?;
        Ok(Listing {
            total: kib << 10,
            rows: Vec::new(),
        })
    }

    async fn restarts(&self) -> HostResult<Listing> {
        let mut rows = Vec::new();
        if self.is_there("usr/bin/unattended-upgrade")? {
            let program = Program::new("apt-config", Question::AutomaticRestarts.limit());
            let asked = program.args(["dump", "APT::Periodic::Unattended-Upgrade"]);
            let answer = asked.run().await?.success()?;
            // `APT::Periodic::Unattended-Upgrade "1";`; nothing at all where it is not set.
            let days = answer.stdout.split('"').nth(1).unwrap_or("0");
            if days != "0" {
                rows.push(row("unattended-upgrades", format!("every {days} day(s)")));
            }
        }
        if self.is_there("usr/sbin/needrestart")? {
            rows.push(row(
                "needrestart",
                "installed: apt runs it after every change",
            ));
        }
        for (name, path) in OTHERS {
            if self.is_there(path)? {
                rows.push(row(name, format!("installed: /{path}")));
            }
        }
        Ok(listing(rows))
    }

    async fn clock(&self) -> HostResult<Listing> {
        let program = Program::new("timedatectl", Question::ClockNotSynchronised.limit());
        let asked = program.args(["show", "--property=NTPSynchronized", "--value"]);
        let answer = asked.run().await?.success()?;
        match answer.stdout.trim() {
            "yes" => Ok(Listing::default()),
            "no" => Ok(listing(vec![row(
                "clock",
                "timedatectl: NTPSynchronized=no",
            )])),
            other => Err(HostError::Unexpected(format!(
                "timedatectl answers {other:?}"
            ))),
        }
    }

    async fn service_limits(&self) -> HostResult<Listing> {
        let program = Program::new("systemctl", Question::ServiceLimits.limit());
        let properties = format!("--property={}", LIMITS.join(","));
        let asked = program.args(["show", &properties, &self.unit]);
        let answer = asked.run().await?.success()?;
        limits(&answer.stdout)
    }

    fn confinement(&self) -> HostResult<Listing> {
        let mut rows = Vec::new();
        let profiles = self.read("sys/kernel/security/apparmor/profiles")?;
        let mut lines = profiles.iter().flat_map(|text| text.lines());
        if lines.any(|line| line.contains("mysqld") && line.ends_with("(enforce)")) {
            rows.push(row("AppArmor", "enforce"));
        }
        if self
            .read("sys/fs/selinux/enforce")?
            .is_some_and(|text| text.trim() == "1")
        {
            rows.push(row("SELinux", "enforcing"));
        }
        Ok(listing(rows))
    }
}

#[async_trait]
impl Machine for LocalMachine {
    async fn ask(&self, question: Question) -> HostResult<Listing> {
        match question {
            Question::MemoryAvailable => self.memory(),
            Question::ClockNotSynchronised => self.clock().await,
            Question::AutomaticRestarts => self.restarts().await,
            Question::Confinement => self.confinement(),
            Question::ServiceLimits => self.service_limits().await,
            other => Err(HostError::Unexpected(format!(
                "{other} is not about the machine"
            ))),
        }
    }

    async fn unreached(&self, addresses: &[Address]) -> HostResult<BTreeMap<Address, Unreached>> {
        Ok(super::reach::unreached(addresses).await)
    }
}

/// Properties of a unit that end or kill what runs too long or takes too much.
const LIMITS: [&str; 4] = [
    "WatchdogUSec",
    "MemoryMax",
    "TimeoutStartUSec",
    "TimeoutStopUSec",
];

/// Those that are set. systemd shows a watchdog that is off as 0, anything else without a limit as infinity.
fn limits(shown: &str) -> HostResult<Listing> {
    let mut rows = Vec::new();
    for name in LIMITS {
        let mut lines = shown.lines().filter_map(|line| line.split_once('='));
        let value = lines.find_map(|(key, value)| (key == name).then_some(value));
        let value = value
            .ok_or_else(|| HostError::Unexpected(format!("systemctl does not show {name}")))?;
        if !matches!(value, "infinity" | "0" | "") {
            rows.push(row(name, value));
        }
    }
    Ok(listing(rows))
}

fn row(name: &str, detail: impl Into<String>) -> Row {
    Row {
        name: name.to_owned(),
        detail: detail.into(),
        ..Row::default()
    }
}

fn listing(rows: Vec<Row>) -> Listing {
    Listing {
        total: rows.len() as u64,
        rows,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(files: &[(&str, &str)]) -> (tempfile::TempDir, LocalMachine) {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let machine = LocalMachine::new(root.path(), "mysql.service");
        (root, machine)
    }

    #[tokio::test]
    async fn memory_is_told_in_bytes_or_not_at_all() {
        let (_root, told) =
            machine(&[("proc/meminfo", "MemTotal: 9 kB\nMemAvailable:    2048 kB\n")]);
        assert_eq!(
            told.ask(Question::MemoryAvailable).await.unwrap().total,
            2 << 20
        );
        let (_root, silent) = machine(&[]);
        assert!(silent.ask(Question::MemoryAvailable).await.is_err());
    }

    #[tokio::test]
    async fn what_is_installed_is_named() {
        let (_root, found) = machine(&[("usr/sbin/needrestart", ""), ("usr/bin/monit", "")]);
        let listing = found.ask(Question::AutomaticRestarts).await.unwrap();
        let names: Vec<&str> = listing.rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["needrestart", "monit"]);
        let (_root, nothing) = machine(&[]);
        assert_eq!(
            nothing.ask(Question::AutomaticRestarts).await.unwrap(),
            Listing::default()
        );
    }

    #[test]
    fn only_limits_that_are_set_are_told() {
        let debian = "TimeoutStartUSec=infinity\nTimeoutStopUSec=infinity\nWatchdogUSec=0\nMemoryMax=infinity\n";
        assert_eq!(limits(debian).unwrap(), Listing::default());
        let strict = "TimeoutStartUSec=1min 30s\nTimeoutStopUSec=infinity\nWatchdogUSec=30s\nMemoryMax=4294967296\n";
        let told = limits(strict).unwrap().rows;
        let told: Vec<_> = told.iter().map(|row| (&*row.name, &*row.detail)).collect();
        assert_eq!(
            told,
            [
                ("WatchdogUSec", "30s"),
                ("MemoryMax", "4294967296"),
                ("TimeoutStartUSec", "1min 30s")
            ]
        );
        assert!(
            limits("MemoryMax=infinity\n").is_err(),
            "what is not shown is not unlimited"
        );
    }

    #[tokio::test]
    async fn only_a_profile_that_is_enforced_confines() {
        let profiles = "sys/kernel/security/apparmor/profiles";
        for (text, confined) in [
            ("/usr/sbin/mysqld (enforce)\n", true),
            ("/usr/sbin/mysqld (complain)\nman_groff (enforce)\n", false),
        ] {
            let (_root, machine) = machine(&[(profiles, text)]);
            let listing = machine.ask(Question::Confinement).await.unwrap();
            assert_eq!(listing.total == 1, confined, "{text}");
        }
        let (_root, selinux) = machine(&[("sys/fs/selinux/enforce", "1")]);
        assert_eq!(
            selinux.ask(Question::Confinement).await.unwrap().rows[0].name,
            "SELinux"
        );
    }
}
