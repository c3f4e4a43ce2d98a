//! The bytes of one journal value: how an entry is stored so that any damage to it is seen.
//!
//! ```text
//! ┌────────┬──────────────────┬───────────────────────────────────────────┐
//! │ format │ CRC-32C, big     │ refit.journal.v1.Record: entry (with its  │
//! │ 1 byte │ endian, 4 bytes  │ rollout and seq), digest of the one before│
//! └────────┴──────────────────┴───────────────────────────────────────────┘
//!   the checksum covers the format byte and all bytes behind the checksum
//! ```
//!
//! The checksum finds what a disk did to one value; the rollout and number within it find a value under another's key; the
//! digest of the previous value finds entries that were lost, added or exchanged. The journal that holds the values compares
//! that chain; this module only reads and writes the links.

use crate::convert::{InvalidMessage, field, required};
use crate::journal;
use prost::Message;
use refit_shared::ids::{Digest, RolloutId, Seq};
use refit_shared::saga::Entry;

/// The format that [`encode`] writes.
pub const FORMAT: u8 = 1;

const HEADER: usize = 5;

/// Why the bytes of a journal value can't be trusted.
#[derive(Debug, thiserror::Error)]
pub enum BadValue {
    #[error("the value is torn: it has only {length} bytes")]
    Torn { length: usize },
    #[error("the value has format {found}; this version of Refit reads format {FORMAT}")]
    UnknownFormat { found: u8 },
    #[error("the value's checksum is {stored:08x}, its content has {actual:08x}")]
    Checksum { stored: u32, actual: u32 },
    #[error("the value is entry {seq} of rollout {rollout}, found under another key")]
    WrongKey { rollout: RolloutId, seq: Seq },
    #[error("the value is not a message: {0}")]
    NotAMessage(#[from] prost::DecodeError),
    #[error("the value holds an invalid message: {0}")]
    Invalid(#[from] InvalidMessage),
    /// Written by a newer version of Refit: what it means by them can't be left out of account.
    #[error("the value has fields that this version of Refit does not know")]
    UnknownFields,
}

/// The bytes to store for an entry. `previous` is the [`entry_digest`] of the value before it, [`Digest::ZERO`] for the first.
pub fn encode(entry: &Entry, previous: &Digest) -> Vec<u8> {
    let record = journal::Record {
        entry: Some(entry.clone().into()),
        previous: previous.as_bytes().to_vec(),
    };
    let payload = record.encode_to_vec();
    let mut value = Vec::with_capacity(HEADER + payload.len());
    value.push(FORMAT);
    value.extend(checksum(FORMAT, &payload).to_be_bytes());
    value.extend(payload);
    value
}

/// Reads the value stored under the key of this rollout and number: the entry, and the digest of the value before it.
pub fn decode(bytes: &[u8], rollout: &RolloutId, seq: Seq) -> Result<(Entry, Digest), BadValue> {
    let (entry, previous) = decode_unkeyed(bytes)?;
    if entry.rollout != *rollout || entry.seq != seq {
        return Err(BadValue::WrongKey {
            rollout: entry.rollout,
            seq: entry.seq,
        });
    }
    Ok((entry, previous))
}

fn decode_unkeyed(bytes: &[u8]) -> Result<(Entry, Digest), BadValue> {
    let torn = BadValue::Torn {
        length: bytes.len(),
    };
    let Some((&[format, c0, c1, c2, c3], payload)) = bytes.split_first_chunk::<HEADER>() else {
        return Err(torn);
    };
    if format != FORMAT {
        return Err(BadValue::UnknownFormat { found: format });
    }
    if payload.is_empty() {
        return Err(torn);
    }
    let stored = u32::from_be_bytes([c0, c1, c2, c3]);
    let actual = checksum(format, payload);
    if stored != actual {
        return Err(BadValue::Checksum { stored, actual });
    }
    let record = journal::Record::decode(payload)?;
    if record.encode_to_vec() != payload {
        return Err(BadValue::UnknownFields);
    }
    let journal::Record { entry, previous } = record;
    Ok((required("entry", entry)?, field("previous", previous)?))
}

/// The digest over a whole stored value, as the next one of its rollout repeats it.
pub fn entry_digest(bytes: &[u8]) -> Digest {
    Digest::of(bytes)
}

fn checksum(format: u8, payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&[format]), payload)
}
