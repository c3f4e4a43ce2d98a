//! `refit path`: each hop, how it can be made and how it is undone.

use super::Style;
use refit_shared::rules::path::{Path, PathHop, WayBack};
use refit_shared::rules::upgrade_path::Hop;
use serde_json::{Value, json};

pub fn text(path: &Path, style: Style) -> String {
    let (from, to) = (path.from, path.to);
    let count = path.hops.len();
    let mut out = match path.hops.first().map(|hop| hop.hop) {
        None => format!("{from} and {to}: nothing to do.\n"),
        Some(Hop::PatchDown) => format!("{from} to {to}: a downgrade, in one hop.\n"),
        Some(_) if count == 1 => format!("{from} to {to}: in one hop.\n"),
        Some(_) => format!("{from} to {to}: in {count} hops.\n"),
    };
    if let Some(refused) = &path.not_direct {
        out.push_str(&format!("Not in one: {refused}\n"));
    }
    for (number, hop) in path.hops.iter().enumerate() {
        let title = format!("{} to {}", hop.from, hop.to);
        out.push_str(&format!("\n{}. {}\n", number + 1, style.bold(&title)));
        out.push_str(&one(hop));
    }
    if count > 1 {
        out.push_str("\nFinish each hop on every member of a topology before the next: at most two versions may replicate from each other.\n");
    }
    out
}

fn one(hop: &PathHop) -> String {
    let mut out = String::new();
    let open: Vec<&str> = hop
        .methods
        .iter()
        .filter(|method| method.refused.is_none())
        .map(|method| method.kind.as_str())
        .collect();
    out.push_str(&format!("   by:       {}\n", open.join(", ")));
    for method in &hop.methods {
        if let Some(why) = &method.refused {
            out.push_str(&format!("   not by:   {}: {why}\n", method.kind.as_str()));
        }
    }
    let back = match &hop.way_back {
        WayBack::InPlace => "the old packages again, on the same data".to_owned(),
        WayBack::CopyOnly { why } => format!("only a copy of the data made before: {why}"),
    };
    out.push_str(&format!("   way back: {back}\n"));
    for note in &hop.notes {
        out.push_str(&format!("   note:     {note}\n"));
    }
    out
}

pub fn json(path: &Path) -> Value {
    let hop = |hop: &PathHop| {
        json!({
            "from": hop.from.to_string(),
            "to": hop.to.to_string(),
            "hop": hop.hop,
            "methods": hop.methods,
            "wayBack": hop.way_back,
            "notes": hop.notes,
        })
    };
    json!({
        "from": path.from.to_string(),
        "to": path.to.to_string(),
        "notInOneHop": path.not_direct,
        "hops": path.hops.iter().map(hop).collect::<Vec<_>>(),
    })
}
