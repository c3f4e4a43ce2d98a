//! AppArmor and SELinux.

use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;

pub const CHECK: Check = Check {
    id: "mandatoryAccess",
    level: Level::Notice,
    reference: Reference {
        source: "AppArmor, SELinux; MySQL manual, \"SELinux\"",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/selinux.html"),
    },
    applies: When::Always,
    overriding: Overriding::Allowed,
    needs: &[Question::Confinement],
    title: "Confinement allows every path",
    description: "A profile that the new packages bring replaces local changes to the old one; paths outside the standard ones must be in a local override.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

/// Paths that the packages' own profiles allow.
const STANDARD: [&str; 3] = ["/var/lib/mysql", "/var/log/mysql", "/run/mysqld"];

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, _, listing) in subject.answers(&CHECK, Question::Confinement, &mut found) {
        let Some(row) = listing.rows.first() else {
            continue;
        };
        let Some(Ok(seen)) = subject.seen.members.get(name).map(|fact| fact.require()) else {
            continue;
        };
        let outside: Vec<&str> = match seen.storage.require() {
            Ok(storage) => storage
                .paths
                .iter()
                .map(|path| path.path.as_str())
                .collect(),
            Err(why) => {
                found.push(CHECK.untold(name, "the storage", why));
                continue;
            }
        };
        let outside: Vec<&str> = outside
            .into_iter()
            .filter(|path| !STANDARD.iter().any(|standard| path.starts_with(standard)))
            .collect();
        if !outside.is_empty() {
            found.push(CHECK.finding(
                Level::Notice,
                name,
                format!("{} ({}) confines mysqld, which uses {}", row.name, row.detail, outside.join(", ")),
                "see that these paths are in a local override (/etc/apparmor.d/local/usr.sbin.mysqld, semanage fcontext), not in the packages' profile",
            ));
        }
    }
    found
}
