//! An option file that compares names otherwise than the data directory was made for.

use super::configured::NEEDS;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};

pub const CHECK: Check = Check {
    id: "lowerCaseTableNames",
    level: Level::Error,
    reference: Reference {
        source: "server error MY-011087, seen on real servers (MYSQL.md §4.3, §10 LCTN); MySQL manual, \"Identifier Case Sensitivity\"",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/identifier-case-sensitivity.html"),
    },
    applies: When::Always,
    overriding: Overriding::Refused("the new mysqld does not start"),
    needs: NEEDS,
    title: "Names are compared as they were",
    description: "lower_case_table_names is laid down when a data directory is made. Where an option file was changed since the last start, nobody has noticed yet: the next start is refused, and `mysqld --validate-config` does not see it.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

const VARIABLE: &str = "lower_case_table_names";
/// Of every server on Linux.
const DEFAULT: &str = "0";

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, server, settings) in subject.settings(&CHECK, &mut found) {
        let Some(runs) = server.variables.get(VARIABLE) else {
            found.push(CHECK.untold(name, VARIABLE, "the server did not tell it"));
            continue;
        };
        match settings.last(VARIABLE) {
            None if runs == DEFAULT => {}
            None => found.push(CHECK.warning(
                name,
                format!(
                    "runs with {VARIABLE}={runs}, and no option file says so to {}",
                    subject.target
                ),
                format!("unless its command line does: set {VARIABLE} = {runs} in its option file"),
            )),
            Some(line) => {
                // What is no number is none that a server runs with.
                let number = |text: &str| text.trim().parse::<u8>().ok();
                let value = line.value.as_deref();
                if value.and_then(number) != number(runs) {
                    let value = value.unwrap_or("(nothing)");
                    found.push(CHECK.error(
                        name,
                        format!(
                            "{VARIABLE}={value} in {}:{}, and it runs with {runs}: the next start is refused",
                            line.file, line.line
                        ),
                        format!("set it to {runs}"),
                    ));
                }
            }
        }
    }
    found
}
