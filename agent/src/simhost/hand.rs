//! Somebody at a simulated host, for the contract of the ports.

use super::SimWorld;
use super::state::{DATA_FILE, OPTION_DIR, OPTION_FILE, Snapshot};
use crate::host::contract::Hand;
use anyhow::ensure;
use refit_shared::ids::MemberName;
use refit_shared::table::TableName;
use std::path::PathBuf;

/// See the module.
#[derive(Debug, Clone)]
pub struct SimHand {
    world: SimWorld,
    member: MemberName,
}

/// The schema of what is scribbled.
const SCRIBBLED: &str = "scribbled";

impl SimHand {
    pub fn at(world: &SimWorld, member: &MemberName) -> Self {
        Self {
            world: world.clone(),
            member: member.clone(),
        }
    }
}

impl Hand for SimHand {
    fn option_file(&self) -> String {
        OPTION_FILE.to_owned()
    }

    fn missing_option_file(&self) -> String {
        format!("{OPTION_DIR}conf.d/refit-contract.cnf")
    }

    fn other_file(&self) -> String {
        DATA_FILE.to_owned()
    }

    fn edit(&self, path: &str, content: &[u8]) -> anyhow::Result<()> {
        let mut world = self.world.lock();
        let files = &mut world.host_mut(&self.member).config;
        files.insert(path.to_owned(), content.to_vec());
        Ok(())
    }

    fn data(&self) -> anyhow::Result<String> {
        let world = self.world.lock();
        Ok(format!("{:?}", world.host(&self.member).data))
    }

    fn scribble(&self, word: &str) -> anyhow::Result<()> {
        let table: TableName = format!("{SCRIBBLED}.{word}").parse()?;
        let mut world = self.world.lock();
        world.host_mut(&self.member).data.rebuilt.insert(table);
        Ok(())
    }

    fn wipe(&self) -> anyhow::Result<()> {
        let mut world = self.world.lock();
        let data = &mut world.host_mut(&self.member).data;
        data.rebuilt.retain(|table| table.schema() != SCRIBBLED);
        Ok(())
    }

    fn half_a_snapshot(&self, name: &str) -> anyhow::Result<()> {
        let mut world = self.world.lock();
        let host = world.host_mut(&self.member);
        let half = Snapshot {
            complete: false,
            data: host.data.clone(),
        };
        host.snapshots.insert(name.to_owned(), half);
        Ok(())
    }

    fn kill_server(&self, pid: u32) -> anyhow::Result<()> {
        let mut world = self.world.lock();
        let runs = world.host(&self.member).unit.is(pid);
        ensure!(runs, "there is no process {pid}");
        world.kill_mysqld(&self.member);
        Ok(())
    }

    fn left_beside(&self) -> Option<PathBuf> {
        None
    }

    fn left_of_a_rehearsal(&self) -> Option<PathBuf> {
        let clones = self.world.clones(&self.member);
        (clones > 0).then(|| PathBuf::from("a clone"))
    }

    fn may_leave_while_held(&self) {
        self.world.lock().may_leave_held = true;
    }
}
