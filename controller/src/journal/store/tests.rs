//! Every kind of damage is found at open, and named; what was interrupted is repaired.

use super::{SledJournal, keys, verify as verify_dir};
use crate::fixture;
use crate::journal::contract::{created, intended, open, rollout};
use crate::ports::{Journal, JournalError};
use refit_shared::ids::{Epoch, RolloutId, Seq};
use std::path::{Path, PathBuf};

struct Written {
    dir: tempfile::TempDir,
    id: RolloutId,
    plan: refit_shared::plan::Plan,
}

impl Written {
    fn path(&self) -> PathBuf {
        self.dir.path().join("journal")
    }

    /// Changes the store as damage would, behind the journal's back.
    fn damage(&self, how: impl FnOnce(&sled::Db)) {
        let db = sled::Config::new()
            .path(self.path())
            .segment_size(512 * 1024)
            .use_compression(false)
            .open()
            .unwrap();
        how(&db);
        db.flush().unwrap();
    }

    fn entry(&self, seq: u64) -> Vec<u8> {
        keys::entry(&self.id, Seq(seq))
    }
}

/// A journal with one rollout of ten entries, closed.
async fn written() -> Written {
    let dir = tempfile::tempdir().unwrap();
    let plan = fixture::plan().await;
    let id = rollout("r1");
    let journal = open(&dir.path().join("journal"));
    journal.next_epoch().await.unwrap();
    journal.keep_plan(&plan).await.unwrap();
    journal.append(vec![created(&id, &plan)]).await.unwrap();
    for seq in 1..10 {
        journal.append(vec![intended(&id, seq)]).await.unwrap();
    }
    Written { dir, id, plan }
}

fn refusal(dir: &Path) -> String {
    match SledJournal::open(dir) {
        Err(JournalError::Corrupt(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_was_written_is_there_after_opening_again() {
    let written = written().await;
    let found = verify_dir(&written.path()).unwrap();
    assert_eq!(found.rollouts, [(written.id.clone(), 10)]);
    assert_eq!((found.epoch, found.plans), (Epoch(1), 1));
    let journal = open(&written.path());
    assert_eq!(journal.read(&written.id).await.unwrap().len(), 10);
    let plan = journal.plan(&written.plan.digest()).await.unwrap();
    assert_eq!(plan.as_ref(), Some(&written.plan));
    assert_eq!(journal.next_epoch().await.unwrap(), Epoch(2));
    journal
        .append(vec![intended(&written.id, 10)])
        .await
        .unwrap();
}

#[tokio::test]
async fn two_cannot_have_it_open() {
    let written = written().await;
    let _first = open(&written.path());
    let second = SledJournal::open(&written.path()).unwrap_err();
    let own = std::process::id().to_string();
    assert!(
        matches!(&second, JournalError::Read(why) if why.contains("open in another process") && why.contains(&own)),
        "{second}"
    );
    assert!(verify_dir(&written.path()).is_err());
}

#[tokio::test]
async fn every_damage_is_named() {
    type Damage = fn(&Written, &sled::Db);
    let cases: [(&str, Damage); 11] = [
        ("rollout r1, entry 4: the value's checksum", |w, db| {
            let mut value = db.get(w.entry(4)).unwrap().unwrap().to_vec();
            *value.last_mut().unwrap() ^= 1;
            db.insert(w.entry(4), value).unwrap();
        }),
        (
            "rollout r1, entry 4: missing; entry 5 comes next",
            |w, db| {
                db.remove(w.entry(4)).unwrap();
            },
        ),
        ("rollout r1, entry 0: missing", |w, db| {
            db.remove(w.entry(0)).unwrap();
        }),
        (
            "rollout r1 has 9 entries where 10 were written: entry 9 is missing",
            |w, db| {
                db.remove(w.entry(9)).unwrap();
            },
        ),
        ("rollout r1, entry 3: the value is entry 4", |w, db| {
            let value = db.get(w.entry(4)).unwrap().unwrap();
            db.insert(w.entry(3), value).unwrap();
        }),
        (
            "rollout r1, entry 6: it does not follow the entry before it",
            |w, db| {
                let (entry, _) = refit_proto::journal_codec::decode(
                    &db.get(w.entry(5)).unwrap().unwrap(),
                    &w.id,
                    Seq(5),
                )
                .unwrap();
                let other = refit_shared::saga::Entry {
                    at_unix_ms: 7,
                    ..entry
                };
                let (_, before) = refit_proto::journal_codec::decode(
                    &db.get(w.entry(5)).unwrap().unwrap(),
                    &w.id,
                    Seq(5),
                )
                .unwrap();
                db.insert(
                    w.entry(5),
                    refit_proto::journal_codec::encode(&other, &before),
                )
                .unwrap();
            },
        ),
        (
            "rollout r1, entry 9: not the one that was written last",
            |w, db| {
                let bytes = db.get(w.entry(9)).unwrap().unwrap();
                let (entry, before) =
                    refit_proto::journal_codec::decode(&bytes, &w.id, Seq(9)).unwrap();
                let other = refit_shared::saga::Entry {
                    at_unix_ms: 7,
                    ..entry
                };
                db.insert(
                    w.entry(9),
                    refit_proto::journal_codec::encode(&other, &before),
                )
                .unwrap();
            },
        ),
        ("the end of rollout r1 is missing", |w, db| {
            db.remove(keys::tail(&w.id)).unwrap();
        }),
        ("plan ", |w, db| {
            let key = keys::piece(&w.plan.digest(), 0);
            let mut value = db.get(&key).unwrap().unwrap().to_vec();
            value[100] ^= 1;
            db.insert(key, value).unwrap();
        }),
        ("the epoch is missing", |_, db| {
            db.remove(keys::EPOCH).unwrap();
        }),
        ("there is an unknown key", |_, db| {
            db.insert("x", "y").unwrap();
        }),
    ];
    for (expected, damage) in cases {
        let written = written().await;
        written.damage(|db| damage(&written, db));
        let why = refusal(&written.path());
        assert!(why.starts_with(expected), "{why} / {expected}");
        // Looking changes nothing.
        assert_eq!(refusal(&written.path()), why);
    }
}

#[tokio::test]
async fn a_missing_plan_or_a_newer_format_is_refused() {
    let w = written().await;
    w.damage(|db| {
        for key in db.scan_prefix([keys::PLAN]).keys() {
            db.remove(key.unwrap()).unwrap();
        }
    });
    assert!(refusal(&w.path()).contains("of rollout r1 is missing"));
    let w = written().await;
    w.damage(|db| {
        db.insert(keys::FORMAT, keys::seal_number(keys::FORMAT, 2))
            .unwrap();
    });
    let newer = SledJournal::open(&w.path()).unwrap_err();
    assert!(
        matches!(&newer, JournalError::Read(why) if why.contains("format 2")),
        "{newer}"
    );
}

/// Every file of a directory, to put back what a damaged store made of it.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for item in std::fs::read_dir(dir).unwrap() {
        let path = item.unwrap().path();
        if path.is_file() {
            files.push((path.clone(), std::fs::read(path).unwrap()));
        }
    }
    files
}

#[tokio::test]
async fn damage_to_the_file_itself_is_refused_or_repaired_but_never_believed() {
    let w = written().await;
    let whole = files(&w.path());
    let (file, data) = whole.iter().find(|(path, _)| path.ends_with("db")).unwrap();
    let used = data.iter().rposition(|byte| *byte != 0).unwrap();
    let mut refused = 0;
    for at in (0..used).step_by(used / 40) {
        let mut bytes = data.clone();
        for byte in bytes.iter_mut().skip(at).take(64) {
            *byte ^= 0xff;
        }
        std::fs::write(file, bytes).unwrap();
        match SledJournal::open(&w.path()) {
            // The damage hit what nobody needs, or what the store keeps twice.
            Ok(journal) => assert_eq!(journal.read(&w.id).await.unwrap().len(), 10, "at {at}"),
            Err(JournalError::Corrupt(_) | JournalError::Read(_)) => refused += 1,
            Err(other) => panic!("{other}"),
        }
        std::fs::remove_dir_all(w.path()).unwrap();
        std::fs::create_dir(w.path()).unwrap();
        for (path, bytes) in &whole {
            std::fs::write(path, bytes).unwrap();
        }
    }
    assert!(refused > 10, "{refused}");
    assert_eq!(open(&w.path()).read(&w.id).await.unwrap().len(), 10);
}

#[tokio::test]
async fn interrupted_snapshots_and_half_made_journals_are_cleared_away() {
    let w = written().await;
    std::fs::write(w.path().join("snap.00FF.generating"), b"half").unwrap();
    std::fs::create_dir(w.dir.path().join("journal.new")).unwrap();
    let journal = open(&w.path());
    assert_eq!(journal.read(&w.id).await.unwrap().len(), 10);
    assert!(!w.path().join("snap.00FF.generating").exists());
    drop(journal);
    // A making that was interrupted is begun anew.
    std::fs::remove_dir_all(w.path()).unwrap();
    let journal = open(&w.path());
    assert!(journal.rollouts().await.unwrap().is_empty());
    assert!(!w.dir.path().join("journal.new").exists());
}

#[tokio::test]
async fn an_entry_that_is_too_large_is_refused_and_harms_nothing() {
    let w = written().await;
    let journal = open(&w.path());
    let mut huge = created(&rollout("r2"), &w.plan);
    let refit_shared::saga::Event::RolloutCreated { by, .. } = &mut huge.event else {
        unreachable!("it was made so");
    };
    by.reason = "x".repeat(keys::LARGEST_VALUE);
    let refused = journal.append(vec![huge]).await;
    assert!(matches!(refused, Err(JournalError::Write(_))));
    journal.append(vec![intended(&w.id, 10)]).await.unwrap();
}

#[test]
fn only_an_existing_journal_is_verified() {
    let dir = tempfile::tempdir().unwrap();
    let missing = verify_dir(&dir.path().join("journal")).unwrap_err();
    assert!(missing.to_string().contains("there is none"), "{missing}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
