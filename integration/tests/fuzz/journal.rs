//! The journal's values: what was written is read again, byte for byte; what was damaged is refused, whatever was damaged.

use crate::fuzz;
use crate::message::{Tape, make};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;
use refit_proto::journal;
use refit_proto::journal_codec::{decode, encode};
use refit_shared::ids::{Digest, RolloutId, Seq};
use refit_shared::saga::Entry;

fn entry(tape: &[u8]) -> Option<Entry> {
    let bytes = make("refit.journal.v1.Entry", &mut Tape::new(tape));
    Entry::try_from(journal::Entry::decode(&bytes[..]).ok()?).ok()
}

#[test]
fn entries_are_read_as_they_were_written_and_damage_is_seen() {
    let damage = (any::<prop::sample::Index>(), 1..=255_u8);
    let strategy = (
        vec(any::<u8>(), 0..300),
        any::<[u8; 32]>(),
        damage,
        any::<prop::sample::Index>(),
    );
    let entries = std::cell::Cell::new(0_u64);
    fuzz(
        "journal entries",
        &strategy,
        |(tape, previous, (at, flip), end)| {
            let Some(entry) = entry(&tape) else {
                return Ok(());
            };
            entries.set(entries.get() + 1);
            let previous = Digest::from_bytes(previous);
            let bytes = encode(&entry, &previous);
            let read = decode(&bytes, &entry.rollout, entry.seq);
            prop_assert_eq!(
                read.map_err(|e| e.to_string()),
                Ok((entry.clone(), previous))
            );

            let mut flipped = bytes.clone();
            let at = at.index(flipped.len());
            flipped[at] ^= flip;
            prop_assert!(
                decode(&flipped, &entry.rollout, entry.seq).is_err(),
                "byte {} is {}",
                at,
                flipped[at]
            );
            let torn = &bytes[..end.index(bytes.len())];
            prop_assert!(
                decode(torn, &entry.rollout, entry.seq).is_err(),
                "torn at {}",
                torn.len()
            );
            Ok(())
        },
    );
    assert!(entries.get() > 0, "the generator never makes an entry");
}

#[test]
fn bytes_of_any_kind_are_no_entry_or_one() {
    let rollout = RolloutId::new("r1").expect("a name");
    fuzz("journal bytes", &vec(any::<u8>(), 0..200), |mut bytes| {
        // With a checksum that is right, so that what lies behind it is looked at.
        if let Some((header, payload)) = bytes.split_first_chunk_mut::<5>() {
            header[0] = refit_proto::journal_codec::FORMAT;
            let sum = crc32c::crc32c_append(crc32c::crc32c(&header[..1]), payload);
            header[1..].copy_from_slice(&sum.to_be_bytes());
        }
        let _ = decode(&bytes, &rollout, Seq(1));
        Ok(())
    });
}
