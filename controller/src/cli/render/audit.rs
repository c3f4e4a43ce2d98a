//! `refit audit`.

use super::table::{Cell, Paint, Table};
use super::{Style, time};
use refit_proto::operator::LineView;

pub fn text(lines: &[LineView], omitted: u64, with_rollout: bool, style: Style) -> String {
    if lines.is_empty() {
        return "The journal has no entries.\n".to_owned();
    }
    let mut out = String::new();
    if omitted > 0 {
        out.push_str(&format!(
            "{omitted} older lines are left out; name a rollout to see them\n"
        ));
    }
    let mut head = vec!["TIME", "SEQ", "EPOCH", "BY", "EVENT"];
    if with_rollout {
        head.insert(1, "ROLLOUT");
    }
    let mut table = Table::new(&head);
    for line in lines {
        let mut row = vec![
            Cell::new(time::moment(line.at_unix_ms)).paint(Paint::Dim),
            Cell::new(line.seq.to_string()).right(),
            Cell::new(line.epoch.to_string()).right(),
            Cell::new(line.by.as_deref().unwrap_or("-")),
            Cell::new(&line.text),
        ];
        if with_rollout {
            row.insert(1, Cell::new(&line.rollout));
        }
        table.row(row);
    }
    out.push_str(&table.text(style));
    out
}
