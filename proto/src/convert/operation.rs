//! Orders and the operations in them.
//!
//! Package and snapshot names end up in argument lists and paths, so their form is checked here once, for good.

use super::ids::digest_bytes;
use super::{
    FromWire, InvalidMessage, Why, each, field, messages, optional, required, travels, wire_enum,
};
use crate::common as wire;
use crate::common::operation::Operation as Choice;
use refit_shared::config::edit::{LineEdit, Rewrite};
use refit_shared::observation::PackagePin;
use refit_shared::operation::{
    AttemptId, Direction, Operation, OperationKind, Order, SourceAddress,
};
use refit_shared::table::TableName;

wire_enum! {
    Direction { Perform, Undo }
    OperationKind {
        FetchPackages, BackUpConfig, EnterMaintenance, LeaveGroup, StopServer, SnapshotData, SwapPackages, StartServer,
        JoinGroup, LeaveMaintenance, AppointPrimary, KeepPrimary, ReleaseArtifacts, KeepWritable, AllowWrites,
        DissolveGroup, BootstrapGroup, StopReplica, StartReplica, KeepReplica, PauseWrites, DemoteSource, PromoteReplica,
        FollowSource, DiscardLogs, RewriteConfig, ValidateConfig, InspectTables, RebuildTables, LogRows, RehearseUpgrade,
        UpgradeSystemTables, RebuildOffline, LeaveLostGroup,
    }
}

travels! {
    wire::Order => Order, "order";
    wire::Operation => Operation, "operation";
    wire::AttemptId => AttemptId, "attempt_id";
}

impl FromWire<wire::Order> for Order {
    fn from_wire(order: wire::Order) -> Result<Self, InvalidMessage> {
        let wire::Order {
            id,
            epoch,
            cluster,
            member,
            direction,
            operation,
            deadline_s,
        } = order;
        Ok(Self {
            id: required("id", id)?,
            epoch: field("epoch", epoch)?,
            cluster: field("cluster", cluster)?,
            member: field("member", member)?,
            direction: field("direction", direction)?,
            operation: required("operation", operation)?,
            deadline_s,
        })
    }
}

impl From<Order> for wire::Order {
    fn from(order: Order) -> Self {
        let Order {
            id,
            epoch,
            cluster,
            member,
            direction,
            operation,
            deadline_s,
        } = order;
        Self {
            id: Some(id.into()),
            epoch: epoch.0,
            cluster: cluster.into(),
            member: member.into(),
            direction: wire::Direction::from(direction).into(),
            operation: Some(operation.into()),
            deadline_s,
        }
    }
}

impl FromWire<wire::AttemptId> for AttemptId {
    fn from_wire(id: wire::AttemptId) -> Result<Self, InvalidMessage> {
        let wire::AttemptId {
            rollout,
            step,
            attempt,
        } = id;
        Ok(Self {
            rollout: field("rollout", rollout)?,
            step: field("step", step)?,
            attempt: field("attempt", attempt)?,
        })
    }
}

impl From<AttemptId> for wire::AttemptId {
    fn from(id: AttemptId) -> Self {
        let AttemptId {
            rollout,
            step,
            attempt,
        } = id;
        Self {
            rollout: rollout.into(),
            step: step.0.into(),
            attempt: attempt.0,
        }
    }
}

impl FromWire<wire::Operation> for Operation {
    fn from_wire(operation: wire::Operation) -> Result<Self, InvalidMessage> {
        let choice = operation
            .operation
            .ok_or_else(|| InvalidMessage::here(Why::Missing))?;
        let name = variant(&choice);
        read(choice).map_err(|e| e.within(name))
    }
}

/// The name of the field that holds the choice.
fn variant(choice: &Choice) -> &'static str {
    let kind = match choice {
        Choice::FetchPackages(_) => OperationKind::FetchPackages,
        Choice::BackUpConfig(_) => OperationKind::BackUpConfig,
        Choice::EnterMaintenance(_) => OperationKind::EnterMaintenance,
        Choice::LeaveGroup(_) => OperationKind::LeaveGroup,
        Choice::StopServer(_) => OperationKind::StopServer,
        Choice::SnapshotData(_) => OperationKind::SnapshotData,
        Choice::ValidateConfig(_) => OperationKind::ValidateConfig,
        Choice::RehearseUpgrade(_) => OperationKind::RehearseUpgrade,
        Choice::RewriteConfig(_) => OperationKind::RewriteConfig,
        Choice::SwapPackages(_) => OperationKind::SwapPackages,
        Choice::StartServer(_) => OperationKind::StartServer,
        Choice::UpgradeSystemTables(_) => OperationKind::UpgradeSystemTables,
        Choice::RebuildOffline(_) => OperationKind::RebuildOffline,
        Choice::JoinGroup(_) => OperationKind::JoinGroup,
        Choice::LeaveMaintenance(_) => OperationKind::LeaveMaintenance,
        Choice::AppointPrimary(_) => OperationKind::AppointPrimary,
        Choice::KeepPrimary(_) => OperationKind::KeepPrimary,
        Choice::DissolveGroup(_) => OperationKind::DissolveGroup,
        Choice::BootstrapGroup(_) => OperationKind::BootstrapGroup,
        Choice::LeaveLostGroup(_) => OperationKind::LeaveLostGroup,
        Choice::KeepWritable(_) => OperationKind::KeepWritable,
        Choice::AllowWrites(_) => OperationKind::AllowWrites,
        Choice::StopReplica(_) => OperationKind::StopReplica,
        Choice::StartReplica(_) => OperationKind::StartReplica,
        Choice::KeepReplica(_) => OperationKind::KeepReplica,
        Choice::PauseWrites(_) => OperationKind::PauseWrites,
        Choice::DemoteSource(_) => OperationKind::DemoteSource,
        Choice::PromoteReplica(_) => OperationKind::PromoteReplica,
        Choice::FollowSource(_) => OperationKind::FollowSource,
        Choice::DiscardLogs(_) => OperationKind::DiscardLogs,
        Choice::LogRows(_) => OperationKind::LogRows,
        Choice::InspectTables(_) => OperationKind::InspectTables,
        Choice::RebuildTables(_) => OperationKind::RebuildTables,
        Choice::ReleaseArtifacts(_) => OperationKind::ReleaseArtifacts,
    };
    kind.as_str()
}

fn read(choice: Choice) -> Result<Operation, InvalidMessage> {
    Ok(match choice {
        Choice::FetchPackages(wire::FetchPackages { target, rollback }) => {
            Operation::FetchPackages {
                target: each("target", target)?,
                rollback: each("rollback", rollback)?,
            }
        }
        Choice::BackUpConfig(wire::BackUpConfig {}) => Operation::BackUpConfig,
        Choice::EnterMaintenance(wire::EnterMaintenance {}) => Operation::EnterMaintenance,
        Choice::LeaveGroup(wire::LeaveGroup { drain_s }) => Operation::LeaveGroup { drain_s },
        Choice::StopServer(wire::StopServer {
            version,
            slow,
            drain_s,
        }) => Operation::StopServer {
            version: field("version", version)?,
            slow,
            drain_s,
        },
        Choice::SnapshotData(wire::SnapshotData { name }) => Operation::SnapshotData {
            name: snapshot_name("name", name)?,
        },
        Choice::ValidateConfig(wire::ValidateConfig {
            version,
            packages,
            files,
        }) => Operation::ValidateConfig {
            version: field("version", version)?,
            packages: each("packages", packages)?,
            files: each("files", files)?,
        },
        Choice::RehearseUpgrade(wire::RehearseUpgrade {
            version,
            packages,
            files,
            running,
            copy,
            data_directory,
        }) => Operation::RehearseUpgrade {
            version: field("version", version)?,
            packages: each("packages", packages)?,
            files: each("files", files)?,
            running,
            copy,
            data_directory,
        },
        Choice::RewriteConfig(wire::RewriteConfig { files }) => Operation::RewriteConfig {
            files: each("files", files)?,
        },
        Choice::SwapPackages(wire::SwapPackages { from, to }) => Operation::SwapPackages {
            from: each("from", from)?,
            to: each("to", to)?,
        },
        Choice::StartServer(wire::StartServer { version, snapshot }) => Operation::StartServer {
            version: field("version", version)?,
            snapshot: snapshot_name("snapshot", snapshot)?,
        },
        Choice::UpgradeSystemTables(wire::UpgradeSystemTables { version }) => {
            Operation::UpgradeSystemTables {
                version: field("version", version)?,
            }
        }
        Choice::JoinGroup(wire::JoinGroup { drain_s }) => Operation::JoinGroup { drain_s },
        Choice::LeaveMaintenance(wire::LeaveMaintenance {}) => Operation::LeaveMaintenance,
        Choice::AppointPrimary(wire::AppointPrimary { uuid }) => Operation::AppointPrimary {
            uuid: field("uuid", uuid)?,
        },
        Choice::KeepPrimary(wire::KeepPrimary { uuid }) => Operation::KeepPrimary {
            uuid: field("uuid", uuid)?,
        },
        Choice::DissolveGroup(wire::DissolveGroup { drain_s }) => {
            Operation::DissolveGroup { drain_s }
        }
        Choice::BootstrapGroup(wire::BootstrapGroup {}) => Operation::BootstrapGroup,
        Choice::LeaveLostGroup(wire::LeaveLostGroup {}) => Operation::LeaveLostGroup,
        Choice::KeepWritable(wire::KeepWritable {}) => Operation::KeepWritable,
        Choice::AllowWrites(wire::AllowWrites {}) => Operation::AllowWrites,
        Choice::StopReplica(wire::StopReplica { drain_s }) => Operation::StopReplica { drain_s },
        Choice::StartReplica(wire::StartReplica { catch_up_s }) => {
            Operation::StartReplica { catch_up_s }
        }
        Choice::KeepReplica(wire::KeepReplica {}) => Operation::KeepReplica,
        Choice::PauseWrites(wire::PauseWrites { drain_s, lease_s }) => {
            Operation::PauseWrites { drain_s, lease_s }
        }
        Choice::DemoteSource(wire::DemoteSource {}) => Operation::DemoteSource,
        Choice::PromoteReplica(wire::PromoteReplica {}) => Operation::PromoteReplica,
        Choice::FollowSource(source) => Operation::FollowSource {
            source: source_address(source)?,
        },
        Choice::DiscardLogs(wire::DiscardLogs {}) => Operation::DiscardLogs,
        Choice::LogRows(wire::LogRows { wait_s }) => Operation::LogRows { wait_s },
        Choice::InspectTables(wire::InspectTables { tables, secluded }) => {
            Operation::InspectTables {
                tables: each("tables", tables)?,
                secluded,
            }
        }
        Choice::RebuildOffline(wire::RebuildOffline { version, tables }) => {
            Operation::RebuildOffline {
                version: field("version", version)?,
                tables: each("tables", tables)?,
            }
        }
        Choice::RebuildTables(wire::RebuildTables { tables }) => Operation::RebuildTables {
            tables: each("tables", tables)?,
        },
        Choice::ReleaseArtifacts(wire::ReleaseArtifacts { snapshot }) => {
            Operation::ReleaseArtifacts {
                snapshot: snapshot_name("snapshot", snapshot)?,
            }
        }
    })
}

impl From<Operation> for wire::Operation {
    fn from(operation: Operation) -> Self {
        let choice = match operation {
            Operation::FetchPackages { target, rollback } => {
                Choice::FetchPackages(wire::FetchPackages {
                    target: messages(target),
                    rollback: messages(rollback),
                })
            }
            Operation::BackUpConfig => Choice::BackUpConfig(wire::BackUpConfig {}),
            Operation::EnterMaintenance => Choice::EnterMaintenance(wire::EnterMaintenance {}),
            Operation::LeaveGroup { drain_s } => Choice::LeaveGroup(wire::LeaveGroup { drain_s }),
            Operation::StopServer {
                version,
                slow,
                drain_s,
            } => Choice::StopServer(wire::StopServer {
                version: version.into(),
                slow,
                drain_s,
            }),
            Operation::SnapshotData { name } => Choice::SnapshotData(wire::SnapshotData { name }),
            Operation::ValidateConfig {
                version,
                packages,
                files,
            } => Choice::ValidateConfig(wire::ValidateConfig {
                version: version.into(),
                packages: messages(packages),
                files: messages(files),
            }),
            Operation::RehearseUpgrade {
                version,
                packages,
                files,
                running,
                copy,
                data_directory,
            } => Choice::RehearseUpgrade(wire::RehearseUpgrade {
                version: version.into(),
                packages: messages(packages),
                files: messages(files),
                running,
                copy,
                data_directory,
            }),
            Operation::RewriteConfig { files } => Choice::RewriteConfig(wire::RewriteConfig {
                files: messages(files),
            }),
            Operation::SwapPackages { from, to } => Choice::SwapPackages(wire::SwapPackages {
                from: messages(from),
                to: messages(to),
            }),
            Operation::StartServer { version, snapshot } => {
                Choice::StartServer(wire::StartServer {
                    version: version.into(),
                    snapshot,
                })
            }
            Operation::UpgradeSystemTables { version } => {
                Choice::UpgradeSystemTables(wire::UpgradeSystemTables {
                    version: version.into(),
                })
            }
            Operation::JoinGroup { drain_s } => Choice::JoinGroup(wire::JoinGroup { drain_s }),
            Operation::LeaveMaintenance => Choice::LeaveMaintenance(wire::LeaveMaintenance {}),
            Operation::AppointPrimary { uuid } => {
                Choice::AppointPrimary(wire::AppointPrimary { uuid: uuid.into() })
            }
            Operation::KeepPrimary { uuid } => {
                Choice::KeepPrimary(wire::KeepPrimary { uuid: uuid.into() })
            }
            Operation::DissolveGroup { drain_s } => {
                Choice::DissolveGroup(wire::DissolveGroup { drain_s })
            }
            Operation::BootstrapGroup => Choice::BootstrapGroup(wire::BootstrapGroup {}),
            Operation::LeaveLostGroup => Choice::LeaveLostGroup(wire::LeaveLostGroup {}),
            Operation::KeepWritable => Choice::KeepWritable(wire::KeepWritable {}),
            Operation::AllowWrites => Choice::AllowWrites(wire::AllowWrites {}),
            Operation::StopReplica { drain_s } => {
                Choice::StopReplica(wire::StopReplica { drain_s })
            }
            Operation::StartReplica { catch_up_s } => {
                Choice::StartReplica(wire::StartReplica { catch_up_s })
            }
            Operation::KeepReplica => Choice::KeepReplica(wire::KeepReplica {}),
            Operation::PauseWrites { drain_s, lease_s } => {
                Choice::PauseWrites(wire::PauseWrites { drain_s, lease_s })
            }
            Operation::DemoteSource => Choice::DemoteSource(wire::DemoteSource {}),
            Operation::PromoteReplica => Choice::PromoteReplica(wire::PromoteReplica {}),
            Operation::FollowSource { source } => Choice::FollowSource(source.into()),
            Operation::DiscardLogs => Choice::DiscardLogs(wire::DiscardLogs {}),
            Operation::LogRows { wait_s } => Choice::LogRows(wire::LogRows { wait_s }),
            Operation::InspectTables { tables, secluded } => {
                Choice::InspectTables(wire::InspectTables {
                    tables: texts(tables),
                    secluded,
                })
            }
            Operation::RebuildOffline { version, tables } => {
                Choice::RebuildOffline(wire::RebuildOffline {
                    version: version.into(),
                    tables: texts(tables),
                })
            }
            Operation::RebuildTables { tables } => Choice::RebuildTables(wire::RebuildTables {
                tables: texts(tables),
            }),
            Operation::ReleaseArtifacts { snapshot } => {
                Choice::ReleaseArtifacts(wire::ReleaseArtifacts { snapshot })
            }
        };
        Self {
            operation: Some(choice),
        }
    }
}

fn texts(tables: Vec<TableName>) -> Vec<String> {
    tables.into_iter().map(String::from).collect()
}

impl FromWire<String> for TableName {
    fn from_wire(text: String) -> Result<Self, InvalidMessage> {
        text.parse().map_err(InvalidMessage::here)
    }
}

impl FromWire<wire::FileRewrite> for Rewrite {
    fn from_wire(file: wire::FileRewrite) -> Result<Self, InvalidMessage> {
        let wire::FileRewrite {
            path,
            before,
            after,
            edits,
        } = file;
        Ok(Self {
            path,
            before: field("before", before)?,
            after: optional("after", after)?,
            edits: each("edits", edits)?,
        })
    }
}

impl From<Rewrite> for wire::FileRewrite {
    fn from(file: Rewrite) -> Self {
        let Rewrite {
            path,
            before,
            after,
            edits,
        } = file;
        Self {
            path,
            before: digest_bytes(before),
            after: after.map(digest_bytes),
            edits: messages(edits),
        }
    }
}

impl FromWire<wire::LineEdit> for LineEdit {
    fn from_wire(edit: wire::LineEdit) -> Result<Self, InvalidMessage> {
        let wire::LineEdit {
            line,
            replaces,
            new,
        } = edit;
        Ok(Self {
            line,
            replaces,
            new,
        })
    }
}

impl From<LineEdit> for wire::LineEdit {
    fn from(edit: LineEdit) -> Self {
        let LineEdit {
            line,
            replaces,
            new,
        } = edit;
        Self {
            line,
            replaces,
            new,
        }
    }
}

impl FromWire<wire::PackagePin> for PackagePin {
    fn from_wire(pin: wire::PackagePin) -> Result<Self, InvalidMessage> {
        let wire::PackagePin {
            name,
            version,
            sha256,
        } = pin;
        Ok(Self {
            name: word("name", "package name", "'+', '-', '.', '_'", b"+-._", name)?,
            version: field("version", version)?,
            sha256: checksum("sha256", sha256)?,
        })
    }
}

impl From<PackagePin> for wire::PackagePin {
    fn from(pin: PackagePin) -> Self {
        let PackagePin {
            name,
            version,
            sha256,
        } = pin;
        Self {
            name,
            version: version.into(),
            sha256,
        }
    }
}

/// Both end up in a statement, between quotes: nothing that could end a quote is let in.
fn source_address(source: wire::FollowSource) -> Result<SourceAddress, InvalidMessage> {
    let wire::FollowSource {
        channel,
        host,
        port,
        uuid,
        ssl,
        get_public_key,
        connect_retry_s,
        retry_count,
    } = source;
    Ok(SourceAddress {
        channel: if channel.is_empty() {
            channel
        } else {
            word("channel", "channel name", "'-', '.', '_'", b"-._", channel)?
        },
        host: word("host", "host", "'-', '.', '_', ':'", b"-._:", host)?,
        port: field("port", port)?,
        uuid: field("uuid", uuid)?,
        ssl,
        get_public_key,
        connect_retry_s,
        retry_count,
    })
}

impl From<SourceAddress> for wire::FollowSource {
    fn from(source: SourceAddress) -> Self {
        let SourceAddress {
            channel,
            host,
            port,
            uuid,
            ssl,
            get_public_key,
            connect_retry_s,
            retry_count,
        } = source;
        Self {
            channel,
            host,
            port: port.into(),
            uuid: uuid.into(),
            ssl,
            get_public_key,
            connect_retry_s,
            retry_count,
        }
    }
}

fn snapshot_name(field: &str, text: String) -> Result<String, InvalidMessage> {
    word(field, "snapshot name", "'-', '.', '_'", b"-._", text)
}

fn word(
    field: &str,
    what: &'static str,
    others: &'static str,
    other_bytes: &[u8],
    text: String,
) -> Result<String, InvalidMessage> {
    let fine = text.len() <= 128
        && text
            .as_bytes()
            .first()
            .is_some_and(u8::is_ascii_alphanumeric)
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || other_bytes.contains(&b));
    if fine {
        Ok(text)
    } else {
        Err(InvalidMessage::new(field, Why::Word { what, text, others }))
    }
}

fn checksum(field: &str, text: String) -> Result<String, InvalidMessage> {
    let fine = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if fine {
        Ok(text)
    } else {
        Err(InvalidMessage::new(field, Why::Sha256(text)))
    }
}
