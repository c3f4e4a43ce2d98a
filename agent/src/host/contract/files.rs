//! Option files, drop-ins and snapshots of a server that is down.

use super::{Hand, Kept, Scene, promises, refused, same};
use crate::host::{Files, Phase};
use anyhow::{Context, ensure};
use refit_shared::observation::PathRole;
use std::sync::Arc;

/// The files of one host whose server is down.
#[derive(Debug, Clone)]
pub struct FilesScene {
    pub files: Arc<dyn Files>,
    pub hand: Arc<dyn Hand>,
}

promises!("Files", FilesScene:
    the_digest_tells_one_state_from_another,
    an_option_file_gets_the_bytes_that_it_is_given_and_no_other_path_does,
    what_the_files_say_is_told_with_secrets_masked,
    a_backup_keeps_the_bytes_and_brings_them_back,
    a_backup_of_other_content_takes_the_name,
    without_a_backup_nothing_is_put_back,
    maintenance_comes_and_goes_and_no_digest_tells_it,
    a_hold_needs_the_drop_in_that_minds_it,
    maintenance_that_ends_takes_the_hold_with_it,
    names_lead_nowhere_else,
    what_a_snapshot_takes_is_told,
    a_snapshot_brings_the_data_back_as_often_as_it_is_asked,
    a_complete_snapshot_is_left_alone,
    an_incomplete_snapshot_counts_for_nothing,
    a_snapshot_that_was_dropped_is_gone,
    snapshots_do_not_know_of_each_other,
    a_marker_is_of_one_snapshot,
    the_error_log_has_a_place,
);

async fn the_digest_tells_one_state_from_another(scene: &FilesScene) -> Kept {
    let (files, path) = (&scene.files, scene.hand.option_file());
    let before = files.config_digest().await?;
    same(&files.config_digest().await?, &before, "the digest")?;
    let content = content(scene).await?;
    let longer = [content.as_slice(), b"# one more\n"].concat();
    scene.hand.edit(&path, &longer)?;
    ensure!(
        files.config_digest().await? != before,
        "an edit is not told"
    );
    scene.hand.edit(&path, &content)?;
    same(&files.config_digest().await?, &before, "the digest")
}

async fn content(scene: &FilesScene) -> anyhow::Result<Vec<u8>> {
    let path = scene.hand.option_file();
    let content = scene.files.option_file(&path).await?;
    content.with_context(|| format!("{path} is not there"))
}

async fn an_option_file_gets_the_bytes_that_it_is_given_and_no_other_path_does(
    scene: &FilesScene,
) -> Kept {
    let (files, path) = (&scene.files, scene.hand.option_file());
    let (before, digest) = (content(scene).await?, files.config_digest().await?);
    let other = [before.as_slice(), b"# not UTF-8: \xff\n"].concat();
    for _ in 0..2 {
        files.replace_option_file(&path, &other).await?;
        same(&content(scene).await?, &other, "the bytes")?;
        let tree = files.option_tree().await?;
        let inside = tree.files.iter().find(|(known, _)| *known == path);
        same(&inside.map(|(_, b)| b), &Some(&other), "those in the tree")?;
    }
    files.replace_option_file(&path, &before).await?;
    same(&files.config_digest().await?, &digest, "the digest")?;

    let missing = scene.hand.missing_option_file();
    same(&files.option_file(&missing).await?, &None, &missing)?;
    let elsewhere = scene.hand.other_file();
    refused(files.option_file(&elsewhere).await, &elsewhere)?;
    for path in [&missing, &elsewhere] {
        refused(files.replace_option_file(path, b"x").await, path)?;
    }
    same(&files.config_digest().await?, &digest, "the digest")
}

async fn what_the_files_say_is_told_with_secrets_masked(scene: &FilesScene) -> Kept {
    let (path, before) = (scene.hand.option_file(), content(scene).await?);
    let secret = [before.as_slice(), b"[client]\npassword=hunter2\n"].concat();
    scene.hand.edit(&path, &secret)?;
    let told = scene.files.config_files().await?;
    scene.hand.edit(&path, &before)?;
    let file = told.files.iter().find(|file| file.path == path);
    let file = file.with_context(|| format!("{path} is not told"))?;
    ensure!(file.text.contains("password"), "it is not told");
    ensure!(!file.text.contains("hunter2"), "the secret is told");
    Ok(())
}

async fn a_backup_keeps_the_bytes_and_brings_them_back(scene: &FilesScene) -> Kept {
    let (files, path, name) = (&scene.files, scene.hand.option_file(), "contract-kept");
    ensure!(!files.has_config_backup(name).await?, "it is there before");
    same(&files.kept_option_file(name, &path).await?, &None, "kept")?;
    let (before, digest) = (content(scene).await?, files.config_digest().await?);
    for _ in 0..2 {
        files.back_up_config(name).await?;
        ensure!(files.has_config_backup(name).await?, "it is not there");
    }
    // A person edits one file, and a package leaves another.
    let new = scene.hand.missing_option_file();
    let longer = [before.as_slice(), b"# edited\n"].concat();
    scene.hand.edit(&path, &longer)?;
    scene.hand.edit(&new, b"[mysqld]\n")?;
    let kept = files.kept_option_file(name, &path).await?;
    same(&kept.as_ref(), &Some(&before), "the kept bytes")?;
    same(&files.kept_option_file(name, &new).await?, &None, &new)?;
    for _ in 0..2 {
        files.restore_config(name).await?;
        same(&content(scene).await?, &before, "the bytes")?;
        same(&files.option_file(&new).await?, &None, &new)?;
        same(&files.config_digest().await?, &digest, "the digest")?;
    }
    ensure!(files.has_config_backup(name).await?, "it is used up");
    Ok(())
}

async fn a_backup_of_other_content_takes_the_name(scene: &FilesScene) -> Kept {
    let (files, path, name) = (&scene.files, scene.hand.option_file(), "contract-newer");
    let before = content(scene).await?;
    files.back_up_config(name).await?;
    let newer = [before.as_slice(), b"# newer\n"].concat();
    scene.hand.edit(&path, &newer)?;
    files.back_up_config(name).await?;
    let kept = files.kept_option_file(name, &path).await?;
    same(&kept.as_ref(), &Some(&newer), "the kept bytes")?;
    scene.hand.edit(&path, &before)?;
    files.restore_config(name).await?;
    same(&content(scene).await?, &newer, "the bytes")?;
    scene.hand.edit(&path, &before)
}

async fn without_a_backup_nothing_is_put_back(scene: &FilesScene) -> Kept {
    let digest = scene.files.config_digest().await?;
    refused(
        scene.files.restore_config("contract-never").await,
        "a backup that was never made",
    )?;
    same(&scene.files.config_digest().await?, &digest, "the digest")
}

async fn maintenance_comes_and_goes_and_no_digest_tells_it(scene: &FilesScene) -> Kept {
    let files = &scene.files;
    let digest = files.config_digest().await?;
    ensure!(
        !files.in_maintenance().await?,
        "it is in maintenance before"
    );
    files.remove_maintenance().await?;
    for on in [true, false] {
        for _ in 0..2 {
            if on {
                files.write_maintenance().await?;
            } else {
                files.remove_maintenance().await?;
            }
            same(&files.in_maintenance().await?, &on, "maintenance")?;
            same(&files.config_digest().await?, &digest, "the digest")?;
            ensure!(!files.held().await?, "nobody has held it down");
        }
    }
    Ok(())
}

async fn a_hold_needs_the_drop_in_that_minds_it(scene: &FilesScene) -> Kept {
    let files = &scene.files;
    ensure!(!files.held().await?, "it is held down before");
    for _ in 0..2 {
        files.set_hold(false).await?;
    }
    refused(files.set_hold(true).await, "a hold that nothing would mind")?;
    ensure!(!files.held().await?, "it is held down without a drop-in");
    files.write_maintenance().await?;
    for on in [true, false] {
        for _ in 0..2 {
            files.set_hold(on).await?;
            same(&files.held().await?, &on, "the hold")?;
        }
    }
    Ok(files.remove_maintenance().await?)
}

async fn maintenance_that_ends_takes_the_hold_with_it(scene: &FilesScene) -> Kept {
    let files = &scene.files;
    files.write_maintenance().await?;
    files.set_hold(true).await?;
    // Never done so: that the way out leaves nothing behind is the point.
    scene.hand.may_leave_while_held();
    files.remove_maintenance().await?;
    ensure!(!files.held().await?, "it is held down");
    files.write_maintenance().await?;
    ensure!(!files.held().await?, "the old hold has come back");
    Ok(files.remove_maintenance().await?)
}

async fn names_lead_nowhere_else(scene: &FilesScene) -> Kept {
    let (files, phase) = (&scene.files, Phase::silent());
    for name in ["", "../x", "/x", "a/b", ".hidden", "x y"] {
        refused(files.back_up_config(name).await, name)?;
        refused(files.restore_config(name).await, name)?;
        refused(files.take_snapshot(name, &phase).await, name)?;
        refused(files.verify_snapshot(name).await, name)?;
        refused(files.restore_snapshot(name, &phase).await, name)?;
        refused(files.drop_snapshot(name).await, name)?;
        refused(files.set_dirty(name, true).await, name)?;
    }
    Ok(())
}

async fn what_a_snapshot_takes_is_told(scene: &FilesScene) -> Kept {
    let (files, name) = (&scene.files, "contract-told");
    let storage = files.storage().await?;
    let roles: Vec<PathRole> = storage.paths.iter().map(|path| path.role).collect();
    ensure!(roles.contains(&PathRole::DataDir), "{roles:?} are told");
    let method = files.take_snapshot(name, &Phase::silent()).await?;
    same(&method, &storage.snapshot_method, "how it was taken")?;
    Ok(files.drop_snapshot(name).await?)
}

async fn a_snapshot_brings_the_data_back_as_often_as_it_is_asked(scene: &FilesScene) -> Kept {
    let (files, phase, name) = (&scene.files, Phase::silent(), "contract-back");
    let before = scene.hand.data()?;
    ensure!(!files.verify_snapshot(name).await?, "it is there before");
    refused(files.restore_snapshot(name, &phase).await, "no snapshot")?;
    ensure!(scene.hand.data()? == before, "no snapshot was put back");
    files.take_snapshot(name, &phase).await?;
    ensure!(files.verify_snapshot(name).await?, "it is not complete");
    ensure!(scene.hand.data()? == before, "taking it touched the data");
    files.restore_snapshot(name, &phase).await?;
    ensure!(scene.hand.data()? == before, "the data are others");
    for word in ["one", "two"] {
        scene.hand.scribble(word)?;
        ensure!(scene.hand.data()? != before, "nothing was written");
        for _ in 0..2 {
            files.restore_snapshot(name, &phase).await?;
            ensure!(scene.hand.data()? == before, "the data are others");
        }
    }
    ensure!(files.verify_snapshot(name).await?, "it is used up");
    Ok(files.drop_snapshot(name).await?)
}

async fn a_complete_snapshot_is_left_alone(scene: &FilesScene) -> Kept {
    let (files, phase, name) = (&scene.files, Phase::silent(), "contract-first");
    let before = scene.hand.data()?;
    let method = files.take_snapshot(name, &phase).await?;
    scene.hand.scribble("later")?;
    let again = files.take_snapshot(name, &phase).await?;
    same(&again, &method, "how it was taken")?;
    files.restore_snapshot(name, &phase).await?;
    ensure!(scene.hand.data()? == before, "the later data were taken");
    Ok(files.drop_snapshot(name).await?)
}

async fn an_incomplete_snapshot_counts_for_nothing(scene: &FilesScene) -> Kept {
    let (files, phase, name) = (&scene.files, Phase::silent(), "contract-half");
    let before = scene.hand.data()?;
    scene.hand.half_a_snapshot(name)?;
    ensure!(!files.verify_snapshot(name).await?, "half of one counts");
    refused(
        files.restore_snapshot(name, &phase).await,
        "half a snapshot",
    )?;
    ensure!(scene.hand.data()? == before, "half of one was put back");
    scene.hand.scribble("since")?;
    let since = scene.hand.data()?;
    files.take_snapshot(name, &phase).await?;
    ensure!(files.verify_snapshot(name).await?, "it is not complete");
    scene.hand.scribble("later")?;
    files.restore_snapshot(name, &phase).await?;
    ensure!(
        scene.hand.data()? == since,
        "it is not of when it was taken"
    );
    files.drop_snapshot(name).await?;
    scene.hand.wipe()?;
    ensure!(scene.hand.data()? == before, "the data are others");
    // One that was never completed goes as well.
    scene.hand.half_a_snapshot(name)?;
    files.drop_snapshot(name).await?;
    ensure!(!files.verify_snapshot(name).await?, "it is still there");
    Ok(())
}

async fn a_snapshot_that_was_dropped_is_gone(scene: &FilesScene) -> Kept {
    let (files, phase, name) = (&scene.files, Phase::silent(), "contract-dropped");
    let before = scene.hand.data()?;
    files.drop_snapshot(name).await?;
    files.take_snapshot(name, &phase).await?;
    files.restore_snapshot(name, &phase).await?;
    for _ in 0..2 {
        files.drop_snapshot(name).await?;
        ensure!(!files.verify_snapshot(name).await?, "it is still there");
    }
    refused(files.restore_snapshot(name, &phase).await, "no snapshot")?;
    ensure!(scene.hand.data()? == before, "the data are others");
    Ok(())
}

async fn snapshots_do_not_know_of_each_other(scene: &FilesScene) -> Kept {
    let (files, phase) = (&scene.files, Phase::silent());
    let before = scene.hand.data()?;
    files.take_snapshot("contract-a", &phase).await?;
    scene.hand.scribble("later")?;
    let later = scene.hand.data()?;
    files.take_snapshot("contract-a.b", &phase).await?;
    files.restore_snapshot("contract-a", &phase).await?;
    ensure!(scene.hand.data()? == before, "the earlier data are others");
    files.restore_snapshot("contract-a.b", &phase).await?;
    ensure!(scene.hand.data()? == later, "the later data are others");
    files.restore_snapshot("contract-a", &phase).await?;
    files.drop_snapshot("contract-a").await?;
    ensure!(files.verify_snapshot("contract-a.b").await?, "both went");
    files.drop_snapshot("contract-a.b").await?;
    ensure!(scene.hand.data()? == before, "the data are others");
    Ok(())
}

async fn a_marker_is_of_one_snapshot(scene: &FilesScene) -> Kept {
    let files = &scene.files;
    let (one, other) = ("contract-a", "contract-a.b");
    for dirty in [true, false] {
        for _ in 0..2 {
            files.set_dirty(one, dirty).await?;
            same(&files.is_dirty(one).await?, &dirty, one)?;
            same(&files.is_dirty(other).await?, &false, other)?;
        }
    }
    Ok(())
}

async fn the_error_log_has_a_place(scene: &FilesScene) -> Kept {
    let path = scene.files.error_log().await?;
    ensure!(path.is_absolute(), "it is {}", path.display());
    Ok(())
}

mod with_a_server {
    use super::*;
    promises!("Files", Scene:
        a_snapshot_that_was_dropped_takes_its_marker_with_it,
        whether_it_runs_or_not_the_digest_is_one,
    );
}
pub use with_a_server::promises as promises_with_a_server;

async fn a_snapshot_that_was_dropped_takes_its_marker_with_it(scene: &Scene) -> Kept {
    let (files, name) = (&scene.host.files, "contract-marked");
    scene.stop().await?;
    files.take_snapshot(name, &Phase::silent()).await?;
    files.set_dirty(name, true).await?;
    scene.start().await?;
    ensure!(files.is_dirty(name).await?, "the marker is gone");
    files.drop_snapshot(name).await?;
    ensure!(!files.is_dirty(name).await?, "the marker is still there");
    Ok(())
}

async fn whether_it_runs_or_not_the_digest_is_one(scene: &Scene) -> Kept {
    let files = &scene.host.files;
    let digest = files.config_digest().await?;
    let log = files.error_log().await?;
    scene.enter_maintenance().await?;
    same(&files.config_digest().await?, &digest, "in maintenance")?;
    scene.stop().await?;
    same(&files.config_digest().await?, &digest, "while it is down")?;
    same(&files.error_log().await?, &log, "the error log's place")?;
    scene.start().await?;
    scene.leave_maintenance().await?;
    scene.restart().await?;
    same(&files.config_digest().await?, &digest, "afterwards")
}
