//! A host where every call that fails is made once more, as the operations' attempts are: what is promised must hold then, too,
//! whatever the first call has done or not. Where the agent was killed, the next one makes the call.

use crate::errorlog::Shutdown;
use crate::host::beside::{Judged, OptionTree};
use crate::host::rehearsal::{Piece, Rehearsals};
use crate::host::{
    Beside, Files, Host, HostError, HostResult, LogFormat, Machine, Mysql, Packages, Phase, Pulse,
    Rebuilt, Replication, ServiceManager,
};
use crate::operations::{ErrorLog, LogLines, LogPlace};
use async_trait::async_trait;
use futures::future::BoxFuture;
use refit_shared::config::ConfigFiles;
use refit_shared::ids::{Digest, ServerUuid};
use refit_shared::observation::{
    GroupFacts, PackageFacts, PackagePin, ServerFacts, ServiceState, SnapshotMethod, StorageFacts,
};
use refit_shared::operation::SourceAddress;
use refit_shared::rehearsal::Rehearsal;
use refit_shared::survey::{Address, Listing, Question, Unreached};
use refit_shared::table::{TableFacts, TableName};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The host below, and what befalls it.
pub trait Below: Send + Sync + std::fmt::Debug {
    /// Its ports as they are now: of the agent that lives.
    fn host(&self) -> Host;
    fn log(&self) -> Arc<dyn ErrorLog>;
    /// Ends when that agent is killed.
    fn death(&self) -> BoxFuture<'static, ()>;
    /// How many calls have been made to fail so far.
    fn failed(&self) -> u64;
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Insistent(Arc<dyn Below>);

impl Insistent {
    pub fn over(below: Arc<dyn Below>) -> Self {
        Self(below)
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
}

/// Calls, and calls once more what has failed. A failure that nobody was told of is an error for good.
macro_rules! insist {
    ($insistent:ident, $port:expr, $method:ident($($argument:expr),*)) => {{
        let mut first = true;
        loop {
            let (failed, death) = ($insistent.0.failed(), $insistent.0.death());
            let port = $port;
            let answer = tokio::select! {
                answer = port.$method($($argument),*) => answer,
                () = death => continue,
            };
            let made_to_fail = $insistent.0.failed() > failed;
            if answer.is_ok() && made_to_fail {
                let what = concat!(stringify!($method), " has failed, and nobody was told");
                break Err(HostError::Unexpected(what.to_owned()));
            }
            let again = made_to_fail || std::mem::take(&mut first);
            if answer.is_ok() || !again {
                break answer;
            }
        }
    }};
}

macro_rules! port {
    ($trait:ident in $port:ident { $(fn $method:ident($($argument:ident: $type:ty),*) -> $answer:ty;)* } $($rest:item)*) => {
        #[async_trait]
        impl $trait for Insistent {
            $(async fn $method(&self, $($argument: $type),*) -> HostResult<$answer> {
                insist!(self, self.0.host().$port, $method($($argument),*))
            })*
            $($rest)*
        }
    };
}

port!(ServiceManager in service {
    fn state() -> ServiceState;
    fn begin_start() -> ();
    fn begin_stop() -> ();
    fn reload_units() -> ();
    fn reset_failed() -> ();
    fn seclude(on: bool) -> ();
    fn is_secluded() -> bool;
    fn main_pid() -> Option<u32>;
    fn last_words() -> Vec<String>;
});

port!(Packages in packages {
    fn facts() -> PackageFacts;
    fn fetch(pins: &[PackagePin], phase: &Phase) -> ();
    fn verify_fetched(pins: &[PackagePin]) -> ();
    fn fetched_files(pins: &[PackagePin]) -> Vec<PathBuf>;
    fn repair(phase: &Phase) -> ();
    fn frozen() -> bool;
    fn install(pins: &[PackagePin], phase: &Phase) -> ();
    fn set_held(names: &[String], held: bool) -> ();
    fn drop_fetched() -> ();
});

port!(Mysql in mysql {
    fn facts() -> ServerFacts;
    fn group() -> Option<GroupFacts>;
    fn pulse() -> Pulse;
    fn uuid() -> ServerUuid;
    fn set_super_read_only(on: bool) -> ();
    fn super_read_only() -> bool;
    fn writing_transactions() -> u64;
    fn stop_group_replication(deadline: Duration) -> ();
    fn start_group_replication(deadline: Duration) -> ();
    fn set_bootstrap_group(on: bool) -> ();
    fn appoint_primary(uuid: &ServerUuid, deadline: Duration) -> ();
    fn set_fast_shutdown(mode: u8) -> ();
    fn set_start_on_boot(on: bool) -> ();
    fn replication() -> Replication;
    fn start_replica() -> ();
    fn start_receivers() -> ();
    fn start_appliers() -> ();
    fn stop_replica() -> ();
    fn stop_receivers() -> ();
    fn forget_sources() -> ();
    fn change_source(source: &SourceAddress, known: bool) -> ();
    fn persist_read_only(on: bool) -> ();
    fn discard_logs() -> ();
    fn log_format() -> LogFormat;
    fn set_log_format(format: LogFormat) -> ();
    fn sessions_without_rows() -> Vec<String>;
    fn tables(tables: &[TableName]) -> Vec<TableFacts>;
    fn admit_administrators(on: bool) -> ();
    fn rebuild_table(table: &TableName, lock_free: bool, deadline: Duration) -> Rebuilt;
    fn upgrade_system_tables(deadline: Duration) -> ();
    fn ask(question: Question) -> Listing;
}
fn replication_user(&self) -> Option<String> {
    self.0.host().mysql.replication_user()
});

port!(Machine in machine {
    fn ask(question: Question) -> Listing;
    fn unreached(addresses: &[Address]) -> BTreeMap<Address, Unreached>;
});

port!(Files in files {
    fn config_digest() -> Digest;
    fn config_files() -> ConfigFiles;
    fn back_up_config(name: &str) -> ();
    fn has_config_backup(name: &str) -> bool;
    fn restore_config(name: &str) -> ();
    fn option_tree() -> OptionTree;
    fn option_file(path: &str) -> Option<Vec<u8>>;
    fn kept_option_file(name: &str, path: &str) -> Option<Vec<u8>>;
    fn replace_option_file(path: &str, content: &[u8]) -> ();
    fn write_maintenance() -> ();
    fn remove_maintenance() -> ();
    fn in_maintenance() -> bool;
    fn set_hold(on: bool) -> ();
    fn held() -> bool;
    fn storage() -> StorageFacts;
    fn take_snapshot(name: &str, phase: &Phase) -> SnapshotMethod;
    fn verify_snapshot(name: &str) -> bool;
    fn restore_snapshot(name: &str, phase: &Phase) -> ();
    fn drop_snapshot(name: &str) -> ();
    fn set_dirty(snapshot: &str, dirty: bool) -> ();
    fn is_dirty(snapshot: &str) -> bool;
    fn error_log() -> PathBuf;
});

port!(Beside in beside {
    fn judge_options(packages: &[PathBuf], tree: &OptionTree, libraries: &[PathBuf]) -> Judged;
    fn clear() -> ();
});

port!(Rehearsals in rehearsals {
    fn rehearse(piece: &Piece, phase: &Phase) -> Rehearsal;
    fn clear() -> ();
    fn kept() -> Vec<Rehearsal>;
});

#[async_trait]
impl ErrorLog for Insistent {
    async fn end(&self) -> HostResult<LogPlace> {
        insist!(self, self.0.log(), end())
    }
    async fn follow(&self, from: &LogPlace) -> HostResult<Box<dyn LogLines>> {
        insist!(self, self.0.log(), follow(from))
    }
    async fn last_shutdown(&self) -> HostResult<Shutdown> {
        insist!(self, self.0.log(), last_shutdown())
    }
}
