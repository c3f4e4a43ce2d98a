//! `refit check --list`: what this version of Refit can judge, and by which rule.

use super::Style;
use super::table::{Cell, Paint, Table};
use refit_shared::checks::{ALL, Check, Level, Overriding};
use serde_json::{Value, json};

pub fn text(style: Style) -> String {
    let mut table = Table::new(&["ID", "WORST", "APPLIES", "OVERRIDE", "RULE FROM"]);
    for check in ALL {
        let level = Cell::new(check.level.to_string()).paint(match check.level {
            Level::Error => Paint::Bad,
            Level::Warning => Paint::Warn,
            Level::Notice => Paint::Plain,
        });
        let overriding = match check.overriding {
            Overriding::Allowed => Cell::new("with a reason"),
            Overriding::Refused(_) => Cell::new("never").paint(Paint::Dim),
        };
        table.row(vec![
            Cell::new(check.id),
            level,
            Cell::new(check.applies.to_string()),
            overriding,
            Cell::new(check.reference.source).paint(Paint::Dim),
        ]);
    }
    table.text(style)
}

pub fn json() -> Value {
    let one = |check: &Check| {
        let refused = match check.overriding {
            Overriding::Allowed => None,
            Overriding::Refused(why) => Some(why),
        };
        json!({
            "id": check.id,
            "title": check.title,
            "description": check.description,
            "level": check.level,
            "applies": check.applies.to_string(),
            "source": check.reference.source,
            "documentationLink": check.reference.link,
            "mayOverride": refused.is_none(),
            "whyNoOverride": refused,
        })
    };
    Value::Array(ALL.iter().map(one).collect())
}
