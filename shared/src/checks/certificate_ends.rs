//! The server's own certificate.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;

pub const CHECK: Check = Check {
    id: "certificateEnds",
    level: Level::Warning,
    reference: Reference {
        source: "mysqld checks its certificates when it starts; members and replicas check those of others",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/using-encrypted-connections.html"),
    },
    applies: When::Always,
    overriding: Overriding::Allowed,
    needs: &[Question::CertificateEnds],
    title: "Certificates are valid beyond the upgrade",
    description: "A certificate that runs out while servers are restarted one by one keeps members from joining and replicas from their sources: what is connected stays, what reconnects does not.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::CertificateEnds, |row, _| {
        Some(Verdict::new(
            Level::Warning,
            format!("the server's certificate ends {}", row.detail),
            "put a new certificate in its place; ALTER INSTANCE RELOAD TLS",
        ))
    })
}
