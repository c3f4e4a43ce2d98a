//! A scripted controller: answers from memory, and records who asked for what.

use crate::samples;
use async_trait::async_trait;
use futures::StreamExt;
use refit_controller::api::{Act, Desk, Planned, Rehearsed, Rehearsing, Update, Updates};
use refit_proto::operator::{
    ClusterView, Configuration, ErrorCode, Judgement, LineView, Refusal, RolloutView, State,
    SummaryView,
};
use refit_shared::checks::{self, Selection, Subject};
use refit_shared::ids::{ClusterName, Digest, RolloutId, Seq, Turn};
use refit_shared::observation::Fact;
use refit_shared::plan::Plan;
use refit_shared::planner::Request;
use refit_shared::receipt::Progress;
use refit_shared::rehearsal::Wanted;
use refit_shared::saga::Actor;
use refit_shared::survey::Judged;
use refit_shared::topology::Sighting;
use refit_shared::version::MysqlVersion;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

#[derive(Debug, Clone)]
pub struct FakeDesk(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    memory: Mutex<Memory>,
    /// Rings when something has changed.
    bell: watch::Sender<u64>,
}

#[derive(Debug)]
struct Memory {
    plan: Plan,
    pub advises_nothing: bool,
    rollout: Option<RolloutView>,
    lines: Vec<LineView>,
    /// What the next mutation is refused with.
    refusal: Option<Refusal>,
    done: Vec<String>,
}

impl FakeDesk {
    pub fn new() -> Self {
        let memory = Memory {
            plan: samples::plan(),
            advises_nothing: false,
            rollout: None,
            lines: Vec::new(),
            refusal: None,
            done: Vec::new(),
        };
        Self(Arc::new(Shared {
            memory: Mutex::new(memory),
            bell: watch::Sender::new(0),
        }))
    }

    fn with<T>(&self, look: impl FnOnce(&mut Memory) -> T) -> T {
        look(&mut self.0.memory.lock().unwrap())
    }

    /// The rollout changes, and one entry is journalled.
    pub fn moves(&self, event: &str, text: &str, change: impl FnOnce(&mut RolloutView)) {
        self.with(|memory| {
            let seq = memory.lines.len() as u64;
            memory.lines.push(samples::line(seq, event, text, None));
            let view = memory.rollout.get_or_insert_with(samples::rollout);
            change(view);
            view.next_seq = seq + 1;
        });
        self.0.bell.send_modify(|count| *count += 1);
    }

    pub fn refuse(&self, refusal: Refusal) {
        self.with(|memory| memory.refusal = Some(refusal));
    }

    pub fn advises_nothing(&self) {
        self.with(|memory| memory.advises_nothing = true);
    }

    /// Every mutation that was carried out: `apply by ann (reason)`.
    pub fn done(&self) -> Vec<String> {
        self.with(|memory| memory.done.clone())
    }

    pub fn plan_file(&self) -> String {
        self.with(|memory| refit_shared::plan::document::write(&memory.plan))
    }

    /// How many watch.
    pub fn watchers(&self) -> usize {
        self.0.bell.receiver_count()
    }

    fn view(&self, id: &RolloutId) -> Result<RolloutView, Refusal> {
        self.with(|memory| memory.rollout.clone())
            .filter(|view| view.summary.id == id.as_str())
            .ok_or_else(|| {
                Refusal::new(
                    ErrorCode::RolloutUnknown,
                    format!("there is no rollout {id}"),
                )
            })
    }
}

#[async_trait]
impl Desk for FakeDesk {
    async fn fleet(&self, only: Option<&ClusterName>) -> Result<Vec<ClusterView>, Refusal> {
        match only {
            Some(name) if name.as_str() != "shop" => Err(Refusal::new(
                ErrorCode::ClusterUnknown,
                format!("the fleet file has no cluster {name}"),
            )
            .reasons(["known clusters: shop"])),
            _ => Ok(samples::fleet()),
        }
    }

    async fn check(
        &self,
        cluster: &ClusterName,
        request: &Request,
        wanted: &Selection,
    ) -> Result<Judgement, Refusal> {
        let mut seen = crate::world::group(&["9.7.3"; 3], &["9.7.3-1", "9.7.4-1"]);
        if wanted.asks_the_target() {
            judge_options(&mut seen);
        }
        let subject = Subject {
            seen: &seen,
            target: request.target,
            policy: &request.policy,
            strategy: request.strategy,
            today: "2026-11-20".parse().unwrap(),
        };
        let made = checks::run_selected(subject, wanted);
        Ok(Judgement {
            cluster: cluster.to_string(),
            target: request.target.to_string(),
            server_address: "db1 (9.7.3-1), db2 (9.7.3-1), db3 (9.7.3-1)".to_owned(),
            server_version: "9.7.3".to_owned(),
            manual: checks::manual(&subject.pairs(), &made)
                .map(Into::into)
                .collect(),
            checks: made,
        })
    }

    async fn running(&self, _: &ClusterName) -> Result<MysqlVersion, Refusal> {
        Ok(MysqlVersion::new(9, 7, 3))
    }

    async fn config(
        &self,
        _: &ClusterName,
        target: Option<MysqlVersion>,
    ) -> Result<Configuration, Refusal> {
        Ok(match target {
            Some(_) => samples::configuration(),
            None => samples::pinned(),
        })
    }

    async fn rehearse(
        &self,
        cluster: &ClusterName,
        wanted: Wanted,
        _: Duration,
        dry_run: bool,
    ) -> Result<Rehearsing, Refusal> {
        if wanted.member.as_str() == "db1" {
            return Err(Refusal::new(
                ErrorCode::RehearsalRefused,
                format!("not on {cluster}'s primary"),
            )
            .reasons(["db1 takes the group's writes: name a secondary"]));
        }
        let told = if dry_run {
            vec![Ok(Rehearsed::Would(vec!["a snapshot is taken".to_owned()]))]
        } else {
            let progress = Progress {
                phase: "cloning the data".to_owned(),
                percent: None,
            };
            vec![
                Ok(Rehearsed::Progress(progress)),
                Ok(Rehearsed::Found(Box::new(samples::rehearsal()))),
            ]
        };
        Ok(futures::stream::iter(told).boxed())
    }

    async fn plan(&self, _: &ClusterName, request: &Request) -> Result<Planned, Refusal> {
        if !request.policy.release.is_empty() {
            let names = request.policy.release.join(", ");
            let told = format!("planned to {}, releasing {names}", request.target);
            self.with(|memory| memory.done.push(told));
        }
        self.with(|memory| match memory.refusal.take() {
            Some(refusal) => Err(refusal),
            None => Ok(match memory.advises_nothing {
                true => Planned {
                    plan: None,
                    checks: Vec::new(),
                    notes: vec![
                        "checkTableCommand: db2: 0 of 3 tables checked in 0.1 s; 3 not asked, because the server is read-only \
                         (super_read_only), which refuses FOR UPGRADE"
                            .to_owned(),
                    ],
                },
                false => Planned {
                    plan: Some(memory.plan.clone()),
                    checks: Vec::new(),
                    notes: Vec::new(),
                },
            }),
        })
    }

    async fn may_apply(&self, plan: &Digest) -> Result<(), Refusal> {
        self.with(|memory| {
            if let Some(refusal) = memory.refusal.take() {
                return Err(refusal);
            }
            if *plan != memory.plan.digest() {
                return Err(Refusal::new(ErrorCode::PlanUnknown, "not made here"));
            }
            Ok(())
        })
    }

    async fn apply(&self, plan: &Digest, by: Actor) -> Result<RolloutId, Refusal> {
        self.may_apply(plan).await?;
        self.with(|memory| memory.done.push(format!("apply by {by}")));
        self.moves("rollout_created", "rollout of shop", |_| {});
        Ok(RolloutId::new(samples::ROLLOUT).unwrap())
    }

    async fn list(&self) -> Result<Vec<SummaryView>, Refusal> {
        let rollout = self.with(|memory| memory.rollout.clone());
        Ok(rollout.into_iter().map(|view| view.summary).collect())
    }

    async fn show(&self, rollout: &RolloutId) -> Result<RolloutView, Refusal> {
        self.view(rollout)
    }

    async fn act(
        &self,
        rollout: &RolloutId,
        act: Act,
        seen: Turn,
        by: Actor,
    ) -> Result<(), Refusal> {
        let now = self.view(rollout)?.turn;
        if Turn(now) != seen {
            let what = format!("it is at turn {now}, and this was meant for turn {seen}");
            return Err(Refusal::new(ErrorCode::RolloutMoved, what));
        }
        if let Some(refusal) = self.with(|memory| memory.refusal.take()) {
            return Err(refusal);
        }
        self.with(|memory| memory.done.push(format!("{act:?} by {by}")));
        match act {
            Act::Pause => self.moves("parked", "parked: paused", |view| {
                view.summary.state = State::Parked;
                view.turn += 1;
            }),
            Act::Unwind => self.moves("unwind_decided", "unwinding everything", |view| {
                view.summary.state = State::Unwinding;
                view.turn += 1;
            }),
            Act::Resume | Act::Approve | Act::Cancel | Act::Finalize => {}
        }
        Ok(())
    }

    async fn audit(&self, rollout: &RolloutId) -> Result<Vec<LineView>, Refusal> {
        self.view(rollout)?;
        Ok(self.with(|memory| memory.lines.clone()))
    }

    async fn watch(&self, rollout: &RolloutId, from: Seq) -> Result<Updates, Refusal> {
        self.view(rollout)?;
        let desk = self.clone();
        let mut bell = self.0.bell.subscribe();
        bell.mark_changed();
        let updates =
            futures::stream::unfold((desk, bell, from.0), async |(desk, mut bell, from)| {
                bell.changed().await.ok()?;
                let update = desk.with(|memory| {
                    let lines = memory.lines.iter().filter(|line| line.seq >= from);
                    Update {
                        lines: lines.cloned().collect(),
                        rollout: memory.rollout.clone().expect("it was there before"),
                    }
                });
                let next = update.rollout.next_seq;
                Some((Ok(update), (desk, bell, next)))
            });
        Ok(updates.boxed())
    }
}

/// One member's files are accepted, one's refused, one could not be asked.
fn judge_options(seen: &mut Sighting) {
    let error = "2026-11-28T02:00:00.1Z 0 [ERROR] [MY-000067] [Server] unknown variable 'no_such_option=1'.";
    let judged = |errors: Vec<String>| {
        Fact::Known(Judged {
            accepted: errors.is_empty(),
            errors,
            libraries: Fact::Known(BTreeMap::new()),
        })
    };
    let told = [
        judged(Vec::new()),
        judged(vec![error.to_owned()]),
        Fact::Unknown("the agent has an order in hand, which comes first".to_owned()),
    ];
    for (survey, told) in seen.surveys.values_mut().zip(told) {
        if let Fact::Known(survey) = survey {
            survey.judged = Some(told);
        }
    }
}
