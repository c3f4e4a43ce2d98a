//! `refit rehearse`: what the target's mysqld did on the clone.

use super::time::{moment, span};
use super::{Style, clean};
use refit_shared::observation::SnapshotMethod;
use refit_shared::rehearsal::Rehearsal;

pub fn text(found: &Rehearsal, member: &str, style: Style) -> String {
    let from = found
        .from
        .map_or_else(|| "unknown".to_owned(), |version| version.to_string());
    let mut out = format!(
        "{}: {from} to {}, rehearsed on {}\n",
        style.bold(&clean(member)),
        style.bold(&found.target.to_string()),
        moment(found.at_unix_ms)
    );
    let how = match found.method {
        SnapshotMethod::BtrfsSubvolume => "a btrfs snapshot",
        SnapshotMethod::Reflink => "shared blocks",
        SnapshotMethod::Copy => "a full copy",
    };
    let mut fact = |name: &str, value: String| out.push_str(&format!("  {name:<20} {value}\n"));
    fact(
        "data",
        format!("{}, {how}, {}", clean(&found.data), span(found.cloned.0)),
    );
    if let Some(recovered) = found.recovered {
        let value = format!(
            "{} by the installed mysqld, stopped cleanly",
            span(recovered.0)
        );
        fact("recovered", value);
    }
    match &found.refused {
        Some(why) => fact(
            "start",
            format!(
                "{} after {}: {}",
                style.bad("REFUSED"),
                span(found.started.0),
                clean(why)
            ),
        ),
        None => fact("start", format!("ready after {}", span(found.started.0))),
    }
    let phase = |time: Option<_>| {
        time.map_or_else(
            || "not upgraded".to_owned(),
            |time: refit_shared::observation::Seconds| span(time.0),
        )
    };
    fact("data dictionary", phase(found.dictionary));
    fact("system tables", phase(found.system_tables));
    let memory = found.peak_memory_bytes;
    fact(
        "peak memory",
        memory.map_or_else(
            || "could not be read".to_owned(),
            |bytes| format!("{} MiB", bytes >> 20),
        ),
    );
    if found.tables_opened + found.views_opened > 0 {
        let opened = format!(
            "{} tables, {} views; {} can't be read any more",
            found.tables_opened,
            found.views_opened,
            found.broken.len()
        );
        fact("opened", opened);
    }
    let mut list = |title: String, lines: &[String]| {
        if !lines.is_empty() {
            out.push_str(&format!("{title}\n"));
            for line in lines {
                out.push_str(&format!("  {}\n", clean(line)));
            }
        }
    };
    list(style.bad("Can't be read any more"), &found.broken);
    list(
        style.warn("Could not be read before either"),
        &found.broken_before,
    );
    list(style.bold("Its error log"), &found.lines);
    list(style.dim("Not looked at"), &found.limits);
    let verdict = if found.passed() {
        style.good("PASSED")
    } else {
        style.bad("FAILED")
    };
    out.push_str(&format!(
        "{verdict}  The clone has been removed; {} was only read.\n",
        clean(&found.data)
    ));
    out
}
