//! Journal values: what was stored is read, and any damage to it is seen.
//!
//! `fixtures/journal-v1.bin` holds a journal as format 1 wrote it, each value behind its length (4 bytes, big endian). It
//! never changes: a later format gets a file of its own, and this one must stay readable.

mod samples;

use proptest::prelude::*;
use prost::Message;
use refit_proto::journal;
use refit_proto::journal_codec::{BadValue, FORMAT, decode, encode, entry_digest};
use refit_shared::ids::{Digest, RolloutId, Seq};
use refit_shared::saga::{Entry, Event};

const FIXTURE: &[u8] = include_bytes!("fixtures/journal-v1.bin");

fn sample() -> (Entry, Vec<u8>) {
    let entry = samples::rollout::one_of_everything().remove(2);
    assert!(matches!(entry.event, Event::StepResolved { .. }));
    let bytes = encode(&entry, &Digest::of(b"the one before"));
    (entry, bytes)
}

/// A value with a right checksum around any payload.
fn sealed(payload: &[u8]) -> Vec<u8> {
    let crc = crc32c::crc32c(&[&[FORMAT], payload].concat());
    [&[FORMAT], &crc.to_be_bytes()[..], payload].concat()
}

fn record(entry: &Entry) -> journal::Record {
    journal::Record {
        entry: Some(entry.clone().into()),
        previous: Digest::ZERO.as_bytes().to_vec(),
    }
}

fn chained(entries: &[Entry]) -> Vec<Vec<u8>> {
    let mut previous = Digest::ZERO;
    let link = |entry| {
        let value = encode(entry, &previous);
        previous = entry_digest(&value);
        value
    };
    entries.iter().map(link).collect()
}

#[test]
fn each_flipped_bit_is_seen() {
    let (entry, bytes) = sample();
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let error = decode(&damaged, &entry.rollout, entry.seq)
            .expect_err(&format!("bit {bit} was flipped"));
        match bit {
            0..8 => assert!(matches!(error, BadValue::UnknownFormat { .. }), "{error}"),
            _ => assert!(matches!(error, BadValue::Checksum { .. }), "{error}"),
        }
    }
}

#[test]
fn each_shorter_or_longer_value_is_seen() {
    let (entry, bytes) = sample();
    for length in 0..bytes.len() {
        let error = decode(&bytes[..length], &entry.rollout, entry.seq).expect_err("torn");
        match length {
            0..=5 => assert!(matches!(error, BadValue::Torn { .. }), "{length}: {error}"),
            _ => assert!(
                matches!(error, BadValue::Checksum { .. }),
                "{length}: {error}"
            ),
        }
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(decode(&longer, &entry.rollout, entry.seq).is_err());
}

#[test]
fn a_value_under_another_key_is_seen() {
    let (entry, bytes) = sample();
    let other = RolloutId::new("another").expect("a valid name");
    for (rollout, seq) in [(&other, entry.seq), (&entry.rollout, entry.seq.next())] {
        match decode(&bytes, rollout, seq) {
            Err(BadValue::WrongKey { rollout, seq }) => {
                assert_eq!((rollout, seq), (entry.rollout.clone(), entry.seq));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_well_sealed_value_that_makes_no_sense_is_refused() {
    let (entry, _) = sample();
    let refused = |payload: &[u8]| {
        decode(&sealed(payload), &entry.rollout, entry.seq).expect_err("makes no sense")
    };
    let good = record(&entry);
    decode(&sealed(&good.encode_to_vec()), &entry.rollout, entry.seq)
        .expect("seals as encode does");

    assert!(matches!(refused(&[0xff; 9]), BadValue::NotAMessage(_)));
    // Field 15, a varint: what a newer version might add.
    let newer = [&good.encode_to_vec()[..], &[0x78, 1]].concat();
    assert!(matches!(refused(&newer), BadValue::UnknownFields));
    let mut no_entry = good.clone();
    no_entry.entry = None;
    let mut no_event = good.clone();
    if let Some(entry) = &mut no_event.entry {
        entry.event = None;
    }
    let mut no_link = good;
    no_link.previous.clear();
    for (record, expected) in [
        (
            no_entry,
            "the value holds an invalid message: entry: is missing",
        ),
        (
            no_event,
            "the value holds an invalid message: entry.event: is missing",
        ),
        (
            no_link,
            "the value holds an invalid message: previous: a digest has 32 bytes, this has 0",
        ),
    ] {
        assert_eq!(refused(&record.encode_to_vec()).to_string(), expected);
    }
}

#[test]
fn the_journal_that_format_1_wrote_is_read() {
    let mut rest = FIXTURE;
    let mut values = Vec::new();
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).expect("small");
        let (value, behind) = behind.split_at(length);
        values.push(value);
        rest = behind;
    }
    assert_eq!(rest, b"", "the fixture ends with a whole value");

    let expected = samples::rollout::one_of_everything();
    let mut previous = Digest::ZERO;
    assert_eq!(values.len(), expected.len());
    for (value, entry) in values.iter().zip(&expected) {
        let (read, link) = decode(value, &entry.rollout, entry.seq).expect("format 1 is readable");
        assert_eq!((&read, link), (entry, previous));
        previous = entry_digest(value);
    }
    assert_eq!(chained(&expected), values, "and is still what is written");
}

proptest! {
    #[test]
    fn what_is_stored_is_read(entry in samples::rollout::entry(), previous in samples::digest()) {
        let bytes = encode(&entry, &previous);
        let read = decode(&bytes, &entry.rollout, entry.seq).expect("our own value");
        prop_assert_eq!(read, (entry, previous));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), seal in any::<bool>()) {
        let rollout = RolloutId::new("r").expect("a valid name");
        let bytes = if seal { sealed(&bytes) } else { bytes };
        prop_assert!(decode(&bytes, &rollout, Seq(0)).is_err());
    }
}
