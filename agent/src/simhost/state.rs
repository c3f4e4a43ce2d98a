//! The state of the simulated world: plain values.

use super::faults::FaultHook;
use super::{Beginning, PACKAGES, Shape};
use crate::host::LogFormat;
use refit_shared::ids::{MemberName, ServerUuid};
use refit_shared::observation::{MemberState, PackagePin, ServiceState};
use refit_shared::survey::{Fate, Row};
use refit_shared::table::TableName;
use refit_shared::version::{MysqlVersion, PackageVersion};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// A transaction of the group, numbered as its GTID is.
pub type TxId = u64;

/// Why a client's write was not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoWrite(pub &'static str);

/// How long things take.
#[derive(Debug, Clone, Copy)]
pub struct Timings {
    /// Every port call.
    pub call: Duration,
    pub start: Duration,
    pub upgrade: Duration,
    pub stop: Duration,
    pub slow_stop: Duration,
    pub recovery: Duration,
    pub catch_up: Duration,
    pub election: Duration,
    pub expel: Duration,
    pub snapshot: Duration,
    /// One package.
    pub package: Duration,
    /// The service manager restarts a server that failed.
    pub restart: Duration,
    /// An expelled member tries to join again.
    pub rejoin: Duration,
}

impl Timings {
    pub const STANDARD: Self = Self {
        call: Duration::from_millis(1),
        start: Duration::from_millis(900),
        upgrade: Duration::from_secs(8),
        stop: Duration::from_secs(2),
        slow_stop: Duration::from_secs(6),
        recovery: Duration::from_millis(1500),
        catch_up: Duration::from_millis(700),
        election: Duration::from_millis(300),
        expel: Duration::from_secs(12),
        snapshot: Duration::from_millis(100),
        package: Duration::from_millis(900),
        restart: Duration::from_millis(100),
        rejoin: Duration::from_secs(10),
    };
}

#[derive(Debug)]
pub(super) struct World {
    pub began: Instant,
    pub now: Instant,
    pub timings: Timings,
    pub hosts: BTreeMap<MemberName, HostState>,
    pub hook: FaultHook,
    pub shape: Shape,
    /// The whole group is stopped on purpose: any number may leave.
    pub may_stop: bool,
    /// Maintenance may be left while a server is held down.
    pub may_leave_held: bool,
    pub group_name: String,
    /// Members of the present view, reachable or not.
    pub view: BTreeSet<MemberName>,
    pub view_id: u64,
    pub primary: Option<MemberName>,
    pub next_tx: TxId,
    pub acknowledged: BTreeSet<TxId>,
    /// In a replication topology: where and when a transaction was committed.
    pub commits: BTreeMap<TxId, (MemberName, Instant)>,
    pub violations: Vec<String>,
    pub events: BTreeMap<(Instant, u64), Due>,
    pub next_event: u64,
    pub next_pid: u32,
    /// How far the hosts' clocks have been set forward, or back.
    pub clock_off_ms: i64,
}

/// Something that will happen.
#[derive(Debug, Clone)]
pub(super) struct Due {
    pub member: MemberName,
    pub event: Event,
}

#[derive(Debug, Clone)]
pub(super) enum Event {
    /// The process writes a line.
    Says(u32, String),
    /// The process has begun to change the data directory.
    UpgradeBegins(u32, MysqlVersion),
    Ready(u32),
    /// The process gives up.
    GivesUp(u32),
    /// The process has shut down.
    Ends(u32),
    /// The service manager starts the unit once more.
    Restart,
    Recovered(u32),
    /// The process has cloned another member's data, and ends so that it is started on them.
    Cloned(u32),
    MayWrite(u32),
    JoinAtBoot(u32),
    Expelled(u32),
    Rejoins(u32),
}

#[derive(Debug)]
pub(super) struct HostState {
    pub uuid: ServerUuid,
    pub number: u32,
    pub powered: bool,
    pub isolated: bool,
    pub boots: u32,
    /// The agent's; its calls of an earlier one never return.
    pub incarnation: u64,
    pub deaths: watch::Sender<u64>,

    pub installed: BTreeMap<String, PackageVersion>,
    pub broken: BTreeSet<String>,
    pub held: BTreeSet<String>,
    /// An installation is under way or was cut short: the unit refuses to start.
    pub frozen: bool,
    pub offered: Vec<PackagePin>,
    pub fetched: BTreeSet<PackagePin>,

    pub unit: Unit,
    /// The drop-ins as the service manager has read them last.
    pub drop_in_loaded: bool,
    /// mysqld has no binary log and no network at its next start; forgotten when the host is started.
    pub secluded: bool,
    pub refuses: BTreeMap<MysqlVersion, u32>,
    pub crash_at_shutdown: bool,
    /// Its group has purged what it lacks: it clones when it joins next.
    pub clones_when_joining: bool,

    pub data: DataDir,
    pub snapshots: BTreeMap<String, Snapshot>,
    pub dirty: BTreeSet<String>,
    /// What its server loads, and what becomes of each file when packages are swapped.
    pub libraries: Vec<(Row, Fate)>,
    pub config: BTreeMap<String, Vec<u8>>,
    pub config_backups: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    pub maintenance: bool,
    pub hold: bool,
    pub log: Vec<String>,
    /// By its settings.
    pub log_format: LogFormat,
    /// Clones of its data that a rehearsal has made and not removed.
    pub clones: u32,
    pub rehearsals: Vec<refit_shared::rehearsal::Rehearsal>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DataDir {
    pub version: MysqlVersion,
    /// A started upgrade that has not ended.
    pub upgrading_to: Option<MysqlVersion>,
    /// Which version has it open, or did not close it cleanly.
    pub open_by: Option<MysqlVersion>,
    pub transactions: BTreeSet<TxId>,
    /// Received and not applied.
    pub relay: BTreeSet<TxId>,
    /// Received since its relay logs are what they are.
    pub received: BTreeSet<TxId>,
    /// Whom it replicates from.
    pub channels: BTreeMap<String, Channel>,
    /// Tables that were rebuilt here.
    pub rebuilt: BTreeSet<TableName>,
    /// The version that the server's own tables are of, and whether that was a program's work since the latest start.
    pub system_tables: MysqlVersion,
    pub restart_wanted: bool,
}

/// What CHANGE REPLICATION SOURCE has set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Channel {
    pub source: MemberName,
    pub port: u16,
    pub ssl: bool,
    pub get_public_key: bool,
    pub connect_retry_s: u32,
    pub retry_count: u64,
}

/// Where every simulated server listens.
pub(super) const PORT: u16 = 3306;

impl Channel {
    /// As a person has set it up.
    pub fn to(source: MemberName) -> Self {
        Self {
            source,
            port: PORT,
            ssl: true,
            get_public_key: false,
            connect_retry_s: 60,
            retry_count: 10,
        }
    }

    /// From the first try to the last.
    pub fn tries_for(&self) -> Duration {
        let seconds = u64::from(self.connect_retry_s).saturating_mul(self.retry_count);
        Duration::from_secs(seconds)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    pub complete: bool,
    pub data: DataDir,
}

/// mysqld's unit and its process.
#[derive(Debug)]
pub(super) enum Unit {
    Inactive,
    Failed,
    Activating(Process),
    Active(Process, Server),
    Deactivating(Process),
}

#[derive(Debug, Clone)]
pub(super) struct Process {
    pub pid: u32,
    pub version: MysqlVersion,
    /// Option files as they were when it started.
    pub in_maintenance: bool,
    /// It has no binary log and no network.
    pub secluded: bool,
    pub upgrading: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Server {
    /// Stands for read_only, too.
    pub super_read_only: bool,
    /// super_read_only is off, and read_only on.
    pub admits: bool,
    /// What it logs, and whether sessions log statements that began before it logged rows.
    pub log_format: LogFormat,
    pub old_sessions_until: Option<Instant>,
    /// It was restarted, and logs as its settings say.
    pub restarted: bool,
    pub start_on_boot: bool,
    /// group_replication_bootstrap_group
    pub bootstrap: bool,
    pub slow_shutdown: bool,
    pub member: MemberState,
    /// Transactions that have written are open until then.
    pub writing_until: Option<Instant>,
    /// Received transactions are all applied from then on.
    pub applied_at: Instant,
    pub queue: u64,
    pub receiver: Receiver,
    /// The receiver knows whom it is connected to from then on: it runs before it has asked (rpl_replica.cc, handle_slave_io).
    /// `None`: it has never been connected to who is named now.
    pub introduced_at: Option<Instant>,
    pub applier: bool,
}

/// A channel's receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Receiver {
    Off,
    On,
    Connecting {
        since: Instant,
    },
    /// Off, after as many tries as it has.
    GaveUp,
}

impl Unit {
    pub fn state(&self) -> ServiceState {
        match self {
            Self::Inactive => ServiceState::Inactive,
            Self::Failed => ServiceState::Failed,
            Self::Activating(_) => ServiceState::Activating,
            Self::Active(..) => ServiceState::Active,
            Self::Deactivating(_) => ServiceState::Deactivating,
        }
    }

    pub fn process(&self) -> Option<&Process> {
        match self {
            Self::Inactive | Self::Failed => None,
            Self::Activating(process) | Self::Active(process, _) | Self::Deactivating(process) => {
                Some(process)
            }
        }
    }

    pub fn is(&self, pid: u32) -> bool {
        self.process().is_some_and(|process| process.pid == pid)
    }
}

impl HostState {
    pub fn server(&self) -> Option<&Server> {
        match &self.unit {
            Unit::Active(_, server) if self.powered => Some(server),
            _ => None,
        }
    }

    pub fn server_mut(&mut self) -> Option<&mut Server> {
        match &mut self.unit {
            Unit::Active(_, server) if self.powered => Some(server),
            _ => None,
        }
    }

    /// Whether the server is read-only when it starts: by mysqld-auto.cnf, which is read last, else by my.cnf.
    pub fn starts_read_only(&self) -> bool {
        let says = |file: &str| {
            self.config
                .get(file)
                .map(|bytes| String::from_utf8_lossy(bytes))
        };
        match says(PERSISTED) {
            Some(persisted) => persisted.contains("super_read_only=ON"),
            None => says(OPTION_FILE).is_some_and(|text| text.contains("super_read_only=ON")),
        }
    }

    pub fn member_state(&self) -> Option<MemberState> {
        self.server().map(|server| server.member)
    }

    pub fn running_version(&self) -> Option<MysqlVersion> {
        self.server()?;
        self.unit.process().map(|process| process.version)
    }

    pub fn installed_version(&self) -> Option<PackageVersion> {
        let versions: BTreeSet<_> = self.installed.values().collect();
        match (versions.len(), versions.first()) {
            (1, Some(version)) => Some((*version).clone()),
            _ => None,
        }
    }

    /// It runs without binary log and network.
    pub fn runs_secluded(&self) -> bool {
        self.unit.process().is_some_and(|process| process.secluded)
    }

    pub fn pretend_version(&mut self, version: MysqlVersion) {
        if let Unit::Active(process, _) = &mut self.unit {
            process.version = version;
            self.data.version = version;
            self.data.system_tables = version;
        }
    }

    pub fn kill_agent(&mut self) {
        self.incarnation += 1;
        self.deaths.send_modify(|deaths| *deaths += 1);
    }
}

/// One package of the simulated repository.
pub(super) fn pin(name: &str, version: &PackageVersion) -> PackagePin {
    let hash = blake3::hash(format!("{name} {version}").as_bytes());
    PackagePin {
        name: name.to_owned(),
        version: version.clone(),
        sha256: hash.to_hex().to_string(),
    }
}

/// The only option file of a simulated host.
pub const OPTION_FILE: &str = "/etc/mysql/my.cnf";
/// Where all option files are.
pub(super) const OPTION_DIR: &str = "/etc/mysql/";
/// What SET PERSIST wrote: read by mysqld, and no option file.
pub(super) const PERSISTED: &str = "mysqld-auto.cnf";
/// A file of the server that is no option file.
pub(super) const DATA_FILE: &str = "/var/lib/mysql/ibdata1";

/// With an option, where the version knows it, that a later one refuses.
fn option_file(version: MysqlVersion, read_only: bool) -> Vec<u8> {
    let gone = refit_shared::rules::variables::removed::find("innodb_log_file_size", version);
    let known = if gone.is_none() {
        "innodb_log_file_size=1G\n"
    } else {
        ""
    };
    let closed = if read_only {
        "super_read_only=ON\n"
    } else {
        ""
    };
    format!("[mysqld]\nmax_connections=500\n{known}{closed}").into_bytes()
}

impl World {
    pub fn begin(shape: Shape, beginning: Beginning) -> Self {
        let now = Instant::now();
        let version = beginning
            .installed
            .mysql_version()
            .expect("a simulated package has a MySQL version");
        let mut world = Self {
            began: now,
            now,
            timings: beginning.timings,
            hosts: BTreeMap::new(),
            hook: FaultHook::default(),
            shape,
            may_stop: false,
            may_leave_held: false,
            group_name: "aaaaaaaa-0000-4000-8000-000000000000".to_owned(),
            view: match shape {
                Shape::Group | Shape::MultiPrimary => beginning.members.iter().cloned().collect(),
                Shape::Alone | Shape::Replicas | Shape::Chain => BTreeSet::new(),
            },
            view_id: 1,
            primary: match shape {
                Shape::Group => beginning.members.first().cloned(),
                Shape::MultiPrimary | Shape::Alone | Shape::Replicas | Shape::Chain => None,
            },
            next_tx: 1,
            acknowledged: BTreeSet::new(),
            commits: BTreeMap::new(),
            violations: Vec::new(),
            events: BTreeMap::new(),
            next_event: 0,
            clock_off_ms: 0,
            next_pid: 1000,
        };
        let mut above: Option<MemberName> = None;
        for (name, number) in beginning.members.iter().zip(1u32..) {
            let source = above.take();
            above = match shape {
                Shape::Chain => Some(name.clone()),
                Shape::Replicas => source.clone().or_else(|| Some(name.clone())),
                Shape::Group | Shape::MultiPrimary | Shape::Alone => None,
            };
            let replicates = source.is_some();
            let offered: Vec<PackageVersion> = beginning
                .offered
                .iter()
                .chain([&beginning.installed])
                .cloned()
                .collect();
            let process = Process {
                pid: number,
                version,
                in_maintenance: false,
                secluded: false,
                upgrading: false,
            };
            let server = Server {
                super_read_only: replicates
                    || (shape == Shape::Group && world.primary.as_ref() != Some(name)),
                admits: false,
                log_format: LogFormat::Row,
                old_sessions_until: None,
                restarted: false,
                start_on_boot: shape.is_group(),
                bootstrap: false,
                slow_shutdown: false,
                member: match shape {
                    Shape::Group | Shape::MultiPrimary => MemberState::Online,
                    Shape::Alone | Shape::Replicas | Shape::Chain => MemberState::Offline,
                },
                writing_until: None,
                applied_at: now,
                queue: 0,
                receiver: if replicates {
                    Receiver::On
                } else {
                    Receiver::Off
                },
                introduced_at: Some(now),
                applier: replicates,
            };
            let host = HostState {
                uuid: ServerUuid::new(format!("bbbbbbbb-0000-4000-8000-{number:012}"))
                    .expect("well formed"),
                number,
                powered: true,
                isolated: false,
                boots: 1,
                incarnation: 0,
                deaths: watch::Sender::new(0),
                installed: PACKAGES
                    .map(|package| (package.to_owned(), beginning.installed.clone()))
                    .into(),
                broken: BTreeSet::new(),
                held: BTreeSet::new(),
                frozen: false,
                offered: offered.iter().flat_map(super::pins).collect(),
                fetched: BTreeSet::new(),
                unit: Unit::Active(process, server),
                drop_in_loaded: false,
                secluded: false,
                refuses: BTreeMap::new(),
                crash_at_shutdown: false,
                clones_when_joining: false,
                data: DataDir {
                    version,
                    upgrading_to: None,
                    open_by: Some(version),
                    transactions: BTreeSet::new(),
                    relay: BTreeSet::new(),
                    received: BTreeSet::new(),
                    channels: source
                        .into_iter()
                        .map(|source| (String::new(), Channel::to(source)))
                        .collect(),
                    rebuilt: BTreeSet::new(),
                    system_tables: version,
                    restart_wanted: false,
                },
                snapshots: BTreeMap::new(),
                dirty: BTreeSet::new(),
                libraries: Vec::new(),
                config: [(OPTION_FILE.to_owned(), option_file(version, replicates))].into(),
                config_backups: BTreeMap::new(),
                maintenance: false,
                hold: false,
                log: Vec::new(),
                log_format: LogFormat::Row,
                clones: 0,
                rehearsals: Vec::new(),
            };
            world.hosts.insert(name.clone(), host);
        }
        world
    }

    pub fn host(&self, member: &MemberName) -> &HostState {
        self.hosts
            .get(member)
            .expect("scenarios name hosts that exist")
    }

    pub fn host_mut(&mut self, member: &MemberName) -> &mut HostState {
        self.hosts
            .get_mut(member)
            .expect("scenarios name hosts that exist")
    }

    pub fn now_unix_ms(&self) -> i64 {
        let since = self.now.saturating_duration_since(self.began).as_millis();
        let since = i64::try_from(since).expect("no test runs for so long");
        1_800_000_000_000 + self.clock_off_ms + since
    }

    pub fn violate(&mut self, member: &MemberName, what: impl std::fmt::Display) {
        self.violations.push(format!("{member}: {what}"));
    }

    pub fn later(&mut self, after: Duration, member: &MemberName, event: Event) {
        let key = (self.now + after, self.next_event);
        self.next_event += 1;
        let member = member.clone();
        self.events.insert(key, Due { member, event });
    }
}
