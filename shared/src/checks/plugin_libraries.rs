//! What the server loads from libraries is there after the packages were swapped, where a person has asked for it.

use super::listed::{Verdict, together};
use super::plugin_usage::instead;
use super::validate_config::UNASKED;
use super::{
    ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, VersionPair,
    When,
};
use crate::ids::MemberName;
use crate::rules::dialect::Dialect;
use crate::rules::libraries::{Content, Library, Loss, in_group, path};
use crate::survey::{Fate, Listing, Question};
use crate::version::MysqlVersion;
use std::collections::BTreeMap;

pub const CHECK: Check = Check {
    id: "pluginLibraries",
    level: Level::Error,
    reference: Reference {
        source: "MySQL manual, \"Installing and Uninstalling Plugins\" and \"… Components\"; starts without a library on real servers (MY-010901, MY-013129). MySQL Shell knows names only (pluginUsage)",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/plugin-loading.html"),
    },
    applies: When::Rule(
        "only with --validate-config, for targets from 8.0.16 on",
        |pair| Dialect::of(pair.to).has_validate_config(),
    ),
    overriding: Overriding::Refused(
        "the rollout looks again before it stops a member, and parks there",
    ),
    // The option files, since the packages are unpacked to judge them, too.
    needs: &[
        Question::LoadedLibraries,
        Question::OptionFiles,
        Question::SetAtRuntime,
    ],
    title: "The libraries of plugins, components and functions come with the target",
    description: "mysqld starts without a library that is missing and only logs it: without its keyring it can not open encrypted tables, without a plugin for logins nobody logs in. Each agent asks its server what it loads, and looks for it in the target's packages, unpacked beside; what no package that is swapped owns stays as it is. It is done only with --validate-config, since it fetches packages.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let answers = subject.answers(&CHECK, Question::LoadedLibraries, &mut found);
    let mut told: BTreeMap<(Verdict, String), Vec<&MemberName>> = BTreeMap::new();
    let mut asked = 0;
    for (name, pair, loaded) in answers {
        match fates(subject, name) {
            Ok(fates) => {
                asked += 1;
                for (verdict, object) in judged(pair, loaded, fates) {
                    let who = told.entry((verdict, object)).or_default();
                    if who.last() != Some(&name) {
                        who.push(name);
                    }
                }
            }
            Err(why) => found.push(CHECK.error(
                name,
                format!(
                    "whether the libraries that it loads come with {} is not known: {why}",
                    subject.target
                ),
                UNASKED,
            )),
        }
    }
    found.extend(together(&CHECK, told, asked));
    found
}

fn fates<'a>(
    subject: Subject<'a>,
    member: &MemberName,
) -> Result<&'a BTreeMap<String, Fate>, &'a str> {
    let survey = subject.seen.surveys.get(member);
    let survey = survey.ok_or("its agent was not asked")?;
    survey.require()?.judged()?.libraries.require()
}

/// What there is to say of what one member loads, with what it is about.
fn judged(
    pair: VersionPair,
    loaded: &Listing,
    fates: &BTreeMap<String, Fate>,
) -> Vec<(Verdict, String)> {
    let in_group = in_group(&loaded.rows);
    let mut all = Vec::new();
    for row in &loaded.rows {
        let path = path(row);
        let verdict = match Library::of(row) {
            Ok(library) => match fates.get(&path) {
                Some(fate) => judge(&library, &path, fate, pair, in_group),
                None => Some(unknown(format!(
                    "{}: its agent has not looked for {path}",
                    library.in_words()
                ))),
            },
            Err(why) => Some(unknown(why)),
        };
        all.extend(verdict.map(|verdict| (verdict, row.part.clone())));
    }
    let unnamed = loaded.total.saturating_sub(loaded.rows.len() as u64);
    if unnamed > 0 {
        let what = format!("{unnamed} more libraries are loaded and were not looked for");
        all.push((unknown(what), "libraries".to_owned()));
    }
    all
}

fn unknown(what: String) -> Verdict {
    Verdict::new(Level::Error, what, UNASKED)
}

fn judge(
    library: &Library<'_>,
    path: &str,
    fate: &Fate,
    pair: VersionPair,
    in_group: bool,
) -> Option<Verdict> {
    let to = pair.to;
    let what = library.in_words();
    let (level, cost) = match library.loss(in_group) {
        Loss::Blocks(cost) => (Level::Error, cost),
        Loss::Hurts(cost) => (Level::Warning, cost),
        Loss::None => (Level::Notice, "the server has not loaded it now either"),
    };
    Some(match fate {
        Fate::Shipped => return None,
        Fate::Goes { package } => Verdict::new(
            level,
            format!("{what} is in {path}, which {package} has now and not of MySQL {to}: {cost}"),
            fix(library, pair),
        ),
        Fate::Absent => Verdict::new(
            level,
            format!(
                "{what} is in {path}, which is no file any more, and MySQL {to} does not bring it: at its next start {cost}"
            ),
            fix(library, pair),
        ),
        Fate::Stays { package } => {
            let whose = match package {
                Some(package) => format!("package {package}'s"),
                None => "no package's".to_owned(),
            };
            Verdict::new(
                level.max(Level::Warning),
                format!(
                    "{what} is in {path}, which is {whose}: it stays as it is, and where mysqld {to} does not take it, {cost}"
                ),
                format!("see that it is made for MySQL {to}, and have such a one at hand"),
            )
        }
    })
}

fn fix(library: &Library<'_>, pair: VersionPair) -> String {
    if let Some(instead) = instead(library.name, pair) {
        return instead.to_owned();
    }
    let ship = |to: MysqlVersion| format!("install the package that brings it for MySQL {to}");
    let out = match library.content {
        Content::Plugin(_) | Content::Unloaded => {
            "and take it out of the option files where they load it"
        }
        Content::Component | Content::Functions | Content::Keyring => "",
    };
    match library.uninstall() {
        Some(statement) if out.is_empty() => {
            format!("{statement} on each of these members, or {}", ship(pair.to))
        }
        Some(statement) => format!(
            "{statement} on each of these members {out}, or {}",
            ship(pair.to)
        ),
        None => format!(
            "{}, or move the keys to another keyring with mysql_migrate_keyring while the old version still runs",
            ship(pair.to)
        ),
    }
}
