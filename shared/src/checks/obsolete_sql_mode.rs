//! sql_mode flags that 8.0 no longer has.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "obsoleteSqlModeFlags",
    level: Level::Notice,
    reference: Reference {
        source: "MySQL Shell, obsoleteSqlModeFlags (MYSQL.md §5.1)",
        link: Some("https://dev.mysql.com/doc/refman/8.0/en/sql-mode.html"),
    },
    applies: When::Crosses(&[MysqlVersion::new(8, 0, 11)]),
    overriding: Overriding::Allowed,
    needs: &[Question::SqlModes],
    title: "Stored code was made with flags that exist",
    description: "The upgrade takes these flags away from stored code. In an option file they are fatal (MY-000077), which sysVars tells.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

const GONE: [&str; 10] = [
    "DB2",
    "MSSQL",
    "MYSQL323",
    "MYSQL40",
    "NO_AUTO_CREATE_USER",
    "NO_FIELD_OPTIONS",
    "NO_KEY_OPTIONS",
    "NO_TABLE_OPTIONS",
    "ORACLE",
    "POSTGRESQL",
];

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::SqlModes, |row, _| {
        let flags = row.detail.split(',').filter(|flag| GONE.contains(flag));
        let flags: Vec<&str> = flags.collect();
        (!flags.is_empty()).then(|| {
            Verdict::new(
                Level::Notice,
                format!("{} was made with sql_mode {}", row.part, flags.join(", ")),
                "nothing: the upgrade takes the flag away; see that the code does not need it",
            )
        })
    })
}
