//! The simulated world: the real controller and the real agents over simulated hosts, an in-memory journal and a network that
//! can be cut. Time is tokio's and paused, so hours pass in milliseconds.
//!
//! ```text
//!  story ──acts──> Controller ──Wire (cuts, duplicates)──> Agents (worker, ledger) ──ports──> SimWorld <──writes── Client
//!                     │ FaultyJournal (fails, crashes)         └── killed and started again       └── Faults at every call
//! ```
//!
//! Owns how the parts are put together and broken. What must hold is in [`judge`], what happens in `crate::story`.

pub mod agents;
pub mod client;
pub mod controller;
pub mod faults;
pub mod judge;
pub mod wire;
pub mod write_pauses;

use agents::Agents;
use client::Client;
use faults::{Break, Faults, Point, only_looking};
use judge::Before;
use refit_agent::host::LogFormat;
use refit_agent::simhost::{Beginning, Shape, SimWorld, Timings};
use refit_controller::fleet::{self, Fleet};
use refit_controller::journal::MemoryJournal;
use refit_shared::checks::Override;
use refit_shared::ids::{ClusterName, MemberName};
use refit_shared::plan::{ApprovePivot, Policy, Strategy};
use refit_shared::planner::Request;
use refit_shared::table::TableName;
use refit_shared::version::PackageVersion;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use write_pauses::WritePauses;

/// From where to where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hop {
    /// Within a long-term series: everything can be undone to the end.
    Patch,
    /// To another series: there is a pivot.
    Series,
    /// The same with all members stopped at once: there is a pivot, too, where writes are let in again.
    OfflinePatch,
    OfflineSeries,
    /// The same in a multi-primary group.
    MultiPatch,
    MultiSeries,
    /// The same of a server that stands alone: there is a pivot, too, where writes are let in again.
    AlonePatch,
    AloneSeries,
    /// The same of a source and its replicas: there is a pivot where the source takes writes again.
    ReplicasPatch,
    ReplicasSeries,
    /// The same along a chain.
    ChainSeries,
    /// The same with the writes handed over to a replica: the pivot.
    SwitchPatch,
    SwitchSeries,
    /// Back within a long-term series, along a chain: the source first.
    Downgrade,
    /// A chain with all servers stopped at once.
    ChainOffline,
    /// No upgrade: tables of a source and its replicas are rebuilt.
    Rebuild,
    /// The same, the source restarted without binary log and network for it.
    RestartRebuild,
    /// The same on the members of a group.
    GroupRebuild,
    /// To another series, the source logging statements.
    Statements,
    /// To a release whose system tables are upgraded by mysql_upgrade.
    Early,
    /// No upgrade: a pin is taken out of the option files of a group.
    Release,
}

impl Hop {
    pub const ALL: [Hop; 21] = [
        Self::Patch,
        Self::Series,
        Self::OfflinePatch,
        Self::OfflineSeries,
        Self::MultiPatch,
        Self::MultiSeries,
        Self::AlonePatch,
        Self::AloneSeries,
        Self::ReplicasPatch,
        Self::ReplicasSeries,
        Self::ChainSeries,
        Self::SwitchPatch,
        Self::SwitchSeries,
        Self::Downgrade,
        Self::ChainOffline,
        Self::Rebuild,
        Self::RestartRebuild,
        Self::GroupRebuild,
        Self::Statements,
        Self::Early,
        Self::Release,
    ];

    pub fn shape(self) -> Shape {
        match self {
            Self::Patch
            | Self::Series
            | Self::OfflinePatch
            | Self::OfflineSeries
            | Self::GroupRebuild
            | Self::Release => Shape::Group,
            Self::MultiPatch | Self::MultiSeries => Shape::MultiPrimary,
            Self::AlonePatch | Self::AloneSeries => Shape::Alone,
            Self::ReplicasPatch
            | Self::ReplicasSeries
            | Self::SwitchPatch
            | Self::SwitchSeries
            | Self::Rebuild
            | Self::RestartRebuild
            | Self::Statements
            | Self::Early => Shape::Replicas,
            Self::ChainSeries | Self::Downgrade | Self::ChainOffline => Shape::Chain,
        }
    }

    /// `db1` to `db3`, the first one the primary; or `db1` alone.
    pub fn members(self) -> Vec<MemberName> {
        let names: &[&str] = match self.shape() {
            Shape::Group | Shape::MultiPrimary | Shape::Replicas | Shape::Chain => {
                &["db1", "db2", "db3"]
            }
            Shape::Alone => &["db1"],
        };
        names.iter().map(|name| member(name)).collect()
    }

    /// Writes are stopped by design, for as long as the upgrade takes.
    pub fn stops_writes(self) -> bool {
        match self {
            Self::Patch
            | Self::Series
            | Self::MultiPatch
            | Self::MultiSeries
            | Self::SwitchPatch
            | Self::SwitchSeries
            | Self::Rebuild
            | Self::GroupRebuild
            | Self::Release => false,
            Self::OfflinePatch
            | Self::OfflineSeries
            | Self::AlonePatch
            | Self::AloneSeries
            | Self::ReplicasPatch
            | Self::ReplicasSeries
            | Self::ChainSeries
            | Self::ChainOffline
            | Self::Statements
            | Self::Early
            | Self::RestartRebuild
            | Self::Downgrade => true,
        }
    }

    /// What has to be asked for, where it is not the usual one.
    fn strategy(self) -> Option<Strategy> {
        match self {
            Self::Patch
            | Self::Series
            | Self::MultiPatch
            | Self::MultiSeries
            | Self::AlonePatch
            | Self::AloneSeries
            | Self::ReplicasPatch
            | Self::ReplicasSeries
            | Self::ChainSeries
            | Self::Statements
            | Self::Early
            | Self::Release
            | Self::Downgrade => None,
            Self::SwitchPatch | Self::SwitchSeries => Some(Strategy::Switchover),
            Self::Rebuild | Self::RestartRebuild | Self::GroupRebuild => {
                Some(Strategy::RebuildTables)
            }
            Self::OfflinePatch | Self::OfflineSeries | Self::ChainOffline => {
                Some(Strategy::Offline)
            }
        }
    }

    pub fn from(self) -> PackageVersion {
        package(match self {
            Self::Patch
            | Self::OfflinePatch
            | Self::MultiPatch
            | Self::AlonePatch
            | Self::ReplicasPatch
            | Self::SwitchPatch => "9.7.3-1",
            Self::Series
            | Self::OfflineSeries
            | Self::MultiSeries
            | Self::AloneSeries
            | Self::ReplicasSeries
            | Self::ChainSeries
            | Self::ChainOffline
            | Self::Statements
            | Self::SwitchSeries => "8.4.6-1",
            Self::Downgrade
            | Self::Rebuild
            | Self::RestartRebuild
            | Self::GroupRebuild
            | Self::Release => "9.7.4-2",
            Self::Early => "8.0.11-1",
        })
    }

    /// What is rebuilt, where something is.
    pub fn tables(self) -> Vec<TableName> {
        let names: &[&str] = match self {
            Self::Rebuild | Self::RestartRebuild | Self::GroupRebuild => {
                &["shop.items", "shop.orders"]
            }
            _ => &[],
        };
        let name = |text: &&str| text.parse().expect("a literal that is a table");
        names.iter().map(name).collect()
    }

    pub fn to(self) -> PackageVersion {
        package(match self {
            Self::Downgrade => "9.7.3-1",
            Self::Early => "8.0.15-1",
            _ => "9.7.4-2",
        })
    }

    /// Whose pins are released.
    fn release(self) -> Vec<String> {
        let pinned = (self == Self::Release).then(|| "explain_format".to_owned());
        pinned.into_iter().collect()
    }

    /// The simulated servers understand the agent, whatever version they declare.
    fn overrides(self) -> Vec<Override> {
        let early = (self == Self::Early).then(|| Override {
            check: "agentStatements".to_owned(),
            reason: "simulated".to_owned(),
            by: String::new(),
        });
        early.into_iter().collect()
    }

    /// The writes end on another server than they began on.
    pub fn hands_over(self) -> bool {
        matches!(self, Self::SwitchPatch | Self::SwitchSeries)
    }
}

fn package(version: &str) -> PackageVersion {
    PackageVersion::new(version).expect("a literal that is a version")
}

/// Nothing hangs on how long a host takes, but that it takes a while.
const QUICK: Timings = Timings {
    start: Duration::from_millis(300),
    upgrade: Duration::from_millis(800),
    stop: Duration::from_millis(300),
    slow_stop: Duration::from_millis(500),
    recovery: Duration::from_millis(500),
    catch_up: Duration::from_millis(300),
    package: Duration::from_millis(200),
    ..Timings::STANDARD
};

/// As an upgrade has left it.
const PINNED: &str = "\n[mysqld]\n# Refit 2026-11-20, 8.4.6 to 9.7.4: its default is another: tools that read EXPLAIN\n\
                      explain_format = TRADITIONAL\n";

const ROLE_CHANGES_WITHIN: Duration = Duration::from_secs(60);

pub fn cluster() -> ClusterName {
    ClusterName::new("shop").expect("a literal that is a name")
}

pub fn member(name: &str) -> MemberName {
    MemberName::new(name).expect("a literal that is a name")
}

/// Everything of one run but the controller, which comes and goes.
#[derive(Debug)]
pub struct World {
    pub hop: Hop,
    pub sim: SimWorld,
    pub faults: Faults,
    pub hosts: Agents,
    pub fleet: Arc<Fleet>,
    pub journal: MemoryJournal,
    pub client: Client,
    pub write_pauses: WritePauses,
    pub before: Before,
    /// What was found wrong on the way.
    pub wrongs: Arc<Mutex<Vec<String>>>,
}

impl World {
    /// `shutdown_takes`: other than what is usual here.
    pub async fn begin(
        hop: Hop,
        breaks: Vec<(Point, Break)>,
        shutdown_takes: Option<Duration>,
    ) -> Self {
        let beginning = Beginning {
            members: hop.members(),
            installed: hop.from(),
            offered: vec![hop.to()],
            timings: Timings {
                stop: shutdown_takes.unwrap_or(QUICK.stop),
                slow_stop: shutdown_takes.unwrap_or(QUICK.slow_stop),
                ..QUICK
            },
        };
        let sim = SimWorld::shaped(hop.shape(), beginning);
        if hop.strategy() == Some(Strategy::Offline) {
            sim.allow_full_stop();
        }
        if hop == Hop::Statements {
            sim.logs(&member("db1"), LogFormat::Statement);
        }
        if hop == Hop::Release {
            for name in hop.members() {
                sim.adds_to_option_file(&name, PINNED);
            }
        }
        let faults = Faults::install(&sim, breaks);
        let before = Before::of(&sim).await;
        let hosts = Agents::start(&sim).await;
        faults.states_are_in(hosts.directory());
        let client = Client::start(sim.clone());
        let write_pauses = WritePauses::watch(hosts.clone());
        let entries = hop.members().into_iter().zip(1..).map(|(name, number)| {
            format!("{{ name = \"{name}\", address = \"10.0.0.{number}:7130\" }}")
        });
        let text = format!(
            "[[cluster]]\nname = \"{}\"\nmembers = [{}]\n",
            cluster(),
            entries.collect::<Vec<_>>().join(", ")
        );
        let fleet = fleet::parse("fleet.toml", &text).expect("a fleet file without mistakes");
        Self {
            hop,
            sim,
            faults,
            hosts,
            fleet: Arc::new(fleet),
            journal: MemoryJournal::default(),
            client,
            write_pauses,
            before,
            wrongs: Arc::default(),
        }
    }

    pub fn request(&self) -> Request {
        Request {
            target: self
                .hop
                .to()
                .mysql_version()
                .expect("a literal that is a version"),
            policy: Policy {
                approve_pivot: ApprovePivot::Person,
                accept_no_spare: true,
                restore_primary: true,
                soak_s: 1,
                keep_config: false,
                overrides: self.hop.overrides(),
                release: self.hop.release(),
            },
            strategy: self.hop.strategy(),
            promote: None,
            tables: self.hop.tables(),
            advised: None,
            restart_source: self.hop == Hop::RestartRebuild,
            validate_config: false,
        }
    }

    /// What a DBA does when only the primary role is not where it was: it moved after Refit had put it back.
    pub async fn give_the_role_back(&self) {
        let Some(primary) = self.before.primary() else {
            return;
        };
        let uuid = self.sim.uuid(primary);
        // Where it can't be done, the rollout parks again and says why.
        let _ = only_looking(async {
            let host = self.sim.host(primary);
            host.mysql.appoint_primary(&uuid, ROLE_CHANGES_WITHIN).await
        })
        .await;
    }

    pub fn wrong(&self, what: impl Into<String>) {
        let mut wrongs = self.wrongs.lock().unwrap_or_else(PoisonError::into_inner);
        wrongs.push(what.into());
    }

    pub fn wrongs(&self) -> Vec<String> {
        let wrongs = self.wrongs.lock().unwrap_or_else(PoisonError::into_inner);
        wrongs.clone()
    }
}
