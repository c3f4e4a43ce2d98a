//! What became of one insert.

use mysql_async::Error;

/// What the client knows about one insert when it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The server acknowledged the commit. The row must exist on every member from now on.
    Acked,
    /// The server refused it before anything was committed anywhere. The row must never appear.
    Failed,
    /// The connection broke, or the answer leaves both possible. Either is right.
    Unknown,
}

/// Errors after which the row is certainly nowhere in the group. Everything else is [`Outcome::Unknown`], 3100 among
/// them: a member that leaves after it sent the transaction to the group rolls it back and reports 3100, while the
/// others commit it (`plugin/group_replication/src/observer_trans.cc`, `group_replication_trans_before_commit`).
const NEVER_COMMITTED: [u16; 10] = [
    1044, // access denied to the database
    1049, // no such database
    1142, // access denied to the table
    1146, // no such table
    1205, // lock wait timeout: before the commit
    1213, // deadlock: rolled back
    1290, // read_only or super_read_only: checked before the commit reaches the group
    1792, // read-only transaction
    1836, // read-only mode
    3101, // certification said no, so it said no on every member
];

impl Outcome {
    /// Judges the error of an autocommitted insert that was sent.
    #[must_use]
    pub fn of_error(error: &Error) -> Self {
        match error {
            Error::Server(e) if NEVER_COMMITTED.contains(&e.code) => Self::Failed,
            Error::Server(_)
            | Error::Driver(_)
            | Error::Io(_)
            | Error::Other(_)
            | Error::Url(_) => Self::Unknown,
        }
    }
}

/// The name of one row: unique within a run of the writing client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowKey {
    /// Which writer.
    pub writer: u16,
    /// Its how-manieth insert, from 1. A number is never tried twice.
    pub seq: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use mysql_async::ServerError;

    fn server(code: u16) -> Error {
        Error::Server(ServerError {
            code,
            message: String::new(),
            state: "HY000".into(),
        })
    }

    #[test]
    fn only_errors_that_prove_it_are_failures() {
        assert_eq!(Outcome::of_error(&server(1290)), Outcome::Failed);
        assert_eq!(Outcome::of_error(&server(3101)), Outcome::Failed);
        // sent to the group, then the member left; shutdown; killed; interrupted; offline mode
        for code in [3100, 1053, 1927, 1317, 3032, 1180, 3797] {
            assert_eq!(Outcome::of_error(&server(code)), Outcome::Unknown, "{code}");
        }
        let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        assert_eq!(Outcome::of_error(&broken.into()), Outcome::Unknown);
    }
}
