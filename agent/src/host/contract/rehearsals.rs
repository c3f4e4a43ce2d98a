//! The stage for rehearsals: the other version's server on a clone of the data, and nothing of it afterwards.

use super::{Kept, LOOK, NEVER, Scene, promises, refused, same};
use crate::host::rehearsal::Piece;
use crate::host::{HostResult, Phase};
use anyhow::{bail, ensure};
use refit_shared::gtid::GtidSet;
use refit_shared::ids::{Attempt, Digest, RolloutId, StepId};
use refit_shared::operation::AttemptId;
use refit_shared::rehearsal::Rehearsal;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

promises!("Rehearsals", Scene:
    clearing_what_is_clear_changes_nothing,
    beside_a_server_that_runs_the_other_version_is_rehearsed_and_leaves_nothing,
    of_a_server_that_is_down_not_a_byte_is_touched,
    a_target_that_refuses_its_options_is_a_finding,
    what_is_no_package_is_an_error_and_leaves_nothing,
    cut_short_and_cleared_it_leaves_nothing,
);

/// Longer than a rehearsal of a small data directory takes.
const TIME: Duration = Duration::from_secs(180);

/// What is to be rehearsed, with the options as they are.
async fn piece(scene: &Scene, running: bool) -> anyhow::Result<Piece> {
    let host = &scene.host;
    host.packages.fetch(&scene.other, &Phase::silent()).await?;
    let present = host.files.option_tree().await?;
    Ok(Piece {
        id: AttemptId {
            rollout: RolloutId::of_rehearsal("contract")?,
            step: StepId(0),
            attempt: Attempt(1),
        },
        target: scene.other[0].version.mysql_version()?,
        installed: Some(scene.present[0].version.mysql_version()?),
        packages: host.packages.fetched_files(&scene.other).await?,
        candidate: present.clone(),
        present,
        running,
        copy: false,
        data_directory: None,
        deadline: Instant::now() + TIME,
    })
}

async fn rehearse(scene: &Scene, piece: &Piece) -> HostResult<Rehearsal> {
    let rehearsals = &scene.host.rehearsals;
    rehearsals.rehearse(piece, &Phase::silent()).await
}

/// What a rehearsal must not change of a host whose server runs.
#[derive(Debug, PartialEq, Eq)]
struct Live {
    process: Option<u32>,
    options: Digest,
    executed: GtidSet,
    writable: bool,
    version: String,
    packages: Vec<(String, String)>,
}

async fn live(scene: &Scene) -> anyhow::Result<Live> {
    let host = &scene.host;
    let facts = host.mysql.facts().await?;
    let packages = host.packages.facts().await?.installed;
    let packages = packages.into_iter().map(|(n, v)| (n, v.to_string()));
    Ok(Live {
        process: host.service.main_pid().await?,
        options: host.files.config_digest().await?,
        executed: facts.gtid_executed,
        writable: host.mysql.pulse().await?.writable(),
        version: facts.version_string,
        packages: packages.collect(),
    })
}

fn nothing_is_left(scene: &Scene) -> Kept {
    let left = scene.hand.left_of_a_rehearsal();
    ensure!(left.is_none(), "{left:?} was left behind");
    Ok(())
}

/// What was found is what is kept, and the host is as it was.
async fn is_over(scene: &Scene, found: &Rehearsal) -> Kept {
    nothing_is_left(scene)?;
    let kept = scene.host.rehearsals.kept().await?;
    ensure!(kept.contains(found), "{kept:?} is kept of {found:?}");
    scene.host.packages.drop_fetched().await?;
    Ok(())
}

/// It came up on the clone, and read what there is.
fn succeeded(piece: &Piece, found: &Rehearsal) -> Kept {
    same(&found.id, &piece.id, "whose it is")?;
    same(&found.target, &piece.target, "the target")?;
    same(&found.refused, &None, "why it would not start")?;
    ensure!(!found.foreign, "it is told of another directory");
    ensure!(found.started.0 > 0, "its start took no time");
    ensure!(found.tables_opened > 0, "no table was opened");
    same(&found.broken, &Vec::new(), "what can't be read")?;
    same(&found.broken_before, &Vec::new(), "what could not")
}

async fn clearing_what_is_clear_changes_nothing(scene: &Scene) -> Kept {
    let kept = scene.host.rehearsals.kept().await?;
    let before = live(scene).await?;
    for _ in 0..2 {
        scene.host.rehearsals.clear().await?;
        nothing_is_left(scene)?;
    }
    same(&scene.host.rehearsals.kept().await?, &kept, "what was kept")?;
    same(&live(scene).await?, &before, "the host")
}

async fn beside_a_server_that_runs_the_other_version_is_rehearsed_and_leaves_nothing(
    scene: &Scene,
) -> Kept {
    let before = live(scene).await?;
    let piece = piece(scene, true).await?;
    let found = rehearse(scene, &piece).await?;
    succeeded(&piece, &found)?;
    same(&found.from, &piece.installed, "the version that served")?;
    ensure!(found.recovered.is_some(), "data in use were not recovered");
    is_over(scene, &found).await?;
    same(&live(scene).await?, &before, "the host")
}

async fn of_a_server_that_is_down_not_a_byte_is_touched(scene: &Scene) -> Kept {
    scene.stop().await?;
    let data = scene.hand.data()?;
    let piece = piece(scene, false).await?;
    let found = rehearse(scene, &piece).await?;
    succeeded(&piece, &found)?;
    ensure!(
        found.recovered.is_none(),
        "what was closed cleanly was recovered: {found:?}"
    );
    ensure!(scene.hand.data()? == data, "the data were touched");
    is_over(scene, &found).await?;
    let running = scene.host.service.main_pid().await?;
    same(&running, &None, "the process")?;
    scene.start().await
}

/// Gone since 8.4 (MYSQL.md §5).
const REMOVED: &str = "default_authentication_plugin";

async fn a_target_that_refuses_its_options_is_a_finding(scene: &Scene) -> Kept {
    let before = live(scene).await?;
    let mut piece = piece(scene, true).await?;
    let path = scene.hand.option_file();
    let files = &mut piece.candidate.files;
    let Some((_, content)) = files.iter_mut().find(|(known, _)| *known == path) else {
        bail!("{path} is not in the tree");
    };
    let line = format!("\n[mysqld]\n{REMOVED}=caching_sha2_password\n");
    content.extend_from_slice(line.as_bytes());
    let found = rehearse(scene, &piece).await?;
    let why = found.refused.clone().unwrap_or_default();
    let lines = found.lines.join("\n");
    ensure!(
        why.contains(REMOVED) || lines.contains(REMOVED),
        "{REMOVED} is not named: {found:?}"
    );
    ensure!(found.refused.is_some(), "it started: {found:?}");
    same(&found.tables_opened, &0, "the tables that it opened")?;
    is_over(scene, &found).await?;
    same(&live(scene).await?, &before, "the host")
}

async fn what_is_no_package_is_an_error_and_leaves_nothing(scene: &Scene) -> Kept {
    let before = live(scene).await?;
    let kept = scene.host.rehearsals.kept().await?;
    let good = piece(scene, true).await?;
    let other = PathBuf::from(scene.hand.other_file());
    for packages in [Vec::new(), vec![other]] {
        let what = format!("a rehearsal of {packages:?}");
        let bad = Piece {
            packages,
            ..good.clone()
        };
        refused(rehearse(scene, &bad).await, &what)?;
        nothing_is_left(scene)?;
    }
    same(&scene.host.rehearsals.kept().await?, &kept, "what was kept")?;
    scene.host.packages.drop_fetched().await?;
    same(&live(scene).await?, &before, "the host")
}

/// As an agent that dies: nobody waits for the rehearsal any more.
async fn cut_short_and_cleared_it_leaves_nothing(scene: &Scene) -> Kept {
    let before = live(scene).await?;
    let kept = scene.host.rehearsals.kept().await?;
    let piece = piece(scene, true).await?;
    for after in [Duration::ZERO, NEVER] {
        let begun = async {
            while scene.hand.left_of_a_rehearsal().is_none() {
                sleep(LOOK / 10).await;
            }
            sleep(after).await;
        };
        tokio::select! {
            found = rehearse(scene, &piece) => bail!("it was over before: {found:?}"),
            begun = timeout(TIME, begun) => begun?,
        }
        let left = scene.hand.left_of_a_rehearsal();
        ensure!(left.is_some(), "nothing of it is there to be cleared");
        for _ in 0..2 {
            scene.host.rehearsals.clear().await?;
            nothing_is_left(scene)?;
        }
        let now = scene.host.rehearsals.kept().await?;
        same(&now, &kept, "what was kept")?;
    }
    // The stage is free for the next one.
    let found = rehearse(scene, &piece).await?;
    succeeded(&piece, &found)?;
    is_over(scene, &found).await?;
    same(&live(scene).await?, &before, "the host")
}
