//! Many runs: which of them are made, and what is told of them.
//!
//! Everything is enumerated. Where that would take minutes a sample is drawn, the same each time unless another seed is given:
//! `REFIT_SIM_SEED=7` draws another one, `REFIT_SIM_ALL=1` makes every run, `REFIT_SIM_RUN='text of its name'` makes these again.
//! Whether a run is in a sample follows from its name alone, so that a change that adds runs leaves the others in it.

use crate::story::{Story, Told};
use refit_integration::dice::Dice;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// So many failed runs are told in full.
const TOLD: usize = 5;

/// The seed of samples and random walks.
pub fn seed() -> u64 {
    match std::env::var("REFIT_SIM_SEED") {
        Ok(text) => text.parse().expect("REFIT_SIM_SEED is a number"),
        Err(_) => 2026,
    }
}

/// Only runs whose names contain this.
fn run_wanted() -> Option<String> {
    std::env::var("REFIT_SIM_RUN").ok()
}

/// A name's place in the order in which a sample is drawn (FNV-1a, then SplitMix64).
fn draw(name: &str) -> u64 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    Dice::new(hash ^ seed()).roll()
}

fn all_wanted() -> bool {
    std::env::var_os("REFIT_SIM_ALL").is_some_and(|value| value == "1")
}

/// Runs of one kind.
#[derive(Debug)]
pub struct Runs {
    title: &'static str,
    stories: Vec<(String, Story)>,
    of: usize,
}

impl Runs {
    /// All of these, or so many of them.
    pub fn sample(title: &'static str, mut stories: Vec<(String, Story)>, most: usize) -> Self {
        let of = stories.len();
        if let Some(text) = run_wanted() {
            stories.retain(|(name, _)| name.contains(&text));
        } else if !all_wanted() {
            stories.sort_by_key(|(name, _)| draw(name));
            stories.truncate(most);
        }
        Self { title, stories, of }
    }

    pub fn all(title: &'static str, stories: Vec<(String, Story)>) -> Self {
        let of = stories.len();
        Self { title, stories, of }
    }

    /// Makes the runs. `judge` says what is wrong with one, beside what is wrong with any.
    pub fn each(self, judge: impl Fn(&Story, &Told) -> Vec<String>) {
        let began = Instant::now();
        let (mut failed, mut said) = (0, String::new());
        let mut parked = 0;
        let mut longest_gap = std::time::Duration::ZERO;
        for (name, story) in &self.stories {
            let told = story.run();
            count();
            parked += usize::from(!told.parks.is_empty());
            longest_gap = longest_gap.max(told.longest_gap);
            let mut wrongs = told.wrongs.clone();
            wrongs.extend(judge(story, &told));
            if wrongs.is_empty() {
                continue;
            }
            failed += 1;
            if failed <= TOLD {
                let parks: Vec<_> = told.parks.iter().map(ToString::to_string).collect();
                let _ = writeln!(
                    said,
                    "\n{name}:\n  wrong: {}\n  end: {:?}, parks: {parks:#?}",
                    wrongs.join("\n         "),
                    told.end
                );
            }
        }
        tell(&format!(
            "simulated: {}: {} of {} runs (seed {}), {parked} parked on the way, longest write gap {:.1} s, {:.1} s; {} runs so far",
            self.title,
            self.stories.len(),
            self.of,
            seed(),
            longest_gap.as_secs_f32(),
            began.elapsed().as_secs_f32(),
            made()
        ));
        assert!(
            failed == 0,
            "{}: {failed} of {} runs failed\n{said}",
            self.title,
            self.stories.len()
        );
    }
}

static MADE: AtomicU64 = AtomicU64::new(0);

/// One more run has been made.
pub fn count() {
    MADE.fetch_add(1, Ordering::Relaxed);
}

/// How many runs this process has made so far.
pub fn made() -> u64 {
    MADE.load(Ordering::Relaxed)
}

/// Says it although the test passes.
pub fn tell(line: &str) {
    // A closed stderr is no reason to fail.
    let _ = writeln!(std::io::stderr(), "{line}");
}
