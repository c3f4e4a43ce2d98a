//! Which server may clone which (the clone plugin, and Group Replication's choice of a donor to clone from).
//!
//! Source: server source `mysys/my_version.cc`, `clone_protocol_service.cc` and `remote_clone_handler.cc` of 8.0.46, 8.4.10 and
//! 9.7.4; clones tried between real servers.

use super::releases::{Numbering, ReleaseTable, Track};
use crate::version::{MysqlVersion, Series};
use std::fmt;

/// The recipient refuses the donor's version before it drops its own data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloneRefused {
    pub recipient: MysqlVersion,
    pub donor: MysqlVersion,
    pub why: &'static str,
}

impl fmt::Display for CloneRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            recipient,
            donor,
            why,
        } = self;
        write!(f, "{recipient} can't clone {donor}: {why} (error 3864)")
    }
}

const EIGHT_ZERO: Series = Series { major: 8, minor: 0 };
/// The clone plugin's first release.
const FIRST: MysqlVersion = MysqlVersion::new(8, 0, 17);
/// Within 8.0, patches may differ from here on.
const EIGHT_ZERO_FREE: u16 = 37;

/// Whether `recipient` may clone `donor`.
///
/// One series, and within 8.0 both at 8.0.37 or later unless they are equal; a lower patch may clone a higher one. From 9.7
/// on also a long-term release from the one before it: never 8.4 to 9.7, since the recipient's donor must be 9.7 or later.
pub fn allowed(
    table: &ReleaseTable,
    recipient: MysqlVersion,
    donor: MysqlVersion,
) -> Result<(), CloneRefused> {
    let refuse = |why| {
        Err(CloneRefused {
            recipient,
            donor,
            why,
        })
    };
    if recipient < FIRST || donor < FIRST {
        return refuse("the clone plugin came with 8.0.17");
    }
    if recipient == donor {
        return Ok(());
    }
    if recipient.series() == donor.series() {
        let free = recipient.patch >= EIGHT_ZERO_FREE && donor.patch >= EIGHT_ZERO_FREE;
        return if recipient.series() != EIGHT_ZERO || free {
            Ok(())
        } else {
            refuse("within 8.0 both must be 8.0.37 or later, or the same")
        };
    }
    let long_term = |version: MysqlVersion| {
        table
            .series(version.series())
            .filter(|record| record.track == Track::LongTerm)
    };
    match (long_term(donor), long_term(recipient)) {
        (Some(from), Some(to))
            if to.numbering
                == (Numbering::Calendar {
                    lineage: from.series,
                }) =>
        {
            Ok(())
        }
        _ => refuse("they are of different series"),
    }
}

/// Whether Group Replication would choose `donor` for a joiner to clone from, which asks for more than [`allowed`].
pub fn chosen_by_group(
    table: &ReleaseTable,
    joiner: MysqlVersion,
    donor: MysqlVersion,
) -> Result<(), CloneRefused> {
    let least = if joiner.series() == EIGHT_ZERO {
        MysqlVersion::new(8, 0, EIGHT_ZERO_FREE)
    } else {
        MysqlVersion::new(8, 4, 0)
    };
    if donor < least {
        return Err(CloneRefused {
            recipient: joiner,
            donor,
            why: "Group Replication chooses no donor below 8.0.37 (8.4.0 for a joiner of 8.4 and later)",
        });
    }
    allowed(table, joiner, donor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v(text: &str) -> MysqlVersion {
        text.parse().unwrap()
    }

    #[test]
    fn clones_are_judged_as_real_servers_judged_them() {
        let table = ReleaseTable::built_in();
        for (recipient, donor, expected, source) in [
            ("8.4.4", "8.4.10", true, "tried"),
            ("9.7.2", "9.7.4", true, "tried"),
            ("9.7.4", "9.7.2", true, "my_version.cc"),
            ("8.0.28", "8.0.28", true, "my_version.cc"),
            ("8.0.46", "8.0.37", true, "my_version.cc"),
            ("8.0.36", "8.0.46", false, "tried: 3864"),
            ("8.0.46", "8.0.28", false, "tried: 3864"),
            ("9.7.4", "8.4.10", false, "tried: 3864"),
            ("8.4.10", "8.0.46", false, "tried: 3864"),
            ("26.7.0", "9.7.4", false, "26.7 is no long-term release"),
            ("8.0.16", "8.0.16", false, "manual 5.6.7: since 8.0.17"),
            ("8.0.46", "5.7.44", false, "no clone plugin"),
        ] {
            let found = allowed(&table, v(recipient), v(donor));
            assert_eq!(
                found.is_ok(),
                expected,
                "{recipient} of {donor} ({source}): {found:?}"
            );
        }
    }

    #[test]
    fn a_group_chooses_donors_by_stricter_rules() {
        // remote_clone_handler.cc.
        let table = ReleaseTable::built_in();
        for (joiner, donor, expected) in [
            ("8.0.46", "8.0.37", true),
            ("8.0.36", "8.0.36", false),
            ("8.4.10", "8.4.4", true),
            ("9.7.4", "8.4.10", false),
        ] {
            let found = chosen_by_group(&table, v(joiner), v(donor));
            assert_eq!(found.is_ok(), expected, "{joiner} of {donor}: {found:?}");
        }
    }
}
