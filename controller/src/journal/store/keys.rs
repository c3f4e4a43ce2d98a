//! Keys, and values other than entries.
//!
//! ```text
//! 'e' rollout 0 seq(8, big endian)   an entry: refit_proto::journal_codec
//! 't' rollout                        its tail: how many entries it has, digest of the last value; written with every append
//! 'p' digest(32) index(2)            a piece of a plan
//! 'm' "epoch" | "format"             the controller's incarnation; the format of all this
//! ```
//!
//! Everything but entries is `format byte, crc32c over key and payload, payload`.

use refit_shared::ids::{Digest, RolloutId, Seq};

pub(super) const ENTRY: u8 = b'e';
pub(super) const TAIL: u8 = b't';
pub(super) const PLAN: u8 = b'p';
pub(super) const META: u8 = b'm';

pub(super) const EPOCH: &[u8] = b"mepoch";
pub(super) const FORMAT: &[u8] = b"mformat";

/// The format of keys and values, stored under [`FORMAT`].
pub(super) const JOURNAL_FORMAT: u64 = 1;

/// sled keeps larger values in files of their own, which our fdatasync would not reach.
pub(super) const LARGEST_VALUE: usize = 60 * 1024;

const SEALED: u8 = 1;
const HEADER: usize = 5;

/// What all keys of a rollout's entries begin with. No name holds a zero byte, so no rollout's prefix is another's.
pub(super) fn entries_of(rollout: &RolloutId) -> Vec<u8> {
    let mut key = vec![ENTRY];
    key.extend(rollout.as_str().as_bytes());
    key.push(0);
    key
}

pub(super) fn entry(rollout: &RolloutId, seq: Seq) -> Vec<u8> {
    let mut key = entries_of(rollout);
    key.extend(seq.0.to_be_bytes());
    key
}

/// The rollout and number of an entry's key.
pub(super) fn parse_entry(key: &[u8]) -> Option<(RolloutId, Seq)> {
    let (rest, seq) = key.split_last_chunk::<8>()?;
    let name = rest.strip_prefix(&[ENTRY])?.strip_suffix(&[0])?;
    let rollout = RolloutId::new(std::str::from_utf8(name).ok()?).ok()?;
    Some((rollout, Seq(u64::from_be_bytes(*seq))))
}

pub(super) fn tail(rollout: &RolloutId) -> Vec<u8> {
    let mut key = vec![TAIL];
    key.extend(rollout.as_str().as_bytes());
    key
}

pub(super) fn parse_tail(key: &[u8]) -> Option<RolloutId> {
    let name = key.strip_prefix(&[TAIL])?;
    RolloutId::new(std::str::from_utf8(name).ok()?).ok()
}

pub(super) fn pieces_of(plan: &Digest) -> Vec<u8> {
    let mut key = vec![PLAN];
    key.extend(plan.as_bytes());
    key
}

pub(super) fn piece(plan: &Digest, index: u16) -> Vec<u8> {
    let mut key = pieces_of(plan);
    key.extend(index.to_be_bytes());
    key
}

pub(super) fn parse_piece(key: &[u8]) -> Option<(Digest, u16)> {
    let (digest, index) = key.strip_prefix(&[PLAN])?.split_last_chunk::<2>()?;
    let digest = Digest::from_bytes(digest.try_into().ok()?);
    Some((digest, u16::from_be_bytes(*index)))
}

/// Where a rollout's entries end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tail {
    /// How many there are: the next one's number.
    pub next: u64,
    /// Digest of the last stored value.
    pub last: Digest,
}

impl Tail {
    pub(super) const EMPTY: Tail = Tail {
        next: 0,
        last: Digest::ZERO,
    };

    pub(super) fn seal(&self, key: &[u8]) -> Vec<u8> {
        let mut payload = self.next.to_be_bytes().to_vec();
        payload.extend(self.last.as_bytes());
        seal(key, &payload)
    }

    pub(super) fn read(key: &[u8], value: &[u8]) -> Result<Self, String> {
        let payload = unseal(key, value)?;
        let (next, last) = payload.split_first_chunk::<8>().ok_or("it is too short")?;
        let last: [u8; 32] = last.try_into().map_err(|_| "its digest is too short")?;
        Ok(Self {
            next: u64::from_be_bytes(*next),
            last: Digest::from_bytes(last),
        })
    }
}

pub(super) fn seal_number(key: &[u8], number: u64) -> Vec<u8> {
    seal(key, &number.to_be_bytes())
}

pub(super) fn read_number(key: &[u8], value: &[u8]) -> Result<u64, String> {
    let payload: [u8; 8] = unseal(key, value)?
        .try_into()
        .map_err(|_| "it is not a number")?;
    Ok(u64::from_be_bytes(payload))
}

/// Adds format and checksum. The key is part of what is checked, so a value can't be found under another one.
pub(super) fn seal(key: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(HEADER + payload.len());
    value.push(SEALED);
    value.extend(checksum(key, payload).to_be_bytes());
    value.extend(payload);
    value
}

pub(super) fn unseal<'v>(key: &[u8], value: &'v [u8]) -> Result<&'v [u8], String> {
    let Some((&[format, c0, c1, c2, c3], payload)) = value.split_first_chunk::<HEADER>() else {
        return Err(format!("it has only {} bytes", value.len()));
    };
    if format != SEALED {
        return Err(format!(
            "it has format {format}; this version of Refit reads {SEALED}"
        ));
    }
    let (stored, actual) = (u32::from_be_bytes([c0, c1, c2, c3]), checksum(key, payload));
    if stored != actual {
        return Err(format!(
            "its checksum is {stored:08x}, its content has {actual:08x}"
        ));
    }
    Ok(payload)
}

fn checksum(key: &[u8], payload: &[u8]) -> u32 {
    crc32c::crc32c_append(
        crc32c::crc32c_append(crc32c::crc32c(&[SEALED]), key),
        payload,
    )
}
