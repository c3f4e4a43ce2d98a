//! What systemd may do to mysqld.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;

pub const CHECK: Check = Check {
    id: "serviceLimits",
    level: Level::Warning,
    reference: Reference {
        source: "systemd.service(5), systemd.resource-control(5); upgrades killed half way (MYSQL.md §4.2, §8.2)",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/using-systemd.html"),
    },
    applies: When::Always,
    overriding: Overriding::Allowed,
    needs: &[Question::ServiceLimits],
    title: "systemd lets mysqld take its time",
    description: "A mysqld that is killed while it upgrades may never start again (MY-013380). Refit lifts the time limits of the unit while a member is out, but not a watchdog or a limit on memory; and after the upgrade the unit's own limits hold again: a stop that takes longer is a crash.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::ServiceLimits, |row, _| {
        let (level, why, fix) = match row.name.as_str() {
            "WatchdogUSec" => (Level::Warning, "kills a mysqld that is busy upgrading", "0"),
            "MemoryMax" => (Level::Warning, "an upgrade needs memory beside the buffer pool, and is killed beyond it", "infinity"),
            "TimeoutStartUSec" => (Level::Notice, "lifted while Refit has the member out; at any other time a start that takes longer is killed", "infinity"),
            _ => (Level::Notice, "lifted while Refit has the member out; at any other time a stop that takes longer is a crash", "infinity"),
        };
        let key = row.name.replace("USec", "Sec");
        Some(Verdict::new(
            level,
            format!("{key}={}: {why}", row.detail),
            format!("systemctl edit mysql: [Service] {key}={fix}"),
        ))
    })
}
