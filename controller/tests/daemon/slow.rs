//! The lines to the agents once more, in a process with rules of its own: every order is sent twice, and every answer takes its time.

use std::process::Command;

const RULES: &str = "call/before=duplicate;call/reply=delay:20ms;look/before=delay:5ms";

#[test]
fn lines_hold_where_calls_are_slow_and_come_twice() {
    let ran = Command::new(std::env::current_exe().unwrap())
        .arg("lines::")
        .env("REFIT_FAULTS", RULES)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}");
    assert!(!said.contains("running 0 tests"), "{said}");
}
