//! No XA transaction waits in the prepared state.

use super::{
    ALSO_WITHOUT_UPGRADE, ANY_KIND, Check, Finding, Level, Overriding, Reference, Subject, When,
};

pub const CHECK: Check = Check {
    id: "preparedXa",
    level: Level::Error,
    reference: Reference {
        source: "MySQL manual, \"Preparing Your Installation for Upgrade\"",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/upgrade-prerequisites.html"),
    },
    applies: When::Always,
    overriding: Overriding::Refused(
        "a prepared transaction may be lost or keep the new server from starting",
    ),
    needs: &[],
    title: "No prepared XA transactions",
    description: "The manual asks to resolve them before an upgrade; they also keep a member from leaving cleanly.",
    kinds: ANY_KIND,
    strategies: ALSO_WITHOUT_UPGRADE,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, server) in subject.seen.servers() {
        match server.prepared_xa.require() {
            Ok(0) => {}
            Ok(n) => found.push(CHECK.error(
                name,
                format!("{n} prepared XA transaction(s)"),
                "XA RECOVER CONVERT XID; then XA COMMIT or XA ROLLBACK each",
            )),
            Err(why) => found.push(CHECK.untold(name, "XA RECOVER", why)),
        }
    }
    found
}
