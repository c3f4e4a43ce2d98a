//! Plans are larger than one value may be, so they are stored in pieces: each begins with the number of all.

use super::keys;
use crate::ports::JournalError;
use refit_shared::ids::Digest;
use refit_shared::plan::Plan;

/// Room for the seal and the count.
const PIECE: usize = keys::LARGEST_VALUE - 16;

/// A key and its value.
pub(super) type Pair = (Vec<u8>, Vec<u8>);

/// The keys and values of a plan. `Err`: it is larger than any plan can be.
pub(super) fn pieces(plan: &Plan) -> Result<Vec<Pair>, JournalError> {
    let digest = plan.digest();
    let bytes = plan.canonical_bytes();
    let count = u16::try_from(bytes.len().div_ceil(PIECE)).map_err(|_| {
        JournalError::Write(format!("a plan of {} bytes is too large", bytes.len()))
    })?;
    let piece = |(index, bytes): (u16, &[u8])| {
        let key = keys::piece(&digest, index);
        let mut payload = count.to_be_bytes().to_vec();
        payload.extend(bytes);
        let value = keys::seal(&key, &payload);
        (key, value)
    };
    Ok((0..).zip(bytes.chunks(PIECE)).map(piece).collect())
}

/// Reads a plan and proves that it is the one with this digest.
pub(super) fn read(db: &sled::Db, digest: &Digest) -> Result<Option<Plan>, JournalError> {
    let wrong = |why: String| JournalError::Corrupt(format!("plan {}: {why}", digest.short()));
    let mut bytes = Vec::new();
    let mut found: u16 = 0;
    let mut expected = None;
    for item in db.scan_prefix(keys::pieces_of(digest)) {
        let (key, value) = item.map_err(super::verify::unreadable)?;
        if key != keys::piece(digest, found) {
            return Err(wrong(format!("piece {found} is missing")));
        }
        let payload =
            keys::unseal(&key, &value).map_err(|why| wrong(format!("piece {found}: {why}")))?;
        let (count, part) = payload
            .split_first_chunk::<2>()
            .ok_or_else(|| wrong(format!("piece {found} is too short")))?;
        expected = Some(u16::from_be_bytes(*count));
        bytes.extend(part);
        found += 1;
    }
    match expected {
        None => return Ok(None),
        Some(count) if count == found => {}
        Some(count) => return Err(wrong(format!("{found} of {count} pieces are there"))),
    }
    let plan: Plan = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
    let actual = plan.digest();
    if actual == *digest {
        Ok(Some(plan))
    } else {
        Err(wrong(format!("its content has digest {}", actual.short())))
    }
}
