//! The freeze of schemas and accounts while versions differ. Nobody is kept from breaking it, but who does is told of.
//!
//! A statement on a source that one of two versions does not know stops the appliers of the other (MYSQL.md §3.2); the MySQL manual
//! asks for no schema changes while a topology is upgraded ("Upgrading or Downgrading a Replication Topology"). What is told comes
//! from statement digests: statements of a server that keeps none, or of one whose digest table is full, are not seen.

use super::Plan;
use crate::observation::SchemaStatement;
use crate::rules::releases::Date;
use crate::topology::Sighting;

/// So many statements of one server are told, and so many characters of each.
const TOLD: usize = 3;
const LENGTH: usize = 120;

/// What has been run on frozen servers since that moment (milliseconds since 1970), or can't be seen; a line each server. A server that
/// does not answer is silent here: whether it must answer is for conditions to say.
pub fn broken(plan: &Plan, seen: &Sighting, since_unix_ms: i64) -> Vec<String> {
    let mut lines = Vec::new();
    for member in &plan.frozen {
        let Ok(server) = seen.server(member) else {
            continue;
        };
        match server.schema_statements.require() {
            Ok(statements) => {
                let mut late = statements
                    .iter()
                    .filter(|statement| statement.last_unix_ms >= since_unix_ms);
                let told: Vec<String> = late.by_ref().take(TOLD).map(one).collect();
                let more = match late.count() {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                if !told.is_empty() {
                    lines.push(format!(
                        "schemas and accounts of {member} are to be left alone, but there was {}{more}",
                        told.join(", ")
                    ));
                }
            }
            Err(why) => lines.push(format!(
                "can't tell whether schemas and accounts of {member} are left alone: {why}"
            )),
        }
    }
    lines
}

fn one(statement: &SchemaStatement) -> String {
    // Digests have one word for two tokens of the server's grammar.
    let whole = statement.text.replacen(" SYSTEM_USER ", " USER ", 1);
    let mut text: String = whole.chars().take(LENGTH).collect();
    if text.len() < whole.len() {
        text.push('…');
    }
    let within = match &statement.schema {
        Some(schema) => format!("in {schema}, "),
        None => String::new(),
    };
    format!("{text} ({within}{})", moment(statement.last_unix_ms))
}

fn moment(unix_ms: i64) -> String {
    let second = unix_ms.div_euclid(1000).rem_euclid(86_400);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let day = Date::of_unix_ms(unix_ms);
    format!("{day} {hour:02}:{minute:02}:{second:02} UTC")
}
