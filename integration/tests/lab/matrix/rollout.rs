//! One row: a rollout under load, struck once, and a person who does what its messages ask for until it is at rest.

use super::base::Base;
use super::record::Line;
use super::trouble::Struck;
use super::{Row, When};
use crate::play::{self, PATIENCE, state};
use anyhow::{Context, Result, bail};
use refit_integration::stage::{Stage, wait_for};
use serde_json::Value;
use std::time::{Duration, Instant};

/// A person who has been asked so often gives up.
const PATIENT: usize = 6;
/// And does not ask twice in this time.
const A_WHILE: Duration = Duration::from_secs(5);

/// Plays the row; what is wrong is in the line.
pub fn play(base: &Base, stage: &Stage, file: &str, row: &Row, line: &mut Line) {
    let before = stage.world().unwrap();
    let load = stage.load().unwrap();
    // Three scenarios share the machine: where replicas can't keep up with the writes, nobody comes back.
    load.start(4, "50").unwrap();
    let mut watching = play::apply(stage, file);
    let mut story = Story {
        base,
        stage,
        row,
        line,
        struck: false,
        lasts_until: None,
        acted: None,
    };
    let rest = wait_for("the rollout to be at rest", PATIENCE, || story.look()).unwrap();
    // Its own command line may have been cut off with the controller.
    let _ = watching.kill();
    watching.wait().unwrap();
    line.rests = rest;
    if line.rests != "upgraded" {
        line.wrongs.push(format!("it ended {}", line.rests));
    }
    let verdict = load.stop_and_verify().unwrap();
    (line.acked, line.lost, line.unknown) = (verdict.acked, verdict.lost, verdict.unknown);
    let mut wrong = |is: bool, what: String| line.wrongs.extend(is.then_some(what));
    wrong(
        verdict.lost > 0,
        format!("{} writes are lost", verdict.lost),
    );
    wrong(
        verdict.failed_present() > 0,
        format!("{} failed writes are there", verdict.failed_present()),
    );
    wrong(!verdict.members_agree, "members differ".to_owned());
    wrong(verdict.acked == 0, "nothing was acknowledged".to_owned());
    line.largest_gap_ms = play::longest_gaps(&load).first().copied().unwrap_or(0.0);
    base.assert_upgraded(stage);
    if base.name.starts_with("patch") {
        play::assert_same_config(&before, &stage.world().unwrap());
    }
}

struct Story<'a> {
    base: &'a Base,
    stage: &'a Stage,
    row: &'a Row,
    line: &'a mut Line,
    struck: bool,
    lasts_until: Option<Instant>,
    acted: Option<Instant>,
}

impl Story<'_> {
    /// Looks once; gives where the rollout rests, once it does.
    fn look(&mut self) -> Result<String> {
        if self
            .lasts_until
            .is_some_and(|until| Instant::now() >= until)
        {
            self.row.trouble.end(self.stage, &self.row.member)?;
            self.lasts_until = None;
        }
        let rollout = play::rollout(self.stage)?;
        if !self.struck {
            self.strike_if_due(&rollout)?;
        }
        let at_rest = ["upgraded", "restored", "abandoned"].contains(&state(&rollout));
        if at_rest && self.lasts_until.is_none() {
            self.rejoin(&rollout)?;
            return Ok(state(&rollout).to_owned());
        }
        if self.acted.is_none_or(|when| when.elapsed() > A_WHILE) {
            self.help(&rollout)?;
        }
        let steps = rollout["steps"].as_array().context("a rollout has steps")?;
        let running: Vec<&Value> = steps
            .iter()
            .filter(|step| step["status"] == "running")
            .collect();
        bail!("{}: {}; {running:?}", state(&rollout), rollout["why"])
    }

    fn strike_if_due(&mut self, rollout: &Value) -> Result<()> {
        let steps = rollout["steps"].as_array().context("a rollout has steps")?;
        let index = steps
            .iter()
            .position(|step| step["id"].as_u64() == Some(u64::from(self.row.step.0)))
            .context("the plan has the step")?;
        let status = |index: usize| steps[index]["status"].as_str().unwrap_or("?");
        let here = status(index);
        let due = match self.row.when {
            When::Before => here != "pending" || index == 0 || status(index - 1) == "done",
            When::During => here != "pending",
            When::After => here == "done",
        };
        if !due {
            return Ok(());
        }
        self.struck = true;
        match self.row.trouble.strike(self.stage, &self.row.member)? {
            Struck::Nothing(why) => self.line.not_struck = Some(why),
            Struck::Once => self.line.struck_at = Some(here.to_owned()),
            Struck::For(time) => {
                self.line.struck_at = Some(here.to_owned());
                self.lasts_until = Some(Instant::now() + time);
            }
        }
        Ok(())
    }

    /// What a person does where the rollout waits for one.
    fn help(&mut self, rollout: &Value) -> Result<()> {
        let id = rollout["id"].as_str().context("a rollout has an id")?;
        let act = match state(rollout) {
            "awaiting_approval" => "approve",
            "parked" => {
                self.line
                    .parks
                    .push(rollout["why"].as_str().unwrap_or("?").to_owned());
                if self.line.parks.len() > PATIENT {
                    panic!("a person gives up: {:#?}", self.line.parks);
                }
                if self.lasts_until.is_none() {
                    self.rejoin(rollout)?;
                }
                "resume"
            }
            _ if rollout["waiting_for"]
                .as_array()
                .is_some_and(|what| !what.is_empty()) =>
            {
                if self.lasts_until.is_none() {
                    self.rejoin(rollout)?;
                }
                return Ok(());
            }
            _ => return Ok(()),
        };
        self.acted = Some(Instant::now());
        // It goes on although the command that watches it is cut off.
        let argv = ["timeout", "5", "refit", act, id, "--yes"];
        self.stage.lab.exec("ctl", &argv).map(drop)
    }

    /// A member that a trouble has thrown out of its group does not come back alone for ever; those in the rollout's own hands are
    /// not touched.
    fn rejoin(&mut self, rollout: &Value) -> Result<()> {
        if !self.base.is_group() {
            return Ok(());
        }
        for member in &self.stage.members {
            if in_hand(rollout, member) {
                continue;
            }
            let state = self.stage.lab.sql(
                member,
                "SELECT MEMBER_STATE FROM performance_schema.replication_group_members WHERE MEMBER_ID = @@server_uuid",
            )?;
            match state.as_str() {
                "ONLINE" => {}
                "" | "OFFLINE" | "ERROR" => {
                    self.acted = Some(Instant::now());
                    let again = "SET GLOBAL offline_mode = OFF; STOP GROUP_REPLICATION; START GROUP_REPLICATION";
                    self.stage.lab.sql(member, again)?;
                }
                other => bail!("{member} is {other}"),
            }
        }
        Ok(())
    }
}

/// It has left for the rollout and is not back.
fn in_hand(rollout: &Value, member: &str) -> bool {
    let of = |title: &str, statuses: &[&str]| {
        rollout["steps"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|step| {
                step["member"] == member
                    && step["title"] == title
                    && step["status"]
                        .as_str()
                        .is_some_and(|status| statuses.contains(&status))
            })
    };
    let away = ["running", "done", "failed", "undoing", "undo_failed"];
    of("leave_group", &away) && !of("join_group", &["done"])
}
