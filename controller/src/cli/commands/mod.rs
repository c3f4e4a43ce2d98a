//! One file a group of commands: parse nothing, decide nothing; call, render, choose the exit code.

mod acts;
mod apply;
mod checking;
mod health;
mod journal;
mod looking;
mod path;
mod pki;
mod planning;
mod rehearsing;

use super::Exit;
use super::args::{Arguments, Command, Shell};
use super::connection::Connection;
use super::failure::Failure;
use super::output::Output;
use super::settings::Settings;
use crate::api::Act;
use clap::CommandFactory;

pub async fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    // What is done on this machine needs no controller.
    match &arguments.command {
        Command::Pki(command) => return pki::run(command, output),
        Command::Journal(command) => return journal::run(command, output).await,
        Command::Completion { shell } => return Ok(completion(*shell)),
        Command::Path {
            from,
            to,
            vendor,
            releases,
        } => return path::run(output, from, to, *vendor, releases.as_deref()),
        Command::Check(check) if check.list => return Ok(checking::list(output)),
        _ => {}
    }
    let connection = Connection::open(&Settings::of(arguments)?)?;
    let to = &connection;
    match &arguments.command {
        Command::Fleet { cluster } => looking::fleet(to, output, cluster.as_deref()).await,
        Command::Check(check) => checking::check(to, output, check).await,
        Command::Config {
            cluster,
            target,
            pins,
        } => {
            let target = target.as_deref().unwrap_or_default();
            looking::config(to, output, cluster, target, *pins).await
        }
        Command::Rehearse(rehearse) => rehearsing::rehearse(to, output, rehearse).await,
        Command::Plan(plan) => planning::plan(to, output, plan).await,
        Command::Apply {
            plan,
            yes,
            dry_run,
            no_wait,
            reason,
            writer,
        } => {
            let how = apply::How {
                yes: *yes,
                dry_run: *dry_run,
                wait: !*no_wait,
                reason,
                writer: writer.writer_status.as_deref(),
            };
            apply::apply(to, output, plan, how).await
        }
        Command::Watch { rollout, writer } => {
            apply::watch(to, output, rollout, writer.writer_status.as_deref()).await
        }
        Command::List { cluster } => looking::list(to, output, cluster.as_deref()).await,
        Command::Show { rollout } => looking::show(to, output, rollout).await,
        Command::Audit { rollout } => looking::audit(to, output, rollout.as_deref()).await,
        Command::Pause(act) => acts::act(to, output, Act::Pause, act, None).await,
        Command::Resume(act) => acts::act(to, output, Act::Resume, act, None).await,
        Command::Approve(act) => acts::act(to, output, Act::Approve, act, None).await,
        Command::Cancel(act) => acts::act(to, output, Act::Cancel, act, None).await,
        Command::Unwind { act, wait, writer } => {
            let follow = wait.then_some(acts::Follow {
                writer: writer.writer_status.as_deref(),
            });
            acts::act(to, output, Act::Unwind, act, follow).await
        }
        Command::Finalize { act, no_wait } => {
            let follow = (!*no_wait).then_some(acts::Follow { writer: None });
            acts::act(to, output, Act::Finalize, act, follow).await
        }
        Command::Health => health::run(to, output).await,
        Command::Pki(_)
        | Command::Journal(_)
        | Command::Completion { .. }
        | Command::Path { .. } => {
            unreachable!("commands of this machine have returned above")
        }
    }
}

fn completion(shell: Shell) -> Exit {
    let shell = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "refit", &mut script);
    // A reader that has closed the pipe has seen enough.
    let _ = std::io::Write::write_all(&mut std::io::stdout(), &script);
    Exit::Done
}

/// The whole id of a rollout that was given by its beginning.
async fn rollout_id(to: &Connection, given: &str) -> Result<String, Failure> {
    let rollouts = to.list(None).await?;
    if rollouts.iter().any(|one| one.id == given) {
        return Ok(given.to_owned());
    }
    let lower = given.to_ascii_lowercase();
    let fits: Vec<&str> = rollouts
        .iter()
        .map(|one| one.id.as_str())
        .filter(|id| !given.is_empty() && id.starts_with(&lower))
        .collect();
    match fits.as_slice() {
        [one] => Ok((*one).to_owned()),
        [] => Err(Failure::refused(format!("there is no rollout {given}")).next("refit list")),
        several => Err(
            Failure::refused(format!("{given} is the beginning of several rollouts"))
                .reasons(several.iter().copied()),
        ),
    }
}
