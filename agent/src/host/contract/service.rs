//! mysqld's unit.

use super::{Kept, NEVER, Scene, promises, same};
use anyhow::{Context, ensure};
use refit_shared::observation::ServiceState;
use tokio::time::{Instant, sleep};

promises!("ServiceManager", Scene:
    what_runs_is_active_and_has_a_process,
    a_stop_ends_it_and_may_be_asked_for_again,
    a_start_leaves_what_runs_alone,
    resetting_a_failure_leaves_what_runs_alone,
    a_hold_keeps_it_down_until_it_is_lifted,
    in_maintenance_it_comes_up_read_only,
    what_dies_in_maintenance_has_failed_and_stays_down,
    secluded_it_has_neither_binary_log_nor_network,
);

async fn pid(scene: &Scene) -> anyhow::Result<u32> {
    let pid = scene.host.service.main_pid().await?;
    pid.context("it has no process")
}

async fn what_runs_is_active_and_has_a_process(scene: &Scene) -> Kept {
    let state = scene.host.service.state().await?;
    same(&state, &ServiceState::Active, "the unit's state")?;
    pid(scene).await?;
    scene.host.service.last_words().await?;
    Ok(())
}

async fn a_stop_ends_it_and_may_be_asked_for_again(scene: &Scene) -> Kept {
    let before = pid(scene).await?;
    scene.stop().await?;
    scene.stop().await?;
    scene.start().await?;
    ensure!(pid(scene).await? != before, "its process is the old one");
    Ok(())
}

async fn a_start_leaves_what_runs_alone(scene: &Scene) -> Kept {
    let before = pid(scene).await?;
    scene.start().await?;
    scene.start().await?;
    same(&pid(scene).await?, &before, "the process")
}

async fn resetting_a_failure_leaves_what_runs_alone(scene: &Scene) -> Kept {
    let before = pid(scene).await?;
    scene.host.service.reset_failed().await?;
    let state = scene.host.service.state().await?;
    same(&state, &ServiceState::Active, "the unit's state")?;
    same(&pid(scene).await?, &before, "the process")
}

/// For a while.
async fn stays_down(scene: &Scene) -> Kept {
    let until = Instant::now() + NEVER;
    while Instant::now() < until {
        let pid = scene.host.service.main_pid().await?;
        let state = scene.host.service.state().await?;
        let down = matches!(state, ServiceState::Inactive | ServiceState::Failed);
        ensure!(
            pid.is_none() && down,
            "it should stay down and is {state:?}, process {pid:?}"
        );
        sleep(NEVER / 6).await;
    }
    Ok(())
}

async fn a_hold_keeps_it_down_until_it_is_lifted(scene: &Scene) -> Kept {
    scene.enter_maintenance().await?;
    scene.stop().await?;
    scene.host.files.set_hold(true).await?;
    // A start that can't be is no error when it is queued.
    scene.host.service.begin_start().await?;
    stays_down(scene).await?;
    scene.host.files.set_hold(false).await?;
    scene.host.service.reset_failed().await?;
    scene.start().await?;
    scene.leave_maintenance().await?;
    scene.restart().await
}

async fn in_maintenance_it_comes_up_read_only(scene: &Scene) -> Kept {
    scene.enter_maintenance().await?;
    scene.restart().await?;
    let pulse = scene.host.mysql.pulse().await?;
    ensure!(!pulse.writable(), "in maintenance it takes writes");
    ensure!(
        scene.host.files.in_maintenance().await?,
        "it should be in maintenance"
    );
    scene.leave_maintenance().await?;
    scene.restart().await?;
    let pulse = scene.host.mysql.pulse().await?;
    ensure!(pulse.writable(), "after maintenance it takes no writes");
    Ok(())
}

async fn what_dies_in_maintenance_has_failed_and_stays_down(scene: &Scene) -> Kept {
    scene.enter_maintenance().await?;
    scene.hand.kill_server(pid(scene).await?)?;
    scene.wait_for_state(&[ServiceState::Failed]).await?;
    stays_down(scene).await?;
    scene.host.service.reset_failed().await?;
    let state = scene.host.service.state().await?;
    same(&state, &ServiceState::Inactive, "the unit's state")?;
    scene.start().await?;
    scene.leave_maintenance().await?;
    scene.restart().await
}

async fn secluded_it_has_neither_binary_log_nor_network(scene: &Scene) -> Kept {
    for on in [true, false] {
        for _ in 0..2 {
            scene.host.service.seclude(on).await?;
            let told = scene.host.service.is_secluded().await?;
            same(&told, &on, "what is told of the seclusion")?;
        }
        scene.host.service.reload_units().await?;
        scene.restart().await?;
        let (log, network) = if on { ("OFF", "ON") } else { ("ON", "OFF") };
        same(&scene.variable("log_bin").await?.as_str(), &log, "log_bin")?;
        let skipped = scene.variable("skip_networking").await?;
        same(&skipped.as_str(), &network, "skip_networking")?;
    }
    Ok(())
}
