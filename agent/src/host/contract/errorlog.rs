//! The server's error log.

use super::{Kept, LOOK, Scene, promises};
use anyhow::{Context, ensure};
use refit_shared::observation::ServiceState;
use tokio::time::{Instant, sleep};

promises!("ErrorLog", Scene:
    what_is_written_behind_a_place_is_told_in_its_order,
    a_clean_end_is_told_and_a_crash_is_none,
);

async fn what_is_written_behind_a_place_is_told_in_its_order(scene: &Scene) -> Kept {
    let place = scene.log.end().await?;
    scene.restart().await?;
    let mut lines = scene.log.follow(&place).await?;
    let deadline = Instant::now() + scene.patience;
    let mut told: Vec<String> = Vec::new();
    let at = |told: &[String], code: &str| told.iter().position(|line| line.contains(code));
    while at(&told, "[MY-010931]").is_none() {
        ensure!(Instant::now() < deadline, "no start is told: {told:?}");
        sleep(LOOK).await;
        told.extend(lines.next()?);
    }
    let ended = at(&told, "[MY-010910]").context("the end of the earlier run is not told")?;
    ensure!(
        at(&told, "[MY-010931]") > Some(ended),
        "the start is told before the end"
    );
    // From where it is now on there is nothing, until more is written.
    let place = scene.log.end().await?;
    let new = scene.log.follow(&place).await?.next()?;
    ensure!(new.is_empty(), "what was written before is told: {new:?}");
    Ok(())
}

async fn a_clean_end_is_told_and_a_crash_is_none(scene: &Scene) -> Kept {
    let running = scene.log.last_shutdown().await?;
    ensure!(!running.is_clean(), "what runs has not ended");
    scene.stop().await?;
    let ended = scene.log.last_shutdown().await?;
    ensure!(ended.is_clean(), "a stop is no clean end");
    let version = scene.present[0].version.mysql_version()?;
    ensure!(
        ended.version() == Some(version),
        "{:?} is said to have ended",
        ended.version()
    );
    scene.start().await?;
    scene.enter_maintenance().await?;
    let pid = scene.host.service.main_pid().await?;
    scene.hand.kill_server(pid.context("it has no process")?)?;
    scene.wait_for_state(&[ServiceState::Failed]).await?;
    let died = scene.log.last_shutdown().await?;
    ensure!(!died.is_clean(), "kill -9 is a clean end");
    scene.host.service.reset_failed().await?;
    scene.start().await?;
    scene.leave_maintenance().await?;
    scene.restart().await
}
