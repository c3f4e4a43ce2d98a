//! Conditions that gates wait for: judgements over a whole cluster.

mod progress;

use crate::expectation::{Expectation, Holds};
use crate::gtid::GtidSet;
use crate::ids::MemberName;
use crate::observation::{MemberState, ReplicationService, ServerFacts, ServiceState};
use crate::topology::{Sighting, View};
use crate::version::MysqlVersion;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// Something about a cluster that must hold before a member may be touched or the next one begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "condition", rename_all = "snake_case", deny_unknown_fields)]
pub enum Condition {
    /// These members, no more and no fewer, are ONLINE in one view that at least `witnesses` of them report alike.
    OnlineTogether {
        members: BTreeSet<MemberName>,
        witnesses: u8,
    },
    /// As [`Condition::OnlineTogether`], before the pivot; or the pivot has come about by itself. That is so when `member`, the
    /// last one below `version`, has fallen out of its group (its host died, say) and the others, all at `version`, go on without
    /// it: they do not let it join again (MY-011521), so that taking it on to `version` is the only way. It must be read-only,
    /// in no group, and must have nothing that the others lack.
    OnlineTogetherOrShutOut {
        members: BTreeSet<MemberName>,
        witnesses: u8,
        member: MemberName,
        version: MysqlVersion,
    },
    /// Without this member the others still are at least `least` ONLINE ones in one view; the member itself may be anything.
    /// Used before a broken or upgraded member is taken out to be unwound.
    OthersOnline { without: MemberName, least: u8 },
    /// No member has transactions that nobody else knows.
    NoErrantTransactions,
    /// On every ONLINE member at most so many transactions wait to be certified or applied.
    QueuesAtMost { transactions: u64 },
    /// No transaction has been running for longer, on any ONLINE member or server that is in no group.
    NoTransactionOlderThan { seconds: u64 },
    /// No XA transaction is in the prepared state on the member.
    NoPreparedXa { member: MemberName },
    /// The member is ONLINE and its server is of this version.
    MemberAt {
        member: MemberName,
        version: MysqlVersion,
    },
    /// Some member is the primary and can write.
    WritablePrimary,
    /// Some ONLINE member can write, by its own super_read_only, whatever its role says; `besides`: another one than this.
    /// For multi-primary groups, where MEMBER_ROLE is PRIMARY even of members that can't write (MYSQL.md §2.3).
    WritableMember {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        besides: Option<MemberName>,
    },
    /// There is a group: some member is ONLINE in one that has its majority, whoever else is in it.
    GroupStands,
    /// None of these members is in a group: each is OFFLINE, in no group, or its server is stopped.
    NobodyInGroup { members: BTreeSet<MemberName> },
    /// This member has executed every transaction that any of these has executed or received: with it a group can be begun
    /// anew without losing one. All their servers must be running.
    HasEverything {
        member: MemberName,
        of: BTreeSet<MemberName>,
    },
    /// The member replicates through this channel from that source: receiver and applier run without an error, and of what
    /// the source has executed at most `behind` transactions are missing. On a replica that is delayed on purpose what it
    /// has received counts.
    Replicates {
        member: MemberName,
        channel: String,
        source: MemberName,
        behind: u64,
    },
    /// What these had executed when their gate began to hold, the member has executed since: it has passed that point, however much
    /// is written all the while. One look alone can't tell, so its gate must hold for some time.
    HasPassed {
        member: MemberName,
        sources: BTreeSet<MemberName>,
    },
    /// This member is the primary.
    PrimaryIs { member: MemberName },
    /// Something expected of one member.
    Member { member: MemberName, is: Expectation },
}

impl Condition {
    /// Where it does not hold, waiting does not make it so: only an act does.
    pub fn needs_an_act(&self) -> bool {
        matches!(
            self,
            Self::Member {
                is: Expectation::LogFormat { .. },
                ..
            }
        )
    }

    /// Judges what was seen. What could not be seen is `Unknown`, never `Yes`.
    pub fn judge(&self, seen: &Sighting) -> Holds {
        match self.try_judge(seen) {
            Ok(()) => Holds::Yes,
            Err(holds) => holds,
        }
    }

    fn try_judge(&self, seen: &Sighting) -> Result<(), Holds> {
        let no = |why: String| Err(Holds::No(why));
        let unknown = Holds::Unknown;
        match self {
            Self::OnlineTogether { members, witnesses } => {
                online_together(seen, members.iter(), *witnesses)
            }
            Self::OnlineTogetherOrShutOut {
                members,
                witnesses,
                member,
                version,
            } => {
                let Err(apart) = online_together(seen, members.iter(), *witnesses) else {
                    return Ok(());
                };
                let own = observed(seen, member)?
                    .group
                    .require()
                    .map_err(|why| unknown(format!("{member}: {why}")))?;
                match own.as_ref().map(|group| group.own_state) {
                    None | Some(MemberState::Offline | MemberState::Error) => {}
                    Some(
                        MemberState::Online | MemberState::Recovering | MemberState::Unreachable,
                    ) => return Err(apart),
                }
                let mut others = members.clone();
                others.remove(member);
                shut_out(seen, member, &others, *version, *witnesses)
            }
            Self::OthersOnline { without, least } => {
                let out = seen.server(without).ok().map(|server| server.uuid.clone());
                let views = seen.views();
                let best = views
                    .iter()
                    .map(|v| {
                        v.members.iter().filter(|m| {
                            m.state == MemberState::Online && Some(&m.uuid) != out.as_ref()
                        })
                    })
                    .map(Iterator::count)
                    .max();
                match best {
                    Some(count) if count >= usize::from(*least) => Ok(()),
                    Some(count) => no(format!(
                        "{count} other member(s) ONLINE, {least} are needed"
                    )),
                    None => no(format!("no member besides {without} reports itself ONLINE")),
                }
            }
            Self::NoErrantTransactions => {
                for (name, _, group) in seen.groups() {
                    if group.own_state != MemberState::Online {
                        continue;
                    }
                    match seen.errant(name) {
                        Some(errant) if errant.is_empty() => {}
                        Some(errant) => {
                            return no(format!(
                                "{name} has transactions nobody else has: {errant}"
                            ));
                        }
                        None => {
                            return Err(unknown(format!(
                                "too little was seen to tell whether {name} has errant transactions"
                            )));
                        }
                    }
                }
                let replicas = seen.servers().filter(|(_, server)| {
                    let alone = matches!(server.group.known(), Some(None));
                    let channels = server.channels.known();
                    alone && channels.is_some_and(|channels| !channels.is_empty())
                });
                for (name, _) in replicas {
                    match seen.errant(name) {
                        Some(errant) if errant.is_empty() => {}
                        Some(errant) => {
                            return no(format!(
                                "{name} has transactions that no server above it has: {errant}"
                            ));
                        }
                        None => {
                            return Err(unknown(format!(
                                "too little was seen to tell whether {name} has errant transactions"
                            )));
                        }
                    }
                }
                Ok(())
            }
            Self::QueuesAtMost { transactions } => {
                for (name, _, group) in seen
                    .groups()
                    .filter(|(_, _, g)| g.own_state == MemberState::Online)
                {
                    let waiting = group.applier_queue.max(group.certifier_queue);
                    if waiting > *transactions {
                        return no(format!(
                            "{waiting} transactions wait on {name}, at most {transactions} may"
                        ));
                    }
                }
                Ok(())
            }
            Self::NoTransactionOlderThan { seconds } => {
                for (name, server) in seen.serving() {
                    let long = server
                        .long_transactions
                        .require()
                        .map_err(|why| unknown(format!("{name}: {why}")))?;
                    if let Some(one) = long.iter().find(|t| t.running_s > *seconds) {
                        return no(format!(
                            "on {name} a transaction of {} (thread {}) has been running for {} s",
                            one.user, one.thread_id, one.running_s
                        ));
                    }
                }
                Ok(())
            }
            Self::NoPreparedXa { member } => {
                let server = seen
                    .server(member)
                    .map_err(|why| unknown(format!("{member}: {why}")))?;
                match server
                    .prepared_xa
                    .require()
                    .map_err(|why| unknown(format!("{member}: {why}")))?
                {
                    0 => Ok(()),
                    n => no(format!(
                        "{member} has {n} prepared XA transaction(s): commit or roll them back (XA RECOVER)"
                    )),
                }
            }
            Self::MemberAt { member, version } => {
                let server = seen
                    .server(member)
                    .map_err(|why| unknown(format!("{member}: {why}")))?;
                if server.version != *version {
                    return no(format!("{member} runs {}, not {version}", server.version));
                }
                let group = server
                    .group
                    .require()
                    .map_err(|why| unknown(format!("{member}: {why}")))?;
                match group.as_ref().map(|g| g.own_state) {
                    Some(MemberState::Online) => Ok(()),
                    state => no(format!(
                        "{member} is {}",
                        state.map_or("in no group", MemberState::as_str)
                    )),
                }
            }
            Self::WritablePrimary => {
                let view = seen.agreed_view().map_err(Holds::No)?;
                let primary = view
                    .primary()
                    .ok_or_else(|| Holds::No("the group has no single ONLINE primary".into()))?;
                let name = seen.member_of(&primary.uuid).ok_or_else(|| {
                    unknown(format!("the primary {} was not observed", primary.host))
                })?;
                let server = seen.server(name).map_err(unknown)?;
                if server.super_read_only {
                    no(format!("the primary {name} is super_read_only"))
                } else {
                    Ok(())
                }
            }
            Self::WritableMember { besides } => {
                let mut online = 0;
                for (name, server, group) in seen.groups() {
                    if group.own_state != MemberState::Online || Some(name) == besides.as_ref() {
                        continue;
                    }
                    online += 1;
                    if server.takes_writes() {
                        return Ok(());
                    }
                }
                no(match besides {
                    Some(name) => {
                        format!("none of the {online} ONLINE members besides {name} can write")
                    }
                    None => format!("none of the {online} ONLINE members can write"),
                })
            }
            Self::GroupStands => group_stands(seen),
            Self::HasPassed { member, sources } => {
                for name in sources.iter().chain([member]) {
                    observed(seen, name)?;
                }
                Ok(())
            }
            Self::NobodyInGroup { members } => {
                for name in members {
                    in_no_group(seen, name)?;
                }
                Ok(())
            }
            Self::HasEverything { member, of } => {
                let untold = |name: &MemberName, why| unknown(format!("{name}: {why}"));
                let own = seen.server(member).map_err(|why| untold(member, why))?;
                for name in of.iter().filter(|name| *name != member) {
                    let server = seen.server(name).map_err(|why| untold(name, why))?;
                    let group = server
                        .group
                        .require()
                        .map_err(|why| untold(name, why.to_owned()))?;
                    let mut all = server.gtid_executed.clone();
                    if let Some(group) = group {
                        all = all.union(&group.received);
                    }
                    let channels = server
                        .channels
                        .require()
                        .map_err(|why| untold(name, why.to_owned()))?;
                    for channel in channels {
                        let detail = channel
                            .detail
                            .require()
                            .map_err(|why| untold(name, why.to_owned()))?;
                        all = all.union(&detail.received);
                    }
                    let missing = all.subtract(&own.gtid_executed);
                    if !missing.is_empty() {
                        return no(format!(
                            "{name} has transactions that {member} lacks: {missing}"
                        ));
                    }
                }
                Ok(())
            }
            Self::Replicates {
                member,
                channel,
                source,
                behind,
            } => replicates(seen, member, channel, source, *behind),
            Self::PrimaryIs { member } => {
                let view = seen.agreed_view().map_err(Holds::No)?;
                let server = seen
                    .server(member)
                    .map_err(|why| unknown(format!("{member}: {why}")))?;
                match view.primary() {
                    Some(primary) if primary.uuid == server.uuid => Ok(()),
                    Some(primary) => no(format!("the primary is {}, not {member}", primary.host)),
                    None => no("the group has no single ONLINE primary".to_owned()),
                }
            }
            Self::Member { member, is } => {
                let fact = seen
                    .members
                    .get(member)
                    .ok_or_else(|| unknown(format!("{member} is not a member")))?;
                let observation = fact
                    .require()
                    .map_err(|why| unknown(format!("{member}: {why}")))?;
                match is.judge(observation) {
                    Holds::Yes => Ok(()),
                    Holds::No(why) => no(format!("{member}: {why}")),
                    Holds::Unknown(why) => Err(unknown(format!("{member}: {why}"))),
                }
            }
        }
    }
}

fn replicates(
    seen: &Sighting,
    member: &MemberName,
    channel: &str,
    source: &MemberName,
    behind: u64,
) -> Result<(), Holds> {
    let untold = |why: &str| Holds::Unknown(format!("{member}: {why}"));
    let own = observed(seen, member)?;
    let above = observed(seen, source)?;
    let named = if channel.is_empty() {
        String::new()
    } else {
        format!(" (channel {channel})")
    };
    let channels = own.channels.require().map_err(untold)?;
    let Some(found) = channels.iter().find(|c| c.name == channel) else {
        return Err(Holds::No(format!("{member} replicates from nobody{named}")));
    };
    let detail = found.detail.require().map_err(untold)?;
    for (what, thread) in [("receiver", &detail.receiver), ("applier", &detail.applier)] {
        if thread.service != ReplicationService::On {
            let error = match thread.errno {
                0 => String::new(),
                errno => format!(": error {errno}, {}", thread.error),
            };
            // MYSQL.md §3.2.
            let why = if what == "applier" && thread.errno != 0 && own.version != above.version {
                format!(
                    " ({member} runs {}, {source} {}: DDL and account statements of one version may not suit the other)",
                    own.version, above.version
                )
            } else {
                String::new()
            };
            return Err(Holds::No(format!(
                "the {what} of {member}{named} is {}{error}{why}",
                thread.service.as_str()
            )));
        }
    }
    if detail.source_uuid.is_none() {
        return Err(Holds::No(format!(
            "the receiver of {member}{named} has not yet learnt who its source is"
        )));
    }
    if detail.source_uuid.as_ref() != Some(&above.uuid) {
        return Err(Holds::No(format!(
            "{member}{named} replicates from {}, not from {source}",
            found.source()
        )));
    }
    let has = if detail.delay_s > 0 {
        own.gtid_executed.union(&detail.received)
    } else {
        own.gtid_executed.clone()
    };
    let missing = above.gtid_executed.subtract(&has).count();
    if missing > behind {
        return Err(Holds::No(format!(
            "{member} is {missing} transactions behind {source}, at most {behind} may be missing"
        )));
    }
    Ok(())
}

/// These members, no more and no fewer, are ONLINE in one view that enough of them report alike.
fn online_together<'a>(
    seen: &Sighting,
    members: impl ExactSizeIterator<Item = &'a MemberName>,
    witnesses: u8,
) -> Result<(), Holds> {
    let view = seen.agreed_view().map_err(Holds::No)?;
    let expected = members.len();
    for name in members {
        let server = observed(seen, name)?;
        let state = view
            .members
            .iter()
            .find(|m| m.uuid == server.uuid)
            .map(|m| m.state);
        match state {
            Some(MemberState::Online) => {}
            Some(state) => return Err(Holds::No(format!("{name} is {}", state.as_str()))),
            None => return Err(Holds::No(format!("{name} is not in the group's view"))),
        }
    }
    if view.members.len() != expected {
        return Err(Holds::No(format!(
            "the view has {} members, {expected} are expected",
            view.members.len()
        )));
    }
    if view.witnesses.len() < usize::from(witnesses) {
        return Err(Holds::No(format!(
            "only {} member(s) confirm the view, {witnesses} are needed",
            view.witnesses.len()
        )));
    }
    Ok(())
}

/// The member has fallen out of its group, and the others, all at a version that does not let it back, go on without it.
fn shut_out(
    seen: &Sighting,
    member: &MemberName,
    others: &BTreeSet<MemberName>,
    version: MysqlVersion,
    witnesses: u8,
) -> Result<(), Holds> {
    online_together(seen, others.iter(), witnesses)?;
    let own = observed(seen, member)?;
    if !own.super_read_only {
        return Err(Holds::No(format!(
            "{member} is in no group and can be written to"
        )));
    }
    let mut theirs = GtidSet::default();
    for name in others {
        let server = observed(seen, name)?;
        if server.version != version {
            return Err(Holds::No(format!(
                "{member} is not in the group's view, and {name} runs {}, not {version}",
                server.version
            )));
        }
        theirs = theirs.union(&server.gtid_executed);
    }
    let lacking = own.gtid_executed.subtract(&theirs);
    if lacking.is_empty() {
        Ok(())
    } else {
        Err(Holds::No(format!(
            "{member} is in no group and has transactions that the others lack: {lacking}"
        )))
    }
}

/// What is known about a server; `Unknown` with the reason otherwise.
fn observed<'a>(seen: &'a Sighting, name: &MemberName) -> Result<&'a ServerFacts, Holds> {
    seen.server(name)
        .map_err(|why| Holds::Unknown(format!("{name}: {why}")))
}

fn group_stands(seen: &Sighting) -> Result<(), Holds> {
    if seen.views().iter().any(View::has_majority) {
        return Ok(());
    }
    for name in seen.members.keys() {
        match in_no_group(seen, name) {
            Err(untold @ Holds::Unknown(_)) => return Err(untold),
            Err(Holds::Yes | Holds::No(_)) | Ok(()) => {}
        }
    }
    Err(Holds::No(
        "no member is ONLINE in a group that has its majority".to_owned(),
    ))
}

/// A server that is stopped is in no group, whatever it was in before.
fn in_no_group(seen: &Sighting, name: &MemberName) -> Result<(), Holds> {
    let untold = |why: &str| Holds::Unknown(format!("{name}: {why}"));
    let fact = seen
        .members
        .get(name)
        .ok_or_else(|| untold("is not a member"))?;
    let observation = fact.require().map_err(untold)?;
    let server = match observation.server.require() {
        Ok(server) => server,
        Err(why) => {
            return match observation.service.require().map_err(untold)? {
                ServiceState::Inactive | ServiceState::Failed => Ok(()),
                ServiceState::Active | ServiceState::Activating | ServiceState::Deactivating => {
                    Err(untold(why))
                }
            };
        }
    };
    match server.group.require().map_err(untold)? {
        None => Ok(()),
        Some(group) => match group.own_state {
            MemberState::Offline => Ok(()),
            state @ (MemberState::Online
            | MemberState::Recovering
            | MemberState::Error
            | MemberState::Unreachable) => Err(Holds::No(format!("{name} is {}", state.as_str()))),
        },
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnlineTogether { members, witnesses } => {
                write!(
                    f,
                    "all {} ONLINE in one view seen by {witnesses}",
                    members.len()
                )
            }
            Self::OnlineTogetherOrShutOut {
                members,
                witnesses,
                member,
                version,
            } => {
                write!(
                    f,
                    "all {} ONLINE in one view seen by {witnesses}, or {member} shut out by the others at {version}",
                    members.len()
                )
            }
            Self::OthersOnline { without, least } => write!(f, "{least} ONLINE besides {without}"),
            Self::NoErrantTransactions => write!(f, "no errant transactions"),
            Self::QueuesAtMost { transactions } => write!(f, "queues at most {transactions}"),
            Self::NoTransactionOlderThan { seconds } => {
                write!(f, "no transaction older than {seconds} s")
            }
            Self::NoPreparedXa { member } => write!(f, "no prepared XA on {member}"),
            Self::MemberAt { member, version } => write!(f, "{member} ONLINE at {version}"),
            Self::WritablePrimary => write!(f, "a writable primary"),
            Self::WritableMember { besides: None } => write!(f, "a writable member"),
            Self::WritableMember {
                besides: Some(name),
            } => write!(f, "a writable member besides {name}"),
            Self::GroupStands => write!(f, "a group that has its majority"),
            Self::HasPassed { member, sources } => {
                let names: Vec<&str> = sources.iter().map(MemberName::as_str).collect();
                write!(f, "{member} has passed what {} had", names.join(" and "))
            }
            Self::NobodyInGroup { members } => write!(f, "none of {} in a group", members.len()),
            Self::HasEverything { member, of } => {
                write!(f, "{member} has every transaction of all {}", of.len())
            }
            Self::Replicates {
                member,
                source,
                behind: 0,
                ..
            } => write!(f, "{member} has all of {source}"),
            Self::Replicates {
                member,
                source,
                behind,
                ..
            } => write!(
                f,
                "{member} replicates from {source}, {behind} behind at most"
            ),
            Self::PrimaryIs { member } => write!(f, "{member} is the primary"),
            Self::Member { member, is } => write!(f, "{member}: {is}"),
        }
    }
}
