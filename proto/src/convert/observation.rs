//! Observations and beats; what the server itself reports is in [`super::server`].

use super::{
    FromWire, InvalidMessage, Why, each, field, map, messages, required, set, travels, wire_enum,
};
use crate::common as wire;
use refit_shared::observation::{
    AgentFacts, Beat, DataPath, HostFacts, MemberRole, MemberState, Observation, PackageFacts,
    PathRole, Seconds, ServiceState, SnapshotMethod, StorageFacts,
};
use refit_shared::operation::OperationKind;
use std::collections::BTreeMap;

wire_enum! {
    ServiceState { Active, Activating, Deactivating, Inactive, Failed }
    SnapshotMethod { BtrfsSubvolume, Reflink, Copy }
    PathRole { DataDir, BinaryLogs, RelayLogs, RedoLogs, UndoLogs, InnodbHome, Other }
    MemberState { Online, Recovering, Offline, Error, Unreachable }
    MemberRole { Primary, Secondary, None }
}

travels! {
    wire::Observation => Observation, "observation";
    wire::Beat => Beat, "beat";
}

impl FromWire<wire::Observation> for Observation {
    fn from_wire(observation: wire::Observation) -> Result<Self, InvalidMessage> {
        let wire::Observation {
            member,
            cluster,
            at_unix_ms,
            agent,
            host,
            service,
            packages,
            config_digest,
            storage,
            server,
        } = observation;
        Ok(Self {
            member: field("member", member)?,
            cluster: field("cluster", cluster)?,
            at_unix_ms,
            agent: required("agent", agent)?,
            host: required("host", host)?,
            service: required("service", service)?,
            packages: required("packages", packages)?,
            config_digest: required("config_digest", config_digest)?,
            storage: required("storage", storage)?,
            server: required("server", server)?,
        })
    }
}

impl From<Observation> for wire::Observation {
    fn from(observation: Observation) -> Self {
        let Observation {
            member,
            cluster,
            at_unix_ms,
            agent,
            host,
            service,
            packages,
            config_digest,
            storage,
            server,
        } = observation;
        Self {
            member: member.into(),
            cluster: cluster.into(),
            at_unix_ms,
            agent: Some(agent.into()),
            host: Some(host.into()),
            service: Some(service.into()),
            packages: Some(packages.into()),
            config_digest: Some(config_digest.into()),
            storage: Some(storage.into()),
            server: Some(server.into()),
        }
    }
}

impl FromWire<wire::Beat> for Beat {
    fn from_wire(beat: wire::Beat) -> Result<Self, InvalidMessage> {
        let wire::Beat {
            member,
            at_unix_ms,
            state,
            writable,
            transactions_executed,
            applier_queue,
        } = beat;
        Ok(Self {
            member: field("member", member)?,
            at_unix_ms,
            state: required("state", state)?,
            writable,
            transactions_executed,
            applier_queue,
        })
    }
}

impl From<Beat> for wire::Beat {
    fn from(beat: Beat) -> Self {
        let Beat {
            member,
            at_unix_ms,
            state,
            writable,
            transactions_executed,
            applier_queue,
        } = beat;
        Self {
            member: member.into(),
            at_unix_ms,
            state: Some(state.into()),
            writable,
            transactions_executed,
            applier_queue,
        }
    }
}

impl FromWire<wire::AgentFacts> for AgentFacts {
    fn from_wire(facts: wire::AgentFacts) -> Result<Self, InvalidMessage> {
        let wire::AgentFacts {
            version,
            highest_epoch,
            working_on,
            in_maintenance,
            holding_server_down,
            measured,
            replication_user,
            rehearsals,
        } = facts;
        let mut measured_s = BTreeMap::new();
        for (i, wire::MeasuredTime { kind, milliseconds }) in measured.into_iter().enumerate() {
            let place = |e: InvalidMessage| e.within_item("measured", i);
            let kind: OperationKind = field("kind", kind).map_err(place)?;
            if measured_s
                .insert(kind, Seconds::from_millis(milliseconds))
                .is_some()
            {
                return Err(place(InvalidMessage::new("kind", Why::Twice)));
            }
        }
        Ok(Self {
            version,
            highest_epoch: field("highest_epoch", highest_epoch)?,
            working_on,
            in_maintenance,
            holding_server_down,
            replication_user,
            measured_s,
            rehearsals: each("rehearsals", rehearsals)?,
        })
    }
}

impl From<AgentFacts> for wire::AgentFacts {
    fn from(facts: AgentFacts) -> Self {
        let AgentFacts {
            version,
            highest_epoch,
            working_on,
            in_maintenance,
            holding_server_down,
            replication_user,
            measured_s,
            rehearsals,
        } = facts;
        let measured = |(kind, Seconds(milliseconds))| wire::MeasuredTime {
            kind: wire::OperationKind::from(kind).into(),
            milliseconds,
        };
        Self {
            version,
            highest_epoch: highest_epoch.0,
            working_on,
            in_maintenance,
            holding_server_down,
            measured: measured_s.into_iter().map(measured).collect(),
            replication_user,
            rehearsals: messages(rehearsals),
        }
    }
}

impl FromWire<wire::HostFacts> for HostFacts {
    fn from_wire(facts: wire::HostFacts) -> Result<Self, InvalidMessage> {
        let wire::HostFacts {
            hostname,
            os,
            boot_id,
            uptime_s,
        } = facts;
        Ok(Self {
            hostname,
            os,
            boot_id: required("boot_id", boot_id)?,
            uptime_s: required("uptime_s", uptime_s)?,
        })
    }
}

impl From<HostFacts> for wire::HostFacts {
    fn from(facts: HostFacts) -> Self {
        let HostFacts {
            hostname,
            os,
            boot_id,
            uptime_s,
        } = facts;
        Self {
            hostname,
            os,
            boot_id: Some(boot_id.into()),
            uptime_s: Some(uptime_s.into()),
        }
    }
}

impl FromWire<wire::PackageFacts> for PackageFacts {
    fn from_wire(facts: wire::PackageFacts) -> Result<Self, InvalidMessage> {
        let wire::PackageFacts {
            installed,
            available,
            held,
            broken,
            locked_by_other,
            frozen_by_other,
        } = facts;
        Ok(Self {
            installed: map("installed", installed)?,
            available: each("available", available)?,
            held: set("held", held)?,
            broken: set("broken", broken)?,
            locked_by_other,
            frozen_by_other,
        })
    }
}

impl From<PackageFacts> for wire::PackageFacts {
    fn from(facts: PackageFacts) -> Self {
        let PackageFacts {
            installed,
            available,
            held,
            broken,
            locked_by_other,
            frozen_by_other,
        } = facts;
        Self {
            installed: installed
                .into_iter()
                .map(|(name, version)| (name, version.into()))
                .collect(),
            available: messages(available),
            held: messages(held),
            broken: messages(broken),
            locked_by_other,
            frozen_by_other,
        }
    }
}

impl FromWire<wire::StorageFacts> for StorageFacts {
    fn from_wire(facts: wire::StorageFacts) -> Result<Self, InvalidMessage> {
        let wire::StorageFacts {
            paths,
            snapshot_method,
            snapshot_needs_bytes,
            snapshot_free_bytes,
            data_free_bytes,
        } = facts;
        Ok(Self {
            paths: each("paths", paths)?,
            snapshot_method: field("snapshot_method", snapshot_method)?,
            snapshot_needs_bytes,
            snapshot_free_bytes,
            data_free_bytes,
        })
    }
}

impl From<StorageFacts> for wire::StorageFacts {
    fn from(facts: StorageFacts) -> Self {
        let StorageFacts {
            paths,
            snapshot_method,
            snapshot_needs_bytes,
            snapshot_free_bytes,
            data_free_bytes,
        } = facts;
        Self {
            paths: messages(paths),
            snapshot_method: wire::SnapshotMethod::from(snapshot_method).into(),
            snapshot_needs_bytes,
            snapshot_free_bytes,
            data_free_bytes,
        }
    }
}

impl FromWire<wire::DataPath> for DataPath {
    fn from_wire(data_path: wire::DataPath) -> Result<Self, InvalidMessage> {
        let wire::DataPath {
            role,
            path,
            bytes,
            filesystem,
        } = data_path;
        Ok(Self {
            role: field("role", role)?,
            path,
            bytes,
            filesystem,
        })
    }
}

impl From<DataPath> for wire::DataPath {
    fn from(data_path: DataPath) -> Self {
        let DataPath {
            role,
            path,
            bytes,
            filesystem,
        } = data_path;
        Self {
            role: wire::PathRole::from(role).into(),
            path,
            bytes,
            filesystem,
        }
    }
}
