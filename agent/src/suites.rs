//! The suites of the agent's parts once more, slow at every fault point, and with orders that come twice: what holds must hold then,
//! too. Only with the feature `faults`.
//!
//! Each is run by this very program, as a process of its own with its own rules.

use refit_faults::POINTS;
use std::process::Command;

fn slow(points: &[&str]) -> String {
    let chosen = POINTS.iter().filter(|point| {
        point.program == "agent" && points.iter().any(|start| point.name.starts_with(start))
    });
    let rules: Vec<String> = chosen
        .map(|point| format!("{}=delay:2ms", point.name))
        .collect();
    assert!(!rules.is_empty(), "{points:?}");
    rules.join(";")
}

fn holds(suite: &str, rules: &str) {
    let ran = Command::new(std::env::current_exe().expect("a running program has a path"))
        .args([suite, "--skip", "suites::"])
        .env("REFIT_FAULTS", rules)
        .output()
        .expect("this program runs");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{suite} with {rules}:\n{said}");
    assert!(
        !said.contains("running 0 tests"),
        "there is no suite {suite}"
    );
}

#[test]
fn a_slow_ledger_keeps_what_it_acknowledges() {
    holds("ledger::tests", &slow(&["ledger."]));
}

#[test]
fn slow_files_are_put_back_and_forth() {
    let rules = slow(&["snapshot.", "config.", "maintenance.", "hold."]);
    holds("host::files", &rules);
}

#[test]
fn a_slow_worker_does_one_thing_at_a_time() {
    holds("worker::tests", &slow(&["work/", "ledger."]));
}

#[test]
fn orders_that_come_twice_are_answered_once() {
    holds(
        "service::tests",
        "order/received=duplicate;order/reply=delay:20ms",
    );
}
