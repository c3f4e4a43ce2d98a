//! The agent's own files on a simulated host: written for real, with the world's faults around each write.

use super::port::SimPort;
use crate::host::HostError;
use crate::ledger::{Disk, disk};
use async_trait::async_trait;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Points `ledger.write` and `ledger.remove`.
#[derive(Debug)]
pub struct SimDisk(SimPort);

impl SimDisk {
    pub fn of(port: SimPort) -> Arc<dyn Disk> {
        Arc::new(Self(port))
    }

    async fn around(
        &self,
        point: &str,
        effect: impl FnOnce() -> io::Result<()> + Send,
    ) -> io::Result<()> {
        let done = self.0.at(point, |_, _| {
            effect().map_err(|source| HostError::Io {
                action: "writing",
                what: point.to_owned(),
                source,
            })
        });
        done.await
            .map_err(|error| io::Error::other(error.to_string()))
    }
}

#[async_trait]
impl Disk for SimDisk {
    async fn write(&self, path: &Path, content: Vec<u8>) -> io::Result<()> {
        self.around("ledger.write", || disk::write(path, &content, false))
            .await
    }

    async fn remove(&self, path: &Path) -> io::Result<()> {
        self.around("ledger.remove", || disk::remove(path, false))
            .await
    }
}
