//! What a target before 8.0.16 does not do by itself.

use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::rules::system_tables::by_program;

pub const CHECK: Check = Check {
    id: "mysqlUpgrade",
    level: Level::Warning,
    reference: Reference {
        source: "MySQL manual 8.0, \"What the MySQL Upgrade Process Upgrades\"",
        link: Some("https://dev.mysql.com/doc/refman/8.0/en/upgrading-what-is-upgraded.html"),
    },
    applies: When::Rule("to a release before 8.0.16", |pair| by_program(pair.to)),
    overriding: Overriding::Refused("it only says what the plan does"),
    needs: &[],
    title: "The target upgrades its system tables by itself",
    description: "Until 8.0.15 that is mysql_upgrade's, after the first start and before a restart. The plan runs it as a step of its own, never with --write-binlog. Such a mysqld does not know --validate-config either.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let cluster = subject.seen.cluster.as_str();
    vec![CHECK.warning(
        cluster,
        format!(
            "{} runs mysql_upgrade on every server, without binary log, and restarts it; and its mysqld can't judge option files beforehand (--validate-config is of 8.0.16)",
            subject.target
        ),
        "choose 8.0.16 or later where you can; else compare `refit config` with the option files by eye, and count the second start into the downtime",
    )]
}
