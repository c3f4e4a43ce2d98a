//! `mysqld-auto.cnf`: what SET PERSIST wrote. It beats option files and the command line (tried with 9.7.4); what of it was removed
//! in the server's version is silently ignored.
//!
//! Source: MySQL manual, "Persisted System Variables"; files written by 8.0 (`"Version": 1`) and 8.4, 9.7 (`"Version": 2`).

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersistedSetting {
    pub name: String,
    pub value: String,
}

/// A file that is not as mysqld writes it. mysqld would not start with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("mysqld-auto.cnf is not as mysqld writes it: {0}")]
pub struct NotPersisted(pub String);

/// Reads the file; values of secrets are masked.
pub fn parse(text: &[u8]) -> Result<Vec<PersistedSetting>, NotPersisted> {
    let value: Value = serde_json::from_slice(text).map_err(|e| NotPersisted(e.to_string()))?;
    if !value.is_object() {
        return Err(NotPersisted("it is no JSON object".to_owned()));
    }
    let mut found = Vec::new();
    collect(&value, &mut found);
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// Entries are `"name": {"Value": …, "Metadata": …}`, some levels deep.
fn collect(value: &Value, found: &mut Vec<PersistedSetting>) {
    let Some(object) = value.as_object() else {
        return;
    };
    for (name, inner) in object {
        match inner.get("Value") {
            Some(value) => {
                let text = match value {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                let secret = super::mask::is_secret(name);
                found.push(PersistedSetting {
                    name: name.clone(),
                    value: if secret {
                        super::mask::MASK.to_owned()
                    } else {
                        text
                    },
                });
            }
            None => collect(inner, found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        let second = r#"{"Version": 2, "mysql_static_variables": {"group_replication_start_on_boot": {"Value": "ON", "Metadata": {"User": "root"}}}, "mysql_dynamic_variables": {"mysqlx_max_connections": {"Value": "9"}, "replica_password": {"Value": "hunter2"}}}"#;
        let first = r#"{ "Version" : 1 , "mysql_server" : { "max_connections" : { "Value" : "200" , "Metadata" : { "Timestamp" : 1 } } , "mysql_server_static_options" : { "back_log" : { "Value" : "5" , "Metadata" : {} } } } }"#;
        let names = |text: &str| {
            let read = parse(text.as_bytes()).unwrap();
            read.into_iter()
                .map(|s| format!("{}={}", s.name, s.value))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            names(second),
            [
                "group_replication_start_on_boot=ON",
                "mysqlx_max_connections=9",
                "replica_password=********"
            ]
        );
        assert_eq!(names(first), ["back_log=5", "max_connections=200"]);
        for text in ["", "{", "[]", "3"] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
