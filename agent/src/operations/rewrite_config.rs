//! Changes option files as they were reviewed: only where the bytes are those that the changes were made for, and only when
//! back_up_config has kept them. The undo puts the kept bytes back.
//!
//! ```text
//! bytes on the host   = kept      = kept with the changes   anything else
//! perform             replaced    was already so            refused: somebody has changed the file
//! undo                as it was   put back                  refused
//! ```

use super::context::refuse;
use super::{Action, Notes, OpContext, stopping};
use crate::host::{Host, HostError};
use async_trait::async_trait;
use refit_shared::config::edit::{Rewrite, apply};
use refit_shared::ids::Digest;
use refit_shared::receipt::{Failure, FailureCode, Probe};

pub struct RewriteConfig {
    pub files: Vec<Rewrite>,
}

/// What a file may be.
struct Both {
    kept: Vec<u8>,
    changed: Vec<u8>,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Kept,
    Changed,
    Other,
}

#[async_trait]
impl Action for RewriteConfig {
    async fn probe(&self, host: &Host, cx: &OpContext) -> Result<Probe, Failure> {
        let mut changed = 0;
        for file in &self.files {
            // Without a copy of the reviewed bytes nothing was changed, since that needs it.
            let Some(both) = both(host, cx, file).await? else {
                return Ok(Probe::NotDone);
            };
            match found(host, file, &both).await? {
                Found::Changed => changed += 1,
                Found::Kept => {}
                Found::Other => return Err(drifted(file)),
            }
        }
        Ok(match changed {
            0 => Probe::NotDone,
            all if all == self.files.len() => Probe::Done,
            some => Probe::Partial(format!("{some} of {} files rewritten", self.files.len())),
        })
    }

    async fn perform(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        stopping::require_held_down(host).await?;
        let mut due = Vec::new();
        // All are looked at before the first is changed.
        for file in &self.files {
            let Some(both) = both(host, cx, file).await? else {
                return Err(drifted(file));
            };
            match found(host, file, &both).await? {
                Found::Changed => {}
                Found::Kept => due.push((file, both)),
                Found::Other => return Err(drifted(file)),
            }
        }
        let mut notes = Vec::new();
        for (file, both) in due {
            replace(host, file, &both.changed).await?;
            notes.push(format!(
                "{} rewritten in {} places, digest {}",
                file.path,
                file.edits.len(),
                Digest::of(&both.changed).short()
            ));
        }
        Ok(notes)
    }

    async fn undo(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        let mut notes = Vec::new();
        for file in self.files.iter().rev() {
            let Some(both) = both(host, cx, file).await? else {
                notes.push(format!("{} was not rewritten", file.path));
                continue;
            };
            match found(host, file, &both).await? {
                Found::Kept => notes.push(format!("{} is as it was", file.path)),
                Found::Changed => {
                    replace(host, file, &both.kept).await?;
                    notes.push(format!("{} put back byte for byte", file.path));
                }
                Found::Other => {
                    return Err(Failure::partial(
                        FailureCode::Precondition,
                        format!(
                            "{} was changed by somebody after it was rewritten: put back what `refit show` calls digest {} or {}, then resume",
                            file.path,
                            file.before.short(),
                            Digest::of(&both.changed).short()
                        ),
                    ));
                }
            }
        }
        Ok(notes)
    }
}

/// The kept bytes and what they become; `None` where those that were reviewed were not kept.
async fn both(host: &Host, cx: &OpContext, file: &Rewrite) -> Result<Option<Both>, Failure> {
    let kept = host
        .files
        .kept_option_file(cx.config_backup(), &file.path)
        .await
        .map_err(HostError::clean)?;
    let Some(kept) = kept.filter(|kept| Digest::of(kept) == file.before) else {
        return Ok(None);
    };
    let changed = apply(&kept, &file.edits)
        .map_err(|error| refuse(format!("{} can't be changed so: {error}", file.path)))?;
    if file
        .after
        .is_some_and(|after| after != Digest::of(&changed))
    {
        return Err(refuse(format!(
            "the changes to {} do not give the file that was reviewed",
            file.path
        )));
    }
    Ok(Some(Both { kept, changed }))
}

async fn found(host: &Host, file: &Rewrite, both: &Both) -> Result<Found, Failure> {
    let present = host
        .files
        .option_file(&file.path)
        .await
        .map_err(HostError::clean)?;
    Ok(match present {
        Some(bytes) if bytes == both.changed => Found::Changed,
        Some(bytes) if bytes == both.kept => Found::Kept,
        Some(_) | None => Found::Other,
    })
}

async fn replace(host: &Host, file: &Rewrite, content: &[u8]) -> Result<(), Failure> {
    host.files
        .replace_option_file(&file.path, content)
        .await
        .map_err(HostError::partial)
}

fn drifted(file: &Rewrite) -> Failure {
    refuse(format!(
        "{} is not the file that was reviewed (digest {}), or no copy of that was kept: somebody has changed it since the plan was made; unwind and make a new plan",
        file.path,
        file.before.short()
    ))
}
