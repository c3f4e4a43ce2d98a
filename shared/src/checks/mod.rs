//! Checks: pure judgements over what was seen, before anything is touched. One file a check; this is their registry.
//!
//! Adding a check is a new file and a line in [`ALL`].

mod addresses_reachable;
mod agent_statements;
mod agents;
mod async_channels;
mod auth_method_usage;
mod automatic_restarts;
mod binlog_retention;
mod certificate_ends;
mod changed_functions;
mod channel_failover;
mod channel_login;
mod channel_retries;
mod channels;
mod channels_run;
mod charset_pinned;
mod check_table_command;
mod circular_directory;
mod clock;
mod cluster_kind;
mod column_definition;
mod commit_order;
mod configured;
mod confinement;
mod default_auth;
mod delayed_replicas;
mod disk_space;
mod dollar_sign_name;
mod empty_dot_table;
mod encrypted_tablespaces;
mod end_of_life;
mod engine_mixup;
mod enum_set_length;
mod errant_transactions;
mod events_follow;
mod foreign_key_engines;
mod foreign_key_length;
mod foreign_key_references;
mod fts_table_name;
mod group_actions;
mod group_by_order;
mod group_defaults;
mod group_engines;
mod group_join;
mod group_members;
mod group_primary_keys;
mod group_settings;
mod gtid_auto_position;
mod gtid_mode_pinned;
mod impossible_defaults;
mod index_too_large;
mod invalid_57_names;
mod invalid_privileges;
mod known_bad_releases;
mod leftovers;
mod listed;
mod long_transactions;
mod lower_case_names;
mod manual;
mod maxdb_sql_mode;
mod memory;
mod mysql_schema;
mod mysql_upgrade;
mod non_native_partitioning;
mod object_type;
mod obsolete_sql_mode;
mod old_geometry;
mod old_temporal;
mod open_files;
mod orphaned_objects;
mod overriding;
mod package_holds;
mod package_state;
mod partitions_with_prefix_keys;
mod persisted_variables;
mod pin_release;
mod plugin_libraries;
mod plugin_usage;
mod prepared_xa;
mod purge_backlog;
pub mod rebuilds;
mod recovery_login;
mod rehearsed;
mod removed_functions;
mod removed_statements;
mod replicas_read_only;
mod replication_filters;
mod replication_queues;
mod replication_versions;
mod reserved_keywords;
mod router_auth;
mod routine_syntax;
mod row_format;
mod row_versions;
mod schema_inconsistency;
mod selection;
mod semi_sync_count;
mod semi_sync_options;
mod server_takes_writes;
mod service_limits;
mod shared_partitions;
mod spare_member;
mod spatial_index;
mod statement_binlog;
mod sys_vars;
mod sys_vars_new_defaults;
mod tablespace_states;
mod target_maturity;
mod target_package;
mod target_version;
mod temporal_delimiter;
mod upgrade_option;
mod utf8mb3;
mod validate_config;
mod when;
mod zero_dates;

pub use addresses_reachable::addresses;
pub use manual::{MANUAL, ManualCheck, manual};
pub use overriding::{Override, mistakes, overridden};
pub use selection::{Selection, UnknownChecks, check};
pub use validate_config::candidates;
pub use when::{VersionPair, When};

use crate::plan::{Policy, Strategy};
use crate::planner::choose::{Chosen, Unfit, choose};
use crate::rules::releases::Date;
use crate::survey::Question;
use crate::topology::{Kind, Sighting};
use crate::version::MysqlVersion;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// What a check judges.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    pub seen: &'a Sighting,
    pub target: MysqlVersion,
    pub policy: &'a Policy,
    /// The strategy that was asked for; `None`: the one that fits.
    pub strategy: Option<Strategy>,
    /// For what has a date. Whoever asks has a clock; a check has none.
    pub today: Date,
}

impl Subject<'_> {
    /// What kind of cluster this is and how it would be upgraded.
    pub fn chosen(&self) -> Result<Chosen, Unfit> {
        choose(self.seen, self.strategy, self.target)
    }
}

/// One check.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// Stable; MySQL Shell's id where the check is the same.
    pub id: &'static str,
    /// The worst that it reports; also what a missing fact counts as.
    pub level: Level,
    pub reference: Reference,
    pub applies: When,
    pub overriding: Overriding,
    /// What it must know beyond an observation: asked of the agents only when it is to run.
    pub needs: &'static [Question],
    pub title: &'static str,
    /// What it is for, and what to do in general.
    pub description: &'static str,
    /// The kinds of cluster that it is for: [`ANY_KIND`], [`GROUPS`], …
    pub kinds: &'static [Kind],
    /// The strategies that it is for: [`ANY_STRATEGY`], [`ROLLING`], …
    pub strategies: &'static [Strategy],
    pub run: fn(Subject<'_>) -> Vec<Finding>,
}

pub const ANY_KIND: &[Kind] = &Kind::ALL;
pub const TOPOLOGIES: &[Kind] = &[Kind::ReplicationTopology];
pub const GROUPS: &[Kind] = &[Kind::SinglePrimaryGroup, Kind::MultiPrimaryGroup];
/// Every strategy that changes the version.
pub const ANY_STRATEGY: &[Strategy] = &[
    Strategy::InGroupRolling,
    Strategy::Offline,
    Strategy::SingleServer,
    Strategy::ReplicasFirst,
    Strategy::Switchover,
    Strategy::SourceFirst,
];
/// Every strategy, also one that changes no version.
pub const ALSO_WITHOUT_UPGRADE: &[Strategy] = &Strategy::ALL;
/// Strategies that take one member after the other out while the rest serves.
pub const ROLLING: &[Strategy] = &[
    Strategy::InGroupRolling,
    Strategy::ReplicasFirst,
    Strategy::Switchover,
    Strategy::SourceFirst,
];

/// The same, also where no version changes.
pub const OUT_ONE_BY_ONE: &[Strategy] = &[
    Strategy::InGroupRolling,
    Strategy::ReplicasFirst,
    Strategy::Switchover,
    Strategy::SourceFirst,
    Strategy::RebuildTables,
];

/// Where a check's rule comes from.
#[derive(Debug, Clone, Copy)]
pub struct Reference {
    /// In words: a section of the manual, server source, or what was seen on real servers.
    pub source: &'static str,
    pub link: Option<&'static str>,
}

/// May an operator go on against a check's errors, with a reason?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overriding {
    Allowed,
    /// Never, because: the check protects data, or there could be no plan.
    Refused(&'static str),
}

/// Something that a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub check: String,
    pub level: Level,
    /// What it is about: a member, a cluster, a package.
    pub object: String,
    pub description: String,
    /// What to do, with the statement or command where there is one.
    pub fix: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Blocks the upgrade.
    Error,
    Warning,
    Notice,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Error => "ERROR",
            Self::Warning => "WARNING",
            Self::Notice => "NOTICE",
        })
    }
}

/// What one check said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    pub id: String,
    pub title: String,
    pub description: String,
    /// The manual's page, where there is one.
    pub link: Option<String>,
    /// False: between these versions there is nothing to judge.
    pub applies: bool,
    /// An operator may go on against its errors, with a reason.
    pub may_override: bool,
    pub findings: Vec<Finding>,
}

/// Every check, in the order in which they are shown.
pub const ALL: &[Check] = &[
    agents::CHECK,
    cluster_kind::CHECK,
    group_members::CHECK,
    target_version::CHECK,
    group_join::CHECK,
    known_bad_releases::CHECK,
    target_maturity::CHECK,
    agent_statements::CHECK,
    mysql_upgrade::CHECK,
    end_of_life::CHECK,
    target_package::CHECK,
    package_state::CHECK,
    package_holds::CHECK,
    leftovers::CHECK,
    server_takes_writes::CHECK,
    spare_member::CHECK,
    disk_space::CHECK,
    memory::CHECK,
    errant_transactions::CHECK,
    prepared_xa::CHECK,
    long_transactions::CHECK,
    purge_backlog::CHECK,
    replication_queues::CHECK,
    async_channels::CHECK,
    replication_versions::CHECK,
    addresses_reachable::CHECK,
    channels_run::CHECK,
    gtid_auto_position::CHECK,
    gtid_mode_pinned::CHECK,
    channel_login::CHECK,
    channel_retries::CHECK,
    channel_failover::CHECK,
    semi_sync_count::CHECK,
    semi_sync_options::CHECK,
    statement_binlog::CHECK,
    charset_pinned::CHECK,
    commit_order::CHECK,
    delayed_replicas::CHECK,
    replication_filters::CHECK,
    replicas_read_only::CHECK,
    group_actions::CHECK,
    group_settings::CHECK,
    group_defaults::CHECK,
    binlog_retention::CHECK,
    recovery_login::CHECK,
    events_follow::CHECK,
    sys_vars::CHECK,
    sys_vars_new_defaults::CHECK,
    pin_release::CHECK,
    persisted_variables::CHECK,
    validate_config::CHECK,
    plugin_libraries::CHECK,
    upgrade_option::CHECK,
    lower_case_names::CHECK,
    removed_functions::CHECK,
    routine_syntax::CHECK,
    removed_statements::CHECK,
    group_by_order::CHECK,
    empty_dot_table::CHECK,
    orphaned_objects::CHECK,
    maxdb_sql_mode::CHECK,
    obsolete_sql_mode::CHECK,
    reserved_keywords::CHECK,
    plugin_usage::CHECK,
    auth_method_usage::CHECK,
    router_auth::CHECK,
    default_auth::CHECK,
    invalid_privileges::CHECK,
    column_definition::CHECK,
    impossible_defaults::CHECK,
    enum_set_length::CHECK,
    old_temporal::CHECK,
    old_geometry::CHECK,
    partitions_with_prefix_keys::CHECK,
    shared_partitions::CHECK,
    non_native_partitioning::CHECK,
    temporal_delimiter::CHECK,
    circular_directory::CHECK,
    encrypted_tablespaces::CHECK,
    row_versions::CHECK,
    spatial_index::CHECK,
    foreign_key_references::CHECK,
    foreign_key_engines::CHECK,
    foreign_key_length::CHECK,
    changed_functions::CHECK,
    zero_dates::CHECK,
    dollar_sign_name::CHECK,
    utf8mb3::CHECK,
    row_format::CHECK,
    index_too_large::CHECK,
    tablespace_states::CHECK,
    schema_inconsistency::CHECK,
    engine_mixup::CHECK,
    mysql_schema::CHECK,
    fts_table_name::CHECK,
    invalid_57_names::CHECK,
    group_primary_keys::CHECK,
    group_engines::CHECK,
    automatic_restarts::CHECK,
    clock::CHECK,
    certificate_ends::CHECK,
    service_limits::CHECK,
    open_files::CHECK,
    confinement::CHECK,
    check_table_command::CHECK,
    rehearsed::CHECK,
];

/// Checks that are made only where a person asks for them: one costs a server too much, one fetches packages, one is about what only a
/// plan may be asked for.
pub const ONLY_WHEN_ASKED: &[&str] =
    &[CHECK_TABLES, VALIDATE_CONFIG, PLUGIN_LIBRARIES, PIN_RELEASE];

/// Asked for by `--validate-config`: what is known only from the target's own packages.
pub const OF_THE_TARGET: [&str; 2] = [VALIDATE_CONFIG, PLUGIN_LIBRARIES];

pub const VALIDATE_CONFIG: &str = validate_config::CHECK.id;
pub const PLUGIN_LIBRARIES: &str = plugin_libraries::CHECK.id;

/// Has agents try addresses.
pub const ADDRESSES_REACHABLE: &str = addresses_reachable::CHECK.id;

/// Asked for by `refit plan --release`.
pub const PIN_RELEASE: &str = pin_release::CHECK.id;

/// Asked for by `refit check --check-tables`.
pub const CHECK_TABLES: &str = check_table_command::CHECK.id;

/// Runs every check.
pub fn run(subject: Subject<'_>) -> Vec<CheckResult> {
    run_selected(subject, &Selection::all())
}

/// What the wanted checks need to know of a member that runs `from`, beyond an observation.
pub fn needed(wanted: &Selection, pair: VersionPair) -> BTreeSet<Question> {
    let checks = ALL.iter().filter(|check| wanted.wants(check.id));
    checks
        .filter(|check| check.applies.applies(pair))
        .flat_map(|check| check.needs.iter().copied())
        .collect()
}

/// Runs the checks for which an observation is enough: what `apply` asks again.
pub fn run_without_survey(subject: Subject<'_>) -> Vec<CheckResult> {
    let costly = ALL
        .iter()
        .filter(|check| !check.needs.is_empty() || check.id == ADDRESSES_REACHABLE);
    let quick = Selection::without(costly.map(|check| check.id));
    run_selected(subject, &quick)
}

/// Runs the checks that are wanted and are for this kind of cluster and strategy. Those that do not apply between these
/// versions are listed as such. Where no kind or strategy could be told, that is what `clusterKind` says, and only checks that
/// are for every kind and strategy are run beside it.
pub fn run_selected(subject: Subject<'_>, wanted: &Selection) -> Vec<CheckResult> {
    let chosen = subject.chosen().ok();
    let one = |check: &Check| {
        let applies = subject.applies(check.applies);
        CheckResult {
            id: check.id.to_owned(),
            title: check.title.to_owned(),
            description: check.description.to_owned(),
            link: check.reference.link.map(str::to_owned),
            applies,
            may_override: check.overriding == Overriding::Allowed,
            findings: if applies {
                (check.run)(subject)
            } else {
                Vec::new()
            },
        }
    };
    let releases = |check: &Check| check.id == PIN_RELEASE && !subject.policy.release.is_empty();
    let wanted = ALL
        .iter()
        .filter(|check| wanted.wants(check.id) || (wanted.is_all() && releases(check)));
    wanted.filter(|check| check.fits(chosen)).map(one).collect()
}

impl Subject<'_> {
    /// Each member's version with the target; members whose version is not known are left out.
    pub fn pairs(&self) -> Vec<VersionPair> {
        let pair = |from| VersionPair {
            from,
            to: self.target,
        };
        let servers = self.seen.servers();
        servers.map(|(_, server)| pair(server.version)).collect()
    }

    /// It applies to a member; also when no member's version is known, since then nothing may be ruled out.
    fn applies(&self, when: When) -> bool {
        let pairs = self.pairs();
        pairs.is_empty() || pairs.iter().any(|pair| when.applies(*pair))
    }
}

/// What to do about a fact that is missing.
const UNREAD: &str = "see that the agent can read it, then check again";

impl CheckResult {
    /// It could not be made of every member: a fact was missing.
    pub fn is_incomplete(&self) -> bool {
        self.findings
            .iter()
            .any(|finding| [UNREAD, validate_config::UNASKED].contains(&finding.fix.as_str()))
    }
}

/// Findings of one level.
pub fn of_level(results: &[CheckResult], level: Level) -> impl Iterator<Item = &Finding> {
    results
        .iter()
        .flat_map(|result| &result.findings)
        .filter(move |finding| finding.level == level)
}

impl Check {
    fn fits(&self, chosen: Option<Chosen>) -> bool {
        match chosen {
            Some(chosen) => {
                self.kinds.contains(&chosen.kind) && self.strategies.contains(&chosen.strategy)
            }
            None => self.kinds == ANY_KIND && self.strategies.len() >= ANY_STRATEGY.len(),
        }
    }

    fn finding(
        &self,
        level: Level,
        object: impl fmt::Display,
        description: impl Into<String>,
        fix: impl Into<String>,
    ) -> Finding {
        Finding {
            check: self.id.to_owned(),
            level,
            object: object.to_string(),
            description: description.into(),
            fix: fix.into(),
        }
    }
    fn error(
        &self,
        object: impl fmt::Display,
        description: impl Into<String>,
        fix: impl Into<String>,
    ) -> Finding {
        self.finding(Level::Error, object, description, fix)
    }
    fn warning(
        &self,
        object: impl fmt::Display,
        description: impl Into<String>,
        fix: impl Into<String>,
    ) -> Finding {
        self.finding(Level::Warning, object, description, fix)
    }
    /// A fact that the check needs is missing: that is as bad as what it looks for, since "could not tell" is not "fine".
    fn untold(&self, object: impl fmt::Display, what: &str, why: &str) -> Finding {
        self.finding(
            self.level,
            object,
            format!("{what} could not be read: {why}"),
            UNREAD,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_every_check_says_where_its_rule_comes_from() {
        let ids: BTreeSet<_> = ALL.iter().map(|check| check.id).collect();
        assert_eq!(ids.len(), ALL.len());
        for check in ALL {
            let id = check.id;
            assert!(id.chars().all(|c| c.is_ascii_alphanumeric()), "{id}");
            assert!(id.starts_with(|c: char| c.is_ascii_lowercase()), "{id}");
            assert!(
                !check.title.is_empty() && !check.title.ends_with('.'),
                "{id}"
            );
            assert!(check.description.ends_with('.'), "{id}");
            assert!(!check.reference.source.is_empty(), "{id}");
            if let Some(link) = check.reference.link {
                assert!(
                    link.starts_with("https://dev.mysql.com/doc/"),
                    "{id}: {link}"
                );
            }
        }
        let asked: BTreeSet<Question> = ALL.iter().flat_map(|c| c.needs.iter().copied()).collect();
        assert_eq!(
            asked,
            crate::survey::everything(),
            "a question that no check asks"
        );
        let manual: BTreeSet<_> = MANUAL.iter().map(|check| check.id).collect();
        assert_eq!(manual.len(), MANUAL.len());
        assert!(manual.is_disjoint(&ids));
    }
}
