//! Somebody at another simulated host, for the contract of the ports.

use super::SimWorld;
use super::mysql::gtids;
use super::state::{Channel, PORT};
use crate::host::contract::There;
use async_trait::async_trait;
use refit_shared::gtid::GtidSet;
use refit_shared::ids::MemberName;
use refit_shared::operation::SourceAddress;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Longer than an election takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug, Clone)]
pub struct SimThere {
    world: SimWorld,
    member: MemberName,
}

impl SimThere {
    pub fn at(world: &SimWorld, member: &MemberName) -> Self {
        Self {
            world: world.clone(),
            member: member.clone(),
        }
    }
}

#[async_trait]
impl There for SimThere {
    fn address(&self) -> SourceAddress {
        let channel = Channel::to(self.member.clone());
        SourceAddress {
            channel: String::new(),
            host: channel.source.to_string(),
            port: PORT,
            uuid: self.world.uuid(&self.member),
            ssl: channel.ssl,
            get_public_key: channel.get_public_key,
            connect_retry_s: channel.connect_retry_s,
            retry_count: channel.retry_count,
        }
    }

    async fn write(&self) -> anyhow::Result<GtidSet> {
        let until = Instant::now() + PATIENCE;
        let tx = loop {
            match self.world.write() {
                Ok(tx) => break tx,
                Err(why) if Instant::now() >= until => return Err(why.into()),
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        };
        let world = self.world.lock();
        let has = &world.host(&self.member).data.transactions;
        anyhow::ensure!(has.contains(&tx), "{} does not take writes", self.member);
        Ok(gtids(&world, has)?)
    }
}
