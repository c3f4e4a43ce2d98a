//! `refit config`: what the option files should be, as a unified diff; members with the same proposal together.

use super::{Style, clean};
use refit_proto::operator::{Configuration, MemberConfig};

pub fn text(found: &Configuration, style: Style) -> String {
    let mut out = String::new();
    let mut told: Vec<(Vec<&MemberConfig>, &MemberConfig)> = Vec::new();
    for member in &found.members {
        match told.iter_mut().find(|(_, first)| alike(first, member)) {
            Some((all, _)) => all.push(member),
            None => told.push((vec![member], member)),
        }
    }
    for (all, one) in told {
        let names: Vec<String> = all
            .iter()
            .map(|member| match &member.version {
                Some(version) => format!("{} ({})", clean(&member.name), clean(version)),
                None => clean(&member.name),
            })
            .collect();
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&format!(
            "# {} to {}\n",
            style.bold(&names.join(", ")),
            style.bold(&clean(&found.target))
        ));
        if let Some(why) = &one.unknown {
            let line = format!("nothing can be said of its option files: {}", clean(why));
            out.push_str(&format!("# {}\n", style.bad(&line)));
            continue;
        }
        for file in &one.files {
            out.push_str(&painted(&file.diff, style));
        }
        if one.files.is_empty() {
            out.push_str("# nothing is to be changed\n");
        }
        list(&mut out, &style.bad("for a person"), &one.for_a_person);
        list(&mut out, &style.dim("only warned of"), &one.harmless);
    }
    out
}

/// The same is to be done.
fn alike(a: &MemberConfig, b: &MemberConfig) -> bool {
    let changes = |member: &MemberConfig| -> Vec<String> {
        member.files.iter().map(|file| file.diff.clone()).collect()
    };
    (&a.unknown, changes(a), &a.for_a_person, &a.harmless)
        == (&b.unknown, changes(b), &b.for_a_person, &b.harmless)
}

fn list(out: &mut String, what: &str, lines: &[String]) {
    for line in lines {
        out.push_str(&format!("# {what}: {}\n", clean(line)));
    }
}

fn painted(diff: &str, style: Style) -> String {
    let line = |line: &str| {
        // A diff that is to be applied keeps its tabs.
        let plain = line.split('\t').map(clean).collect::<Vec<_>>().join("\t");
        let shown = match plain.as_bytes() {
            [b'-', b'-', b'-', ..] | [b'+', b'+', b'+', ..] => style.bold(&plain),
            [b'-', ..] => style.bad(&plain),
            [b'+', ..] => style.good(&plain),
            [b'@', ..] => style.dim(&plain),
            _ => plain,
        };
        format!("{shown}\n")
    };
    diff.lines().map(line).collect()
}
