//! The default authentication method.

use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "deprecatedDefaultAuth",
    level: Level::Error,
    reference: Reference {
        source: "MySQL Shell, deprecatedDefaultAuth",
        link: Some(
            "https://dev.mysql.com/doc/refman/8.4/en/server-system-variables.html#sysvar_authentication_policy",
        ),
    },
    applies: When::Crosses(&[MysqlVersion::new(8, 4, 0), MysqlVersion::new(9, 0, 0)]),
    overriding: Overriding::Allowed,
    needs: &[],
    title: "The default authentication method exists on the new server",
    description: "authentication_policy must not name a plugin that the new server does not have or has switched off.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, server) in subject.seen.servers() {
        // 5.7 and early 8.0 do not have it; what they have instead is a removed option, judged with the option files.
        let Some(policy) = server.variables.get("authentication_policy") else {
            continue;
        };
        for plugin in ["mysql_native_password", "authentication_fido"] {
            if policy.split(',').any(|factor| factor.trim() == plugin) {
                found.push(CHECK.error(
                    name,
                    format!("authentication_policy={policy} names {plugin}"),
                    "SET PERSIST authentication_policy = '*,,', and take the old value out of the option files",
                ));
            }
        }
    }
    found
}
