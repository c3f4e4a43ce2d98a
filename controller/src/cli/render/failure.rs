//! A failure: what happened, what is still safe, what to type next.

use super::{Style, clean};
use crate::cli::failure::Failure;

pub fn text(failure: &Failure, style: Style) -> String {
    let code = match &failure.code {
        Some(code) => style.dim(&format!(" [{code}]")),
        None => String::new(),
    };
    let mut out = format!("{} {}{code}\n", style.bad("error:"), clean(&failure.what));
    for reason in &failure.reasons {
        out.push_str(&format!("  - {}\n", clean(reason)));
    }
    if !failure.safe.is_empty() {
        out.push_str(&format!(
            "{}  {}\n",
            style.bold("safe:"),
            clean(&failure.safe)
        ));
    }
    for (at, command) in failure.next.iter().enumerate() {
        let label = if at == 0 { "next:" } else { "     " };
        out.push_str(&format!("{}  {}\n", style.bold(label), clean(command)));
    }
    out
}
