//! No XA transaction waits in the prepared state.

use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Subject};

pub const CHECK: Check = Check {
    id: "preparedXa",
    title: "No prepared XA transactions",
    description: "The manual asks to resolve them before an upgrade; they also keep a member from leaving cleanly.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
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
