//! Tablespaces that are encrypted.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;

pub const CHECK: Check = Check {
    id: "encryptedTablespaces",
    level: Level::Notice,
    reference: Reference {
        source: "MySQL manual, \"InnoDB Data-at-Rest Encryption\"; keyring plugins are gone from 8.4 on (MYSQL.md §4.5)",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/innodb-data-encryption.html"),
    },
    applies: When::SeriesChanges,
    overriding: Overriding::Allowed,
    needs: &[Question::EncryptedTablespaces],
    title: "Encryption keys come along",
    description: "A new mysqld opens encrypted tablespaces only with the same keyring: its component and the manifest beside mysqld, or in the data directory, must be there when it first starts. The manual advises a new master key before an upgrade. Keyring plugins that are gone are told by pluginUsage.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::EncryptedTablespaces, |_, _| {
        Some(Verdict::new(Level::Notice, "is encrypted", "before the upgrade: ALTER INSTANCE ROTATE INNODB MASTER KEY; and see that the new version has the keyring component that performance_schema.keyring_component_status names"))
    })
}
