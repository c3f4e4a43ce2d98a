//! The target's programs, unpacked beside.

use super::{Kept, Scene, promises, refused, same};
use crate::host::Phase;
use crate::host::beside::{Fate, Judged, OptionTree};
use anyhow::{Context, ensure};
use refit_shared::rules::libraries::path;
use refit_shared::survey::Question;
use std::path::PathBuf;

promises!("Beside", Scene:
    options_as_they_are_are_accepted,
    an_option_that_was_removed_is_refused_and_named,
    a_loose_option_that_was_removed_is_accepted,
    what_becomes_of_libraries_is_told_of_every_file,
    without_a_package_nothing_is_judged,
);

/// What the server loads, and a file that is nowhere.
async fn libraries(scene: &Scene) -> anyhow::Result<Vec<PathBuf>> {
    let loaded = scene.host.mysql.ask(Question::LoadedLibraries).await?;
    let files = loaded.rows.iter().map(|row| PathBuf::from(path(row)));
    Ok(files.chain([PathBuf::from(NOWHERE)]).collect())
}

const NOWHERE: &str = "/usr/lib/mysql/plugin/no_such_library.so";

/// The target is at hand, judges these options, and nothing of the server is another.
async fn judged(scene: &Scene, tree: &OptionTree) -> anyhow::Result<Judged> {
    let host = &scene.host;
    host.packages.fetch(&scene.other, &Phase::silent()).await?;
    let files = host.packages.fetched_files(&scene.other).await?;
    let (process, digest) = (
        host.service.main_pid().await?,
        host.files.config_digest().await?,
    );
    let mut answers = Vec::new();
    for _ in 0..2 {
        let libraries = libraries(scene).await?;
        answers.push(host.beside.judge_options(&files, tree, &libraries).await?);
    }
    // Its lines bear the time.
    let verdict = |judged: &Judged| (judged.accepted, judged.errors.len());
    let (first, second) = (verdict(&answers[0]), verdict(&answers[1]));
    same(&second, &first, "accepted, and its errors, the second time")?;
    same(&host.service.main_pid().await?, &process, "the process")?;
    same(&host.files.config_digest().await?, &digest, "the digest")?;
    let left = scene.hand.left_beside();
    ensure!(left.is_none(), "{left:?} was left behind");
    host.packages.drop_fetched().await?;
    answers.pop().context("it was asked")
}

async fn with_line(scene: &Scene, line: &str) -> anyhow::Result<OptionTree> {
    let mut tree = scene.host.files.option_tree().await?;
    let path = scene.hand.option_file();
    let file = tree.files.iter_mut().find(|(known, _)| *known == path);
    let (_, content) = file.with_context(|| format!("{path} is not in the tree"))?;
    content.extend_from_slice(format!("\n[mysqld]\n{line}\n").as_bytes());
    Ok(tree)
}

async fn options_as_they_are_are_accepted(scene: &Scene) -> Kept {
    let tree = scene.host.files.option_tree().await?;
    let judged = judged(scene, &tree).await?;
    ensure!(judged.accepted, "{}", judged.in_words());
    ensure!(judged.errors.is_empty(), "{}", judged.in_words());
    Ok(())
}

/// Gone since 8.4 (MYSQL.md §5).
const REMOVED: &str = "default_authentication_plugin";

async fn an_option_that_was_removed_is_refused_and_named(scene: &Scene) -> Kept {
    let tree = with_line(scene, &format!("{REMOVED}=caching_sha2_password")).await?;
    let judged = judged(scene, &tree).await?;
    ensure!(!judged.accepted, "it is accepted");
    ensure!(
        judged.in_words().contains(REMOVED),
        "it is not named: {}",
        judged.in_words()
    );
    Ok(())
}

async fn a_loose_option_that_was_removed_is_accepted(scene: &Scene) -> Kept {
    let tree = with_line(scene, &format!("loose_{REMOVED}=caching_sha2_password")).await?;
    let judged = judged(scene, &tree).await?;
    ensure!(judged.accepted, "{}", judged.in_words());
    Ok(())
}

async fn what_becomes_of_libraries_is_told_of_every_file(scene: &Scene) -> Kept {
    let tree = scene.host.files.option_tree().await?;
    let judged = judged(scene, &tree).await?;
    let fates = judged.libraries.require();
    let fates = fates.map_err(|why| anyhow::anyhow!("{why}"))?;
    for file in libraries(scene).await? {
        let file = file.display().to_string();
        let expected = match file == NOWHERE {
            true => Fate::Absent,
            false => Fate::Shipped,
        };
        same(&fates.get(&file), &Some(&expected), &file)?;
    }
    Ok(())
}

async fn without_a_package_nothing_is_judged(scene: &Scene) -> Kept {
    let tree = scene.host.files.option_tree().await?;
    let judged = scene.host.beside.judge_options(&[], &tree, &[]).await;
    refused(judged, "a judgement by no package")
}
