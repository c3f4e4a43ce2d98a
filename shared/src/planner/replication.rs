//! Stages that the strategies for replication topologies take alike.
//!
//! ```text
//! look      sources    gate (undone last: all is as it was)      replicas   keep_replica
//! replica   a member   gate · enter_maintenance · stop_replica [· discard_logs] · stop · snapshot · swap · start
//!                      start_replica · leave_maintenance · gate
//! follow    replicas   keep_replica                              side by side, after the server above them was away
//! source    a member   keep_writable · gate · enter_maintenance · [pause_writes · gate · demote_source ·] stop · snapshot
//!                      swap · start · gate · leave_maintenance (PIVOT) · allow_writes · gate
//! rows      sources    log_rows (those that log statements)      then a gate: every replica has passed that point
//! done      sources    gate
//! ```
//!
//! Source: MySQL manual, "Upgrading or Downgrading a Replication Topology".

use super::candidate::{Candidate, candidates, common_target, everybody};
use super::draft::{Draft, as_before, looked_at};
use super::report::Risks;
use super::{Request, blocked};
use crate::checks::Finding;
use crate::condition::Condition;
use crate::expectation::Expectation;
use crate::ids::{MemberName, StepId};
use crate::operation::Operation;
use crate::plan::drift::World;
use crate::plan::{Gate, Lane, Pivot, RiskLevel, Stage, Step, Strategy};
use crate::topology::Sighting;
use crate::topology::replication::{Link, Role, Tree};

use std::collections::{BTreeMap, BTreeSet};

/// A transaction that has run for longer would be cut off, in seconds.
const LONG_TRANSACTION_S: u64 = 30;
/// Transactions that a replica may be behind: at 1,000 commits a second what two agents see is never of one instant.
pub const BEHIND: u64 = 1000;
/// How long a pause of writes may wait for what is in flight, in seconds.
pub const DRAIN_S: u32 = 10;
/// How long a replica may apply what it has received before it is stopped, and catch up afterwards, in seconds.
pub const APPLY_S: u32 = 3600;
/// How long the agent keeps a source read-only by itself, in seconds: for the drain, and for [`CAUGHT_UP_WITHIN_S`].
pub const LEASE_S: u32 = 60;
/// Between the look that says what the sources have executed, and one that may see it on every replica, in milliseconds.
const PASSED_MS: u32 = 1000;
/// How long sessions that log statements are waited for, in seconds.
const SESSIONS_S: u32 = 1800;
const ROW: &str = "ROW";
/// How long writes wait for a replica to have everything, in seconds.
const CAUGHT_UP_WITHIN_S: u32 = 30;

/// A plan for a replication topology in the making.
pub struct Topology<'a> {
    pub request: &'a Request,
    pub world: &'a World,
    pub tree: Tree,
    pub everybody: Vec<Candidate<'a>>,
    pub candidates: Vec<Candidate<'a>>,
    pub draft: Draft,
    /// Sources that are made to log rows, with the format that they log in by their own settings.
    pub made_to_log_rows: BTreeMap<MemberName, String>,
}

/// What stands before a source's writes are paused.
pub struct CloseIn {
    pub steps: Vec<Step>,
    /// A person is asked before this one, the last of them.
    pub asked_at: StepId,
}

/// One source's stage, and what the report says of it.
pub struct SourceStage {
    pub stage: Stage,
    /// Writes are taken no more from here on, and again from there on.
    pub closes: StepId,
    pub opens: StepId,
    pub pivot: Pivot,
    /// The place of the pivot in its lane.
    pub pivot_at: usize,
}

pub fn lane(c: &Candidate<'_>, steps: Vec<Step>) -> Lane {
    Lane {
        member: c.name.clone(),
        steps,
    }
}

pub fn member(name: &MemberName, is: Expectation) -> Condition {
    Condition::Member {
        member: name.clone(),
        is,
    }
}

/// That this link works, with so many transactions missing at most.
pub fn replicates(name: &MemberName, link: &Link, behind: u64) -> Condition {
    Condition::Replicates {
        member: name.clone(),
        channel: link.channel.clone(),
        source: link.source.clone(),
        behind,
    }
}

impl<'a> Topology<'a> {
    pub fn begin(
        strategy: Strategy,
        request: &'a Request,
        seen: &'a Sighting,
        world: &'a World,
        made_unix_ms: i64,
    ) -> Result<Self, Vec<Finding>> {
        let finding = |why: String| blocked(strategy, seen.cluster.as_str(), why);
        let tree = Tree::of(seen).map_err(|wrong| {
            wrong
                .iter()
                .map(|w| finding(w.to_string()))
                .collect::<Vec<_>>()
        })?;
        let candidates = candidates(seen, world, request);
        // Who changes no version installs nothing.
        let installed = world.members.values().map(|m| m.package_version.clone());
        let package = match strategy {
            Strategy::RebuildTables => installed.max(),
            _ => common_target(request.target, &candidates),
        };
        let package = package.ok_or_else(|| {
            vec![finding(format!(
                "no one package version of {} is offered on every host",
                request.target
            ))]
        })?;
        Ok(Self {
            request,
            world,
            tree,
            everybody: everybody(seen, world),
            candidates,
            draft: Draft::new(request, seen, made_unix_ms, package, None),
            made_to_log_rows: BTreeMap::new(),
        })
    }

    /// Where it stands among those that are to be changed.
    pub fn candidate(&self, name: &MemberName) -> Option<Candidate<'a>> {
        self.candidates.iter().find(|c| c.name == name).copied()
    }

    /// A member of the tree.
    pub fn known(&self, name: &MemberName) -> Candidate<'a> {
        *self
            .everybody
            .iter()
            .find(|c| c.name == name)
            .expect("the tree has only members that were seen")
    }

    fn is_source(&self, c: &Candidate<'_>) -> bool {
        self.tree.role(c.name) == Role::Source
    }

    /// Every link of these members.
    pub fn links(&self, of: impl Fn(&MemberName) -> bool) -> Vec<Condition> {
        self.tree
            .members()
            .filter(|name| of(name))
            .flat_map(|name| {
                let links = self.tree.links(name).iter();
                links.map(move |link| replicates(name, link, BEHIND))
            })
            .collect()
    }

    pub fn sources_take_writes(&self) -> Vec<Condition> {
        let sources = self.tree.sources().into_iter();
        sources
            .map(|name| member(name, Expectation::TakesWrites { on: true }))
            .collect()
    }

    /// The topology is as it was planned for, and works.
    pub fn whole(&self) -> Vec<Condition> {
        let mut whole = self.sources_take_writes();
        whole.extend(self.links(|_| true));
        whole
    }

    pub fn look(&mut self) -> Stage {
        let mut whole = self.whole();
        let mut restored = whole.clone();
        restored.extend(as_before(self.world));
        whole.push(Condition::NoErrantTransactions);
        let gate = Gate {
            conditions: whole,
            undo_conditions: restored,
            hold_ms: 0,
        };
        let mut lanes = Vec::new();
        let members = self.everybody.clone();
        let (sources, replicas): (Vec<_>, Vec<_>) = members.iter().partition(|c| self.is_source(c));
        let first = sources.first().expect("a tree has a source");
        let why = "every replica follows; when unwound: versions, packages, option files, and who replicates from whom are as before";
        lanes.push(lane(first, vec![self.draft.gate(first.name, gate, why)]));
        for c in replicas {
            let why = "when unwound, replication goes on";
            lanes.push(lane(
                &c,
                vec![self.draft.on(&c, Operation::KeepReplica, 600, why)],
            ));
        }
        Stage {
            title: "look".to_owned(),
            lanes,
        }
    }

    /// Before the first replica is newer than its source: sources that log statements log rows, and every replica has passed that
    /// point. A statement is parsed and run anew by the version that applies it; a row is not. Replicas that are sources of others
    /// hand on rows as rows. Source: MySQL manual, "Upgrading or Downgrading a Replication Topology"; MYSQL.md §3.2.
    pub fn log_rows(&mut self) -> Vec<Stage> {
        let mut lanes = Vec::new();
        let target = self.request.target;
        if !self.candidates.iter().any(|c| c.changes_version(target)) {
            return Vec::new();
        }
        for c in self.everybody.clone() {
            let server = c.seen.server.known();
            let format = server.and_then(|server| server.variables.get("binlog_format"));
            let Some(format) = format.filter(|format| self.is_source(&c) && *format != "ROW")
            else {
                continue;
            };
            let order = Operation::LogRows { wait_s: SESSIONS_S };
            let why = "a newer replica must not run an older source's statements";
            let mut rows = self.draft.on(&c, order, SESSIONS_S + 60, why);
            rows.before = vec![Expectation::LogFormat { is: format.clone() }];
            rows.after = vec![Expectation::LogFormat { is: ROW.to_owned() }];
            lanes.push(lane(&c, vec![rows]));
            self.made_to_log_rows.insert(c.name.clone(), format.clone());
        }
        let Some(first) = lanes.first().map(|lane| lane.member.clone()) else {
            return Vec::new();
        };
        let rows = Stage {
            title: "sources log rows".to_owned(),
            lanes,
        };
        let links = self.tree.members().flat_map(|name| {
            let links = self.tree.links(name).iter();
            links.map(move |link| replicates(name, link, BEHIND))
        });
        let mut conditions: Vec<Condition> = links.collect();
        conditions.extend(self.tree.members().filter_map(|name| self.has_passed(name)));
        conditions.extend(self.logs_rows());
        let gate = Gate {
            conditions,
            undo_conditions: Vec::new(),
            hold_ms: PASSED_MS,
        };
        let why = "every replica has applied all that was logged before";
        let gate = self.draft.gate_within(&first, gate, APPLY_S, why);
        let passed = Stage {
            title: "replicas have passed that point".to_owned(),
            lanes: vec![Lane {
                member: first,
                steps: vec![gate],
            }],
        };
        vec![rows, passed]
    }

    /// That the replica has all that was logged before its gate began to hold. Clients write all the while: a look that sees it level
    /// with its sources would be luck.
    fn has_passed(&self, name: &MemberName) -> Option<Condition> {
        let sources = self.tree.above(name);
        (!sources.is_empty()).then(|| Condition::HasPassed {
            member: name.clone(),
            sources,
        })
    }

    /// Those that were made to log rows still do: a restart would have put it back.
    fn logs_rows(&self) -> impl Iterator<Item = Condition> + '_ {
        self.made_to_log_rows.keys().map(|name| {
            let is = ROW.to_owned();
            member(name, Expectation::LogFormat { is })
        })
    }

    /// Servers on which nobody should change a schema or an account while versions differ (MYSQL.md §3.2): what replicates from them
    /// has to apply it.
    pub fn frozen(&self) -> BTreeSet<MemberName> {
        let differ = |c: &Candidate<'_>| c.world.version != self.request.target;
        if !self.everybody.iter().any(differ) {
            return BTreeSet::new();
        }
        self.tree.sources().into_iter().cloned().collect()
    }

    /// What the report says of it.
    pub fn freeze(&self) -> Option<String> {
        let frozen = self.frozen();
        let names: Vec<&str> = frozen.iter().map(MemberName::as_str).collect();
        (!frozen.is_empty()).then(|| {
            format!(
                "until all run {}: no CREATE, ALTER or DROP, no CREATE USER or GRANT on {}; a statement that one of the two \
                 versions does not know stops the appliers of the other. Every gate tells which were run",
                self.request.target,
                names.join(", ")
            )
        })
    }

    /// What the report says of it.
    pub fn of_log_format(&self) -> Vec<String> {
        let one = |(name, format): (&MemberName, &String)| {
            format!(
                "{name} logs {format}: it logs rows before the first replica is taken out, and {format} again once it was restarted or all is unwound; \
                 sessions that began before keep {format}, so let clients connect anew: they are waited for ({} min), never killed",
                SESSIONS_S / 60
            )
        };
        self.made_to_log_rows.iter().map(one).collect()
    }

    /// One replica, from maintenance to maintenance.
    pub fn replica(&mut self, c: &Candidate<'_>, discards_logs: bool) -> Stage {
        let mut conditions = self.whole();
        conditions.push(Condition::NoErrantTransactions);
        conditions.push(Condition::NoPreparedXa {
            member: c.name.clone(),
        });
        let mut hold_ms = 0;
        if !self.made_to_log_rows.is_empty() {
            // A source that has restarted meanwhile logged statements until it was made to log rows once more.
            conditions.extend(self.has_passed(c.name));
            conditions.extend(self.logs_rows());
            hold_ms = PASSED_MS;
        }
        let before = Gate {
            conditions,
            undo_conditions: Vec::new(),
            hold_ms,
        };
        let why = "all others serve, and nothing is behind";
        let before = self.draft.gate(c.name, before, why);
        let descend = self.draft.descend(c);
        let order = Operation::StopReplica { drain_s: APPLY_S };
        let why = "what was received is applied first";
        let mut stop = self.draft.on(c, order, APPLY_S + 120, why);
        stop.before = vec![Expectation::MaintenanceIs { on: true }];
        let mut steps = vec![before, descend, stop];
        if discards_logs {
            let why = "a lower version need not read what a higher one wrote";
            steps.push(self.draft.on(c, Operation::DiscardLogs, 300, why));
        }
        steps.extend(self.draft.replace(c, 0));
        let order = Operation::StartReplica {
            catch_up_s: APPLY_S,
        };
        let why = "catches up from its source";
        let start = self.draft.on(c, order, APPLY_S + 600, why);
        let ascend = self.draft.ascend(c);
        let mut conditions = self.links(|name| name == c.name);
        conditions.extend([
            member(
                c.name,
                Expectation::ServerRunning {
                    version: self.request.target,
                },
            ),
            Condition::NoErrantTransactions,
        ]);
        conditions.extend(self.sources_take_writes());
        let after = Gate {
            conditions,
            undo_conditions: self.sources_take_writes(),
            hold_ms: self.request.policy.soak_s.saturating_mul(1000),
        };
        let why = "it follows its source on the new version";
        let after = self.draft.gate(c.name, after, why);
        steps.extend([start, ascend, after]);
        Stage {
            title: format!("{} {}", c.verb(self.request.target), c.name),
            lanes: vec![lane(c, steps)],
        }
    }

    /// Those that replicate from a server that was away go on. A receiver gives up after SOURCE_RETRY_COUNT tries, and waits
    /// SOURCE_CONNECT_RETRY seconds between two (MYSQL.md §3.4).
    pub fn follow(&mut self, above: &MemberName) -> Option<Stage> {
        let replicas: Vec<MemberName> = self.tree.replicas(above).into_iter().cloned().collect();
        let mut lanes = Vec::new();
        for name in replicas {
            let c = self.known(&name);
            let why = "the server above it was away";
            lanes.push(lane(
                &c,
                vec![self.draft.on(&c, Operation::KeepReplica, 600, why)],
            ));
        }
        (!lanes.is_empty()).then(|| Stage {
            title: format!("replicas of {above} go on"),
            lanes,
        })
    }

    /// Before writes are paused: everybody follows, and nothing long is under way.
    pub fn before_pause(&self, c: &Candidate<'_>) -> Gate {
        let mut conditions = self.whole();
        conditions.extend([
            Condition::NoErrantTransactions,
            Condition::NoTransactionOlderThan {
                seconds: LONG_TRANSACTION_S,
            },
            Condition::NoPreparedXa {
                member: c.name.clone(),
            },
        ]);
        Gate {
            conditions,
            undo_conditions: Vec::new(),
            hold_ms: 0,
        }
    }

    /// keep_writable of a source, the gate, and then enter_maintenance, where a person is asked: a source that waits in
    /// maintenance and is restarted meanwhile would come up without taking writes, for as long as the gate or the person takes.
    pub fn close_in(&mut self, c: &Candidate<'_>, gate: Gate, why: &str) -> CloseIn {
        let when = "when unwound, writes are let in again";
        let keep = self.draft.on(c, Operation::KeepWritable, 60, when);
        let gate = self.draft.gate(c.name, gate, why);
        let descend = self.draft.descend(c);
        CloseIn {
            asked_at: descend.id,
            steps: vec![keep, gate, descend],
        }
    }

    /// Writes are paused on a lease, the proof is waited for, and the pause is made lasting.
    pub fn hand_off(&mut self, c: &Candidate<'_>, proof: Vec<Condition>, why: &str) -> Vec<Step> {
        let order = Operation::PauseWrites {
            drain_s: DRAIN_S,
            lease_s: LEASE_S,
        };
        let title = "a lease: the agent lets writes in again by itself";
        let mut pause = self.draft.on(c, order, DRAIN_S + 30, title);
        pause.before = vec![Expectation::MaintenanceIs { on: true }];
        let mut conditions = vec![member(c.name, Expectation::TakesWrites { on: false })];
        conditions.extend(proof);
        let proof = Gate {
            conditions,
            undo_conditions: Vec::new(),
            hold_ms: 0,
        };
        let proof = self
            .draft
            .gate_within(c.name, proof, CAUGHT_UP_WITHIN_S, why);
        let title = "the pause is lasting from here on";
        let demote = self.draft.on(c, Operation::DemoteSource, 30, title);
        vec![pause, proof, demote]
    }

    /// One source, restarted in place. `waits_for_replicas`: it is stopped only when they have everything.
    pub fn source(&mut self, c: &Candidate<'_>, waits_for_replicas: bool) -> SourceStage {
        let gate = self.before_pause(c);
        let why = "every replica follows, and nothing would be cut off now";
        let CloseIn {
            mut steps,
            asked_at,
        } = self.close_in(c, gate, why);
        let closing = steps.len();
        let mut drain_s = DRAIN_S;
        if waits_for_replicas {
            let below: Vec<MemberName> = self.tree.replicas(c.name).into_iter().cloned().collect();
            let proof = below
                .iter()
                .flat_map(|name| {
                    let links = self.tree.links(name).iter();
                    links
                        .filter(|link| link.source == *c.name)
                        .map(move |link| replicates(name, link, 0))
                })
                .collect();
            steps.extend(self.hand_off(c, proof, "its binary logs are fully processed"));
            drain_s = 0;
        }
        steps.extend(self.draft.replace(c, drain_s));
        let mut as_planned = vec![
            Expectation::ServerRunning {
                version: self.request.target,
            },
            Expectation::PackagesAt {
                version: self.draft.package_of(c).clone(),
            },
            Expectation::TakesWrites { on: false },
        ];
        // Rewritten files are compared with what was reviewed where they are rewritten.
        if self.draft.rewrites(c.name).is_empty() {
            let digest = c.world.config;
            as_planned.insert(2, Expectation::Config { digest });
        }
        let verified = Gate {
            conditions: as_planned
                .into_iter()
                .map(|is| member(c.name, is))
                .collect(),
            undo_conditions: Vec::new(),
            hold_ms: 0,
        };
        let why = looked_at(c.changes_version(self.request.target));
        steps.push(self.draft.gate(c.name, verified, why));
        let pivot_at = steps.len();
        let mut ascend = self.draft.ascend(c);
        ascend.why = "from here on a restart lets writes in".to_owned();
        let mut allow = self
            .draft
            .on(c, Operation::AllowWrites, 120, "the write pause ends");
        allow.after = vec![Expectation::TakesWrites { on: true }];
        let opens = allow.id;
        let after = Gate {
            conditions: [
                Expectation::ServerRunning {
                    version: self.request.target,
                },
                Expectation::TakesWrites { on: true },
                Expectation::MaintenanceIs { on: false },
            ]
            .map(|is| member(c.name, is))
            .to_vec(),
            undo_conditions: Vec::new(),
            hold_ms: 0,
        };
        let pivot = Pivot {
            step: ascend.id,
            asked_at: Some(asked_at),
            why: format!(
                "from here on {} takes writes on {}: putting its snapshot back would lose them",
                c.name, self.request.target
            ),
        };
        let after = self
            .draft
            .gate(c.name, after, "the source serves on the new version");
        let closes = steps[closing].id;
        steps.extend([ascend, allow, after]);
        SourceStage {
            stage: Stage {
                title: format!("{} {}", c.verb(self.request.target), c.name),
                lanes: vec![lane(c, steps)],
            },
            closes,
            opens,
            pivot,
            pivot_at,
        }
    }

    /// The last gate, with the soak.
    pub fn done(&mut self, at: &MemberName, mut whole: Vec<Condition>) -> Stage {
        whole.extend(self.everybody.iter().map(|c| {
            member(
                c.name,
                Expectation::ServerRunning {
                    version: self.request.target,
                },
            )
        }));
        whole.push(Condition::NoErrantTransactions);
        let gate = Gate {
            conditions: whole,
            undo_conditions: Vec::new(),
            hold_ms: self.request.policy.soak_s.saturating_mul(1000),
        };
        let why = "every replica follows its source on the new version";
        Stage {
            title: "all follow".to_owned(),
            lanes: vec![Lane {
                member: at.clone(),
                steps: vec![self.draft.gate(at, gate, why)],
            }],
        }
    }

    /// Why a member stands where it does.
    pub fn reason(&self, c: &Candidate<'_>) -> String {
        let below = self.tree.replicas(c.name).len();
        match self.tree.role(c.name) {
            Role::Replica => "replica".to_owned(),
            Role::Intermediate => format!("intermediate source, {below} below it"),
            Role::Source => format!("source of {below}"),
        }
    }

    /// What the shape of the topology adds to the risk of the hop.
    pub fn risks(&self) -> Risks {
        let mut risks = Risks::of_hop(self.request.target, &self.candidates);
        for source in self.tree.sources() {
            if self.tree.replicas(source).len() < 2 {
                risks.raise(
                    RiskLevel::Medium,
                    format!(
                        "while its only replica is out, nobody has {source}'s writes but {source}"
                    ),
                );
            }
        }
        risks
    }
}
