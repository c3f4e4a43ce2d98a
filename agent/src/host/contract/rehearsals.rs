//! The stage for rehearsals. What one finds is for scenarios of its own.

use super::{Kept, Scene, promises, same};

promises!("Rehearsals", Scene:
    clearing_what_is_clear_changes_nothing,
);

async fn clearing_what_is_clear_changes_nothing(scene: &Scene) -> Kept {
    let kept = scene.host.rehearsals.kept().await?;
    let process = scene.host.service.main_pid().await?;
    for _ in 0..2 {
        scene.host.rehearsals.clear().await?;
    }
    same(&scene.host.rehearsals.kept().await?, &kept, "what was kept")?;
    let now = scene.host.service.main_pid().await?;
    same(&now, &process, "the process")
}
