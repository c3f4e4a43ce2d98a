//! One simulated cluster and the orders of one rollout to one of its agents.

use crate::host::Host;
use crate::lease::Lease;
use crate::ledger::{FileDisk, Memory};
use crate::operations::{OpContext, run};
use crate::progress::Phase;
use crate::simhost::{Beginning, FaultAction, OPTION_FILE, Shape, SimWorld, Timings, pins};
use refit_shared::config::edit::{LineEdit, Rewrite};
use refit_shared::ids::{Attempt, ClusterName, Digest, Epoch, MemberName, RolloutId, StepId};
use refit_shared::observation::{MemberState, ServiceState};
use refit_shared::operation::{AttemptId, Direction, Operation, Order};
use refit_shared::receipt::{Failure, FailureCode, Outcome};
use refit_shared::version::{MysqlVersion, PackageVersion};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep};

pub fn member(name: &str) -> MemberName {
    MemberName::new(name).unwrap()
}

/// The agent dies, or its host loses power, before or after a call.
pub const CUTS: [FaultAction; 4] = [
    FaultAction::CrashBefore,
    FaultAction::CrashAfter,
    FaultAction::PowerCutBefore,
    FaultAction::PowerCutAfter,
];

/// From one package version to another.
#[derive(Debug, Clone)]
pub struct Hop {
    pub from: PackageVersion,
    pub to: PackageVersion,
}

impl Hop {
    pub fn patch() -> Self {
        Self::new("9.7.3-1", "9.7.4-1")
    }
    pub fn series() -> Self {
        Self::new("8.4.6-1", "9.7.4-1")
    }
    /// Between releases whose system tables a program upgrades.
    pub fn early() -> Self {
        Self::new("8.0.11-1", "8.0.15-1")
    }
    fn new(from: &str, to: &str) -> Self {
        Self {
            from: PackageVersion::new(from).unwrap(),
            to: PackageVersion::new(to).unwrap(),
        }
    }
    pub fn old(&self) -> MysqlVersion {
        self.from.mysql_version().unwrap()
    }
    pub fn new_version(&self) -> MysqlVersion {
        self.to.mysql_version().unwrap()
    }
    /// What its option file needs, and a pin, so that there is something to change within a series, too.
    fn rewrite(&self, closed: &str) -> Rewrite {
        let edit = |line, replaces, new: &str| LineEdit {
            line,
            replaces,
            new: vec![new.to_owned()],
        };
        let pin = "explain_format = TRADITIONAL";
        let (before, edits) = if self.old().series() == self.new_version().series() {
            ("[mysqld]\nmax_connections=500\n", vec![edit(3, false, pin)])
        } else {
            let capacity = "innodb_redo_log_capacity = 2147483648";
            (
                "[mysqld]\nmax_connections=500\ninnodb_log_file_size=1G\n",
                vec![edit(3, true, capacity), edit(4, false, pin)],
            )
        };
        Rewrite {
            path: OPTION_FILE.to_owned(),
            before: Digest::of(format!("{before}{closed}").as_bytes()),
            after: None,
            edits,
        }
    }

    /// What is done to a replica, in order.
    pub fn replica_lane(&self) -> Vec<Operation> {
        let mut lane = self.lane();
        for operation in &mut lane {
            match operation {
                Operation::LeaveGroup { .. } => *operation = Operation::StopReplica { drain_s: 60 },
                Operation::JoinGroup { .. } => {
                    *operation = Operation::StartReplica { catch_up_s: 60 }
                }
                Operation::RewriteConfig { files } | Operation::ValidateConfig { files, .. } => {
                    *files = vec![self.rewrite("super_read_only=ON\n")];
                }
                _ => {}
            }
        }
        lane
    }

    /// What is done to one member, in order.
    pub fn lane(&self) -> Vec<Operation> {
        vec![
            Operation::FetchPackages {
                target: pins(&self.to),
                rollback: pins(&self.from),
            },
            Operation::BackUpConfig,
            Operation::ValidateConfig {
                version: self.new_version(),
                packages: pins(&self.to),
                files: vec![self.rewrite("")],
            },
            Operation::EnterMaintenance,
            Operation::LeaveGroup { drain_s: 10 },
            Operation::StopServer {
                version: self.old(),
                slow: self.old().series() != self.new_version().series(),
                drain_s: 0,
            },
            Operation::SnapshotData {
                name: "before".to_owned(),
            },
            Operation::RewriteConfig {
                files: vec![self.rewrite("")],
            },
            Operation::SwapPackages {
                from: pins(&self.from),
                to: pins(&self.to),
            },
            Operation::StartServer {
                version: self.new_version(),
                snapshot: "before".to_owned(),
            },
            Operation::JoinGroup { drain_s: 60 },
            Operation::LeaveMaintenance,
        ]
    }
}

pub struct Rig {
    pub world: SimWorld,
    pub member: MemberName,
    pub hop: Hop,
    pub deadline_s: u32,
    pub attempt: Attempt,
    state_dir: tempfile::TempDir,
}

/// All of a host that an undo has to bring back.
#[derive(Debug, PartialEq, Eq)]
pub struct Picture {
    service: ServiceState,
    running: Option<MysqlVersion>,
    installed: Option<PackageVersion>,
    held: BTreeSet<String>,
    frozen: bool,
    maintenance: bool,
    held_down: bool,
    state: Option<MemberState>,
    writable: bool,
    data: MysqlVersion,
    config: Vec<(String, Vec<u8>)>,
    sources: Vec<(String, MemberName)>,
    replicates: bool,
}

impl Rig {
    pub fn new(name: &str, hop: Hop) -> Self {
        Self::of(Shape::Group, &["m1", "m2", "m3"], name, hop)
    }

    /// `m1` is the source of `m2` and `m3`.
    pub fn replicas(name: &str, hop: Hop) -> Self {
        Self::of(Shape::Replicas, &["m1", "m2", "m3"], name, hop)
    }

    /// A server that stands alone.
    pub fn alone(hop: Hop) -> Self {
        Self::of(Shape::Alone, &["m1"], "m1", hop)
    }

    fn of(shape: Shape, members: &[&str], name: &str, hop: Hop) -> Self {
        let beginning = Beginning {
            members: members.iter().map(|name| member(name)).collect(),
            installed: hop.from.clone(),
            offered: vec![hop.to.clone()],
            timings: Timings::STANDARD,
        };
        let world = SimWorld::shaped(shape, beginning);
        for _ in 0..5 {
            world.write().unwrap();
        }
        Self {
            world,
            member: member(name),
            hop,
            deadline_s: 3600,
            attempt: Attempt(1),
            state_dir: tempfile::tempdir().unwrap(),
        }
    }

    /// Another host's agent in a world that is there already.
    pub fn in_world(world: SimWorld, name: &str, hop: Hop) -> Self {
        Self {
            world,
            member: member(name),
            hop,
            deadline_s: 3600,
            attempt: Attempt(1),
            state_dir: tempfile::tempdir().unwrap(),
        }
    }

    pub fn order(&self, direction: Direction, operation: &Operation) -> Order {
        Order {
            id: AttemptId {
                rollout: RolloutId::new("r1").unwrap(),
                step: StepId(1),
                attempt: self.attempt,
            },
            epoch: Epoch(1),
            cluster: ClusterName::new("c1").unwrap(),
            member: self.member.clone(),
            direction,
            operation: operation.clone(),
            deadline_s: self.deadline_s,
        }
    }

    pub fn context(&self, order: Order) -> (Host, OpContext) {
        let port = self.world.ports(&self.member);
        let memory = Memory::of(self.state_dir.path(), &order.id.rollout, FileDisk::quick());
        let cx = OpContext {
            deadline: Instant::now() + Duration::from_secs(u64::from(order.deadline_s)),
            order,
            phase: Phase::silent(),
            log: Arc::new(port.clone()),
            memory,
            lease: Lease::open(
                self.state_dir.path(),
                FileDisk::quick(),
                Arc::new(self.world.clone()),
            ),
        };
        (port.host(), cx)
    }

    /// Strikes once, at the call to the world of that number; counts the calls.
    pub fn strike(&self, call: usize, action: FaultAction) -> Arc<AtomicUsize> {
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = calls.clone();
        self.world.faults(move |_, _| {
            if counter.fetch_add(1, Ordering::Relaxed) == call {
                action
            } else {
                FaultAction::Continue
            }
        });
        calls
    }

    /// One try; `None`: the agent was killed during it.
    pub async fn once(&self, direction: Direction, operation: &Operation) -> Option<Outcome> {
        let mut deaths = self.world.agent_deaths(&self.member);
        deaths.mark_unchanged();
        let (host, cx) = self.context(self.order(direction, operation));
        tokio::select! {
            biased;
            _ = deaths.changed() => None,
            outcome = run(&host, &cx) => Some(outcome),
        }
    }

    /// Tries until there is an outcome: as the agent does when it comes back after it, or its host, has died.
    pub async fn carry_out(&self, direction: Direction, operation: &Operation) -> Outcome {
        loop {
            match self.once(direction, operation).await {
                Some(outcome) => return outcome,
                None => {
                    sleep(Duration::from_secs(2)).await;
                    self.world.power_on(&self.member);
                }
            }
        }
    }

    pub async fn perform(&self, operation: &Operation) -> Vec<String> {
        done(
            operation,
            self.carry_out(Direction::Perform, operation).await,
        )
    }

    pub async fn undo(&self, operation: &Operation) -> Vec<String> {
        done(operation, self.carry_out(Direction::Undo, operation).await)
    }

    pub async fn refused(&self, direction: Direction, operation: &Operation) -> Failure {
        match self.carry_out(direction, operation).await {
            Outcome::Failed(failure) => failure,
            Outcome::Done { notes } => panic!("{operation:?} was done: {notes:?}"),
        }
    }

    pub async fn refused_clean(&self, operation: &Operation) -> Failure {
        let failure = self.refused(Direction::Perform, operation).await;
        assert_eq!(
            (failure.code, failure.partial),
            (FailureCode::Precondition, false),
            "{failure}"
        );
        failure
    }

    /// Performs the lane up to, not including, its step of that number.
    pub async fn up_to(&self, step: usize) {
        for operation in &self.hop.lane()[..step] {
            self.perform(operation).await;
        }
    }

    pub async fn picture(&self) -> Picture {
        // Elections, recoveries and restarts come to their end.
        sleep(Duration::from_secs(60)).await;
        self.snapshot_of_now()
    }

    pub fn snapshot_of_now(&self) -> Picture {
        let (world, member) = (&self.world, &self.member);
        Picture {
            service: world.service_state(member),
            running: world.running_version(member),
            installed: world.installed(member),
            held: world.held_packages(member),
            frozen: world.is_frozen(member),
            maintenance: world.in_maintenance(member),
            held_down: world.is_held_down(member),
            state: world.member_state(member),
            writable: world.is_writable(member),
            data: world.data_version(member),
            config: world.config(member),
            sources: world.sources(member),
            replicates: world.replicates(member),
        }
    }
}

impl Picture {
    /// systemd remembers a failed start until the next one; it stands for nothing.
    pub fn forget_failed_state(&mut self) {
        if self.service == ServiceState::Failed {
            self.service = ServiceState::Inactive;
        }
    }
}

fn done(operation: &Operation, outcome: Outcome) -> Vec<String> {
    match outcome {
        Outcome::Done { notes } => notes,
        Outcome::Failed(failure) => panic!("{operation:?}: {failure}"),
    }
}
