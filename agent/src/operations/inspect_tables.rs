//! Looks, while everybody serves, whether tables can be rebuilt on this server: all that is wrong with the list is told at once.

use super::context::refuse;
use super::{Action, Notes, OpContext, answering};
use crate::host::{Host, HostError, TableFacts};
use async_trait::async_trait;
use refit_shared::receipt::{Failure, FailureCode, Probe};
use refit_shared::table::TableName;

pub struct InspectTables {
    pub tables: Vec<TableName>,
}

/// A rebuild writes the table anew beside the old one, and what others write to it meanwhile.
fn needed(bytes: u64) -> u64 {
    bytes + bytes / 4 + (64 << 20)
}

const MIB: f64 = 1_048_576.0;

#[async_trait]
impl Action for InspectTables {
    /// A look is never done for good.
    async fn probe(&self, _: &Host, _: &OpContext) -> Result<Probe, Failure> {
        Ok(Probe::NotDone)
    }

    async fn perform(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        answering::pulse(host, cx).await?;
        let server = host.mysql.facts().await.map_err(HostError::clean)?;
        // A member of a group rebuilds while it is out: nobody writes to it then.
        let alone = server.group.require().map_err(refuse)?.is_none();
        let serves = alone && server.takes_writes();
        let found = host
            .mysql
            .tables(&self.tables)
            .await
            .map_err(HostError::clean)?;
        let mut wrong = Vec::new();
        let mut largest = 0;
        let mut all = 0;
        for (name, facts) in self.tables.iter().zip(&found) {
            match facts {
                TableFacts::Missing => wrong.push(format!("{name} is not there")),
                TableFacts::NotBase(kind) => wrong.push(format!("{name} is a {kind}")),
                TableFacts::Base { engine, .. } if engine != "InnoDB" => {
                    wrong.push(format!("{name} is of engine {engine}, not InnoDB"));
                }
                TableFacts::Base { locks: true, .. } if serves => wrong.push(format!(
                    "{name} has a FULLTEXT or SPATIAL index: its rebuild would lock out all who write to it here"
                )),
                TableFacts::Base { bytes, .. } => {
                    largest = largest.max(*bytes);
                    all += bytes;
                }
            }
        }
        if !wrong.is_empty() {
            return Err(refuse(wrong.join("; ")));
        }
        let free = host
            .files
            .storage()
            .await
            .map_err(HostError::clean)?
            .data_free_bytes;
        if free < needed(largest) {
            return Err(Failure::clean(
                FailureCode::DiskSpace,
                format!(
                    "the largest of these tables needs {:.0} MiB beside itself while it is rebuilt, and {:.0} MiB are free",
                    needed(largest) as f64 / MIB,
                    free as f64 / MIB
                ),
            ));
        }
        Ok(vec![format!(
            "{} tables, {:.1} MiB in all, the largest {:.1} MiB",
            self.tables.len(),
            all as f64 / MIB,
            largest as f64 / MIB
        )])
    }

    async fn undo(&self, _: &Host, _: &OpContext) -> Result<Notes, Failure> {
        Ok(vec!["nothing was changed".to_owned()])
    }
}
