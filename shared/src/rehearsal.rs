//! Rehearsing an upgrade: the target's mysqld is started on a throw-away clone of a member's data. Here is what a rehearsal
//! found, and where one may be made; [`crate::operation::Operation::RehearseUpgrade`] makes it.

use crate::ids::MemberName;
use crate::observation::{
    Observation, PackagePin, PathRole, Seconds, ServiceState, SnapshotMethod,
};
use crate::operation::AttemptId;
use crate::topology::Sighting;
use crate::version::MysqlVersion;
use serde::{Deserialize, Serialize};

/// What one rehearsal found. Kept by the agent; the newest feeds the plan's estimates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rehearsal {
    /// The order that it was made for.
    pub id: AttemptId,
    /// When it ended, milliseconds since 1970.
    pub at_unix_ms: i64,
    pub target: MysqlVersion,
    /// The version that last had the data open, where that is known.
    pub from: Option<MysqlVersion>,
    /// The directory that was cloned.
    pub data: String,
    /// It is not the member's own: its figures say nothing about the member.
    pub foreign: bool,
    pub method: SnapshotMethod,
    /// The data was in use when it was cloned: the installed mysqld recovered the clone and shut it down cleanly first.
    pub recovered: Option<Seconds>,
    pub cloned: Seconds,
    /// From mysqld's start until it was ready, or ended.
    pub started: Seconds,
    /// From MY-011090 to MY-013413; `None`: the dictionary was not upgraded.
    pub dictionary: Option<Seconds>,
    /// From "Server upgrade started" to "completed" (MY-013381); `None`: there was none.
    pub system_tables: Option<Seconds>,
    /// The most that the target's mysqld had in memory at once.
    pub peak_memory_bytes: Option<u64>,
    /// Why the target does not start, with mysqld's own code; `None`: it does.
    pub refused: Option<String>,
    pub tables_opened: u64,
    pub views_opened: u64,
    /// `schema.name: why` of tables and views that can't be read on the target, and could before, as far as that was looked at.
    pub broken: Vec<String>,
    /// Such objects were also broken before; not the upgrade's doing.
    pub broken_before: Vec<String>,
    /// Warnings and errors of the target's error log.
    pub lines: Vec<String>,
    /// What this rehearsal could not look at.
    pub limits: Vec<String>,
}

impl Rehearsal {
    /// The target starts and everything can be read.
    pub fn passed(&self) -> bool {
        self.refused.is_none() && self.broken.is_empty()
    }
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub member: MemberName,
    pub target: MysqlVersion,
    /// Also on a server that takes writes, or that others replicate from.
    pub on_source: bool,
    /// Where the data's file system can neither snapshot nor share blocks: copy all of it.
    pub copy: bool,
    /// A directory on the member's host instead of the member's data.
    pub data_directory: Option<String>,
}

/// How it will be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    pub packages: Vec<PackagePin>,
    /// The server is up: what is cloned is its data at one instant.
    pub running: bool,
    /// What would be done, a line each.
    pub notes: Vec<String>,
}

/// May it be made, and how? Every reason against it at once.
///
/// # Errors
/// A line for each thing that is in the way, with what to do about it.
pub fn outline(seen: &Sighting, wanted: &Wanted) -> Result<Outline, Vec<String>> {
    let member = &wanted.member;
    let fact = seen
        .members
        .get(member)
        .ok_or_else(|| vec![format!("{member} is no member of {}", seen.cluster)])?;
    let host = fact
        .require()
        .map_err(|why| vec![format!("{member}: {why}")])?;
    let mut against = Vec::new();
    against.extend(busy(member, host));
    let packages = match pins(host, wanted.target) {
        Ok(packages) => packages,
        Err(why) => {
            against.push(format!("{member}: {why}"));
            Vec::new()
        }
    };
    let mut notes = Vec::new();
    let running = wanted.data_directory.is_none() && host.server.known().is_some();
    if let Some(directory) = &wanted.data_directory {
        notes.push(format!(
            "{directory} is cloned; it must not be in use, and the agent's rehearsal.data_directories must allow it"
        ));
    } else {
        if running {
            against.extend(serves(seen, wanted, host));
        } else {
            against.extend(not_down(member, host));
        }
        match how(member, host, running, wanted.copy) {
            Ok(note) => notes.push(note),
            Err(why) => against.push(why),
        }
    }
    if !against.is_empty() {
        return Err(against);
    }
    if running {
        notes.push("the installed mysqld recovers the clone and shuts it down cleanly".to_owned());
    }
    notes.push(format!(
        "mysqld {} of the fetched packages, never installed, starts on the clone: no network, no replication, no group, \
         limited CPU and memory, the member's own directories out of its sight",
        wanted.target
    ));
    notes.push("every table and view is opened; then the clone is removed".to_owned());
    Ok(Outline {
        packages,
        running,
        notes,
    })
}

fn busy(member: &MemberName, host: &Observation) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(work) = &host.agent.working_on {
        found.push(format!("{member}: its agent is at work: {work}"));
    }
    if host.agent.in_maintenance || host.agent.holding_server_down {
        found.push(format!(
            "{member} is in maintenance: a rollout is under way or was left there"
        ));
    }
    found
}

/// The newest packages of the target that the host is offered whole.
fn pins(host: &Observation, target: MysqlVersion) -> Result<Vec<PackagePin>, String> {
    let packages = host.packages.require().map_err(str::to_owned)?;
    let of_target = |pin: &&PackagePin| pin.version.mysql_version().ok() == Some(target);
    for candidate in packages.available.iter().filter(of_target) {
        let pin = |name: &String| {
            let mut all = packages.available.iter();
            all.find(|pin| pin.name == *name && pin.version == candidate.version)
        };
        let whole: Option<Vec<_>> = packages.installed.keys().map(|n| pin(n).cloned()).collect();
        if let Some(pins) = whole.filter(|pins| !pins.is_empty()) {
            return Ok(pins);
        }
    }
    Err(format!("no repository of this host offers {target}"))
}

/// What clients and replicas depend on must not share its disks, CPU and memory with an experiment unless a person says so.
fn serves(seen: &Sighting, wanted: &Wanted, host: &Observation) -> Option<String> {
    let member = &wanted.member;
    let server = host.server.known()?;
    let group = match server.group.require() {
        Ok(group) => group.as_ref(),
        Err(why) => {
            return Some(format!(
                "{member}: whether it is in a group is not known: {why}"
            ));
        }
    };
    if group.is_some() && server.takes_writes() {
        return Some(format!(
            "{member} takes the group's writes: a rehearsal takes CPU, memory and disk from it; name a secondary"
        ));
    }
    let replicas = seen
        .servers()
        .filter(|(name, _)| *name != member)
        .any(|(_, other)| {
            let channels = other.channels.known();
            let from_here = |channel: &crate::observation::ChannelFacts| {
                let detail = channel.detail.known();
                detail.and_then(|d| d.source_uuid.as_ref()) == Some(&server.uuid)
            };
            channels.is_some_and(|channels| channels.iter().any(from_here))
        });
    let why = match (server.takes_writes(), replicas) {
        (true, true) => "it is the source and takes writes",
        (true, false) => "it takes writes",
        // An intermediate source serves, too; but what it sends it has already, so that only lag is at stake.
        (false, _) => return None,
    };
    (!wanted.on_source).then(|| {
        format!(
            "{member}: {why}: a rehearsal takes CPU, memory and disk from it; name a replica, or say --on-source"
        )
    })
}

fn not_down(member: &MemberName, host: &Observation) -> Option<String> {
    let why = host.server.require().err().unwrap_or("it can't be asked");
    match host.service.require() {
        Ok(ServiceState::Inactive | ServiceState::Failed) => None,
        Ok(state) => Some(format!(
            "{member}: mysqld can't be asked ({why}), but its unit is {state:?}: it must be serving or stopped"
        )),
        Err(unknown) => Some(format!(
            "{member}: whether mysqld runs is not known: {unknown}"
        )),
    }
}

/// Data in use can be cloned only as it was at one instant; anything else mixes pages of different times, which no recovery
/// mends (MYSQL.md §6.1).
fn how(
    member: &MemberName,
    host: &Observation,
    running: bool,
    copy: bool,
) -> Result<String, String> {
    let storage = host
        .storage
        .require()
        .map_err(|why| format!("{member}: how its data could be cloned is not known: {why}"))?;
    let logs = |role| {
        matches!(
            role,
            PathRole::DataDir | PathRole::BinaryLogs | PathRole::RelayLogs
        )
    };
    let outside: Vec<&str> = storage
        .paths
        .iter()
        .filter(|path| !logs(path.role))
        .map(|path| path.path.as_str())
        .collect();
    if !outside.is_empty() {
        return Err(format!(
            "{member} keeps data outside its data directory ({}): that can't be cloned for a rehearsal yet",
            outside.join(", ")
        ));
    }
    match (storage.snapshot_method, running) {
        (SnapshotMethod::BtrfsSubvolume, _) => {
            Ok("a snapshot of the data directory's subvolume is taken".to_owned())
        }
        (SnapshotMethod::Reflink | SnapshotMethod::Copy, true) => Err(format!(
            "{member}: its file system takes no snapshot at one instant (a btrfs subvolume would), and files copied while \
             mysqld writes to them are useless: stop the server and rehearse then, or restore a backup on the host and say \
             --data-directory"
        )),
        (SnapshotMethod::Reflink, false) => Ok("the data directory's blocks are shared".to_owned()),
        (SnapshotMethod::Copy, false) if !copy => Err(format!(
            "{member}: its file system shares no blocks: a full copy takes {} MiB of {} MiB free; say --copy",
            storage.snapshot_needs_bytes >> 20,
            storage.snapshot_free_bytes >> 20
        )),
        (SnapshotMethod::Copy, false) => Ok(format!(
            "{} MiB are copied",
            storage.snapshot_needs_bytes >> 20
        )),
    }
}
