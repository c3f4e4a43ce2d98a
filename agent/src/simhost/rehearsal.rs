//! A simulated rehearsal: what the target would do on a clone, and that a clone which is left behind can be removed.

use super::port::SimPort;
use super::server::refused_option;
use crate::host::HostResult;
use crate::host::rehearsal::{Piece, Rehearsals};
use crate::progress::Phase;
use async_trait::async_trait;
use refit_shared::observation::{Seconds, SnapshotMethod};
use refit_shared::rehearsal::Rehearsal;

#[async_trait]
impl Rehearsals for SimPort {
    async fn rehearse(&self, piece: &Piece, _: &Phase) -> HostResult<Rehearsal> {
        self.at("rehearsals.clone", |world, member| {
            world.host_mut(member).clones += 1;
            Ok(())
        })
        .await?;
        let found = self
            .at("rehearsals.start", |_, _| {
                let files = piece.candidate.files.iter();
                let refused = refused_option(files.map(|(path, text)| (path, text)), piece.target);
                Ok(Rehearsal {
                    id: piece.id.clone(),
                    at_unix_ms: 0,
                    target: piece.target,
                    from: piece.installed,
                    data: "/var/lib/mysql".to_owned(),
                    foreign: piece.data_directory.is_some(),
                    method: SnapshotMethod::BtrfsSubvolume,
                    recovered: piece.running.then_some(Seconds(1000)),
                    cloned: Seconds(10),
                    started: Seconds(2000),
                    dictionary: None,
                    system_tables: None,
                    peak_memory_bytes: Some(400 << 20),
                    refused: refused.map(|name| format!("MY-000067: unknown variable '{name}'")),
                    tables_opened: 10,
                    views_opened: 2,
                    broken: Vec::new(),
                    broken_before: Vec::new(),
                    lines: Vec::new(),
                    limits: Vec::new(),
                })
            })
            .await;
        self.clear().await?;
        let found = found?;
        self.at("rehearsals.keep", |world, member| {
            let host = world.host_mut(member);
            host.rehearsals = vec![found.clone()];
            Ok(())
        })
        .await?;
        Ok(found)
    }

    async fn clear(&self) -> HostResult<()> {
        self.at("rehearsals.clear", |world, member| {
            world.host_mut(member).clones = 0;
            Ok(())
        })
        .await
    }

    async fn kept(&self) -> HostResult<Vec<Rehearsal>> {
        self.at("rehearsals.kept", |world, member| {
            Ok(world.host(member).rehearsals.clone())
        })
        .await
    }
}

impl super::SimWorld {
    /// Clones of this member's data that a rehearsal has left.
    pub fn clones(&self, member: &refit_shared::ids::MemberName) -> u32 {
        self.lock().host(member).clones
    }

    pub fn rehearsals(&self, member: &refit_shared::ids::MemberName) -> Vec<Rehearsal> {
        self.lock().host(member).rehearsals.clone()
    }
}
