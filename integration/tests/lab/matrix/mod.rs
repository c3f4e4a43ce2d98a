//! The crash matrix on real hosts: rows of the simulated matrix, by the same names, played with real systemd, apt and mysqld.
//!
//! ```text
//! a base's stage ──plan──> its rows ──one is drawn──> apply, strike, a person resumes ──> at rest ──> judged ──> a line
//! ```
//!
//! A row is one whole rollout under load. What strikes is aimed by watching the rollout: *before* strikes as soon as the step ahead
//! has ended, *during* as soon as the step is seen to run, *after* as soon as it is seen done. Watching takes a moment, so each row
//! says where its step was when the trouble struck.
//!
//! Without settings a sample of what is tried (`in_sample`) is played within its time. `REFIT_LAB_MATRIX_SEED` draws another one, `REFIT_LAB_MATRIX_FOR=seconds`
//! gives it more time, `REFIT_LAB_MATRIX_ROW=text` plays the first row whose name contains the text, and
//! `REFIT_LAB_MATRIX_RECORD=file` keeps a line for each row; rows that these very programs have played already are not played again.

mod base;
mod record;
mod rollout;
mod trouble;

use crate::play::lab;
use base::Base;
use record::{Line, Record};
use refit_integration::dice::Dice;
use refit_integration::stage::Stage;
use refit_shared::ids::StepId;
use refit_shared::plan::Plan;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};
use trouble::Trouble;

/// What the sample may take.
const SAMPLE_FOR: Duration = Duration::from_secs(220);
/// A row that is begun may take this long; the sample begins none that would not fit.
const A_ROW: Duration = Duration::from_secs(100);
/// Of so many rows that are drawn, most are of the first base: the others differ from it in few steps.
const FIRST_BASE_OF: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Before,
    During,
    After,
}

impl When {
    pub const ALL: [When; 3] = [Self::Before, Self::During, Self::After];

    fn title(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::During => "during",
            Self::After => "after",
        }
    }
}

/// One row of one plan.
#[derive(Debug, Clone)]
pub struct Row {
    name: String,
    trouble: Trouble,
    when: When,
    step: StepId,
    member: String,
}

/// Every step forward × every trouble × before, during, after. Named as the simulated rows are.
fn rows(base: &Base, plan: &Plan) -> Vec<Row> {
    plan.stages
        .iter()
        .flat_map(|stage| &stage.lanes)
        .flat_map(|lane| &lane.steps)
        .flat_map(|step| {
            Trouble::ALL.into_iter().flat_map(move |trouble| {
                When::ALL.map(|when| Row {
                    name: format!(
                        "{}, {} {} perform on {}, {} {}",
                        base.name,
                        step.id,
                        step.title(),
                        step.member,
                        trouble.title(),
                        when.title()
                    ),
                    trouble,
                    when,
                    step: step.id,
                    member: step.member.to_string(),
                })
            })
        })
        .collect()
}

fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

fn number(name: &str) -> Option<u64> {
    setting(name).map(|text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is a number"))
    })
}

#[test]
fn matrix_whatever_strikes_real_hosts_nothing_is_lost() {
    let seed = number("REFIT_LAB_MATRIX_SEED").unwrap_or(2026);
    let time = number("REFIT_LAB_MATRIX_FOR").map_or(SAMPLE_FOR, Duration::from_secs);
    let wanted = setting("REFIT_LAB_MATRIX_ROW");
    let mut record = Record::open(setting("REFIT_LAB_MATRIX_RECORD"));
    let everything = wanted.is_some() || record.is_kept();
    let (mut dice, began) = (Dice::new(seed), Instant::now());
    println!("  crash matrix on real hosts: REFIT_LAB_MATRIX_SEED={seed}, {time:?}");
    let mut played: Vec<Line> = Vec::new();
    while began.elapsed() + A_ROW < time {
        let base = choose(&mut dice, wanted.as_deref(), everything);
        let stage = base.set();
        let (file, plan) = base.plan(&stage);
        let rows = rows(base, &plan);
        let of = rows.len();
        let mut open: Vec<Row> = rows
            .into_iter()
            .filter(|row| everything || row.trouble.in_sample())
            .filter(|row| !record.has(&row.name))
            .filter(|row| wanted.as_ref().is_none_or(|text| row.name.contains(text)))
            .collect();
        assert!(
            !open.is_empty(),
            "every row of {} has been played",
            base.name
        );
        let row = open.swap_remove(if wanted.is_some() {
            0
        } else {
            dice.below(open.len())
        });
        println!("  {}", row.name);
        let line = one(base, &stage, &file, row, of, seed);
        println!("  {line}");
        record.keep(&line);
        played.push(line);
        if wanted.is_some() {
            break;
        }
    }
    stage_down();
    let failed: Vec<String> = played
        .iter()
        .filter(|line| !line.wrongs.is_empty())
        .map(ToString::to_string)
        .collect();
    println!(
        "  crash matrix on real hosts: {} rows (seed {seed}), {} struck, {} failed, {:.0} s",
        played.len(),
        played
            .iter()
            .filter(|line| line.struck_at.is_some())
            .count(),
        failed.len(),
        began.elapsed().as_secs_f32()
    );
    assert!(!played.is_empty(), "no row fits into {time:?}");
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

fn choose(dice: &mut Dice, wanted: Option<&str>, everything: bool) -> &'static Base {
    if let Some(wanted) = wanted {
        let named = base::BASES
            .iter()
            .find(|base| wanted.starts_with(base.name));
        return named.unwrap_or(&base::BASES[0]);
    }
    if dice.below(FIRST_BASE_OF) == 0 {
        return &base::BASES[0];
    }
    let bases = base::BASES.iter();
    let bases: Vec<&Base> = bases.filter(|base| everything || base.in_sample).collect();
    bases[dice.below(bases.len())]
}

/// A row that panics has failed; the next one is played all the same.
fn one(base: &Base, stage: &Stage, file: &str, row: Row, of: usize, seed: u64) -> Line {
    let mut line = Line::of(base, &row, of, seed);
    let played = catch_unwind(AssertUnwindSafe(|| {
        rollout::play(base, stage, file, &row, &mut line);
    }));
    if let Err(panic) = played {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        line.wrongs
            .push(text.unwrap_or_else(|| "it panicked".to_owned()));
    }
    line
}

fn stage_down() {
    lab().down().expect("the lab can be taken down");
}
