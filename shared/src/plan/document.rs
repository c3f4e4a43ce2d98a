//! The plan file: the plan and its digest, readable by people, refused when edited.

use super::{PLAN_FORMAT, Plan};
use crate::ids::Digest;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    refit_plan: u32,
    digest: Digest,
    plan: Plan,
}

/// Why a text is not a plan that may be applied.
#[derive(Debug, thiserror::Error)]
pub enum InvalidPlanFile {
    #[error("this is not a plan file of Refit: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error(
        "the plan file has format {found}; this program reads format {PLAN_FORMAT}: make the plan anew"
    )]
    Format { found: u32 },
    #[error(
        "the plan file has been edited: its content has digest {actual}, it says {stated}. \
         A plan can't be changed after it was made: make a new one with `refit plan`"
    )]
    Edited { stated: Digest, actual: Digest },
}

/// Writes a plan as a file for people: indented JSON with its digest.
pub fn write(plan: &Plan) -> String {
    let file = File {
        refit_plan: PLAN_FORMAT,
        digest: plan.digest(),
        plan: plan.clone(),
    };
    let mut text =
        serde_json::to_string_pretty(&file).expect("a plan is plain data with string keys");
    text.push('\n');
    text
}

/// Reads a plan file, refusing what [`write`] did not write.
pub fn read(text: &str) -> Result<Plan, InvalidPlanFile> {
    #[derive(Deserialize)]
    struct Head {
        refit_plan: u32,
    }
    let head: Head = serde_json::from_str(text)?;
    if head.refit_plan != PLAN_FORMAT {
        return Err(InvalidPlanFile::Format {
            found: head.refit_plan,
        });
    }
    let file: File = serde_json::from_str(text)?;
    let actual = file.plan.digest();
    if actual != file.digest {
        return Err(InvalidPlanFile::Edited {
            stated: file.digest,
            actual,
        });
    }
    Ok(file.plan)
}
