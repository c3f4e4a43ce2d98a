//! A simulated cluster: hosts with packages, a service manager, mysqld, files and an error log, and the group they form.
//!
//! It implements the ports of [`crate::host`], and keeps the rules that matter: who may join whom, who is elected,
//! when super_read_only is set and cleared, what a start on a data directory leads to, what a restore brings back. Time is
//! tokio's, so tests pause it. Every port call is a *point* at which a scenario can let it fail, kill the agent or cut the
//! host's power, before or after its effect.
//!
//! ```text
//!  scenario ──write(), power_off(), kill_mysqld()──> SimWorld <──ports(member)── operations, worker, agent
//!     └── faults(|host, point| ...) ──────────────────┘  └── violations(): what must never happen, and did
//! ```
//!
//! It does not model performance, disk contents byte by byte, or networks: those are for the lab of real hosts.

mod agent;
mod beside;
mod check;
#[cfg(test)]
mod contract_tests;
mod disk;
mod engine;
mod faults;
mod files;
mod group;
mod hand;
mod log;
mod mysql;
mod packages;
mod port;
mod rehearsal;
mod replication;
mod server;
mod service;
mod state;
mod there;

pub use agent::SimAgent;
pub use disk::SimDisk;
pub use faults::{FaultAction, FaultHook};
pub use hand::SimHand;
pub use port::SimPort;
pub use state::{NoWrite, OPTION_FILE, Timings, TxId};
pub use there::SimThere;

use crate::host::{Host, LogFormat};
use refit_shared::ids::{MemberName, ServerUuid};
use refit_shared::observation::{MemberState, PackagePin, ServiceState};
use refit_shared::survey::{Fate, Row};
use refit_shared::table::TableName;
use refit_shared::version::{MysqlVersion, PackageVersion};
use state::World;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tokio::time::Instant;

/// The world. Clones are the same world.
#[derive(Debug, Clone)]
pub struct SimWorld(Arc<Mutex<World>>);

/// How a world begins: all members ONLINE in one group, the first one primary.
#[derive(Debug, Clone)]
pub struct Beginning {
    pub members: Vec<MemberName>,
    /// What they run.
    pub installed: PackageVersion,
    /// What the repository offers besides.
    pub offered: Vec<PackageVersion>,
    pub timings: Timings,
}

/// How the servers of a simulated cluster belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One single-primary group.
    Group,
    /// One multi-primary group.
    MultiPrimary,
    /// Servers that know nothing of each other.
    Alone,
    /// The first one is the source of all others.
    Replicas,
    /// The first one is the source of the second, that of the third, and so on.
    Chain,
}

/// The packages of every simulated host.
pub const PACKAGES: [&str; 2] = ["mysql-server-core", "mysql-server"];

/// The pins of both packages at one version, as the simulated repository has them.
pub fn pins(version: &PackageVersion) -> Vec<PackagePin> {
    PACKAGES.map(|name| state::pin(name, version)).to_vec()
}

impl Shape {
    /// Its servers form a group.
    pub fn is_group(self) -> bool {
        match self {
            Self::Group | Self::MultiPrimary => true,
            Self::Alone | Self::Replicas | Self::Chain => false,
        }
    }

    /// Its servers replicate asynchronously.
    pub fn is_topology(self) -> bool {
        match self {
            Self::Replicas | Self::Chain => true,
            Self::Group | Self::MultiPrimary | Self::Alone => false,
        }
    }
}

impl SimWorld {
    /// Needs a tokio runtime, best with paused time.
    pub fn begin(beginning: Beginning) -> Self {
        Self::shaped(Shape::Group, beginning)
    }

    /// The same for servers that are no single-primary group.
    pub fn shaped(shape: Shape, beginning: Beginning) -> Self {
        Self(Arc::new(Mutex::new(World::begin(shape, beginning))))
    }

    /// The state, brought up to the present. Never held across an await.
    fn lock(&self) -> MutexGuard<'_, World> {
        let mut world = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        world.settle(Instant::now());
        world
    }

    /// The ports as the host's agent sees them from now until it is killed: calls of an earlier incarnation never return.
    pub fn ports(&self, member: &MemberName) -> SimPort {
        let incarnation = self.lock().host(member).incarnation;
        SimPort::new(self.clone(), member.clone(), incarnation)
    }

    /// The same as one value.
    pub fn host(&self, member: &MemberName) -> Host {
        self.ports(member).host()
    }

    /// Decides at every point of every port call. Called with the world unlocked.
    pub fn faults(&self, hook: impl Fn(&MemberName, &str) -> FaultAction + Send + Sync + 'static) {
        self.lock().hook = FaultHook::new(hook);
    }

    pub fn no_faults(&self) {
        self.lock().hook = FaultHook::default();
    }

    /// Changes whenever the host's agent has been killed, by a fault, by [`SimWorld::kill_agent`] or with its host.
    pub fn agent_deaths(&self, member: &MemberName) -> watch::Receiver<u64> {
        self.lock().host(member).deaths.subscribe()
    }

    pub fn kill_agent(&self, member: &MemberName) {
        self.lock().host_mut(member).kill_agent();
    }

    /// A client writes through the primary. `Ok` is an acknowledgement: the transaction must never be lost.
    pub fn write(&self) -> Result<TxId, NoWrite> {
        self.lock().write()
    }

    /// Somebody with every right writes on this very server, past all others.
    pub fn write_astray(&self, member: &MemberName) {
        let mut world = self.lock();
        let (tx, now) = (world.next_tx, world.now);
        world.next_tx += 1;
        world.commits.insert(tx, (member.clone(), now));
        world.host_mut(member).data.transactions.insert(tx);
    }

    /// A client has written on the primary and neither committed nor rolled back, for so long.
    pub fn open_transaction(&self, until: Instant) {
        self.lock().open_transaction(until);
    }

    pub fn acknowledged(&self) -> BTreeSet<TxId> {
        self.lock().acknowledged.clone()
    }

    pub fn power_off(&self, member: &MemberName) {
        self.lock().power_off(member);
    }

    /// Boots the host; its services start as they are configured.
    pub fn power_on(&self, member: &MemberName) {
        self.lock().power_on(member);
    }

    pub fn is_powered(&self, member: &MemberName) -> bool {
        self.lock().host(member).powered
    }

    /// kill -9 of mysqld; the service manager restarts it unless something keeps it from doing so.
    pub fn kill_mysqld(&self, member: &MemberName) {
        self.lock().kill_mysqld(member);
    }

    /// Cuts the member off from the others, not from its agent; or heals the cut.
    pub fn isolate(&self, member: &MemberName, isolated: bool) {
        self.lock().isolate(member, isolated);
    }

    /// The whole group may be stopped: however many members leave, it is no violation.
    pub fn allow_full_stop(&self) {
        self.lock().may_stop = true;
    }

    /// A person appoints another primary. `false`: the group refused.
    pub fn appoint_by_hand(&self, member: &MemberName) -> bool {
        self.lock().appoint(member).is_ok()
    }

    /// A person lets writes in on this very server, whatever is going on.
    pub fn open_by_hand(&self, member: &MemberName) {
        if let Some(server) = self.lock().host_mut(member).server_mut() {
            server.super_read_only = false;
        }
    }

    /// A person installs another version; the server is not restarted.
    pub fn install_by_hand(&self, member: &MemberName, version: &PackageVersion) {
        let mut world = self.lock();
        for installed in world.host_mut(member).installed.values_mut() {
            installed.clone_from(version);
        }
    }

    /// The clocks of the world's machines are set forward, or back, by so many milliseconds.
    pub fn jump_clocks(&self, ms: i64) {
        self.lock().clock_off_ms += ms;
    }

    /// The packages that the repository offers this host, and those in its cache, are no longer what their names say; or they
    /// are again, and the cache has to be filled anew.
    pub fn damage_packages(&self, member: &MemberName, damaged: bool) {
        let mut world = self.lock();
        let host = world.host_mut(member);
        host.fetched.clear();
        for offer in &mut host.offered {
            let name = if damaged {
                format!("damaged {}", offer.name)
            } else {
                offer.name.clone()
            };
            offer.sha256 = state::pin(&name, &offer.version).sha256;
        }
    }

    /// From now on this version refuses to start on this host, with this error.
    pub fn refuse_start(&self, member: &MemberName, version: MysqlVersion, code: u32) {
        let mut world = self.lock();
        world.host_mut(member).refuses.insert(version, code);
    }

    /// What kept versions from starting on this host has been mended.
    pub fn allow_start(&self, member: &MemberName) {
        self.lock().host_mut(member).refuses.clear();
    }

    /// Somebody changes an option file.
    pub fn edit_config(&self, member: &MemberName, file: &str, content: &str) {
        let mut world = self.lock();
        let config = &mut world.host_mut(member).config;
        config.insert(file.to_owned(), content.as_bytes().to_vec());
    }

    /// Its group has purged what this member will lack: it clones when it joins next.
    pub fn let_clone(&self, member: &MemberName) {
        self.lock().host_mut(member).clones_when_joining = true;
    }

    /// The next shutdown of this host's mysqld is not clean.
    pub fn crash_at_shutdown(&self, member: &MemberName) {
        self.lock().host_mut(member).crash_at_shutdown = true;
    }

    pub fn members(&self) -> Vec<MemberName> {
        self.lock().hosts.keys().cloned().collect()
    }

    pub fn uuid(&self, member: &MemberName) -> ServerUuid {
        self.lock().host(member).uuid.clone()
    }

    /// The primary of a group; in a replication topology the server that takes writes.
    pub fn primary(&self) -> Option<MemberName> {
        let world = self.lock();
        if world.shape.is_topology() {
            return world.writable().into_iter().next();
        }
        world.primary.clone()
    }

    /// Whom the server replicates from, by channel.
    pub fn sources(&self, member: &MemberName) -> Vec<(String, MemberName)> {
        let world = self.lock();
        let channels = world.host(member).data.channels.iter();
        channels
            .map(|(name, channel)| (name.clone(), channel.source.clone()))
            .collect()
    }

    /// The server logs so by its settings, and has done so for all sessions.
    pub fn logs(&self, member: &MemberName, format: LogFormat) {
        let mut world = self.lock();
        let host = world.host_mut(member);
        host.log_format = format;
        if let Some(server) = host.server_mut() {
            server.log_format = format;
        }
    }

    /// Lines at the end of its option file, as an earlier rollout or a person has left them.
    pub fn adds_to_option_file(&self, member: &MemberName, text: &str) {
        let mut world = self.lock();
        let files = &mut world.host_mut(member).config;
        let file = files.entry(state::OPTION_FILE.to_owned()).or_default();
        file.extend_from_slice(text.as_bytes());
    }

    /// Its server loads one more library, of the kind that the question tells.
    pub fn loads(&self, member: &MemberName, name: &str, file: &str, kind: &str, fate: Fate) {
        let row = Row {
            schema: "/usr/lib/mysql/plugin/".to_owned(),
            name: name.to_owned(),
            part: file.to_owned(),
            detail: kind.to_owned(),
        };
        self.lock().host_mut(member).libraries.push((row, fate));
    }

    /// Tables that were rebuilt on this server.
    pub fn rebuilt(&self, member: &MemberName) -> BTreeSet<TableName> {
        self.lock().host(member).data.rebuilt.clone()
    }

    /// Receiver and applier run.
    pub fn replicates(&self, member: &MemberName) -> bool {
        self.lock().replicates(member)
    }

    /// The member's own state; `None`: mysqld does not answer.
    pub fn member_state(&self, member: &MemberName) -> Option<MemberState> {
        self.lock().host(member).member_state()
    }

    /// Writes are possible on this server, in its group or not.
    pub fn is_writable(&self, member: &MemberName) -> bool {
        let world = self.lock();
        world
            .host(member)
            .server()
            .is_some_and(|server| !server.super_read_only)
    }

    pub fn service_state(&self, member: &MemberName) -> ServiceState {
        self.lock().host(member).unit.state()
    }

    pub fn running_version(&self, member: &MemberName) -> Option<MysqlVersion> {
        self.lock().host(member).running_version()
    }

    pub fn installed(&self, member: &MemberName) -> Option<PackageVersion> {
        self.lock().host(member).installed_version()
    }

    pub fn held_packages(&self, member: &MemberName) -> BTreeSet<String> {
        self.lock().host(member).held.clone()
    }

    /// Whether an installation that has not come to its end keeps the server from starting.
    pub fn is_frozen(&self, member: &MemberName) -> bool {
        self.lock().host(member).frozen
    }

    /// The version that the data directory belongs to.
    pub fn data_version(&self, member: &MemberName) -> MysqlVersion {
        self.lock().host(member).data.version
    }

    pub fn transactions(&self, member: &MemberName) -> BTreeSet<TxId> {
        self.lock().host(member).data.transactions.clone()
    }

    pub fn snapshots(&self, member: &MemberName) -> Vec<String> {
        let world = self.lock();
        let complete = world.host(member).snapshots.iter();
        complete
            .filter(|(_, snapshot)| snapshot.complete)
            .map(|(name, _)| name.clone())
            .collect()
    }

    pub fn in_maintenance(&self, member: &MemberName) -> bool {
        self.lock().host(member).maintenance
    }

    pub fn is_held_down(&self, member: &MemberName) -> bool {
        self.lock().host(member).hold
    }

    pub fn log(&self, member: &MemberName) -> Vec<String> {
        self.lock().host(member).log.clone()
    }

    /// The option files, by name.
    pub fn config(&self, member: &MemberName) -> Vec<(String, Vec<u8>)> {
        let world = self.lock();
        let files = world.host(member).config.iter();
        files
            .map(|(name, content)| (name.clone(), content.clone()))
            .collect()
    }

    /// Somebody's maintenance, or that of a rollout that was given up.
    pub fn leave_drop_ins_behind(&self, member: &MemberName) {
        self.lock().host_mut(member).maintenance = true;
    }

    pub fn set_start_on_boot(&self, member: &MemberName, on: bool) {
        if let Some(server) = self.lock().host_mut(member).server_mut() {
            server.start_on_boot = on;
        }
    }

    pub fn starts_on_boot(&self, member: &MemberName) -> bool {
        let world = self.lock();
        world
            .host(member)
            .server()
            .is_some_and(|server| server.start_on_boot)
    }

    /// From now on the running server declares this version, as if it had been upgraded.
    pub fn pretend_version(&self, member: &MemberName, version: MysqlVersion) {
        self.lock().host_mut(member).pretend_version(version);
    }

    /// Milliseconds since 1970 in this world.
    pub fn now_unix_ms(&self) -> i64 {
        self.lock().now_unix_ms()
    }
}
