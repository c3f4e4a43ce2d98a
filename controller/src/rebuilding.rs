//! A new journal from what the agents remember, when the old one is lost.
//!
//! ```text
//! every agent: highest epoch, ledger ──┐
//! plan files of the operator ──────────┴─> which rollout is from which plan ─> shared::saga::rebuild ─> a new journal, parked
//! ```
//!
//! Asks agents only what they remember and gives no order. A rollout's name proves which plan it was made from. For each cluster
//! only its latest rollout matters: an earlier one has ended, or the later one could not have begun.

use crate::fleet::Fleet;
use crate::ports::{AgentError, Agents, Journal, JournalError, Ledgers};
use crate::rollouts::made_from;
use futures::future::join_all;
use refit_proto::exchange::LedgerEntry;
use refit_shared::ids::{ClusterName, Digest, Epoch, MemberName, RolloutId, Seq};
use refit_shared::plan::Plan;
use refit_shared::saga::rebuild::{Remembered, rebuild as recovered};
use refit_shared::saga::{Actor, Entry, Event, ParkReason, Rollout};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// For one question to one agent.
const PATIENCE: Duration = Duration::from_secs(10);
/// Agents that could not be asked may have obeyed later controllers than the others: no fleet restarts its controller so often
/// while one of its agents is away.
const ROOM_FOR_THE_UNSEEN: u64 = 1_000;

/// What a rebuilt journal would hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Rebuilt {
    pub rollouts: Vec<RebuiltRollout>,
    /// Rollouts that agents remember and that are not in it, with the reason.
    pub left: Vec<(RolloutId, String)>,
    /// Agents that could not be asked, with the reason. None of them is a member of a rebuilt rollout.
    pub unseen: Vec<(MemberName, String)>,
    /// The epoch that the next controller must be above.
    pub above: Epoch,
}

#[derive(Debug, Clone, PartialEq)]
pub struct RebuiltRollout {
    pub id: RolloutId,
    pub plan: Plan,
    pub entries: Vec<Entry>,
}

/// Why no journal is made.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// Every reason.
    #[error("{}", .0.join("; "))]
    NotPossible(Vec<String>),
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// What one agent said.
#[derive(Debug)]
struct Told {
    cluster: ClusterName,
    highest: Epoch,
    entries: Vec<LedgerEntry>,
}

/// Asks every agent and puts together what follows. Changes nothing.
///
/// `plans`: of the rollouts wanted. `leave`: rollouts that shall not be in the journal though they are their cluster's latest.
pub async fn rebuild<A: Agents + Ledgers>(
    fleet: &Fleet,
    agents: &A,
    plans: &[Plan],
    leave: &BTreeSet<RolloutId>,
    by: &Actor,
    now_unix_ms: i64,
) -> Result<Rebuilt, RebuildError> {
    let (told, unseen) = ask(fleet, agents).await;
    let mut above = told
        .values()
        .map(|told| told.highest)
        .max()
        .unwrap_or(Epoch(0));
    if !unseen.is_empty() {
        above.0 += ROOM_FOR_THE_UNSEEN;
    }
    let mut wrongs = damaged(&told);
    let mut used: BTreeSet<Digest> = BTreeSet::new();
    let mut rollouts = Vec::new();
    let mut left = Vec::new();
    for cluster in fleet.clusters() {
        let mut of_cluster = rollouts_of(&told, &cluster.name);
        let Some((id, ledgers)) = of_cluster.pop_last() else {
            continue;
        };
        left.extend(
            of_cluster
                .into_keys()
                .map(|id| (id, "a later rollout of its cluster has begun".to_owned())),
        );
        if leave.contains(&id) {
            left.push((id, "as you asked".to_owned()));
            continue;
        }
        let earliest = ledgers
            .values()
            .flatten()
            .map(|remembered| remembered.order.epoch)
            .min()
            .unwrap_or(Epoch(0));
        let of_plan = plans.iter().find_map(|plan| {
            let digest = plan.digest();
            let made = made_from(&id, &digest, earliest)?;
            Some((plan, digest, made))
        });
        let Some((plan, digest, made)) = of_plan else {
            wrongs.push(format!(
                "rollout {id} of {}: none of the plans given is the one that it was made from; give its plan file with --plan, \
                 or leave it out with --leave {id}",
                cluster.name
            ));
            continue;
        };
        used.insert(digest);
        let missing = plan.members().into_iter().filter_map(|member| {
            let why = unseen.iter().find(|(name, _)| name == member);
            let why = why.map(|(_, why)| why.as_str());
            let why = why.or((!told.contains_key(member)).then_some("the fleet file has it not"));
            Some(format!("{member}: {}", why?))
        });
        let missing: Vec<String> = missing.collect();
        if !missing.is_empty() {
            wrongs.push(format!(
                "rollout {id} of {}: what these members were told is not known: {}",
                cluster.name,
                missing.join(", ")
            ));
            continue;
        }
        match entries(&id, plan, &ledgers, made, by, (now_unix_ms, above)) {
            Ok(entries) => rollouts.push(RebuiltRollout {
                id,
                plan: plan.clone(),
                entries,
            }),
            Err(whys) => wrongs.extend(
                whys.into_iter()
                    .map(|why| format!("rollout {id} of {}: {why}", cluster.name)),
            ),
        }
    }
    for plan in plans {
        let digest = plan.digest();
        if !used.contains(&digest) {
            wrongs.push(format!(
                "plan {} of {}: no agent remembers an order of a rollout made from it",
                digest.short(),
                plan.cluster
            ));
        }
    }
    if wrongs.is_empty() {
        Ok(Rebuilt {
            rollouts,
            left,
            unseen,
            above,
        })
    } else {
        Err(RebuildError::NotPossible(wrongs))
    }
}

/// Writes it into a journal that is empty.
pub async fn write(rebuilt: &Rebuilt, journal: &dyn Journal) -> Result<(), RebuildError> {
    if let Some(id) = journal.rollouts().await?.first() {
        return Err(RebuildError::NotPossible(vec![format!(
            "the journal to write has rollouts already, {id} for one"
        )]));
    }
    journal.pass_epoch(rebuilt.above).await?;
    for rollout in &rebuilt.rollouts {
        journal.keep_plan(&rollout.plan).await?;
        journal.append(rollout.entries.clone()).await?;
    }
    Ok(())
}

async fn ask<A: Agents + Ledgers>(
    fleet: &Fleet,
    agents: &A,
) -> (BTreeMap<MemberName, Told>, Vec<(MemberName, String)>) {
    let members = fleet.clusters().iter().flat_map(|cluster| {
        let name = &cluster.name;
        cluster.members.iter().map(move |member| (name, member))
    });
    let answers = join_all(members.map(|(cluster, member)| async move {
        let answer = async {
            // Both again, where the connection is lost: nobody is asked to do anything.
            let seen = agents.observe(&member.name, PATIENCE).await?;
            let entries = agents.ledger(&member.name, PATIENCE).await?;
            Ok::<_, AgentError>((seen, entries))
        };
        let answer = tokio::time::timeout(PATIENCE * 2, answer).await;
        (cluster, &member.name, answer)
    }))
    .await;
    let (mut told, mut unseen) = (BTreeMap::new(), Vec::new());
    for (cluster, member, answer) in answers {
        let why = match answer {
            Ok(Ok((seen, entries))) if seen.member == *member && seen.cluster == *cluster => {
                let told_by = Told {
                    cluster: cluster.clone(),
                    highest: seen.agent.highest_epoch,
                    entries,
                };
                told.insert(member.clone(), told_by);
                continue;
            }
            Ok(Ok((seen, _))) => format!(
                "its agent says that it is {} of {}",
                seen.member, seen.cluster
            ),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", (PATIENCE * 2).as_secs()),
        };
        unseen.push((member.clone(), why));
    }
    (told, unseen)
}

/// Orders that are not the ones which were accepted.
fn damaged(told: &BTreeMap<MemberName, Told>) -> Vec<String> {
    let all = told
        .iter()
        .flat_map(|(member, told)| told.entries.iter().map(move |entry| (member, entry)));
    all.filter(|(_, entry)| {
        entry.order.content_digest() != entry.content
            || entry.receipt.as_ref().is_some_and(|receipt| {
                receipt.id != entry.order.id || receipt.content != entry.content
            })
    })
    .map(|(member, entry)| {
        format!(
            "{member}: its ledger has other content under {} than was accepted",
            entry.order.id
        )
    })
    .collect()
}

/// What the members of a cluster remember, by rollout.
fn rollouts_of(
    told: &BTreeMap<MemberName, Told>,
    cluster: &ClusterName,
) -> BTreeMap<RolloutId, BTreeMap<MemberName, Vec<Remembered>>> {
    let mut rollouts: BTreeMap<_, BTreeMap<_, Vec<_>>> = BTreeMap::new();
    for (member, told) in told.iter().filter(|(_, told)| told.cluster == *cluster) {
        // Rehearsals are no rollouts: they owe nothing, and nothing is rebuilt from them.
        let orders = told.entries.iter();
        for entry in orders.filter(|entry| !entry.order.id.rollout.is_rehearsal()) {
            let remembered = Remembered {
                order: entry.order.clone(),
                receipt: entry.receipt.clone(),
            };
            let of_rollout = rollouts.entry(entry.order.id.rollout.clone()).or_default();
            of_rollout
                .entry(member.clone())
                .or_default()
                .push(remembered);
        }
    }
    rollouts
}

/// The journal of one rollout: its creation, what was recovered, and that it waits for a person.
fn entries(
    id: &RolloutId,
    plan: &Plan,
    ledgers: &BTreeMap<MemberName, Vec<Remembered>>,
    (made, epoch): (i64, Epoch),
    by: &Actor,
    (now_unix_ms, above): (i64, Epoch),
) -> Result<Vec<Entry>, Vec<String>> {
    let created = Event::RolloutCreated {
        cluster: plan.cluster.clone(),
        plan: plan.digest(),
        by: Actor {
            name: "unknown".to_owned(),
            reason: "the journal was lost".to_owned(),
        },
    };
    let mut events = recovered(plan, ledgers)?;
    let open = events.iter().filter_map(|event| match event {
        Event::Recovered { step, found, .. } => {
            use refit_shared::saga::Found;
            match found {
                Found::Open | Found::UndoOpen => {
                    let step = plan.step(*step)?;
                    Some(format!(
                        "how {} {} on {} ended: its agent is asked when you resume or unwind",
                        step.id,
                        step.title(),
                        step.member
                    ))
                }
                Found::Done | Found::Failed(_) | Found::Undone | Found::UndoFailed(_) => None,
            }
        }
        _ => None,
    });
    let mut unknown = vec![
        "who began it, and what people have decided since: whether it was going forward or back, whether a pivot that was not \
         reached was approved"
            .to_owned(),
    ];
    unknown.extend(open);
    events.push(Event::Parked {
        reason: ParkReason::Rebuilt {
            by: by.clone(),
            unknown,
        },
    });
    let first = Entry {
        rollout: id.clone(),
        seq: Seq(0),
        epoch,
        at_unix_ms: made,
        event: created,
    };
    let later = (1..).zip(events).map(|(seq, event)| Entry {
        rollout: id.clone(),
        seq: Seq(seq),
        // From it follows a turn beyond all that the lost journal had.
        epoch: above,
        at_unix_ms: now_unix_ms,
        event,
    });
    let entries: Vec<Entry> = std::iter::once(first).chain(later).collect();
    // What can't be read back must not be written.
    Rollout::fold(plan.clone(), &entries).map_err(|error| vec![error.to_string()])?;
    Ok(entries)
}
