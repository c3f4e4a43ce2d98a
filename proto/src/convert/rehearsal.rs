//! What a rehearsal found.

use super::{FromWire, InvalidMessage, field, optional, required, travels};
use crate::common as wire;
use refit_shared::observation::Seconds;
use refit_shared::rehearsal::Rehearsal;

travels! {
    wire::Rehearsal => Rehearsal, "rehearsal";
}

impl FromWire<wire::Rehearsal> for Rehearsal {
    fn from_wire(rehearsal: wire::Rehearsal) -> Result<Self, InvalidMessage> {
        let wire::Rehearsal {
            id,
            at_unix_ms,
            target,
            from,
            data,
            foreign,
            method,
            recovered_ms,
            cloned_ms,
            started_ms,
            dictionary_ms,
            system_tables_ms,
            peak_memory_bytes,
            refused,
            tables_opened,
            views_opened,
            broken,
            broken_before,
            lines,
            limits,
        } = rehearsal;
        Ok(Self {
            id: required("id", id)?,
            at_unix_ms,
            target: field("target", target)?,
            from: optional("from", from)?,
            data,
            foreign,
            method: field("method", method)?,
            recovered: recovered_ms.map(Seconds),
            cloned: Seconds(cloned_ms),
            started: Seconds(started_ms),
            dictionary: dictionary_ms.map(Seconds),
            system_tables: system_tables_ms.map(Seconds),
            peak_memory_bytes,
            refused,
            tables_opened,
            views_opened,
            broken,
            broken_before,
            lines,
            limits,
        })
    }
}

impl From<Rehearsal> for wire::Rehearsal {
    fn from(rehearsal: Rehearsal) -> Self {
        let Rehearsal {
            id,
            at_unix_ms,
            target,
            from,
            data,
            foreign,
            method,
            recovered,
            cloned,
            started,
            dictionary,
            system_tables,
            peak_memory_bytes,
            refused,
            tables_opened,
            views_opened,
            broken,
            broken_before,
            lines,
            limits,
        } = rehearsal;
        let ms = |seconds: Seconds| seconds.0;
        Self {
            id: Some(id.into()),
            at_unix_ms,
            target: target.into(),
            from: from.map(Into::into),
            data,
            foreign,
            method: wire::SnapshotMethod::from(method).into(),
            recovered_ms: recovered.map(ms),
            cloned_ms: cloned.0,
            started_ms: started.0,
            dictionary_ms: dictionary.map(ms),
            system_tables_ms: system_tables.map(ms),
            peak_memory_bytes,
            refused,
            tables_opened,
            views_opened,
            broken,
            broken_before,
            lines,
            limits,
        }
    }
}
