//! The agents of all hosts: the real worker over a real ledger, killed and started again by what happens to its host.

use super::cluster;
use refit_agent::host::HostResult;
use refit_agent::lease::Lease;
use refit_agent::ledger::Ledger;
use refit_agent::service::AgentService;
use refit_agent::service::observe::Looker;
use refit_agent::simhost::{SimDisk, SimPort, SimWorld};
use refit_agent::worker::{Bench, Clock, Worker, WorkerTask, Workplace};
use refit_proto::exchange::LedgerEntry;
use refit_shared::ids::{Epoch, MemberName};
use refit_shared::observation::{AgentFacts, Beat, Fact, HostFacts, Observation};
use refit_shared::operation::Order;
use refit_shared::receipt::{Failure, Progress, Receipt};
use refit_shared::survey::{Address, Candidate, Judged, Question, Survey, Unreached};
use refit_shared::table::TableName;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Before the service manager starts a killed agent again.
const RESTART: Duration = Duration::from_secs(2);
/// Before a host is up again: longer than the group waits before it expels a member that is silent.
const WITHOUT_POWER: Duration = Duration::from_secs(15);

/// All hosts' agents, as the network finds them.
#[derive(Debug, Clone)]
pub struct Agents {
    slots: Arc<BTreeMap<MemberName, watch::Receiver<Option<Agent>>>>,
    /// Where their ledgers are, for as long as anybody knows of them.
    state: Arc<TempDir>,
}

/// What an agent answers to an order.
#[derive(Debug, Clone)]
pub enum Answer {
    Receipt(Receipt),
    Refused(Failure),
    /// It obeys a newer controller.
    Superseded(Epoch),
    /// It ended before it answered.
    Lost,
}

impl Agents {
    /// Starts them all, and keeps starting them.
    pub async fn start(sim: &SimWorld) -> Self {
        let state = Arc::new(temporary());
        let mut slots = BTreeMap::new();
        for member in sim.members() {
            let (slot, agent) = watch::channel(None);
            let directory = state.path().join(member.as_str());
            tokio::spawn(keep(sim.clone(), member.clone(), directory, slot));
            let mut up = agent.clone();
            up.wait_for(Option::is_some)
                .await
                .expect("its keeper lives as long as the runtime");
            slots.insert(member, agent);
        }
        Self {
            slots: Arc::new(slots),
            state,
        }
    }

    /// Where their ledgers are.
    pub fn directory(&self) -> PathBuf {
        self.state.path().to_owned()
    }

    pub fn members(&self) -> Vec<MemberName> {
        self.slots.keys().cloned().collect()
    }

    /// `None`: nothing listens there.
    pub fn agent(&self, member: &MemberName) -> Option<Agent> {
        self.slots.get(member)?.borrow().clone()
    }
}

/// In memory where there is such a place: nothing here has to survive the machine.
fn temporary() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    made.expect("a temporary directory can be made")
}

async fn keep(
    sim: SimWorld,
    member: MemberName,
    state_dir: PathBuf,
    slot: watch::Sender<Option<Agent>>,
) {
    loop {
        let mut deaths = sim.agent_deaths(&member);
        deaths.mark_unchanged();
        let (agent, task) = Agent::start(&sim, &member, &state_dir, deaths.clone());
        slot.send_replace(Some(agent));
        // The world lives as long as its keepers do.
        let _ = deaths.changed().await;
        slot.send_replace(None);
        drop(task);
        sleep(RESTART).await;
        if !sim.is_powered(&member) {
            sleep(WITHOUT_POWER).await;
            sim.power_on(&member);
        }
    }
}

#[derive(Debug)]
struct SimClock(SimWorld);

impl Clock for SimClock {
    fn now_unix_ms(&self) -> i64 {
        self.0.now_unix_ms()
    }
}

/// One life of one agent.
#[derive(Debug, Clone)]
pub struct Agent {
    worker: Worker,
    place: Workplace,
    port: SimPort,
    deaths: watch::Receiver<u64>,
}

impl Agent {
    fn start(
        sim: &SimWorld,
        member: &MemberName,
        state_dir: &Path,
        deaths: watch::Receiver<u64>,
    ) -> (Self, WorkerTask) {
        let port = sim.ports(member);
        let disk = SimDisk::of(port.clone());
        let ledger = Ledger::open(state_dir, disk.clone());
        let place = Workplace {
            cluster: cluster(),
            member: member.clone(),
            host: port.host(),
            log: Arc::new(port.clone()),
            state_dir: state_dir.to_owned(),
            disk: disk.clone(),
            bench: Bench::default(),
            clock: Arc::new(SimClock(sim.clone())),
            lease: Lease::open(state_dir, disk, Arc::new(SimClock(sim.clone()))),
        };
        let (worker, task) = Worker::start(place.clone(), ledger);
        let agent = Self {
            worker,
            place,
            port,
            deaths,
        };
        (agent, task)
    }

    /// What its server would serve.
    pub fn service(&self) -> AgentService {
        let looker = Looker::new(
            self.place.cluster.clone(),
            self.place.member.clone(),
            self.place.host.clone(),
            self.worker.view(),
            self.place.clock.clone(),
        );
        let stop = CancellationToken::new();
        AgentService::new(
            self.place.clone(),
            self.worker.clone(),
            Arc::new(looker),
            stop,
        )
    }

    /// Whether it is to let writes in once the time is up.
    pub async fn has_a_lease_running(&self) -> bool {
        self.place.lease.is_running().await
    }

    /// Resolves when this life ends.
    pub async fn death(&self) {
        // Whoever kills agents is gone: they live on.
        if self.deaths.clone().changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    pub async fn carry_out(&self, order: &Order, progress: &mpsc::Sender<Progress>) -> Answer {
        let mut attached = match self.worker.submit(order.clone()).await {
            Ok(Ok(attached)) => attached,
            Ok(Err(refusal)) => {
                return match refusal.highest_epoch {
                    Some(highest) => Answer::Superseded(highest),
                    None => Answer::Refused(refusal.failure),
                };
            }
            Err(_) => return Answer::Lost,
        };
        let mut told = attached.progress.clone();
        let receipt = attached.receipt();
        let mut receipt = std::pin::pin!(receipt);
        loop {
            tokio::select! {
                biased;
                ended = &mut receipt => return match ended {
                    Ok(receipt) => Answer::Receipt(receipt),
                    Err(_) => Answer::Lost,
                },
                Ok(()) = told.changed() => {
                    let says = told.borrow_and_update().clone();
                    // Nobody listens any more: the work goes on all the same.
                    let _ = progress.try_send(says);
                }
            }
        }
    }

    /// As the agent's service answers it.
    pub async fn survey(&self, questions: BTreeSet<Question>, tables: &[TableName]) -> Survey {
        refit_agent::service::survey::answer(&self.port.host(), questions, tables).await
    }

    /// As the agent's service has them judged.
    pub async fn judge_options(&self, candidate: &Candidate) -> Fact<Judged> {
        refit_agent::service::judging::judge(&self.place, candidate).await
    }

    /// As the agent's service has them tried.
    pub async fn unreached(&self, addresses: &[Address]) -> Fact<BTreeMap<Address, Unreached>> {
        refit_agent::service::survey::unreached(&self.port.host(), addresses).await
    }

    /// As the agent's service tells it.
    pub async fn ledger(&self) -> Result<Vec<LedgerEntry>, String> {
        let entries = self.worker.entries().await;
        let entries = entries.map_err(|gone| gone.to_string())??;
        let told = entries.into_iter().map(|entry| LedgerEntry {
            began_unix_ms: entry.began_unix_ms.unwrap_or(entry.accepted_unix_ms),
            content: entry.content,
            receipt: entry.receipt,
            order: entry.order,
        });
        Ok(told.collect())
    }

    /// As the agent's service assembles it.
    pub async fn observe(&self) -> Observation {
        let host = self.port.host();
        let member = self.port.member().clone();
        let view = self.worker.view().borrow().clone();
        let holds = async |held: HostResult<bool>| held.expect("files can be read: no faults here");
        Observation {
            agent: AgentFacts {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                highest_epoch: view.highest_epoch,
                working_on: view.working_on,
                in_maintenance: holds(host.files.in_maintenance().await).await,
                holding_server_down: holds(host.files.held().await).await,
                replication_user: host.mysql.replication_user(),
                measured_s: view.measured_s,
                rehearsals: self.port.world().rehearsals(&member),
            },
            host: HostFacts {
                hostname: member.to_string(),
                os: "simulated".to_owned(),
                boot_id: Fact::Unknown("not simulated".to_owned()),
                uptime_s: Fact::Unknown("not simulated".to_owned()),
            },
            service: fact(host.service.state().await),
            packages: fact(host.packages.facts().await),
            config_digest: fact(host.files.config_digest().await),
            storage: fact(host.files.storage().await),
            server: fact(host.mysql.facts().await),
            cluster: cluster(),
            at_unix_ms: self.port.world().now_unix_ms(),
            member,
        }
    }

    /// A quick look; `None` when the server can't be asked.
    pub async fn beat(&self) -> Option<Beat> {
        let seen = self.port.host().mysql.pulse().await.ok()?;
        let state = seen.state.map(Fact::Known);
        Some(Beat {
            member: self.port.member().clone(),
            at_unix_ms: self.port.world().now_unix_ms(),
            writable: seen.writable(),
            state: state.unwrap_or_else(|| Fact::Unknown("in no group".to_owned())),
            transactions_executed: seen.transactions_executed,
            applier_queue: seen.applier_queue,
        })
    }
}

fn fact<T>(found: HostResult<T>) -> Fact<T> {
    match found {
        Ok(value) => Fact::Known(value),
        Err(error) => Fact::Unknown(error.to_string()),
    }
}
