//! What must hold after every run.

use super::World;
use super::faults::only_looking;
use refit_agent::simhost::{Shape, SimWorld};
use refit_shared::config::edit::apply;
use refit_shared::config::propose::planned;
use refit_shared::config::{ConfigFiles, OptionFile};
use refit_shared::ids::MemberName;
use refit_shared::observation::MemberState;
use refit_shared::planner::LEASE_S;
use refit_shared::saga::End;
use refit_shared::version::PackageVersion;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// No client waits longer than this, whatever breaks once: a drain that is given up, a dead primary that is expelled, an
/// agent that comes back and lifts the pause it had begun.
pub const LONGEST_GAP: Duration = Duration::from_secs(45);
/// The same for a switchover: a lease runs out, or a person answers once both sides are closed.
pub const LONGEST_SWITCH: Duration = Duration::from_secs(150);
/// No pause on a lease lasts longer: the lease itself, an agent and a host that have to come back first, and a look.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(LEASE_S as u64 + 20);
/// What is not so at once (an election, a recovery) must be so by then.
const SETTLES_WITHIN: Duration = Duration::from_secs(60);
const ASK_EVERY: Duration = Duration::from_millis(500);
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// The world as it was, as far as Refit must bring it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    primary: Option<MemberName>,
    members: BTreeMap<MemberName, Member>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Member {
    packages: Option<PackageVersion>,
    held: BTreeSet<String>,
    config: Vec<(String, Vec<u8>)>,
    start_on_boot: Option<String>,
    /// Variables that are no defaults.
    explicit: BTreeSet<String>,
    /// What its binary log holds.
    log_format: Option<String>,
    /// Whom it replicates from.
    sources: Vec<(String, MemberName)>,
}

impl Before {
    pub fn primary(&self) -> Option<&MemberName> {
        self.primary.as_ref()
    }

    pub async fn of(sim: &SimWorld) -> Self {
        let mut members = BTreeMap::new();
        for name in sim.members() {
            // A host without power never answers.
            let host = sim.host(&name);
            let asked = only_looking(host.mysql.facts());
            let facts = timeout(ANSWERS_WITHIN, asked).await;
            let facts = facts.ok().and_then(Result::ok);
            let variable = "group_replication_start_on_boot";
            let member = Member {
                packages: sim.installed(&name),
                held: sim.held_packages(&name),
                config: sim.config(&name),
                log_format: facts
                    .as_ref()
                    .and_then(|f| f.variables.get("binlog_format").cloned()),
                sources: sim.sources(&name),
                start_on_boot: facts
                    .as_ref()
                    .and_then(|f| f.variables.get(variable).cloned()),
                explicit: facts.map(|f| f.explicit_variables).unwrap_or_default(),
            };
            members.insert(name, member);
        }
        Self {
            primary: sim.primary(),
            members,
        }
    }
}

/// Waits until nothing is wrong, or tells what is, still.
async fn soon(mut wrongs: impl AsyncFnMut() -> Vec<String>) -> Vec<String> {
    let until = Instant::now() + SETTLES_WITHIN;
    loop {
        let now = wrongs().await;
        if now.is_empty() || Instant::now() >= until {
            return now;
        }
        sleep(ASK_EVERY).await;
    }
}

/// Whatever way it came to rest: no lost write, one primary that takes writes, nobody writable beside it.
pub async fn at_rest(world: &World) -> Vec<String> {
    soon(async || world.sim.wrongs_at_rest()).await
}

/// What the rollout's end promises.
pub async fn at_the_end(world: &World, end: &End) -> Vec<String> {
    soon(async || {
        let mut wrongs = world.sim.wrongs_at_rest();
        match end {
            End::Upgraded => wrongs.extend(upgraded(world).await),
            End::Restored => wrongs.extend(restored(world).await),
            End::Abandoned { .. } => {}
        }
        wrongs
    })
    .await
}

fn serving(world: &World, name: &MemberName, wrongs: &mut Vec<String>) {
    let sim = &world.sim;
    let state = sim.member_state(name);
    let serves = match world.hop.shape() {
        Shape::Group => state == Some(MemberState::Online),
        // All are of one version then.
        Shape::MultiPrimary => state == Some(MemberState::Online) && sim.is_writable(name),
        Shape::Alone => sim.is_writable(name),
        Shape::Replicas | Shape::Chain => sim.is_writable(name) || sim.replicates(name),
    };
    if !serves {
        wrongs.push(format!("{name} is {state:?} and does not serve"));
    }
    if sim.in_maintenance(name) {
        wrongs.push(format!("{name} still has the maintenance drop-ins"));
    }
    if sim.is_held_down(name) {
        wrongs.push(format!("{name} is still held down"));
    }
}

async fn upgraded(world: &World) -> Vec<String> {
    let (sim, target) = (&world.sim, world.hop.to());
    let now = Before::of(sim).await;
    let mut wrongs = Vec::new();
    for (name, was) in &world.before.members {
        serving(world, name, &mut wrongs);
        let is = &now.members[name];
        if is.packages.as_ref() != Some(&target) {
            wrongs.push(format!(
                "{name} has packages {:?}, not {target}",
                is.packages
            ));
        }
        let version = target.mysql_version().ok();
        if sim.running_version(name) != version || Some(sim.data_version(name)) != version {
            wrongs.push(format!("{name} does not run {target} on data of {target}"));
        }
        let rebuilt = sim.rebuilt(name);
        if !rebuilt.iter().eq(&world.hop.tables()) {
            wrongs.push(format!("{name} has rebuilt {rebuilt:?}"));
        }
        if world.hop.hands_over() {
            follows(world, name, &mut wrongs);
            continue;
        }
        if is.sources != was.sources {
            wrongs.push(format!("{name} replicates from {:?}", is.sources));
        }
        if is.start_on_boot != was.start_on_boot || is.log_format != was.log_format {
            wrongs.push(format!("{name}: settings have changed"));
        }
        match as_reviewed(world, was, is) {
            Ok(files) if files == is.config => {}
            Ok(files) => wrongs.push(format!(
                "{name}: option files are {:?}, reviewed were {files:?}",
                is.config
            )),
            Err(why) => wrongs.push(format!("{name}: option files: {why}")),
        }
    }
    if !world.hop.hands_over() && now.primary != world.before.primary {
        wrongs.push(format!(
            "the primary is {:?}, and was not given back",
            now.primary
        ));
    }
    wrongs
}

/// The option files that the plan was to make of those that were there; within a series, the same.
fn as_reviewed(world: &World, was: &Member, is: &Member) -> Result<Vec<(String, Vec<u8>)>, String> {
    let text = |content: &Vec<u8>| String::from_utf8_lossy(content).into_owned();
    let files = ConfigFiles {
        roots: was.config.iter().map(|(path, _)| path.clone()).collect(),
        files: was
            .config
            .iter()
            .map(|(path, content)| OptionFile::new(path, text(content)))
            .collect(),
        elsewhere: was.explicit.clone(),
        ..ConfigFiles::default()
    };
    let version = |package: PackageVersion| package.mysql_version().map_err(|e| e.to_string());
    let (from, to) = (version(world.hop.from())?, version(world.hop.to())?);
    // The day on which the plan was made is only in its comments.
    let comments = is.config.iter().map(|(_, content)| text(content));
    let day: Vec<String> = comments
        .filter_map(|text| text.split_once("# Refit ")?.1.get(..10).map(str::to_owned))
        .collect();
    let day = day.first().map_or("2026-11-20", String::as_str);
    let day = day.parse().map_err(|e| format!("{e}"))?;
    let proposal = planned(&files, from, to, day, &world.request().policy);
    let mut expected = was.config.clone();
    for rewrite in proposal.rewrites {
        let file = expected.iter_mut().find(|(path, _)| *path == rewrite.path);
        let (_, content) = file.ok_or("a file that is not there is rewritten")?;
        *content = apply(content, &rewrite.edits).map_err(|e| e.to_string())?;
    }
    Ok(expected)
}

/// After a switchover: whoever took the writes is followed by all others, after a restart too.
fn follows(world: &World, name: &MemberName, wrongs: &mut Vec<String>) {
    let sim = &world.sim;
    let Some(source) = sim
        .primary()
        .filter(|source| Some(source) != world.before.primary())
    else {
        wrongs.push("the writes were not handed over".to_owned());
        return;
    };
    let expected: Vec<(String, MemberName)> = match *name == source {
        true => Vec::new(),
        false => vec![(String::new(), source.clone())],
    };
    if sim.sources(name) != expected {
        wrongs.push(format!("{name} replicates from {:?}", sim.sources(name)));
    }
    let persisted = sim
        .config(name)
        .into_iter()
        .find(|(file, _)| file == "mysqld-auto.cnf");
    let wanted = if *name == source { "OFF" } else { "ON" };
    let is = persisted.map(|(_, bytes)| String::from_utf8_lossy(&bytes).into_owned());
    if is != Some(format!("super_read_only={wanted}")) {
        wrongs.push(format!("{name} has persisted {is:?}, not {wanted}"));
    }
}

async fn restored(world: &World) -> Vec<String> {
    let sim = &world.sim;
    let now = Before::of(sim).await;
    let mut wrongs = Vec::new();
    if now.members != world.before.members {
        wrongs.push(format!("the world is {now:?}, it was {:?}", world.before));
    }
    if now.primary != world.before.primary {
        wrongs.push(format!(
            "the primary is {:?}, and was not given back",
            now.primary
        ));
    }
    let version = world.hop.from().mysql_version().ok();
    for name in world.before.members.keys() {
        serving(world, name, &mut wrongs);
        if sim.running_version(name) != version || Some(sim.data_version(name)) != version {
            wrongs.push(format!(
                "{name} does not run the old version on its own data"
            ));
        }
    }
    wrongs
}
