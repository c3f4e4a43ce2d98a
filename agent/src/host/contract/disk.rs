//! Where the ledger's files are written.

use super::{Kept, promises, same};
use crate::ledger::Disk;
use anyhow::ensure;
use std::path::PathBuf;
use std::sync::Arc;

/// A disk, and a directory on it that is empty.
#[derive(Debug, Clone)]
pub struct DiskScene {
    pub disk: Arc<dyn Disk>,
    pub dir: PathBuf,
}

promises!("Disk", DiskScene:
    what_is_written_is_there_as_a_whole,
    what_is_removed_is_gone_and_may_be_removed_again,
);

async fn what_is_written_is_there_as_a_whole(scene: &DiskScene) -> Kept {
    let file = scene.dir.join("deeper/and/deeper/record");
    for content in [&b"long and old"[..], b"new", b"", b"new"] {
        scene.disk.write(&file, content.to_vec()).await?;
        same(&std::fs::read(&file)?.as_slice(), &content, "the content")?;
        let above = file.parent().unwrap_or(&scene.dir);
        let names = std::fs::read_dir(above)?.count();
        same(&names, &1, "the files beside it, with it")?;
    }
    Ok(())
}

async fn what_is_removed_is_gone_and_may_be_removed_again(scene: &DiskScene) -> Kept {
    let (file, other) = (scene.dir.join("record"), scene.dir.join("other"));
    scene.disk.remove(&file).await?;
    scene.disk.write(&file, b"one".to_vec()).await?;
    scene.disk.write(&other, b"other".to_vec()).await?;
    for _ in 0..2 {
        scene.disk.remove(&file).await?;
        ensure!(!file.exists(), "it is still there");
    }
    same(&std::fs::read(&other)?, &b"other".to_vec(), "another file")
}
