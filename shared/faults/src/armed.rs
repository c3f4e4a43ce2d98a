//! Points that do what the rules say.

use crate::rules::{Action, BadRules, Rule, parse};
use crate::{Go, Injected};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const VARIABLE: &str = "REFIT_FAULTS";

static RULES: OnceLock<Vec<(Rule, AtomicU64)>> = OnceLock::new();

/// Reads the rules from the environment, before anything is done.
///
/// # Errors
/// Every rule that is wrong, and the points that there are.
pub fn arm() -> Result<(), BadRules> {
    let rules = read()?;
    // A point that was met before has read the same.
    let _ = RULES.set(rules);
    Ok(())
}

fn read() -> Result<Vec<(Rule, AtomicU64)>, BadRules> {
    let text = std::env::var(VARIABLE).unwrap_or_default();
    let rules = parse(&text)?.into_iter();
    Ok(rules.map(|rule| (rule, AtomicU64::new(0))).collect())
}

/// What is to happen now: how long to wait, and how to go on.
fn met(name: &'static str) -> (Duration, Result<Go, Injected>) {
    // Tests of libraries have no start at which rules could be refused.
    let rules = RULES.get_or_init(|| read().unwrap_or_else(|wrong| panic!("{wrong}")));
    let (mut wait, mut go) = (Duration::ZERO, Ok(Go::On));
    for (rule, count) in rules.iter().filter(|(rule, _)| rule.point == name) {
        let time = count.fetch_add(1, Ordering::SeqCst) + 1;
        if rule.only.is_some_and(|only| only != time) {
            continue;
        }
        match rule.action {
            Action::Crash => std::process::abort(),
            Action::Error => go = Err(Injected(name)),
            Action::Delay(time) => wait += time,
            Action::Drop => go = Ok(Go::Drop),
            Action::Duplicate => go = Ok(Go::Twice),
        }
    }
    (wait, go)
}

/// A point in code that may block; see [`crate::hit!`].
pub fn hit(name: &'static str) -> Result<Go, Injected> {
    let (wait, go) = met(name);
    if !wait.is_zero() {
        #[expect(
            clippy::disallowed_methods,
            reason = "to wait is what was asked for, in code that may block"
        )]
        std::thread::sleep(wait);
    }
    go
}

/// A point in asynchronous code; see [`crate::at!`].
pub async fn at(name: &'static str) -> Result<Go, Injected> {
    let (wait, go) = met(name);
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    go
}
