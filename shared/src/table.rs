//! A table of the operator's, by its schema and name: what `refit plan --tables` is given. And what a server says of it.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// MySQL manual, "Identifier Length Limits": characters of a schema's or a table's name.
const LONGEST: usize = 64;
/// Their tables are the server's own: it upgrades them by itself.
const SYSTEM_SCHEMAS: [&str; 5] = [
    "mysql",
    "information_schema",
    "performance_schema",
    "sys",
    "ndbinfo",
];

/// `shop.orders`: written without quotes, so a name with a dot in it can't be given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TableName {
    schema: String,
    table: String,
}

/// Why a text names no table that may be rebuilt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTable {
    #[error("{0:?} is not SCHEMA.TABLE, as in shop.orders, without quotes")]
    Form(String),
    #[error("{text:?}: {part:?} is longer than {LONGEST} characters")]
    Long { text: String, part: String },
    #[error("{0:?} belongs to the server itself: it upgrades its own tables when it starts")]
    System(String),
}

impl TableName {
    pub fn schema(&self) -> &str {
        &self.schema
    }

    pub fn table(&self) -> &str {
        &self.table
    }

    /// As an identifier in a statement, whatever is in it.
    pub fn quoted(&self) -> String {
        let part = |name: &str| format!("`{}`", name.replace('`', "``"));
        format!("{}.{}", part(&self.schema), part(&self.table))
    }
}

/// MySQL manual, "Schema Object Names": no NUL, and no space at the end. Control characters and commas are left to nobody.
fn is_name(part: &str) -> bool {
    let bad = |c: char| c.is_control() || c == ',';
    !part.is_empty() && part.trim() == part && !part.contains(bad)
}

impl FromStr for TableName {
    type Err = InvalidTable;
    fn from_str(text: &str) -> Result<Self, InvalidTable> {
        let form = || InvalidTable::Form(text.to_owned());
        let (schema, table) = text.split_once('.').ok_or_else(form)?;
        if table.contains('.') || !is_name(schema) || !is_name(table) {
            return Err(form());
        }
        if let Some(part) = [schema, table]
            .into_iter()
            .find(|part| part.chars().count() > LONGEST)
        {
            return Err(InvalidTable::Long {
                text: text.to_owned(),
                part: part.to_owned(),
            });
        }
        if SYSTEM_SCHEMAS.contains(&schema.to_lowercase().as_str()) {
            return Err(InvalidTable::System(text.to_owned()));
        }
        Ok(Self {
            schema: schema.to_owned(),
            table: table.to_owned(),
        })
    }
}

impl TryFrom<String> for TableName {
    type Error = InvalidTable;
    fn try_from(text: String) -> Result<Self, InvalidTable> {
        text.parse()
    }
}

impl From<TableName> for String {
    fn from(name: TableName) -> Self {
        name.to_string()
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.table)
    }
}

/// A table as a server's dictionary has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableFacts {
    Missing,
    /// A view or the like: `VIEW`, `SYSTEM VIEW`.
    NotBase(String),
    Base {
        engine: String,
        /// Data and indexes.
        bytes: u64,
        /// It has a FULLTEXT or SPATIAL index: others can't write while it is rebuilt.
        locks: bool,
    },
}

/// `shop.orders, shop.items`, for people.
pub fn listed(tables: &[TableName]) -> String {
    let names: Vec<String> = tables.iter().map(ToString::to_string).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_and_quoted() {
        for (text, quoted) in [
            ("shop.orders", "`shop`.`orders`"),
            ("shop.Order items", "`shop`.`Order items`"),
            ("a`b.c``; DROP", "`a``b`.`c````; DROP`"),
            ("läden.größe", "`läden`.`größe`"),
        ] {
            let name: TableName = text.parse().unwrap();
            assert_eq!(name.quoted(), quoted);
            assert_eq!(name.to_string(), text);
        }
    }

    #[test]
    fn what_names_no_table_of_the_operators_is_refused() {
        let long = format!("shop.{}", "x".repeat(65));
        for (text, why) in [
            ("orders", "SCHEMA.TABLE"),
            ("shop.", "SCHEMA.TABLE"),
            (".orders", "SCHEMA.TABLE"),
            ("a.b.c", "SCHEMA.TABLE"),
            ("shop.orders ", "SCHEMA.TABLE"),
            ("shop.or\nders", "SCHEMA.TABLE"),
            (long.as_str(), "longer than 64"),
            ("mysql.user", "the server itself"),
            ("SYS.sys_config", "the server itself"),
        ] {
            let error = text.parse::<TableName>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
