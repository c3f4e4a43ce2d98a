//! A simulated rehearsal: what the target would do on a clone, and that a clone which is left behind can be removed.

use super::beside::version_of;
use super::port::SimPort;
use super::server::refused_option;
use crate::host::rehearsal::{Piece, Rehearsals};
use crate::host::{HostError, HostResult};
use crate::progress::Phase;
use async_trait::async_trait;
use refit_shared::observation::{Seconds, SnapshotMethod};
use refit_shared::rehearsal::Rehearsal;
use std::time::Duration;

/// From the clone to the end of its server.
const REHEARSAL: Duration = Duration::from_secs(6);

#[async_trait]
impl Rehearsals for SimPort {
    async fn rehearse(&self, piece: &Piece, _: &Phase) -> HostResult<Rehearsal> {
        let cloned = self
            .at("rehearsals.clone", |world, member| {
                world.host_mut(member).clones += 1;
                Ok(())
            })
            .await;
        let found = match cloned {
            Ok(()) => self.start_on_clone(piece).await,
            Err(error) => Err(error),
        };
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

impl SimPort {
    async fn start_on_clone(&self, piece: &Piece) -> HostResult<Rehearsal> {
        self.take(REHEARSAL).await;
        self.at("rehearsals.start", |_, _| {
            let bad = piece
                .packages
                .iter()
                .find(|file| version_of(file).is_none());
            if piece.packages.is_empty() || bad.is_some() {
                let why = format!("{bad:?} is no package of the server");
                return Err(HostError::Packages(why));
            }
            let files = piece.candidate.files.iter();
            let refused = refused_option(files.map(|(path, text)| (path, text)), piece.target);
            // Who does not come up opens none.
            let (tables, views) = if refused.is_some() { (0, 0) } else { (10, 2) };
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
                tables_opened: tables,
                views_opened: views,
                broken: Vec::new(),
                broken_before: Vec::new(),
                lines: Vec::new(),
                limits: Vec::new(),
            })
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
