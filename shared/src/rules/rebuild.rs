//! Which tables a server can rebuild by itself, and the space that it takes. Source: MySQL manual, "Online DDL Space Requirements",
//! "Online DDL Operations"; MYSQL.md §3.8.

use crate::table::TableFacts;

const MIB: f64 = 1_048_576.0;

/// Why this table can't be rebuilt on a server by itself. `serves`: clients write to it meanwhile.
pub fn hindrance(table: &TableFacts, serves: bool) -> Option<String> {
    match table {
        TableFacts::Missing => Some("is not there".to_owned()),
        TableFacts::NotBase(kind) => Some(format!("is a {kind}")),
        TableFacts::Base { engine, .. } if engine != "InnoDB" => {
            Some(format!("is of engine {engine}, not InnoDB"))
        }
        TableFacts::Base { locks: true, .. } if serves => Some(
            "has a FULLTEXT or SPATIAL index: its rebuild would lock out all who write to it here"
                .to_owned(),
        ),
        TableFacts::Base { .. } => None,
    }
}

/// A rebuild writes the table anew beside the old one, and what others write to it meanwhile.
fn needed(bytes: u64) -> u64 {
    bytes.saturating_add(bytes / 4).saturating_add(64 << 20)
}

/// Why there is not space enough for the largest of the tables, which are rebuilt one after the other.
pub fn too_little_space(largest: u64, free: u64) -> Option<String> {
    let needs = needed(largest);
    (free < needs).then(|| {
        format!(
            "the largest of these tables needs {:.0} MiB beside itself while it is rebuilt, and {:.0} MiB are free",
            needs as f64 / MIB,
            free as f64 / MIB
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_is_for_the_copy_a_quarter_more_and_a_rest() {
        let table = 800 << 20;
        assert_eq!(too_little_space(table, 1064 << 20), None);
        let why = too_little_space(table, (1064 << 20) - 1).unwrap();
        assert!(why.contains("needs 1064 MiB"), "{why}");
        assert!(too_little_space(u64::MAX, u64::MAX - 1).is_some());
    }
}
