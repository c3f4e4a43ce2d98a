//! `journal rebuild`: with the controller's own configuration and certificate, while it is stopped.

use super::unusable;
use crate::agents::GrpcAgents;
use crate::cli::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::plan_file;
use crate::config::Config;
use crate::fleet::{self, Fleet};
use crate::journal::SledJournal;
use crate::journal::store::{self, Place};
use crate::ports::{Clock as _, JournalError, SystemClock};
use crate::rebuilding::{self, RebuildError, Rebuilt};
use refit_proto::identity::Role;
use refit_proto::tls::Reloading;
use refit_shared::ids::RolloutId;
use refit_shared::plan::Plan;
use refit_shared::saga::{Actor, Event, ParkReason};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub struct Asked<'a> {
    pub config: &'a Path,
    pub plans: &'a [PathBuf],
    pub leave: &'a [String],
    pub dry_run: bool,
}

pub async fn run(asked: Asked<'_>, output: &Output) -> Result<Exit, Failure> {
    let (config, fleet, material) = files(asked.config)?;
    let (plans, leave) = wanted(&asked)?;
    let dir = config.journal();
    // First of all: a controller that runs must not be robbed of its journal.
    let place = Place::take(&dir).map_err(|error| unusable(&dir, &error))?;
    let agents = GrpcAgents::new(&fleet, &material)
        .map_err(|error| Failure::refused(format!("the fleet file: {error}")))?;
    let now = SystemClock.now_unix_ms();
    let by = Actor {
        name: "refit journal rebuild".to_owned(),
        reason: String::new(),
    };
    let rebuilt = rebuilding::rebuild(&fleet, &agents, &plans, &leave, &by, now)
        .await
        .map_err(not_possible)?;
    let kept = if asked.dry_run {
        None
    } else {
        make(&place, &rebuilt).await?;
        place.replace(now).map_err(|error| unusable(&dir, &error))?
    };
    let rollouts: Vec<_> = rebuilt
        .rollouts
        .iter()
        .map(|rollout| {
            serde_json::json!({
                "rollout": rollout.id,
                "cluster": rollout.plan.cluster,
                "entries": rollout.entries.len(),
                "unknown": unknown(&rollout.entries),
            })
        })
        .collect();
    let reasons = |pairs: &[(String, String)]| -> Vec<serde_json::Value> {
        let pair = |(name, why): &(String, String)| serde_json::json!({ "name": name, "why": why });
        pairs.iter().map(pair).collect()
    };
    let document = serde_json::json!({
        "journal": dir,
        "made": !asked.dry_run,
        "kept": kept,
        "rollouts": rollouts,
        "left": reasons(&named(&rebuilt.left)),
        "agents_not_asked": reasons(&named(&rebuilt.unseen)),
        "epoch_above": rebuilt.above,
    });
    output.show(&document, |style| {
        let mut text = String::new();
        let what = if asked.dry_run {
            "This journal would be made"
        } else {
            "A new journal was made"
        };
        let _ = writeln!(text, "{}: {}", style.good(what), dir.display());
        for rollout in &rebuilt.rollouts {
            let _ = writeln!(
                text,
                "  {} of {}: {} entries, parked; not known:",
                rollout.id,
                rollout.plan.cluster,
                rollout.entries.len()
            );
            for line in unknown(&rollout.entries) {
                let _ = writeln!(text, "    {line}");
            }
        }
        for (name, why) in named(&rebuilt.left) {
            let _ = writeln!(text, "  rollout {name} is not in it: {why}");
        }
        for (name, why) in named(&rebuilt.unseen) {
            let _ = writeln!(text, "  {name} was not asked: {why}");
        }
        if let Some(kept) = &kept {
            let _ = writeln!(text, "  the old one is kept: {}", kept.display());
        }
        if !asked.dry_run {
            text.push_str("Next: systemctl start refit-controller; refit show ROLLOUT; then refit resume or refit unwind\n");
        }
        text
    });
    Ok(Exit::Done)
}

fn named<T: ToString>(pairs: &[(T, String)]) -> Vec<(String, String)> {
    let named = pairs
        .iter()
        .map(|(name, why)| (name.to_string(), why.clone()));
    named.collect()
}

/// What the last entry of a rebuilt rollout says.
fn unknown(entries: &[refit_shared::saga::Entry]) -> &[String] {
    match entries.last().map(|entry| &entry.event) {
        Some(Event::Parked {
            reason: ParkReason::Rebuilt { unknown, .. },
        }) => unknown,
        _ => &[],
    }
}

/// Everything that the controller itself would read; all mistakes at once.
fn files(path: &Path) -> Result<(Config, Fleet, Arc<Reloading>), Failure> {
    // TLS needs it before anything else; where it is there already, that one is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let text = |path: &Path| {
        std::fs::read_to_string(path)
            .map_err(|error| format!("can't read {}: {error}", path.display()))
    };
    let refused =
        |why: Vec<String>| Failure::refused("the controller's files can't be used").reasons(why);
    let config = text(path)
        .and_then(|text| {
            Config::parse(&path.display().to_string(), &text).map_err(|error| error.to_string())
        })
        .map_err(|why| refused(vec![why]))?;
    let fleet = text(&config.fleet).and_then(|text| {
        fleet::parse(&config.fleet.display().to_string(), &text).map_err(|error| error.to_string())
    });
    let material = Reloading::open(config.tls.clone())
        .map_err(|error| error.to_string())
        .and_then(|material| {
            let identity = material.identity();
            if identity.role == Role::Controller {
                Ok(material)
            } else {
                Err(format!(
                    "the certificate is {identity}'s, not a controller's"
                ))
            }
        });
    match (fleet, material) {
        (Ok(fleet), Ok(material)) => Ok((config, fleet, material)),
        (fleet, material) => Err(refused(
            [fleet.err(), material.err()]
                .into_iter()
                .flatten()
                .collect(),
        )),
    }
}

fn wanted(asked: &Asked<'_>) -> Result<(Vec<Plan>, BTreeSet<RolloutId>), Failure> {
    let plans = asked
        .plans
        .iter()
        .map(|path| plan_file::read(path).map(|(_, plan)| plan))
        .collect::<Result<_, _>>()?;
    let leave = asked
        .leave
        .iter()
        .map(|id| RolloutId::new(id.as_str()))
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::refused(error.to_string()))?;
    Ok((plans, leave))
}

fn not_possible(error: RebuildError) -> Failure {
    let what = "no journal can be made from what the agents remember";
    let failure = match error {
        RebuildError::NotPossible(reasons) => Failure::refused(what).reasons(reasons),
        RebuildError::Journal(error) => {
            Failure::new(Exit::Failed, what).reasons([error.to_string()])
        }
    };
    failure
        .safe("Nothing was changed: neither a journal nor any host. Agents finish what they have begun.")
        .next("mend what is named above and ask again with --dry-run")
}

/// Makes it beside the place, closed and verified.
async fn make(place: &Place, rebuilt: &Rebuilt) -> Result<(), Failure> {
    let dir = place.new_journal().to_owned();
    let failed = |error: JournalError| unusable(place.new_journal(), &error);
    let open = tokio::task::spawn_blocking({
        let dir = dir.clone();
        move || SledJournal::open(&dir)
    });
    let bug = |error: tokio::task::JoinError| Failure::new(Exit::Failed, error.to_string());
    let journal = open.await.map_err(bug)?.map_err(failed)?;
    rebuilding::write(rebuilt, &journal)
        .await
        .map_err(not_possible)?;
    let closed = tokio::task::spawn_blocking(move || {
        drop(journal);
        store::verify(&dir)
    });
    closed.await.map_err(bug)?.map_err(failed).map(drop)
}
