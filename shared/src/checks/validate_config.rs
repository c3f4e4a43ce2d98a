//! What the target's own mysqld says of the option files as a plan would make them, where a person has asked for it.

use super::configured::NEEDS;
use super::listed::{Verdict, together};
use super::{
    ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, VersionPair,
    When,
};
use crate::config::judge::Settings;
use crate::config::names::meaning;
use crate::config::propose::planned;
use crate::ids::MemberName;
use crate::observation::{Fact, PackageFacts, ServerFacts};
use crate::planner::candidate::{in_all, offered, pins};
use crate::rules::dialect::Dialect;
use crate::survey::{Candidate, Judged};
use crate::topology::Sighting;
use crate::version::{MysqlVersion, PackageVersion};
use std::collections::{BTreeMap, BTreeSet};

pub const CHECK: Check = Check {
    id: "validateConfig",
    level: Level::Error,
    reference: Reference {
        source: "MySQL manual, \"Server Configuration Validation\"; the target's mysqld itself (MYSQL.md §5.6). MySQL Shell has no such check",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/server-configuration-validation.html"),
    },
    applies: When::Rule(
        "only with --validate-config, for targets from 8.0.16 on",
        |pair| Dialect::of(pair.to).has_validate_config(),
    ),
    overriding: Overriding::Allowed,
    needs: NEEDS,
    title: "The target's mysqld accepts the option files",
    description: "Each agent fetches the target's packages into its own cache, unpacks them beside the installed ones, and has that mysqld judge the option files with the changes that the plan would make (--validate-config). Nothing is installed and nothing of the server is changed; it is done only with --validate-config, since it fetches packages.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

/// What to do where mysqld could not be asked.
pub(super) const UNASKED: &str = "see to that, then check again; without --validate-config a plan is made all the same, and its rollout asks mysqld before anything is stopped";

/// What each member's agent is to have judged, or why it can't be asked. The package is the one that a plan would take.
pub fn candidates(subject: Subject<'_>) -> BTreeMap<MemberName, Result<Candidate, String>> {
    let seen = subject.seen;
    let servers = || {
        let pair = |server: &ServerFacts| VersionPair {
            from: server.version,
            to: subject.target,
        };
        seen.servers()
            .filter(move |(_, server)| CHECK.applies.applies(pair(server)))
    };
    let offers: Vec<Vec<PackageVersion>> = servers()
        .filter(|(_, server)| server.version != subject.target)
        .filter_map(|(name, _)| packages(seen, name).ok())
        .map(|packages| offered(packages, subject.target))
        .collect();
    let common = in_all(&offers);
    let one = |(name, server): (&MemberName, &ServerFacts)| {
        let candidate = candidate(subject, name, server.version, common.as_ref());
        (name.clone(), candidate)
    };
    servers().map(one).collect()
}

fn packages<'a>(seen: &'a Sighting, member: &MemberName) -> Result<&'a PackageFacts, String> {
    let seen = seen.members.get(member).and_then(Fact::known);
    let seen = seen.ok_or("its agent was not asked")?;
    let packages = seen.packages.require();
    packages.map_err(|why| format!("the packages could not be read: {why}"))
}

fn candidate(
    subject: Subject<'_>,
    member: &MemberName,
    from: MysqlVersion,
    common: Option<&PackageVersion>,
) -> Result<Candidate, String> {
    let to = subject.target;
    let packages = packages(subject.seen, member)?;
    let unavailable = || format!("no repository of its host offers all packages of MySQL {to}");
    let version = if from == to {
        packages.installed_version()?.clone()
    } else {
        let own = || offered(packages, to).into_iter().next();
        common.cloned().or_else(own).ok_or_else(unavailable)?
    };
    let files = subject.seen.config(member);
    let files = files.map_err(|why| format!("the option files could not be read: {why}"))?;
    Ok(Candidate {
        version: to,
        packages: pins(packages, &version).ok_or_else(unavailable)?,
        files: planned(&files, from, to, subject.today, subject.policy).rewrites,
    })
}

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut told: BTreeMap<(Verdict, String), Vec<&MemberName>> = BTreeMap::new();
    let mut asked = 0;
    for (name, server) in subject.seen.servers() {
        let pair = VersionPair {
            from: server.version,
            to: subject.target,
        };
        if !CHECK.applies.applies(pair) {
            continue;
        }
        let survey = match subject.seen.surveys.get(name) {
            Some(survey) => survey.require(),
            None => Err("its agent was not asked"),
        };
        match survey.and_then(|survey| survey.judged()) {
            Ok(judged) => {
                asked += 1;
                if !judged.accepted {
                    let (verdict, object) = refused(subject, name, judged);
                    told.entry((verdict, object)).or_default().push(name);
                }
            }
            Err(why) => found.push(CHECK.error(
                name,
                format!("mysqld {} was not asked: {why}", subject.target),
                UNASKED,
            )),
        }
    }
    found.extend(together(&CHECK, told, asked));
    found
}

/// Its words, without the time, which is another one on every member; and the places that it speaks of.
fn refused(subject: Subject<'_>, member: &MemberName, judged: &Judged) -> (Verdict, String) {
    let timeless = |line: &String| match line.find("[ERROR]") {
        Some(at) => line[at..].to_owned(),
        None => line.clone(),
    };
    let judged = Judged {
        accepted: false,
        errors: judged.errors.iter().map(timeless).collect(),
        libraries: judged.libraries.clone(),
    };
    let places = places(subject, member, &judged.errors);
    let object = if places.is_empty() {
        "option files".to_owned()
    } else {
        places.join(", ")
    };
    let verdict = Verdict::new(
        Level::Error,
        format!(
            "mysqld {} would not start with the option files as they would be: {}",
            subject.target,
            judged.in_words()
        ),
        format!(
            "take out of the option files what it names, or give it a value that MySQL {} takes; then check again",
            subject.target
        ),
    );
    (verdict, object)
}

/// mysqld names no file, but the option, in quotes: where the files set it.
fn places(subject: Subject<'_>, member: &MemberName, errors: &[String]) -> Vec<String> {
    let Ok(files) = subject.seen.config(member) else {
        return Vec::new();
    };
    let quoted = errors
        .iter()
        .flat_map(|line| line.split('\'').skip(1).step_by(2));
    let named: BTreeSet<String> = quoted
        .filter_map(|text| text.split('=').next())
        .map(|name| meaning(name.trim_start_matches('-')).name)
        .collect();
    let settings = Settings::of(&files, subject.target).read.into_iter();
    settings
        .filter(|(name, _, _)| named.contains(name))
        .map(|(_, _, setting)| format!("{}:{}", setting.file, setting.line))
        .collect()
}
