//! Pins that are to be released: each is one that Refit wrote, and its members can go without it.

use super::configured::NEEDS;
use super::{
    ALSO_WITHOUT_UPGRADE, ANY_KIND, Check, Finding, Level, Overriding, Reference, Subject, When,
};
use crate::config::ConfigFiles;
use crate::config::pins::{self, Pin, set_elsewhere, variable};
use crate::ids::MemberName;
use crate::plan::Strategy;
use crate::rules::variables::defaults::Default;
use crate::rules::variables::removed;
use crate::rules::variables::together::{self, NEEDS as NEEDED};
use crate::version::MysqlVersion;
use std::collections::{BTreeMap, BTreeSet};

pub const CHECK: Check = Check {
    id: "pinRelease",
    level: Level::Error,
    reference: Reference {
        source: "the dated comments that Refit writes; MYSQL.md §2.6, §3.2: which variables members must not have differently",
        link: Some(
            "https://dev.mysql.com/doc/refman/9.7/en/group-replication-system-variables.html",
        ),
    },
    applies: When::Rule("only with --release", |_| true),
    overriding: Overriding::Refused(
        "the plan would not do what was asked for, or a member could not rejoin",
    ),
    needs: NEEDS,
    title: "Pins that are to be released can be",
    description: "A pin goes only where Refit wrote it and nobody has changed it since, where nothing else sets the variable, and where the members work together with the new default.",
    kinds: ANY_KIND,
    strategies: ALSO_WITHOUT_UPGRADE,
    run,
};

/// What one member's files have of the wanted pins.
struct Member<'a> {
    name: &'a MemberName,
    version: MysqlVersion,
    files: ConfigFiles,
    pins: Vec<Pin>,
}

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let names = &subject.policy.release;
    let mut found = Vec::new();
    if names.is_empty() {
        return found;
    }
    let list = format!(
        "`refit config {} --pins` lists the pins",
        subject.seen.cluster
    );
    let mut members = Vec::new();
    for (name, server) in subject.seen.servers() {
        match subject.seen.config(name) {
            Ok(files) => members.push(Member {
                name,
                version: server.version,
                pins: pins::named(&files, server.version, names),
                files,
            }),
            Err(why) => found.push(CHECK.untold(name, "the option files", &why)),
        }
    }
    let mut wanted: BTreeSet<&'static str> = BTreeSet::new();
    for (at, name) in names.iter().enumerate() {
        let place = format!("--release, name {}", at + 1);
        match variable(name) {
            None => found.push(CHECK.error(
                place,
                format!("{name}: no variable that Refit ever pins has this name"),
                &list,
            )),
            Some(entry) if !wanted.insert(entry.name) => {
                found.push(CHECK.error(place, format!("{name}: is given twice"), "give it once"))
            }
            Some(entry) => one(subject, entry, &place, &members, &list, &mut found),
        }
    }
    strategy(subject, &members, &mut found);
    found
}

/// One variable on all members.
fn one(
    subject: Subject<'_>,
    entry: &'static Default,
    place: &str,
    members: &[Member<'_>],
    list: &str,
    found: &mut Vec<Finding>,
) {
    let name = entry.name;
    let own = |member: &Member<'_>| -> Vec<Pin> {
        let pins = member.pins.iter().filter(|pin| pin.variable == name);
        pins.cloned().collect()
    };
    let (with, lacking): (Vec<&Member<'_>>, Vec<&Member<'_>>) =
        members.iter().partition(|member| !own(member).is_empty());
    if with.is_empty() {
        let set = members.iter().find_map(|member| {
            let (at, _) = set_elsewhere(&member.files, member.version, name, &[])?;
            Some(format!(
                "; on {} it is set in {at}, not by Refit",
                member.name
            ))
        });
        let told = format!(
            "{name}: is pinned by Refit on no member{}",
            set.unwrap_or_default()
        );
        found.push(CHECK.error(place, told, list));
        return;
    }
    for member in &with {
        let pins = own(member);
        for pin in pins.iter().filter(|pin| pin.is_changed()) {
            found.push(CHECK.error(
                format!("{}: {}", member.name, pin.place()),
                format!(
                    "{name} is {}, and Refit wrote {}: somebody has changed it since",
                    pin.value,
                    pin.wrote.unwrap_or("another value")
                ),
                "put Refit's value back, or take the line out by hand",
            ));
        }
        if let Some((at, _)) = set_elsewhere(&member.files, member.version, name, &pins) {
            let fix = if at == "mysqld-auto.cnf" {
                format!("RESET PERSIST {name};")
            } else {
                "take it out there first, or leave the pin".to_owned()
            };
            found.push(CHECK.error(
                member.name,
                format!(
                    "{name} is also set in {at}: without the pin its default would not be in force"
                ),
                fix,
            ));
        }
    }
    if !lacking.is_empty() {
        let names = |of: &[&Member<'_>]| {
            let names: Vec<&str> = of.iter().map(|m| m.name.as_str()).collect();
            names.join(", ")
        };
        let verb = if lacking.len() == 1 { "does" } else { "do" };
        found.push(CHECK.finding(
            Level::Notice,
            name,
            format!(
                "{} {verb} not have the pin: only {} is changed",
                names(&lacking),
                names(&with)
            ),
            "nothing to do",
        ));
    }
    together(subject, entry, members, found);
    needs(subject, name, members, found);
}

/// The value that a member will have; `None`: the server works it out, or it is not known.
fn value_then(
    subject: Subject<'_>,
    entry: &'static Default,
    member: &Member<'_>,
) -> Option<String> {
    let version = member.version;
    match set_elsewhere(&member.files, version, entry.name, &member.pins) {
        Some((_, value)) => value,
        None => entry.at(subject.target).map(str::to_owned),
    }
}

/// Members must not differ in it, neither on the way nor at the end.
fn together(
    subject: Subject<'_>,
    entry: &'static Default,
    members: &[Member<'_>],
    found: &mut Vec<Finding>,
) {
    let Ok(chosen) = subject.chosen() else {
        return; // clusterKind says so
    };
    let in_group = chosen.kind.is_group();
    let Some(rule) = together::find(entry.name, in_group).filter(|_| members.len() > 1) else {
        return;
    };
    let differs = |pin: &Pin| entry.at(subject.target) != Some(pin.value.as_str());
    let changes = members.iter().flat_map(|m| &m.pins);
    let changes = changes
        .filter(|pin| pin.variable == entry.name)
        .any(differs);
    if changes && chosen.strategy != Strategy::Offline {
        found.push(CHECK.error(entry.name, rule.why, rule.instead));
        return;
    }
    let mut values: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for member in members {
        let value = value_then(subject, entry, member);
        let told = value.unwrap_or_else(|| "a value that is not known".to_owned());
        values.entry(told).or_default().push(member.name.as_str());
    }
    if values.len() > 1 {
        let told: Vec<String> = values
            .iter()
            .map(|(value, names)| format!("{value} on {}", names.join(", ")))
            .collect();
        found.push(CHECK.error(
            entry.name,
            format!(
                "members would differ afterwards: {}; {}",
                told.join("; "),
                rule.why
            ),
            "take it out of the option files of all members, or of none",
        ));
    }
}

/// What it needs to be ON beside it.
fn needs(subject: Subject<'_>, name: &str, members: &[Member<'_>], found: &mut Vec<Finding>) {
    for (_, needed) in NEEDED.iter().filter(|(who, _)| *who == name) {
        let Some(entry) = variable(needed) else {
            continue;
        };
        for member in members {
            let released = member.pins.iter().any(|pin| pin.variable == name);
            let is = value_then(subject, entry, member);
            let off = is
                .as_deref()
                .is_some_and(|is| !is.eq_ignore_ascii_case("ON") && is != "1");
            if released && off && removed::find(needed, subject.target).is_none() {
                found.push(CHECK.error(
                    member.name,
                    format!(
                        "{name} needs {needed} to be ON, and it stays {}",
                        is.unwrap_or_default()
                    ),
                    format!("release both: --release {name},{needed}"),
                ));
            }
        }
    }
}

/// A plan that does something else can't release, and where no version changes only some strategies restart servers.
fn strategy(subject: Subject<'_>, members: &[Member<'_>], found: &mut Vec<Finding>) {
    let Ok(chosen) = subject.chosen() else {
        return;
    };
    let changes = members.iter().any(|m| m.version != subject.target);
    let restarts = match chosen.strategy {
        Strategy::RebuildTables => false,
        Strategy::SourceFirst => changes,
        Strategy::InGroupRolling
        | Strategy::Offline
        | Strategy::SingleServer
        | Strategy::ReplicasFirst
        | Strategy::Switchover => true,
    };
    if !restarts {
        found.push(CHECK.error(
            &subject.seen.cluster,
            format!(
                "the strategy {} restarts no server with changed option files",
                chosen.strategy.flag()
            ),
            "leave --strategy out, or choose another one",
        ));
    }
}
