//! The simulated service manager.

use super::port::SimPort;
use super::state::Unit;
use crate::host::{HostResult, ServiceManager};
use async_trait::async_trait;
use refit_shared::observation::ServiceState;

#[async_trait]
impl ServiceManager for SimPort {
    async fn state(&self) -> HostResult<ServiceState> {
        self.at("service.state", |world, member| {
            Ok(world.host(member).unit.state())
        })
        .await
    }

    async fn begin_start(&self) -> HostResult<()> {
        self.at("service.begin_start", |world, member| {
            world.start_unit(member);
            Ok(())
        })
        .await
    }

    async fn begin_stop(&self) -> HostResult<()> {
        self.at("service.begin_stop", |world, member| {
            world.stop_unit(member);
            Ok(())
        })
        .await
    }

    async fn reload_units(&self) -> HostResult<()> {
        self.at("service.reload_units", |world, member| {
            let host = world.host_mut(member);
            host.drop_in_loaded = host.maintenance;
            Ok(())
        })
        .await
    }

    async fn seclude(&self, on: bool) -> HostResult<()> {
        self.at("service.seclude", |world, member| {
            world.host_mut(member).secluded = on;
            Ok(())
        })
        .await
    }

    async fn is_secluded(&self) -> HostResult<bool> {
        self.at("service.is_secluded", |world, member| {
            Ok(world.host(member).secluded)
        })
        .await
    }

    async fn reset_failed(&self) -> HostResult<()> {
        self.at("service.reset_failed", |world, member| {
            let host = world.host_mut(member);
            if matches!(host.unit, Unit::Failed) {
                host.unit = Unit::Inactive;
            }
            Ok(())
        })
        .await
    }

    async fn main_pid(&self) -> HostResult<Option<u32>> {
        self.at("service.main_pid", |world, member| {
            let process = world.host(member).unit.process();
            Ok(process.map(|process| process.pid))
        })
        .await
    }
}
