//! The crash matrix: every step of every strategy's plan, forward and back, × every trouble × before, during, after.
//!
//! ```text
//! base stories ──run once──> their steps and calls ──> rows ──┬─ a sample, within its time   (`make test`)
//!                                                             └─ all, resumable       (`make matrix`) ──> docs/crash-matrix.md
//! ```
//!
//! Rows are read from the journal of a run in which nothing breaks, so a strategy that the world can play is in the matrix by
//! being in [`rows::bases`]. Every row is run until the rollout is at rest for good, and judged as every run is: nothing that
//! was acknowledged is lost, nobody serves who must not, and the end is what it says it is.
//!
//! `REFIT_MATRIX_SEED` draws another sample, `REFIT_MATRIX_ROW=text` runs only the rows whose name contains the text and tells
//! about each, `REFIT_MATRIX_ALL=folder` runs all that have no verdict in the folder yet, `REFIT_MATRIX_PAGE=file` then writes
//! the page. `REFIT_MATRIX_FOR=seconds` ends that earlier and draws the order of rows; the page then says which rows have not run.

mod page;
mod rows;
mod verdicts;

use crate::runs::{count, made, tell};
use refit_integration::dice::Dice;
use rows::Row;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use verdicts::{Kept, Verdict};

/// Rows of the sample: the same ones on a fast machine as on a slow one.
const SAMPLE: usize = 150;
/// What the sample may take.
const SAMPLE_FOR: Duration = Duration::from_secs(30);
/// So many failed rows are told in full.
const TOLD: usize = 5;

fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

fn seed() -> u64 {
    setting("REFIT_MATRIX_SEED").map_or_else(crate::runs::seed, |text| {
        text.parse().expect("REFIT_MATRIX_SEED is a number")
    })
}

#[test]
fn whatever_strikes_wherever_nothing_is_lost() {
    let rows = rows::all();
    if let Some(wanted) = setting("REFIT_MATRIX_ROW") {
        return each_that_is_named(&rows, &wanted);
    }
    match setting("REFIT_MATRIX_ALL") {
        Some(folder) => everything(&rows, &PathBuf::from(folder)),
        None => sample(rows),
    }
}

fn each_that_is_named(rows: &[Row], wanted: &str) {
    let named: Vec<&Row> = rows
        .iter()
        .filter(|row| row.name().contains(wanted))
        .collect();
    assert!(!named.is_empty(), "no row is called {wanted}");
    let mut failed = 0;
    for row in named {
        let verdict = Verdict::of(row);
        count();
        failed += usize::from(!verdict.passed());
        tell(&verdict.in_full(&row.name()));
    }
    assert_eq!(failed, 0, "rows that failed");
}

fn sample(mut rows: Vec<Row>) {
    let began = Instant::now();
    let (of, mut dice) = (rows.len(), Dice::new(seed()));
    let (mut run, mut struck, mut failed) = (0, 0, Vec::new());
    while !rows.is_empty() && run < SAMPLE && began.elapsed() < SAMPLE_FOR {
        let row = rows.swap_remove(dice.below(rows.len()));
        let verdict = Verdict::of(&row);
        count();
        run += 1;
        struck += usize::from(verdict.struck);
        if verdict.fails_the_build(&row) {
            failed.push(verdict.in_full(&row.name()));
        }
    }
    tell(&format!(
        "simulated: crash matrix: {run} of {of} rows (seed {}), {struck} struck, {:.1} s; {} runs so far",
        seed(),
        began.elapsed().as_secs_f32(),
        made()
    ));
    assert!(struck * 2 > run, "most rows must really strike");
    let told: Vec<String> = failed.iter().take(TOLD).cloned().collect();
    assert!(
        failed.is_empty(),
        "{} of {run} rows failed; REFIT_MATRIX_ROW=name runs one again\n{}",
        failed.len(),
        told.join("\n")
    );
}

/// So that a run which ends early is a sample, too.
fn shuffle(rows: &mut [&Row]) {
    let mut dice = Dice::new(seed());
    for last in (1..rows.len()).rev() {
        rows.swap(last, dice.below(last + 1));
    }
}

/// All rows without a verdict, on every processor; what has been run is kept at once.
fn everything(rows: &[Row], folder: &std::path::Path) {
    let began = Instant::now();
    let kept = Mutex::new(Kept::open(folder));
    let next = AtomicUsize::new(0);
    let limit = setting("REFIT_MATRIX_FOR").map(|text| {
        let seconds = text.parse().expect("REFIT_MATRIX_FOR is a number");
        began + Duration::from_secs(seconds)
    });
    let mut order: Vec<&Row> = rows.iter().collect();
    if limit.is_some() {
        shuffle(&mut order);
    }
    let in_time = || limit.is_none_or(|limit| Instant::now() < limit);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while in_time()
                    && let Some(row) = order.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let name = row.name();
                    let locked = || kept.lock().expect("a row that panics ends the run");
                    if locked().has(&name) {
                        continue;
                    }
                    let verdict = Verdict::of(row);
                    count();
                    locked().keep(&name, &verdict);
                }
            });
        }
    });
    let kept = kept.into_inner().expect("no row has panicked");
    if let Some(path) = setting("REFIT_MATRIX_PAGE") {
        page::write(&PathBuf::from(path), rows, &kept);
    }
    let failed: Vec<String> = rows
        .iter()
        .filter_map(|row| {
            let name = row.name();
            let verdict = kept.verdict(&name)?;
            verdict.fails_the_build(row).then(|| verdict.in_full(&name))
        })
        .collect();
    tell(&format!(
        "simulated: crash matrix: {} of {} rows have a verdict, {} failed, {} were run now in {:.0} s",
        rows.iter().filter(|row| kept.has(&row.name())).count(),
        rows.len(),
        failed.len(),
        made(),
        began.elapsed().as_secs_f32()
    ));
    assert!(
        failed.is_empty(),
        "{} rows failed\n{}",
        failed.len(),
        failed.join("\n")
    );
}
