//! An agent on a simulated host: the real worker and ledger over simulated ports and time.

use super::{SimDisk, SimWorld};
use crate::lease::Lease;
use crate::ledger::Ledger;
use crate::worker::{Bench, Clock, Worker, WorkerTask, Workplace};
use refit_shared::ids::{ClusterName, MemberName};
use std::path::Path;
use std::sync::Arc;

/// One incarnation of an agent. Dropping it is kill -9; [`SimWorld::agent_deaths`] says when a scenario wants that.
#[derive(Debug)]
pub struct SimAgent {
    pub worker: Worker,
    pub place: Workplace,
    pub task: WorkerTask,
}

impl SimAgent {
    /// Starts from what an earlier incarnation left in `state_dir`. The host must be powered.
    pub fn start(
        world: &SimWorld,
        cluster: &ClusterName,
        member: &MemberName,
        state_dir: &Path,
    ) -> Self {
        let port = world.ports(member);
        let disk = SimDisk::of(port.clone());
        let place = Workplace {
            cluster: cluster.clone(),
            member: member.clone(),
            host: port.host(),
            log: Arc::new(port),
            state_dir: state_dir.to_owned(),
            disk: disk.clone(),
            bench: Bench::default(),
            clock: Arc::new(world.clone()),
            lease: Lease::open(state_dir, disk.clone(), Arc::new(world.clone())),
        };
        let ledger = Ledger::open(state_dir, disk);
        let (worker, task) = Worker::start(place.clone(), ledger);
        Self {
            worker,
            place,
            task,
        }
    }
}

impl Clock for SimWorld {
    fn now_unix_ms(&self) -> i64 {
        Self::now_unix_ms(self)
    }
}
