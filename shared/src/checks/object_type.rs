//! What kind of object a finding is about, in MySQL Shell's words.
//!
//! Source: MySQL Shell, `upgrade_checker/common.h` (`Upgrade_issue::type_to_string`). The Shell knows one server, and nothing of hosts:
//! members, clusters, packages and programs have no type.

use super::Finding;

/// What the objects of a check are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Objects {
    /// Always this.
    Are(&'static str),
    /// `schema`, `schema.table` or `schema.table.column`.
    ByParts,
    /// Routines, triggers, events and views: the description says which.
    Stored,
}

use Objects::{Are, ByParts, Stored};

/// By check, those that speak of anything within a server.
const TYPES: &[(&str, Objects)] = &[
    ("authMethodUsage", Are("User")),
    ("changedFunctionsInGeneratedColumns", Are("Column")),
    ("checkTableCommand", Are("Table")),
    ("circularDirectory", Are("Tablespace")),
    ("columnDefinition", Are("Column")),
    ("columnsWhichCannotHaveDefaults", Are("Column")),
    ("deprecatedDefaultAuth", Are("SystemVariable")),
    ("deprecatedRouterAuthMethod", Are("User")),
    ("deprecatedTemporalDelimiter", Are("Table")),
    ("dollarSignName", ByParts),
    ("emptyDotTableSyntax", Stored),
    ("encryptedTablespaces", Are("Tablespace")),
    ("engineMixup", Are("Table")),
    ("enumSetElementLength", Are("Column")),
    ("eventsFollow", Are("Event")),
    ("foreignKeyLength", Are("ForeignKey")),
    ("foreignKeyReferences", Are("ForeignKey")),
    ("ftsInTablename", Are("Table")),
    ("groupEngines", Are("Table")),
    ("groupPrimaryKeys", Are("Table")),
    ("groupbyAscSyntax", Stored),
    ("indexTooLarge", Are("Index")),
    ("innodbRowFormat", Are("Table")),
    ("instantRowVersions", Are("Table")),
    ("invalid57Names", ByParts),
    ("invalidEngineForeignKey", Are("ForeignKey")),
    ("invalidPrivileges", Are("User")),
    ("maxdbSqlModeFlags", Stored),
    ("mysqlSchema", Are("Table")),
    ("nonNativePartitioning", Are("Table")),
    ("obsoleteSqlModeFlags", Stored),
    ("oldGeometryTypes", Are("Column")),
    ("oldTemporal", Are("Column")),
    ("orphanedObjects", Stored),
    ("partitionedTablesInSharedTablespaces", Are("Table")),
    ("partitionsWithPrefixKeys", Are("Table")),
    ("persistedVariables", Are("SystemVariable")),
    ("pinRelease", Are("SystemVariable")),
    ("pluginUsage", Are("Plugin")),
    ("removedFunctions", Stored),
    ("removedStatements", Stored),
    ("reservedKeywords", ByParts),
    ("routineSyntax", Stored),
    ("schemaInconsistency", Are("Table")),
    ("spatialIndex", Are("Index")),
    ("sysVars", Are("SystemVariable")),
    ("sysVarsNewDefaults", Are("SystemVariable")),
    ("tablespaceStates", Are("Tablespace")),
    ("upgradeOption", Are("SystemVariable")),
    ("utf8mb3", ByParts),
    ("zeroDates", ByParts),
];

impl Finding {
    /// Empty where there is none, as the Shell has it. `hosts`: the names of members and of the cluster, which are no objects of a
    /// server.
    pub fn object_type(&self, hosts: &[&str]) -> &'static str {
        if hosts.contains(&self.object.as_str()) {
            return "";
        }
        let entry = TYPES.iter().find(|(check, _)| *check == self.check);
        match entry.map(|(_, objects)| *objects) {
            None => "",
            Some(Are(what)) => what,
            Some(ByParts) => by_parts(&self.object),
            Some(Stored) => {
                let told = self.description.to_ascii_lowercase();
                let kinds = [
                    ("trigger", "Trigger"),
                    ("event", "Event"),
                    ("view", "View"),
                    ("procedure", "Routine"),
                    ("function:", "Routine"),
                    ("column", "Column"),
                    ("index", "Index"),
                ];
                let found = kinds.iter().find(|(word, _)| told.contains(word));
                found.map_or("Routine", |(_, what)| what)
            }
        }
    }
}

fn by_parts(object: &str) -> &'static str {
    match object.split('.').count() {
        1 => "Schema",
        2 => "Table",
        _ => "Column",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{ALL, Level};

    #[test]
    fn every_entry_is_a_check_and_none_twice() {
        let names: Vec<&str> = TYPES.iter().map(|(check, _)| *check).collect();
        assert!(names.is_sorted_by(|a, b| a < b));
        for name in names {
            assert!(ALL.iter().any(|check| check.id == name), "{name}");
        }
    }

    #[test]
    fn types_are_those_of_the_shell() {
        let finding = |check: &str, object: &str, description: &str| Finding {
            check: check.to_owned(),
            level: Level::Error,
            object: object.to_owned(),
            description: description.to_owned(),
            fix: String::new(),
        };
        for (check, object, description, expected) in [
            ("oldTemporal", "shop.t.c", "", "Column"),
            ("utf8mb3", "shop", "", "Schema"),
            ("utf8mb3", "shop.t.c", "", "Column"),
            ("utf8mb3", "db1", "could not be read", ""),
            ("routineSyntax", "shop.p", "procedure: rank", "Routine"),
            ("routineSyntax", "shop.p", "trigger: rank", "Trigger"),
            ("diskSpace", "db2", "", ""),
        ] {
            let one = finding(check, object, description);
            assert_eq!(one.object_type(&["db1", "db2", "c"]), expected, "{check}");
        }
    }
}
