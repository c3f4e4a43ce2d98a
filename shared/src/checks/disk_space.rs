//! There is room for the snapshot and for the new version's own needs.

use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};

pub const CHECK: Check = Check {
    id: "diskSpace",
    level: Level::Error,
    reference: Reference {
        source: "what the snapshot and the dictionary upgrade write",
        link: None,
    },
    applies: When::Always,
    overriding: Overriding::Refused("without the snapshot there is no way back"),
    needs: &[],
    title: "Disk space for the snapshot and the upgrade",
    description: "Needed: the snapshot's bytes (none where the file system shares blocks), and 2 GiB or a tenth of the data, whichever is less, for the dictionary upgrade and temporary files.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

const GIB: u64 = 1 << 30;

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, seen) in subject.seen.observed() {
        let storage = match seen.storage.require() {
            Ok(storage) => storage,
            Err(why) => {
                found.push(CHECK.untold(name, "the storage", why));
                continue;
            }
        };
        let data: u64 = storage.paths.iter().map(|path| path.bytes).sum();
        let reserve = (data / 10).clamp(GIB / 8, 2 * GIB);
        if storage.snapshot_free_bytes < storage.snapshot_needs_bytes.saturating_add(reserve) {
            found.push(CHECK.error(
                name,
                format!(
                    "the snapshot needs {} MiB and the upgrade {} MiB, {} MiB are free",
                    storage.snapshot_needs_bytes >> 20,
                    reserve >> 20,
                    storage.snapshot_free_bytes >> 20
                ),
                "free space, or set snapshot_dir in the agent's configuration to a larger file system",
            ));
        }
        if storage.data_free_bytes < reserve {
            found.push(CHECK.error(
                name,
                format!(
                    "{} MiB are free beside the data directory, {} MiB are needed",
                    storage.data_free_bytes >> 20,
                    reserve >> 20
                ),
                "free space on the data directory's file system",
            ));
        }
    }
    found
}
