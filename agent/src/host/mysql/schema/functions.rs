//! Objects that call functions which some version removed.

use super::text::Look;
use super::{ANY, Ask, Query, SEE_CODE, SEE_TABLES, SEE_VIEWS};
use refit_shared::rules::removed_functions::REMOVED;
use refit_shared::survey::Question;
use refit_shared::version::MysqlVersion;

/// The name as a word of its own, perhaps in backticks, before an opening parenthesis.
pub(super) fn expression() -> String {
    let names: Vec<&str> = REMOVED.iter().map(|function| function.name).collect();
    format!("'(^|[^a-z0-9_$])({})[`]?[[:space:]]*[(]'", names.join("|"))
}

const fn calls(
    question: Question,
    since: MysqlVersion,
    privileges: &'static [&'static str],
    columns: [&'static str; 5],
    from: &'static str,
) -> Query {
    Query {
        question,
        since,
        privileges,
        ask: Ask::Text(columns, from, Look::Calls),
    }
}

pub(super) const QUERIES: &[Query] = &[
    calls(
        Question::FunctionsInGeneratedColumns,
        ANY,
        SEE_TABLES,
        [
            "table_schema",
            "table_name",
            "column_name",
            "IF(extra LIKE '%STORED%', 'STORED ', 'VIRTUAL ')",
            "generation_expression",
        ],
        "FROM information_schema.columns WHERE generation_expression <> '' AND LOWER(generation_expression) REGEXP {call} \
         AND table_schema {user}",
    ),
    calls(
        Question::FunctionsInIndexes,
        MysqlVersion::new(8, 0, 13),
        SEE_TABLES,
        [
            "table_schema",
            "table_name",
            "index_name",
            "''",
            "expression",
        ],
        "FROM information_schema.statistics WHERE expression IS NOT NULL AND LOWER(expression) REGEXP {call} AND table_schema {user}",
    ),
    calls(
        Question::FunctionsInDefaults,
        MysqlVersion::new(8, 0, 13),
        SEE_TABLES,
        [
            "table_schema",
            "table_name",
            "column_name",
            "''",
            "column_default",
        ],
        "FROM information_schema.columns WHERE extra LIKE '%DEFAULT_GENERATED%' AND LOWER(column_default) REGEXP {call} \
         AND table_schema {user}",
    ),
    calls(
        Question::FunctionsInChecks,
        MysqlVersion::new(8, 0, 16),
        SEE_TABLES,
        [
            "c.constraint_schema",
            "t.table_name",
            "c.constraint_name",
            "''",
            "c.check_clause",
        ],
        "FROM information_schema.check_constraints c JOIN information_schema.table_constraints t \
         USING (constraint_schema, constraint_name) WHERE t.constraint_type = 'CHECK' AND LOWER(c.check_clause) REGEXP {call} \
         AND c.constraint_schema {user}",
    ),
    calls(
        Question::FunctionsInViews,
        ANY,
        SEE_VIEWS,
        [
            "table_schema",
            "table_name",
            "''",
            "'view: '",
            "view_definition",
        ],
        "FROM information_schema.views WHERE LOWER(view_definition) REGEXP {call} AND table_schema {user}",
    ),
    calls(
        Question::FunctionsInCode,
        ANY,
        SEE_CODE,
        ["s", "n", "''", "k", "d"],
        "FROM {code} code WHERE s {user} AND (d IS NULL OR LOWER(d) REGEXP {call})",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expression_names_every_function() {
        let expression = expression();
        for function in REMOVED {
            assert!(expression.contains(function.name), "{expression}");
        }
    }
}
