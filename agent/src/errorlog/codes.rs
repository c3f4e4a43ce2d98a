//! The error codes that end a start, what they mean, and in what state they leave the data directory (MYSQL.md §4.3 and
//! errmsg of 8.0 to 9.7). Data only.

use std::fmt;

/// What a refused start has done to the data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DataDirAfter {
    /// As it was: the previous version starts on it.
    Untouched,
    /// The previous version starts on it, and has to clean up something there first.
    NeedsPreviousVersion,
    /// Only the version that began the upgrade may go on with it.
    NeedsVersionThatBegan,
    /// Neither version can be relied on: put the snapshot back.
    RestoreSnapshot,
}

impl DataDirAfter {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Untouched => "the data directory is untouched",
            Self::NeedsPreviousVersion => "the previous version still starts on the data directory",
            Self::NeedsVersionThatBegan => {
                "only the version that began the upgrade can finish it on this data directory"
            }
            Self::RestoreSnapshot => "the data directory must be restored from the snapshot",
        }
    }
}

/// One code that ends a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fatal {
    pub code: u32,
    pub meaning: &'static str,
    pub advice: &'static str,
    pub after: DataDirAfter,
}

/// mysqld said why it does not start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub code: u32,
    pub meaning: &'static str,
    pub advice: &'static str,
    pub after: DataDirAfter,
    /// mysqld's own words.
    pub said: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "MY-{:06}: {}; {}. {}. mysqld said: {}",
            self.code,
            self.meaning,
            self.after.as_str(),
            self.advice,
            self.said
        )
    }
}

/// The entry for a code, where it is one that ends a start.
pub fn fatal(code: u32) -> Option<&'static Fatal> {
    FATAL.iter().find(|entry| entry.code == code)
}

const fn entry(
    code: u32,
    after: DataDirAfter,
    meaning: &'static str,
    advice: &'static str,
) -> Fatal {
    Fatal {
        code,
        meaning,
        advice,
        after,
    }
}

use DataDirAfter::{NeedsPreviousVersion, NeedsVersionThatBegan, RestoreSnapshot, Untouched};

const PATH_ADVICE: &str =
    "Upgrade by the path that the manual gives, one long-term series at a time";

#[rustfmt::skip]
pub const FATAL: &[Fatal] = &[
    entry(14060, Untouched, "this upgrade path is not supported: a major version is entered only from the last LTS series", PATH_ADVICE),
    entry(14059, Untouched, "this upgrade path is not supported: the data directory is older than the new server accepts", PATH_ADVICE),
    entry(14061, Untouched, "the server is older than the data directory: a downgrade is possible only between patch releases of one LTS series", "Start the newer version, or restore the snapshot"),
    entry(14058, Untouched, "the server is older than the data directory allows", "Start the newer version, or restore the snapshot"),
    entry(15572, Untouched, "downgrades of innovation releases are not supported", "Start the newer version, or restore the snapshot"),
    entry(13171, Untouched, "downgrades are not supported by this version", "Start the newer version, or restore the snapshot"),
    entry(11092, Untouched, "the data dictionary's version is not one that this server can upgrade", PATH_ADVICE),
    entry(13377, Untouched, "an upgrade is needed but --upgrade=NONE forbids it", "Remove the option `upgrade` from the option files"),
    entry(13379, NeedsVersionThatBegan, "an earlier upgrade of this data directory was not finished", "Start the version that began it, or restore the snapshot"),
    entry(11087, Untouched, "lower_case_table_names differs from what the data directory was made with", "Set lower_case_table_names as it was"),
    entry(12526, Untouched, "the redo log was not empty and has an older format: the previous version did not shut down cleanly", "Start the previous version, shut it down with innodb_fast_shutdown=0 or 1, and try again"),
    entry(13527, NeedsPreviousVersion, "there are prepared XA transactions", "Start the previous version and commit or roll back what XA RECOVER lists"),
    entry(13235, NeedsPreviousVersion, "a stored routine, event, view or trigger does not parse on the new version", "Start the previous version and alter or drop the object that mysqld names"),
    entry(13135, NeedsPreviousVersion, "an object uses something that the new version has removed", "Start the previous version and alter the object that mysqld names"),
    entry(14078, NeedsPreviousVersion, "a table uses an expression that the new version cannot read", "Start the previous version and alter the table that mysqld names"),
    entry(14079, NeedsPreviousVersion, "a table uses an expression that the new version cannot read", "Start the previous version and alter the table that mysqld names"),
    entry(15652, NeedsPreviousVersion, "a table uses a function that the new version has removed", "Start the previous version and alter the table that mysqld names"),
    entry(13669, NeedsPreviousVersion, "a routine or event belongs to a schema that does not exist", "Start the previous version and drop the object that mysqld names"),
    entry(13178, RestoreSnapshot, "a statement of the system tables' upgrade failed", "Restore the snapshot"),
    entry(13380, RestoreSnapshot, "the upgrade of the system tables failed", "Restore the snapshot"),
    entry(11013, RestoreSnapshot, "the upgrade of a MySQL 5.7 data directory failed", "Restore the snapshot"),
    entry(11014, RestoreSnapshot, "the upgrade of a MySQL 5.7 data directory failed", "Restore the snapshot"),
    entry(11015, RestoreSnapshot, "the upgrade of a MySQL 5.7 data directory failed", "Restore the snapshot"),
    entry(67, Untouched, "an option is not known to this version", "Remove or replace the option that mysqld names in the option files"),
    entry(77, Untouched, "an option has a value that this version does not accept", "Correct the value in the option files"),
    entry(13835, Untouched, "tls_version names a protocol that this version does not support", "Correct tls_version"),
    entry(10095, Untouched, "the directory of secure_file_priv does not exist", "Create it, or correct secure_file_priv"),
    entry(12216, Untouched, "a file of a tablespace can't be opened: the data directory is not of a version that this server can upgrade", PATH_ADVICE),
    entry(12592, Untouched, "an operating system error on a file of the data directory", "Look at owner, mode and file system of the file that mysqld names"),
    entry(12574, Untouched, "a file of the data directory can't be locked: another mysqld uses it", "Find and stop the other process"),
    entry(10457, Untouched, "the data directory is not initialised, or not empty where it should be", "Check datadir in the option files"),
    entry(10262, Untouched, "the server's port is taken", "Find the process that listens on it"),
    entry(10187, Untouched, "a file that an option names can't be opened", "Look at owner and mode of the file that mysqld names"),
    // What follows only closes a story that an earlier line began; it counts when there was none.
    entry(10335, RestoreSnapshot, "the data dictionary could not be made or upgraded", "Look at the lines before it in the error log"),
    entry(10334, RestoreSnapshot, "the data dictionary's storage engine did not start", "Look at the lines before it in the error log"),
    entry(10020, RestoreSnapshot, "the data dictionary did not start", "Look at the lines before it in the error log"),
    entry(10119, RestoreSnapshot, "mysqld gave up", "Look at the lines before it in the error log"),
];

/// Codes that only say "and so I end": an earlier one has the reason.
pub const GENERIC: &[u32] = &[10335, 10334, 10020, 10119];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_code_is_there_once_and_says_something() {
        let codes: BTreeSet<u32> = FATAL.iter().map(|entry| entry.code).collect();
        assert_eq!(codes.len(), FATAL.len());
        for entry in FATAL {
            assert!(
                !entry.meaning.is_empty() && !entry.advice.is_empty(),
                "{entry:?}"
            );
            assert!(
                !entry.meaning.ends_with('.') && !entry.advice.ends_with('.'),
                "{entry:?}"
            );
        }
        assert!(GENERIC.iter().all(|code| fatal(*code).is_some()));
    }
}
