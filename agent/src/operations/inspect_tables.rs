//! Looks, while everybody serves, whether tables can be rebuilt on this server: all that is wrong with the list is told at once.

use super::context::refuse;
use super::{Action, Notes, OpContext, answering};
use crate::host::{Host, HostError};
use async_trait::async_trait;
use refit_shared::receipt::{Failure, FailureCode, Probe};
use refit_shared::rules::rebuild::{hindrance, too_little_space};
use refit_shared::table::{TableFacts, TableName};

pub struct InspectTables {
    pub tables: Vec<TableName>,
    pub secluded: bool,
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
        let serves = alone && server.takes_writes() && !self.secluded;
        let found = host
            .mysql
            .tables(&self.tables)
            .await
            .map_err(HostError::clean)?;
        let mut wrong = Vec::new();
        let mut largest = 0;
        let mut all = 0;
        for (name, facts) in self.tables.iter().zip(&found) {
            if let Some(why) = hindrance(facts, serves) {
                wrong.push(format!("{name} {why}"));
            } else if let TableFacts::Base { bytes, .. } = facts {
                largest = largest.max(*bytes);
                all += bytes;
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
        if let Some(why) = too_little_space(largest, free) {
            return Err(Failure::clean(FailureCode::DiskSpace, why));
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
