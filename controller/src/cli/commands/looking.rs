//! Commands that only look.

use super::rollout_id;
use crate::cli::Exit;
use crate::cli::connection::Connection;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::render;

pub async fn fleet(
    to: &Connection,
    output: &Output,
    cluster: Option<&str>,
) -> Result<Exit, Failure> {
    let clusters = to.fleet(cluster).await?;
    output.show(&clusters, |style| render::fleet::text(&clusters, style));
    Ok(Exit::Done)
}

pub async fn config(
    to: &Connection,
    output: &Output,
    cluster: &str,
    target: &str,
    pins: bool,
) -> Result<Exit, Failure> {
    let found = to.config(cluster, target).await?;
    output.show(&found, |style| {
        if pins {
            render::pins::text(&found, style)
        } else {
            render::config::text(&found, style)
        }
    });
    Ok(Exit::Done)
}

pub async fn list(
    to: &Connection,
    output: &Output,
    cluster: Option<&str>,
) -> Result<Exit, Failure> {
    let rollouts = to.list(cluster).await?;
    output.show(&rollouts, |style| render::rollout::list(&rollouts, style));
    Ok(Exit::Done)
}

pub async fn show(to: &Connection, output: &Output, rollout: &str) -> Result<Exit, Failure> {
    let id = rollout_id(to, rollout).await?;
    let rollout = to.show(&id).await?;
    output.show(&rollout, |style| render::rollout::whole(&rollout, style));
    Ok(Exit::Done)
}

pub async fn audit(
    to: &Connection,
    output: &Output,
    rollout: Option<&str>,
) -> Result<Exit, Failure> {
    let id = match rollout {
        Some(rollout) => Some(rollout_id(to, rollout).await?),
        None => None,
    };
    let (lines, omitted) = to.audit(id.as_deref()).await?;
    output.show(&lines, |style| {
        render::audit::text(&lines, omitted, id.is_none(), style)
    });
    if output.json && omitted > 0 {
        output.remark(&format!("{omitted} older lines were left out"));
    }
    Ok(Exit::Done)
}
