//! `refit config --pins`: the defaults that Refit has pinned; members that have the same in the same place together.

use super::table::{Cell, Paint, Table};
use super::{Style, clean};
use refit_proto::operator::{Configuration, PinView};

pub fn text(found: &Configuration, style: Style) -> String {
    let mut told: Vec<(Vec<&str>, &PinView)> = Vec::new();
    for member in &found.members {
        for pin in &member.pins {
            match told.iter_mut().find(|(_, first)| *first == pin) {
                Some((names, _)) => names.push(&member.name),
                None => told.push((vec![&member.name], pin)),
            }
        }
    }
    told.sort_by_key(|(_, pin)| &pin.variable);
    let mut out = String::new();
    if told.is_empty() {
        out.push_str("Refit has pinned nothing in the option files that could be read.\n");
    } else {
        out.push_str(&table(&told).text(style));
    }
    let mut lines: Vec<String> = Vec::new();
    for (names, pin) in &told {
        for note in &pin.notes {
            let line = format!("{} on {}: {note}", pin.variable, names.join(", "));
            lines.push(style.warn(&clean(&line)));
        }
    }
    for (_, pin) in told.iter().filter(|(_, pin)| shown(pin) == LATER) {
        let line = format!("{} at runtime: {}", pin.variable, pin.at_runtime);
        let line = clean(&line);
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    for member in &found.members {
        if let Some(why) = &member.unknown {
            let line = format!("{}: its pins are not known: {why}", member.name);
            lines.push(style.bad(&clean(&line)));
        }
    }
    if !lines.is_empty() {
        out.push_str(&format!("\n{}\n", lines.join("\n")));
    }
    if let Some((_, first)) = told.first() {
        out.push_str(&advice(
            &found.cluster,
            first,
            told.iter().any(|(_, pin)| !pin.needs_restart),
        ));
    }
    out
}

const LATER: &str = "see below";

fn shown(pin: &PinView) -> &'static str {
    match (pin.needs_restart, pin.at_runtime.as_str()) {
        (true, _) => "needs a restart",
        (false, "counts at once") => "at once",
        (false, _) => LATER,
    }
}

fn table(told: &[(Vec<&str>, &PinView)]) -> Table {
    let mut table = Table::new(&[
        "VARIABLE",
        "PINNED",
        "DEFAULT NOW",
        "SINCE",
        "UPGRADE",
        "AT RUNTIME",
        "MEMBERS",
        "PLACE",
    ]);
    for (names, pin) in told {
        let default = pin.default_now.as_deref().unwrap_or("worked out");
        table.row(vec![
            Cell::new(&pin.variable),
            Cell::new(&pin.value),
            Cell::new(default),
            Cell::new(&pin.written),
            Cell::new(format!("{} to {}", pin.from, pin.to)),
            Cell::new(shown(pin)).paint(if pin.needs_restart {
                Paint::Dim
            } else {
                Paint::Plain
            }),
            Cell::new(names.join(", ")),
            Cell::new(format!("{}:{}", pin.file, pin.line)),
        ]);
    }
    table
}

/// What to type next.
fn advice(cluster: &str, first: &PinView, any_at_runtime: bool) -> String {
    let (cluster, name) = (clean(cluster), clean(&first.variable));
    let mut out = format!(
        "\nNext:  refit plan {cluster} --release {name}                      (names with commas between; servers are restarted)\n       \
         refit plan {cluster} --target VERSION --release {name}     (within an upgrade)\n"
    );
    if any_at_runtime {
        out.push_str(
            "To try a new default first, where it counts at runtime: SET GLOBAL name = DEFAULT on a server; the pin sets it back at the \
             next start.\n",
        );
    }
    out
}
