//! Which in-place hop the target server accepts on a data directory of the source version.
//!
//! Source: MySQL manual "Upgrade Paths" and "Downgrade Notes"; server source `sql/dd/impl/bootstrap/bootstrapper.cc`;
//! hops tried with real servers 5.7, 8.0, 8.4 and 9.7.

use crate::version::{MysqlVersion, Series};
use std::fmt;

/// How a hop would be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hop {
    /// Nothing to do.
    Same,
    /// A patch up within one series.
    Patch,
    /// Up to another series: the data dictionary and system tables may be upgraded, and there is no way back in place.
    Series,
}

/// Why the target would not (or should not) start on the source's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathRefused {
    pub why: String,
    /// The server's own code where it has one.
    pub server_code: Option<&'static str>,
}

impl fmt::Display for PathRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.server_code {
            Some(code) => write!(f, "{} (the server refuses with {code})", self.why),
            None => f.write_str(&self.why),
        }
    }
}

/// The series from which a next major version may be entered, oldest first. 8.0 leads into 8.1 to 8.4, 8.4 into 9, 9.7 into
/// the calendar versions.
const LONG_TERM: [Series; 3] = [
    Series { major: 8, minor: 0 },
    Series { major: 8, minor: 4 },
    Series { major: 9, minor: 7 },
];

/// Judges one in-place hop upwards.
pub fn upgrade(from: MysqlVersion, to: MysqlVersion) -> Result<Hop, PathRefused> {
    let refuse = |why: String, server_code| Err(PathRefused { why, server_code });
    if to == from {
        return Ok(Hop::Same);
    }
    if to < from {
        return refuse(
            format!("{to} is lower than {from}: this is a downgrade"),
            Some(if to.series() == from.series() {
                "MY-014058"
            } else {
                "MY-014061"
            }),
        );
    }
    if from.series() == to.series() {
        return Ok(Hop::Patch);
    }
    match (from.series(), to.series()) {
        (Series { major: 5, minor: 7 }, Series { major: 8, minor: 0 }) => Ok(Hop::Series),
        (Series { major: 5, .. }, _) => refuse(
            format!("{from} can only be upgraded to 8.0 first"),
            Some("MY-012216"),
        ),
        (a, b) if a.major == b.major => Ok(Hop::Series),
        (a, b) => {
            // Sequential majors end with 9.7; calendar majors (26 and later) are one lineage that 9.7 enters.
            let next = a.major + 1 == b.major || (a.major == 9 && b.major >= 26);
            let last_of_major = LONG_TERM.iter().rfind(|series| series.major == a.major);
            match last_of_major {
                _ if a.major >= 26 => {
                    refuse(format!("no rule is known yet for {from} to {to}"), None)
                }
                Some(exit) if *exit == a && next => Ok(Hop::Series),
                Some(exit) => refuse(
                    format!("{from} must be upgraded to {exit} before {to}"),
                    Some("MY-014060"),
                ),
                None => refuse(format!("no path from {from} to {to}"), Some("MY-014060")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops_are_judged_as_the_manual_and_real_servers_judge_them() {
        for (from, to, expected) in [
            ("9.7.3", "9.7.4", Ok(Hop::Patch)),
            ("9.7.4", "9.7.4", Ok(Hop::Same)),
            ("8.4.6", "9.7.4", Ok(Hop::Series)),
            ("8.4.10", "9.0.1", Ok(Hop::Series)),
            ("9.0.1", "9.7.4", Ok(Hop::Series)),
            ("8.0.46", "8.4.10", Ok(Hop::Series)),
            ("8.0.46", "8.1.0", Ok(Hop::Series)),
            ("8.0.28", "8.0.46", Ok(Hop::Patch)),
            ("5.7.44", "8.0.46", Ok(Hop::Series)),
            ("9.7.4", "26.7.0", Ok(Hop::Series)),
            ("8.0.46", "9.7.4", Err(Some("MY-014060"))),
            ("8.3.0", "9.7.4", Err(Some("MY-014060"))),
            ("5.7.44", "8.4.6", Err(Some("MY-012216"))),
            ("9.6.0", "26.7.0", Err(Some("MY-014060"))),
            ("9.7.4", "9.7.3", Err(Some("MY-014058"))),
            ("9.7.4", "8.4.6", Err(Some("MY-014061"))),
        ] {
            let found = upgrade(from.parse().unwrap(), to.parse().unwrap())
                .map_err(|refused| refused.server_code);
            assert_eq!(found, expected, "{from} -> {to}");
        }
    }
}
