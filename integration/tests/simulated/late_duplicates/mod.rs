//! Every call of both services comes again, at every later moment of a rollout: nothing is harmed. The world ends as it does
//! without the copy, and the journal tells the same.
//!
//! Which calls there are is read from the descriptors of the .proto files: a new one that is not sent here fails the test.

mod calls;

use crate::runs::{count, tell};
use crate::world::controller::Controller;
use crate::world::judge::{self, Before};
use crate::world::wire::Twice;
use crate::world::{Hop, World, cluster};
use calls::{Answer, Lines, Sent};
use prost::Message;
use refit_controller::journal::faulty::Fault;
use refit_controller::rollouts::{RolloutView, State, StepState};
use refit_proto::operator::wire;
use refit_shared::ids::{MemberName, RolloutId, Seq, StepId};
use refit_shared::operation::Direction;
use refit_shared::receipt::Outcome;
use refit_shared::saga::{End, Event};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

/// Longer than any of these rollouts takes.
const PATIENCE: Duration = Duration::from_secs(2400);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What agents are at when a rollout is paused has ended by then.
const WORKS_ON: Duration = Duration::from_secs(60);

/// What a person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Path {
    /// Pauses, resumes, approves, finalizes.
    Forward,
    /// Pauses twice, resumes twice, unwinds half way.
    Back,
    /// Pauses and cancels, and begins anew.
    Anew,
}

/// All that is told of a run, and must be told with a copy, too.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    /// What people and parks did to the rollouts, in order.
    turns: Vec<String>,
    /// How the last try at each step ended.
    steps: BTreeMap<(RolloutNo, StepId, bool), String>,
    hosts: Before,
    servers: BTreeMap<MemberName, String>,
    orders: BTreeMap<MemberName, usize>,
    wrongs: Vec<String>,
}

/// The rollouts of a run, by number: their ids tell the time.
type RolloutNo = usize;

/// A copy: of which call, and when it comes.
type Copy<'a> = (&'a str, &'a str);

struct Telling<'a> {
    world: &'a World,
    controller: &'a Controller,
    lines: Lines<'a>,
    copy: Option<Copy<'a>>,
    sent: Vec<Sent>,
    /// Every moment, and what had been sent by then.
    moments: Vec<(&'static str, BTreeSet<&'static str>)>,
    wrongs: Vec<String>,
}

impl Telling<'_> {
    async fn sends(&mut self, sent: Sent) -> Answer {
        let answer = self.lines.send(&sent).await;
        if let Answer::Refused { code, why } = &answer {
            self.wrongs
                .push(format!("{sent:?} is refused: {code}: {why}"));
        }
        self.sent.push(sent);
        answer
    }

    /// A person looks, and acts upon what they see.
    async fn acts(&mut self, id: &RolloutId, act: fn(wire::ActRequest) -> Sent) {
        let seen = self.look(id).await.turn;
        self.sends(act(wire::ActRequest {
            rollout: id.to_string(),
            reason: String::new(),
            dry_run: false,
            turn: Some(seen.0),
        }))
        .await;
    }

    async fn look(&self, id: &RolloutId) -> Arc<RolloutView> {
        let shown = self.controller.rollouts.show(id).await;
        shown.expect("it is there")
    }

    async fn until(&self, id: &RolloutId, wanted: impl Fn(&RolloutView) -> bool) {
        let comes = async {
            while !wanted(self.look(id).await.as_ref()) {
                sleep(LOOK_EVERY).await;
            }
        };
        if timeout(PATIENCE, comes).await.is_err() {
            let now = self.look(id).await;
            let last = self.turns().await.pop();
            panic!(
                "{:?}: it is {} and waits for {:?}; last: {last:?}",
                self.copy, now.summary.state, now.waiting_for
            );
        }
    }

    /// Here a copy may come: of everything of its kind that was sent so far.
    async fn moment(&mut self, name: &'static str) {
        let agents = self.lines.to_agents().await;
        let all: Vec<Sent> = self.sent.iter().cloned().chain(agents).collect();
        let rpcs = all.iter().map(Sent::rpc).collect();
        self.moments.push((name, rpcs));
        let Some((rpc, _)) = self.copy.filter(|(_, at)| *at == name) else {
            return;
        };
        for sent in all.iter().filter(|sent| sent.rpc() == rpc) {
            let before = self.turns().await;
            let answer = self.lines.send(sent).await;
            if self.turns().await[..before.len()] != before[..] {
                self.wrongs
                    .push(format!("{sent:?} {name}: history has changed"));
            }
            let right = match (&answer, sent.refused_with()) {
                (Answer::Refused { code, .. }, Some(codes)) => codes.contains(&code.as_str()),
                (_, Some(_)) => false,
                (_, None) => true,
            };
            if !right {
                self.wrongs
                    .push(format!("{sent:?} {name}: answered {answer:?}"));
            }
        }
    }

    async fn begin(&mut self, looks_first: bool) -> RolloutId {
        let policy: Option<wire::Policy> = Some(self.world.request().policy.into());
        let (cluster, target) = (cluster().to_string(), "9.7.4".to_owned());
        if looks_first {
            self.looks(&cluster, &target, &policy).await;
        }
        let planned = self
            .sends(Sent::Plan(wire::PlanRequest {
                cluster,
                target,
                policy,
                ..Default::default()
            }))
            .await;
        let Answer::Planned(document) = planned else {
            panic!("{planned:?}");
        };
        let begun = self
            .sends(Sent::Apply(wire::ApplyRequest {
                document,
                dry_run: false,
                reason: String::new(),
            }))
            .await;
        let Answer::Told(Some(rollout)) = begun else {
            panic!("{begun:?}");
        };
        let id = rollout.summary.expect("every rollout has one").id;
        RolloutId::new(id).expect("the controller's own")
    }

    /// Everything that only looks, and a rehearsal.
    async fn looks(&mut self, cluster: &str, target: &str, policy: &Option<wire::Policy>) {
        let (cluster, target) = (cluster.to_owned(), target.to_owned());
        self.sends(Sent::Fleet(wire::FleetRequest::default())).await;
        self.sends(Sent::Check(wire::CheckRequest {
            cluster: cluster.clone(),
            target: target.clone(),
            policy: policy.clone(),
            ..Default::default()
        }))
        .await;
        self.sends(Sent::Config(wire::ConfigRequest {
            cluster: cluster.clone(),
            target: target.clone(),
        }))
        .await;
        self.sends(Sent::Rehearse(wire::RehearseRequest {
            cluster,
            member: "db2".to_owned(),
            target,
            // A backup: simulated file systems take no snapshots of data that is in use.
            data_directory: Some("/backup/mysql".to_owned()),
            limit_s: 600,
            ..Default::default()
        }))
        .await;
    }

    async fn follows(&mut self, id: &RolloutId) {
        let rollout = id.to_string();
        self.sends(Sent::List(wire::ListRequest::default())).await;
        self.sends(Sent::Show(wire::ShowRequest {
            rollout: rollout.clone(),
        }))
        .await;
        self.sends(Sent::Watch(wire::WatchRequest {
            rollout: rollout.clone(),
            from_seq: 0,
        }))
        .await;
        self.sends(Sent::Audit(wire::AuditRequest { rollout }))
            .await;
    }

    async fn walk(&mut self, path: Path) {
        let waits =
            |view: &RolloutView| matches!(view.summary.state, State::AwaitingApproval { .. });
        let ended = |view: &RolloutView| matches!(view.summary.state, State::Ended { .. });
        let id = self.begin(true).await;
        self.follows(&id).await;
        // A copy takes its time, and a rollout that is to be given up must be as far as without.
        if path != Path::Anew {
            self.moment("begun").await;
        }
        match path {
            Path::Forward => {
                self.acts(&id, Sent::Pause).await;
                self.moment("parked").await;
                self.acts(&id, Sent::Resume).await;
                self.moment("resumed").await;
                self.until(&id, waits).await;
                self.moment("at the pivot").await;
                self.acts(&id, Sent::Approve).await;
                self.moment("approved").await;
                self.until(&id, ended).await;
                self.moment("upgraded").await;
                self.acts(&id, Sent::Finalize).await;
                self.moment("finalizing").await;
                let finalized = |view: &RolloutView| {
                    matches!(
                        view.summary.state,
                        State::Ended {
                            finalized: true,
                            ..
                        }
                    )
                };
                self.until(&id, finalized).await;
                self.moment("finalized").await;
            }
            Path::Back => {
                for again in ["parked", "parked again"] {
                    self.acts(&id, Sent::Pause).await;
                    self.moment(again).await;
                    self.acts(&id, Sent::Resume).await;
                    if again == "parked" {
                        self.moment("resumed").await;
                    }
                }
                self.moment("resumed again").await;
                self.until(&id, swapping).await;
                self.moment("half way").await;
                self.acts(&id, Sent::Unwind).await;
                self.moment("unwinding").await;
                self.until(&id, ended).await;
                self.moment("restored").await;
            }
            Path::Anew => {
                self.acts(&id, Sent::Pause).await;
                sleep(WORKS_ON).await;
                self.acts(&id, Sent::Cancel).await;
                self.moment("given up").await;
                let next = self.begin(false).await;
                self.moment("the next one begun").await;
                self.until(&next, swapping).await;
                self.moment("the next one half way").await;
                self.until(&next, waits).await;
                self.acts(&next, Sent::Approve).await;
                self.until(&next, ended).await;
                self.moment("the next one upgraded").await;
            }
        }
    }

    /// Everything in the journal but the steps.
    async fn turns(&self) -> Vec<String> {
        self.events()
            .await
            .into_iter()
            .filter_map(|(number, event)| match event {
                Event::StepIntended { .. }
                | Event::StepResolved { .. }
                | Event::UndoIntended { .. }
                | Event::UndoResolved { .. } => None,
                Event::RolloutCreated { by, .. } => Some(format!("{number}: created by {by}")),
                other => Some(format!("{number}: {other:?}")),
            })
            .collect()
    }

    async fn events(&self) -> Vec<(RolloutNo, Event)> {
        let rollouts = &self.controller.rollouts;
        let mut events = Vec::new();
        let list = rollouts.list().await.expect("it acts");
        for (number, summary) in list.iter().enumerate() {
            let entries = rollouts.audit(&summary.id, Seq(0)).await.expect("it acts");
            events.extend(entries.into_iter().map(|entry| (number, entry.event)));
        }
        events
    }

    async fn told(mut self) -> Told {
        let events = self.events().await;
        let end = events.iter().rev().find_map(|(_, event)| match event {
            Event::RolloutClosed { end } => Some(end.clone()),
            _ => None,
        });
        let end = end.unwrap_or(End::Upgraded);
        let wrongs = judge::at_the_end(self.world, &end).await;
        self.wrongs.extend(wrongs);
        let mut steps = BTreeMap::new();
        for (number, event) in events {
            let (step, direction, attempt, outcome) = match event {
                Event::StepResolved {
                    step,
                    attempt,
                    outcome,
                } => (step, Direction::Perform, attempt, outcome),
                Event::UndoResolved {
                    step,
                    attempt,
                    outcome,
                } => (step, Direction::Undo, attempt, outcome),
                _ => continue,
            };
            let ended = match outcome {
                Outcome::Done { .. } => "done".to_owned(),
                Outcome::Failed(failure) => failure.to_string(),
            };
            let key = (number, step, direction == Direction::Undo);
            steps.insert(key, format!("attempt {attempt}: {ended}"));
        }
        let sim = &self.world.sim;
        let server = |name: MemberName| {
            let told = format!(
                "runs {:?} on data of {:?}, {:?}, {:?}, writable: {}, starts on boot: {}, {} snapshots",
                sim.running_version(&name),
                sim.data_version(&name),
                sim.member_state(&name),
                sim.service_state(&name),
                sim.is_writable(&name),
                sim.starts_on_boot(&name),
                sim.snapshots(&name).len(),
            );
            (name, told)
        };
        Told {
            turns: self.turns().await,
            steps,
            hosts: Before::of(sim).await,
            servers: sim.members().into_iter().map(server).collect(),
            orders: self.lines.orders().await,
            wrongs: self.wrongs,
        }
    }
}

/// A member's packages are being swapped.
fn swapping(view: &RolloutView) -> bool {
    view.steps
        .iter()
        .any(|step| step.title == "swap_packages" && step.status == StepState::Running)
}

type Moments = Vec<(&'static str, BTreeSet<&'static str>)>;

fn run(path: Path, copy: Option<Copy<'_>>) -> (Told, Moments) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O needs nothing of the machine");
    runtime.block_on(async {
        count();
        let world = World::begin(Hop::Series, Vec::new(), None).await;
        let journal = world.journal.clone();
        let controller = Controller::start(&world, journal, Fault::None, Twice::No).await;
        let controller = controller.expect("a journal in memory does not fail");
        let mut telling = Telling {
            world: &world,
            controller: &controller,
            lines: Lines::new(&world, &controller.rollouts),
            copy,
            sent: Vec::new(),
            moments: Vec::new(),
            wrongs: Vec::new(),
        };
        telling.walk(path).await;
        let moments = std::mem::take(&mut telling.moments);
        let told = telling.told().await;
        // They know each other; this parts them.
        world.sim.no_faults();
        (told, moments)
    })
}

/// Every call that the two services have, by the descriptors.
fn served() -> BTreeSet<String> {
    let set = prost_types::FileDescriptorSet::decode(refit_proto::FILE_DESCRIPTOR_SET);
    let files = set.expect("our own").file;
    let services = files.into_iter().flat_map(|file| file.service);
    let methods = services.flat_map(|service| service.method);
    methods.map(|method| method.name().to_owned()).collect()
}

/// Each call that was sent by a moment comes again at it, in a run of its own.
fn comes_again(path: Path) {
    let began = Instant::now();
    let mut runs = 0;
    let (alone, moments) = run(path, None);
    assert!(alone.wrongs.is_empty(), "{path:?}: {:#?}", alone.wrongs);
    for (moment, rpcs) in moments {
        for rpc in rpcs {
            let (mut told, _) = run(path, Some((rpc, moment)));
            runs += 1;
            // A call takes its moment of time, too: the order that is on its way when somebody pauses arrives just before or not.
            for (member, orders) in &mut told.orders {
                if orders.abs_diff(alone.orders[member]) == 1 {
                    *orders = alone.orders[member];
                }
            }
            assert_eq!(told, alone, "{path:?}: {rpc} comes again {moment}");
        }
    }
    tell(&format!(
        "simulated: late duplicates, {path:?}: {runs} runs, {:.1} s",
        began.elapsed().as_secs_f32()
    ));
}

#[test]
fn a_call_that_comes_again_on_the_way_forward_harms_nothing() {
    comes_again(Path::Forward);
}

#[test]
fn a_call_that_comes_again_on_the_way_back_harms_nothing() {
    comes_again(Path::Back);
}

#[test]
fn a_call_that_comes_again_when_all_is_begun_anew_harms_nothing() {
    comes_again(Path::Anew);
}

#[test]
fn every_call_of_both_services_is_sent_and_comes_again() {
    let paths = [Path::Forward, Path::Back, Path::Anew].into_iter();
    let moments = paths.flat_map(|path| run(path, None).1);
    let sent: BTreeSet<String> = moments
        .flat_map(|(_, rpcs)| rpcs)
        .map(str::to_owned)
        .collect();
    assert_eq!(
        sent,
        served(),
        "a call that is not sent in this test, or is not served any more"
    );
}
