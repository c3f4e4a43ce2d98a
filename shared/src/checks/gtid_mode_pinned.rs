//! The default of `gtid_mode` changes at 9.5.

use super::{
    ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, TOPOLOGIES, When,
};
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "gtidModePinned",
    level: Level::Error,
    reference: Reference {
        source: "release notes of 9.5.0; server error 13117, seen on real servers",
        link: Some("https://dev.mysql.com/doc/relnotes/mysql/9.5/en/news-9-5-0.html"),
    },
    applies: When::Crosses(&[CHANGED_AT]),
    overriding: Overriding::Refused("the upgraded replica could not replicate"),
    needs: &[],
    title: "The GTID mode does not change by itself",
    description: "From 9.5 on gtid_mode and enforce_gtid_consistency are ON by default. A replica that takes the new default does not replicate from a source with gtid_mode=OFF (13117); one whose mode was only SET GLOBAL loses it with the restart.",
    kinds: TOPOLOGIES,
    strategies: ANY_STRATEGY,
    run,
};

const CHANGED_AT: MysqlVersion = MysqlVersion::new(9, 5, 0);
const PINS: [&str; 2] = ["gtid_mode", "enforce_gtid_consistency"];

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let old = subject
        .seen
        .servers()
        .filter(|(_, server)| server.version < CHANGED_AT);
    for (name, server) in old {
        let loose = PINS
            .iter()
            .filter(|pin| !server.explicit_variables.contains(**pin));
        for pin in loose {
            let value = server
                .variables
                .get(*pin)
                .map_or("its present value", String::as_str);
            found.push(CHECK.error(
                name,
                format!("{pin} is not set in an option file, and its default changes at 9.5"),
                format!(
                    "write `{pin}={value}` below [mysqld] into the option file of every server"
                ),
            ));
        }
    }
    found
}
