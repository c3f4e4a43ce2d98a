//! `pki`: the private CA, on this machine.

use crate::cli::Exit;
use crate::cli::args::{PkiCommand, RoleArgument};
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::render;
use crate::pki::{self, IssueRequest, PkiError};
use refit_proto::identity::Role;
use refit_proto::tls::Clock;
use std::path::Path;

pub fn run(command: &PkiCommand, output: &Output) -> Result<Exit, Failure> {
    let clock = Clock::system();
    match command {
        PkiCommand::Init {
            ca,
            trust_domain,
            validity,
            dry_run,
        } => {
            if *dry_run {
                return rehearse(output, |scratch| {
                    free(ca, &["ca.pem", "ca-key.pem"])?;
                    pki::init(scratch, trust_domain, *validity, &clock).map_err(refused)?;
                    Ok(format!(
                        "would make a CA for {trust_domain} in {}",
                        ca.display()
                    ))
                });
            }
            let made = pki::init(ca, trust_domain, *validity, &clock).map_err(refused)?;
            output.show(&made, |style| render::pki::authority(&made, style));
        }
        PkiCommand::Issue {
            role,
            name,
            ca,
            out,
            validity,
            dns,
            ip,
            dry_run,
        } => {
            let role = match role {
                RoleArgument::Controller => Role::Controller,
                RoleArgument::Agent => Role::Agent,
                RoleArgument::Operator => Role::Operator,
            };
            let request = IssueRequest {
                ca_dir: ca,
                role,
                name,
                out_dir: out,
                validity: *validity,
                dns,
                ips: ip,
            };
            if *dry_run {
                return rehearse(output, |scratch| {
                    free(out, &["ca.pem", "cert.pem", "key.pem"])?;
                    let elsewhere = IssueRequest {
                        out_dir: scratch,
                        ..request
                    };
                    let bundle = pki::issue(&elsewhere, &clock).map_err(refused)?;
                    Ok(format!(
                        "would issue {} into {}",
                        bundle.identity,
                        out.display()
                    ))
                });
            }
            let bundle = pki::issue(&request, &clock).map_err(refused)?;
            output.show(&bundle, |style| {
                render::pki::bundle("issued", &bundle, style)
            });
        }
        PkiCommand::Renew {
            dir,
            ca,
            validity,
            dry_run,
        } => {
            if *dry_run {
                return rehearse(output, |scratch| {
                    copy(dir, scratch)?;
                    let bundle = pki::renew(scratch, ca, *validity, &clock).map_err(refused)?;
                    Ok(format!(
                        "would renew {} in {}",
                        bundle.identity,
                        dir.display()
                    ))
                });
            }
            let bundle = pki::renew(dir, ca, *validity, &clock).map_err(refused)?;
            output.show(&bundle, |style| {
                render::pki::bundle("renewed", &bundle, style)
            });
        }
        PkiCommand::Revoke {
            certificate,
            list,
            reason,
            dry_run,
        } => {
            let revoked =
                pki::revoke(certificate, list, reason, *dry_run, &clock).map_err(refused)?;
            output.show(&revoked, |style| {
                render::pki::revoked(&revoked, *dry_run, style)
            });
        }
        PkiCommand::Inspect { path } => {
            let found = pki::inspect(path, &clock).map_err(refused)?;
            output.show(&found, |style| render::pki::inspection(&found, style));
            if !found.problems.is_empty() {
                return Ok(Exit::Failed);
            }
        }
    }
    Ok(Exit::Done)
}

/// A dry run is the real thing in a directory that is thrown away: nothing of it can be out of step with what is done.
fn rehearse(
    output: &Output,
    play: impl FnOnce(&Path) -> Result<String, Failure>,
) -> Result<Exit, Failure> {
    let scratch = tempfile::tempdir().map_err(|error| {
        Failure::new(
            Exit::Failed,
            format!("cannot make a scratch directory: {error}"),
        )
    })?;
    let would = play(&scratch.path().join("rehearsal"))?;
    output.show(&serde_json::json!({ "would": [would] }), |style| {
        render::rollout::dry_run(std::slice::from_ref(&would), style)
    });
    Ok(Exit::Done)
}

fn free(dir: &Path, names: &[&str]) -> Result<(), Failure> {
    let there = names.iter().map(|name| dir.join(name));
    let there: Vec<String> = there
        .filter(|path| path.symlink_metadata().is_ok())
        .map(|path| {
            format!(
                "{} exists already and nothing is ever overwritten",
                path.display()
            )
        })
        .collect();
    if there.is_empty() {
        Ok(())
    } else {
        Err(Failure::refused("refused").reasons(there))
    }
}

/// Copies a bundle with its modes.
fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::refused(format!(
            "cannot read the bundle in {}: {error}",
            from.display()
        ))
    };
    std::fs::create_dir_all(to).map_err(failed)?;
    for name in ["ca.pem", "cert.pem", "key.pem"] {
        std::fs::copy(from.join(name), to.join(name)).map_err(failed)?;
    }
    Ok(())
}

fn refused(error: PkiError) -> Failure {
    let problems = error.problems();
    if !problems.is_empty() {
        return Failure::refused("refused").reasons(problems.iter().map(ToString::to_string));
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    Failure::new(Exit::Failed, text)
}
