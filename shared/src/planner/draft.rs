//! A plan in the making: numbers its steps, and knows the steps that every strategy takes alike.
//!
//! ```text
//! fetch      all        fetch_packages · back_up_config · validate   side by side, everybody serves
//! descend    a member   enter_maintenance
//! replace    a member   stop · snapshot · (rewrite) · swap · start  what it was taken out for
//!                       (· upgrade_system_tables)                 where the target is older than 8.0.16
//! ascend     a member   leave_maintenance
//! finalize   all        release_artifacts                           only when a person asks for it
//! ```
//!
//! What comes between (leaving a group, stopping a replica, gates) is each strategy's own.

use super::Request;
use super::candidate::Candidate;
use super::estimate;
use crate::condition::Condition;
use crate::config::edit::Rewrite;
use crate::config::pins;
use crate::config::propose::planned;
use crate::expectation::Expectation;
use crate::ids::{MemberName, StepId};
use crate::observation::Observation;
use crate::operation::{Operation, OperationKind as Kind};
use crate::plan::drift::World;
use crate::plan::{Action, Gate, Lane, Reversibility, Stage, Step};
use crate::rules::dialect::Dialect;
use crate::rules::releases::Date;
use crate::rules::system_tables;
use crate::topology::Sighting;
use crate::version::{MysqlVersion, PackageVersion};
use std::collections::{BTreeMap, BTreeSet};

/// Beside the time for which it must hold: how long a gate is waited for, in seconds.
const GATE_DEADLINE_S: u32 = 600;

/// Steps are numbered in the order in which they are made here.
#[derive(Debug)]
pub struct Draft {
    pub target: MysqlVersion,
    pub package: PackageVersion,
    /// The group that members belong to from the next step on; a plan may move them from one to another.
    pub group: Option<String>,
    /// Changes to the option files of members that need some.
    rewrites: BTreeMap<MemberName, Vec<Rewrite>>,
    /// Variables whose pins these changes take out.
    released: BTreeMap<MemberName, BTreeSet<&'static str>>,
    next: u16,
}

impl Draft {
    pub fn new(
        request: &Request,
        seen: &Sighting,
        made_unix_ms: i64,
        package: PackageVersion,
        group: Option<String>,
    ) -> Self {
        let today = Date::of_unix_ms(made_unix_ms);
        let mut rewrites = BTreeMap::new();
        let mut released = BTreeMap::new();
        for (name, server) in seen.servers() {
            // Files that could not be read are what the check sysVars is about.
            let Ok(files) = seen.config(name) else {
                continue;
            };
            let (from, policy) = (server.version, &request.policy);
            let proposal = planned(&files, from, request.target, today, policy);
            rewrites.insert(name.clone(), proposal.rewrites);
            let pins = pins::named(&files, from, &policy.release);
            released.insert(name.clone(), pins.iter().map(|pin| pin.variable).collect());
        }
        Self {
            target: request.target,
            package,
            group,
            rewrites,
            released,
            next: 0,
        }
    }

    /// What is to be changed in a member's option files.
    pub fn rewrites(&self, member: &MemberName) -> &[Rewrite] {
        self.rewrites.get(member).map_or(&[], Vec::as_slice)
    }

    /// What the member has at the end.
    pub fn package_of<'a>(&'a self, c: &'a Candidate<'_>) -> &'a PackageVersion {
        if c.changes_version(self.target) {
            &self.package
        } else {
            &c.world.package_version
        }
    }

    fn id(&mut self) -> StepId {
        let id = StepId(self.next);
        self.next += 1;
        id
    }

    /// A gate that is waited for at most so many seconds.
    pub fn gate_within(
        &mut self,
        member: &MemberName,
        gate: Gate,
        deadline_s: u32,
        why: &str,
    ) -> Step {
        let mut step = self.gate(member, gate, why);
        step.deadline_s = deadline_s;
        step
    }

    pub fn gate(&mut self, member: &MemberName, gate: Gate, why: &str) -> Step {
        Step {
            id: self.id(),
            member: member.clone(),
            group: self.group.clone(),
            estimate: estimate::gate(gate.hold_ms),
            deadline_s: GATE_DEADLINE_S + gate.hold_ms / 1000,
            reversibility: Reversibility::NothingToUndo,
            action: Action::Gate(gate),
            before: Vec::new(),
            after: Vec::new(),
            why: why.to_owned(),
        }
    }

    pub fn operate(
        &mut self,
        member: &MemberName,
        seen: &Observation,
        order: Operation,
        deadline_s: u32,
        why: &str,
    ) -> Step {
        Step {
            id: self.id(),
            member: member.clone(),
            group: self.group.clone(),
            estimate: estimate::operation(&order, seen),
            reversibility: reversibility(&order),
            action: Action::Operate { order },
            before: Vec::new(),
            after: Vec::new(),
            deadline_s,
            why: why.to_owned(),
        }
    }

    /// One operation on one member.
    pub fn on(&mut self, c: &Candidate<'_>, order: Operation, deadline_s: u32, why: &str) -> Step {
        self.operate(c.name, c.seen, order, deadline_s, why)
    }

    /// Both ways are on every host before anything is stopped.
    pub fn fetch(&mut self, candidates: &[Candidate<'_>]) -> Stage {
        let lanes = candidates.iter().map(|c| self.fetch_on(c)).collect();
        Stage {
            title: "fetch packages and back up configuration".to_owned(),
            lanes,
        }
    }

    fn fetch_on(&mut self, c: &Candidate<'_>) -> Lane {
        let changes = c.changes_version(self.target);
        let package = self.package_of(c).clone();
        let order = Operation::FetchPackages {
            target: c.pins(&package),
            rollback: if changes {
                c.pins(&c.world.package_version)
            } else {
                Vec::new()
            },
        };
        let why = if changes {
            "both ways are on the host and verified before anything is stopped"
        } else {
            "only to judge the option files with: nothing is installed"
        };
        let mut fetch = self.on(c, order, 1800, why);
        fetch.before = vec![
            Expectation::PackagesAt {
                version: c.world.package_version.clone(),
            },
            Expectation::Config {
                digest: c.world.config,
            },
        ];
        let why = "byte for byte, to go back to";
        let back_up = self.on(c, Operation::BackUpConfig, 120, why);
        let mut steps = vec![fetch, back_up];
        // Before 8.0.16 mysqld can't be asked without starting it: the check mysqlUpgrade says so.
        if Dialect::of(self.target).has_validate_config() {
            let order = Operation::ValidateConfig {
                version: self.target,
                packages: c.pins(&package),
                files: self.rewrites(c.name).to_vec(),
            };
            let why = if changes {
                "the new mysqld accepts the option files, known before anything is stopped"
            } else {
                "mysqld accepts the option files, known before anything is stopped"
            };
            steps.push(self.on(c, order, 600, why));
        }
        Lane {
            member: c.name.clone(),
            steps,
        }
    }

    /// Into maintenance. The member must still be as it was when the plan was made.
    pub fn descend(&mut self, c: &Candidate<'_>) -> Step {
        let why = "a reboot now must not start or join anything by itself";
        let mut step = self.on(c, Operation::EnterMaintenance, 120, why);
        step.before = vec![
            Expectation::PackagesAt {
                version: c.world.package_version.clone(),
            },
            Expectation::ServerRunning {
                version: c.world.version,
            },
            Expectation::Config {
                digest: c.world.config,
            },
        ];
        step
    }

    /// Stop, snapshot, rewrite of option files where they need it, swap and start of a member in maintenance, and mysql_upgrade where
    /// the target wants it. `drain_s`: seconds for which writes are paused before the stop;
    /// 0 where nobody is served by it any more.
    pub fn replace(&mut self, c: &Candidate<'_>, drain_s: u32) -> Vec<Step> {
        let (from, to) = (c.world.version, self.target);
        let name = self.snapshot();
        let slow = from.series() != to.series();

        let order = Operation::StopServer {
            version: from,
            slow,
            drain_s,
        };
        let why = "a clean shutdown, proved by the error log";
        let mut stop = self.on(c, order, 4 * 3600, why);
        stop.before = vec![Expectation::MaintenanceIs { on: true }];
        stop.after = vec![Expectation::ServerStopped];

        let order = Operation::SnapshotData { name: name.clone() };
        let changes = c.changes_version(to);
        let why = if changes {
            "the only way back once a new version has started"
        } else {
            "the way back, data and option files as they are now"
        };
        let mut snapshot = self.on(c, order, 8 * 3600, why);
        snapshot.before = vec![Expectation::ServerStopped];

        // Before the swap: a package leaves an option file alone that is not as it has shipped it.
        let files = self.rewrites(c.name).to_vec();
        let rewrite = (!files.is_empty()).then(|| {
            let why = "the reviewed changes, and only to the reviewed bytes";
            let mut step = self.on(c, Operation::RewriteConfig { files }, 120, why);
            step.before = vec![Expectation::ServerStopped];
            step
        });

        let swap = changes.then(|| self.swap(c));

        let order = Operation::StartServer {
            version: to,
            snapshot: name,
        };
        let why = if changes {
            "upgrades the data directory where needed"
        } else {
            "with the changed option files"
        };
        let mut start = self.on(c, order, 24 * 3600, why);
        start.before = vec![Expectation::ServerStopped];
        start.after = vec![Expectation::ServerRunning { version: to }];
        let released = self.released.get(c.name).into_iter().flatten();
        start.after.extend(released.map(|variable| {
            let variable = (*variable).to_owned();
            Expectation::DefaultInForce { variable }
        }));

        // Before it replicates, joins or takes writes: it would do so with tables of another version.
        let program = (changes && system_tables::by_program(to)).then(|| {
            let order = Operation::UpgradeSystemTables { version: to };
            let why = "its own mysql_upgrade, without binary log, and a restart";
            let mut step = self.on(c, order, 24 * 3600, why);
            let running = Expectation::ServerRunning { version: to };
            step.before = vec![Expectation::MaintenanceIs { on: true }, running.clone()];
            step.after = vec![running];
            step
        });

        let mut steps = vec![stop, snapshot];
        steps.extend(rewrite);
        steps.extend(swap);
        steps.push(start);
        steps.extend(program);
        steps
    }

    fn swap(&mut self, c: &Candidate<'_>) -> Step {
        let order = Operation::SwapPackages {
            from: c.pins(&c.world.package_version),
            to: c.pins(&self.package),
        };
        let why = "exact versions, no maintainer script runs mysqld";
        let mut swap = self.on(c, order, 1800, why);
        swap.before = vec![
            Expectation::ServerStopped,
            Expectation::PackagesAt {
                version: c.world.package_version.clone(),
            },
        ];
        swap.after = vec![Expectation::PackagesAt {
            version: self.package.clone(),
        }];
        swap
    }

    /// Out of maintenance.
    pub fn ascend(&mut self, c: &Candidate<'_>) -> Step {
        let mut step = self.on(c, Operation::LeaveMaintenance, 120, "back to normal");
        step.after = vec![Expectation::MaintenanceIs { on: false }];
        step
    }

    /// What only a person may ask for, once the rollout has ended.
    pub fn finalize(&mut self, candidates: &[Candidate<'_>]) -> Stage {
        let mut lanes = Vec::new();
        for c in candidates {
            let order = Operation::ReleaseArtifacts {
                snapshot: self.snapshot(),
            };
            let why = "snapshot, set-aside data and package cache are deleted";
            lanes.push(Lane {
                member: c.name.clone(),
                steps: vec![self.on(c, order, 3600, why)],
            });
        }
        Stage {
            title: "finalize".to_owned(),
            lanes,
        }
    }

    /// The name of every member's snapshot in this plan.
    fn snapshot(&self) -> String {
        format!("before-{}", self.target)
    }
}

/// Why a gate looks at a server that was started, before writes are let in.
pub fn looked_at(changes_version: bool) -> &'static str {
    if changes_version {
        "the new version runs and can be read; nothing has been written on it yet"
    } else {
        "it runs with the changed option files and can be read; nothing has been written on it yet"
    }
}

/// What *Restored* means of each member by itself: version, packages, option files, no maintenance.
pub fn as_before(world: &World) -> impl Iterator<Item = Condition> + '_ {
    world.members.iter().flat_map(|(name, was)| {
        let expected = [
            Expectation::ServerRunning {
                version: was.version,
            },
            Expectation::PackagesAt {
                version: was.package_version.clone(),
            },
            Expectation::Config { digest: was.config },
            Expectation::MaintenanceIs { on: false },
        ];
        expected.map(|is| Condition::Member {
            member: name.clone(),
            is,
        })
    })
}

fn reversibility(order: &Operation) -> Reversibility {
    match order.kind() {
        Kind::FetchPackages
        | Kind::ValidateConfig
        | Kind::AppointPrimary
        | Kind::InspectTables
        | Kind::LeaveLostGroup
        | Kind::RehearseUpgrade => Reversibility::NothingToUndo,
        Kind::ReleaseArtifacts => Reversibility::Irreversible,
        Kind::BackUpConfig
        | Kind::EnterMaintenance
        | Kind::LeaveGroup
        | Kind::StopServer
        | Kind::SnapshotData
        | Kind::RewriteConfig
        | Kind::SwapPackages
        | Kind::StartServer
        | Kind::UpgradeSystemTables
        | Kind::JoinGroup
        | Kind::LeaveMaintenance
        | Kind::KeepPrimary
        | Kind::DissolveGroup
        | Kind::BootstrapGroup
        | Kind::KeepWritable
        | Kind::AllowWrites
        | Kind::StopReplica
        | Kind::StartReplica
        | Kind::KeepReplica
        | Kind::PauseWrites
        | Kind::DemoteSource
        | Kind::PromoteReplica
        | Kind::FollowSource
        | Kind::DiscardLogs
        | Kind::LogRows
        | Kind::RebuildOffline
        | Kind::RebuildTables => Reversibility::Undoable,
    }
}

/// From here on nothing can be undone: marks every step from the given place of the lane on.
pub fn irreversible_from(steps: &mut [Step], from: usize) {
    for step in steps
        .iter_mut()
        .skip(from)
        .filter(|step| step.reversibility == Reversibility::Undoable)
    {
        step.reversibility = Reversibility::Irreversible;
    }
}
