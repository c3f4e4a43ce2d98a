//! One host's ports: how every call reaches the world, and where faults strike.

use super::SimWorld;
use super::faults::FaultAction;
use super::state::World;
use crate::host::{Host, HostError, HostResult};
use refit_shared::ids::MemberName;
use std::sync::Arc;
use tokio::time::sleep;

/// All ports, and the error log, of one host for one incarnation of its agent.
#[derive(Debug, Clone)]
pub struct SimPort {
    world: SimWorld,
    member: MemberName,
    incarnation: u64,
}

impl SimPort {
    pub(super) fn new(world: SimWorld, member: MemberName, incarnation: u64) -> Self {
        Self {
            world,
            member,
            incarnation,
        }
    }

    pub fn host(&self) -> Host {
        let port = Arc::new(self.clone());
        Host {
            service: port.clone(),
            packages: port.clone(),
            mysql: port.clone(),
            files: port.clone(),
            machine: port.clone(),
            beside: port.clone(),
            rehearsals: port,
        }
    }

    pub fn world(&self) -> &SimWorld {
        &self.world
    }

    pub fn member(&self) -> &MemberName {
        &self.member
    }

    /// One call: takes a moment, meets its faults, has its effect.
    pub(super) async fn at<T>(
        &self,
        point: &str,
        effect: impl FnOnce(&mut World, &MemberName) -> HostResult<T> + Send,
    ) -> HostResult<T> {
        let call = self.world.lock().timings.call;
        sleep(call).await;
        self.alive().await;
        let hook = self.world.lock().hook.clone();
        let action = hook.ask(&self.member, point);
        match action {
            FaultAction::FailBefore => return Err(failed(point)),
            FaultAction::CrashBefore => return self.die(false).await,
            FaultAction::PowerCutBefore => return self.die(true).await,
            FaultAction::Delay(time) => self.take(time).await,
            FaultAction::Continue
            | FaultAction::FailAfter
            | FaultAction::CrashAfter
            | FaultAction::PowerCutAfter => {}
        }
        let result = effect(&mut self.world.lock(), &self.member);
        match action {
            FaultAction::FailAfter => Err(failed(point)),
            FaultAction::CrashAfter => self.die(false).await,
            FaultAction::PowerCutAfter => self.die(true).await,
            FaultAction::Continue
            | FaultAction::Delay(_)
            | FaultAction::FailBefore
            | FaultAction::CrashBefore
            | FaultAction::PowerCutBefore => result,
        }
    }

    /// Time passes within a longer call.
    pub(super) async fn take(&self, time: std::time::Duration) {
        sleep(time).await;
        self.alive().await;
    }

    /// What a killed agent was about to do never happens.
    async fn alive(&self) {
        let alive = {
            let world = self.world.lock();
            let host = world.host(&self.member);
            host.powered && host.incarnation == self.incarnation
        };
        if !alive {
            std::future::pending::<()>().await;
        }
    }

    async fn die<T>(&self, with_the_host: bool) -> HostResult<T> {
        {
            let mut world = self.world.lock();
            if with_the_host {
                world.power_off(&self.member);
            } else {
                world.host_mut(&self.member).kill_agent();
            }
        }
        std::future::pending().await
    }
}

fn failed(point: &str) -> HostError {
    if point.starts_with("mysql.") {
        return HostError::ServerAway(format!("injected at {point}: connection lost"));
    }
    HostError::Io {
        action: "simulating",
        what: point.to_owned(),
        source: std::io::Error::other("injected"),
    }
}
