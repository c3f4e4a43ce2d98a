//! What the server itself says of its tables, where a person has asked for it.

use super::listed::{Verdict, together};
use super::rebuilds::Remedy;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::ids::MemberName;
use crate::survey::{Question, Row};
use std::collections::BTreeMap;

pub const CHECK: Check = Check {
    id: "checkTableCommand",
    level: Level::Error,
    reference: Reference {
        source: "MySQL manual, \"CHECK TABLE Statement\"; MySQL Shell runs it always, on all tables (MYSQL.md §5.1)",
        link: Some("https://dev.mysql.com/doc/refman/9.7/en/check-table.html"),
    },
    applies: When::Rule("only with --check-tables", |_| true),
    overriding: Overriding::Allowed,
    needs: &[Question::CheckedTables],
    title: "CHECK TABLE … FOR UPGRADE finds nothing",
    description: "The running server opens every table and looks for what a later version can't take; where it finds something it reads the whole table. That takes disk and memory from a server that serves, so it is done only with --check-tables, smallest table first, within a limit of time and of size.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

/// What is to be rebuilt for it.
pub(super) const REMEDY: Remedy = Remedy {
    check: &CHECK,
    question: Question::CheckedTables,
    why: |row| asks_for_rebuild(row).then(|| row.detail.clone()),
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let answers = subject.answers(&CHECK, Question::CheckedTables, &mut found);
    // The whole question may be refused, too.
    for one in found
        .iter_mut()
        .filter(|one| refused_read_only(&one.description))
    {
        *one = not_asked(&one.object);
    }
    let mut told: BTreeMap<(Verdict, String), Vec<&MemberName>> = BTreeMap::new();
    for (name, _, listing) in &answers {
        let (of_all, of_tables): (Vec<&Row>, Vec<&Row>) =
            listing.rows.iter().partition(|row| row.name.is_empty());
        if of_tables.iter().any(|row| refused_read_only(&row.detail)) {
            found.push(not_asked(name.as_str()));
        }
        for row in of_tables.iter().filter(|row| !is_answered(row, &of_tables)) {
            let object = format!("{}.{}", row.schema, row.name);
            told.entry((judge(row), object)).or_default().push(name);
        }
        for row in of_all {
            let fix = "for tables that were left out: CHECK TABLE … FOR UPGRADE by hand, or `refit rehearse`";
            found.push(CHECK.finding(Level::Notice, name, row.detail.clone(), fix));
        }
    }
    found.extend(together(&CHECK, told, answers.len()));
    found
}

/// ER_TABLE_NEEDS_UPGRADE (of engines that have REPAIR) and ER_TABLE_NEEDS_REBUILD: the server has no numbers here. What it says of
/// damage is not mended so.
fn asks_for_rebuild(row: &Row) -> bool {
    row.part.eq_ignore_ascii_case("error")
        && ["Table upgrade required", "Table rebuild required"]
            .iter()
            .any(|begin| row.detail.starts_with(begin))
        && !asks_for_dump(row)
}

/// HA_ADMIN_NEEDS_DUMP_UPGRADE: columns of before 5.0, which a rebuild would take over as they are.
fn asks_for_dump(row: &Row) -> bool {
    row.detail.contains("Please dump/reload")
}

/// ER_CHECK_NOT_IMPLEMENTED.
fn is_not_for_its_engine(row: &Row) -> bool {
    row.detail
        .starts_with("The storage engine for the table doesn't support")
}

/// Error 1290 of a server that is super_read_only: CHECK TABLE counts as a write.
fn refused_read_only(text: &str) -> bool {
    text.contains("--super-read-only") || text.contains("super_read_only")
}

fn not_asked(member: &str) -> Finding {
    CHECK.finding(
        Level::Notice,
        member,
        "not asked, because the server is super_read_only",
        "ask the member that takes writes, which has the same tables; or `refit rehearse` on this one",
    )
}

/// Told in its `Msg_text` only: error 1205 of a table that somebody has locked.
fn is_locked(row: &Row) -> bool {
    row.detail.starts_with("Lock wait timeout exceeded")
}

/// Says nothing of the table: it is well, the server could not be asked, or it only ends what another row has told.
fn is_answered(row: &Row, all: &[&Row]) -> bool {
    const FAILED: &str = "Operation failed";
    let told = |other: &&&Row| {
        (&other.schema, &other.name) == (&row.schema, &row.name) && other.detail != FAILED
    };
    let ends = || row.detail == FAILED && all.iter().any(|other| told(&other));
    row.detail == "Table is already up to date" || refused_read_only(&row.detail) || ends()
}

/// `part`: the message's type, as the server gives it.
fn judge(row: &Row) -> Verdict {
    if is_locked(row) {
        return Verdict::new(
            Level::Notice,
            "not checked: somebody had locked it",
            "check again when it is not locked",
        );
    }
    // A status that is not "OK" says that the server could not tell: that is as bad as what is looked for.
    let level = match row.part.to_ascii_lowercase().as_str() {
        "error" | "status" => Level::Error,
        "warning" => Level::Warning,
        _ => Level::Notice,
    };
    let table = row.quoted();
    let fix = if asks_for_rebuild(row) {
        format!("ALTER TABLE {table} FORCE, or as the message says; then check again")
    } else if asks_for_dump(row) {
        format!(
            "dump it and load it again (a rebuild keeps what is wrong): mysqldump, DROP TABLE {table}, load; then check again"
        )
    } else if is_not_for_its_engine(row) {
        "nothing is known of it: `refit rehearse` opens it with the target".to_owned()
    } else if level == Level::Notice {
        "as the message says; then check again".to_owned()
    } else {
        "look into the error log; a damaged table is put right from another member or a backup, not by a rebuild; then check again"
            .to_owned()
    };
    Verdict::new(
        level,
        format!("CHECK TABLE … FOR UPGRADE: {}", row.detail),
        fix,
    )
}
