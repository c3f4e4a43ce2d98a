//! MySQL Router's own accounts.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "deprecatedRouterAuthMethod",
    level: Level::Error,
    reference: Reference {
        source: "MySQL Shell, deprecatedRouterAuthMethod",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/native-pluggable-authentication.html"),
    },
    applies: When::Crosses(&[MysqlVersion::new(8, 4, 0), MysqlVersion::new(9, 0, 0)]),
    overriding: Overriding::Allowed,
    needs: &[Question::OldAuthentication],
    title: "MySQL Router can log in",
    description: "Accounts that MySQL Router made for itself (mysql_router…) with an old authentication method lock every router out, and with it every client behind it.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::OldAuthentication, |row, pair| {
        if !row.name.starts_with("mysql_router") {
            return None;
        }
        Some(Verdict::new(
            Level::Error,
            format!("a router's account uses {} and could not log in to {}", row.detail, pair.to),
            "upgrade MySQL Router first and bootstrap it again, so that it makes itself an account with caching_sha2_password",
        ))
    })
}
