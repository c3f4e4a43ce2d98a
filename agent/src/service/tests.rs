//! The conversation without a network: the service's own methods, over simulated hosts.

use super::*;
use crate::simhost::{Beginning, SimAgent, SimWorld, Timings};
use refit_proto::agent::agent_server::Agent;
use refit_shared::ids::{Attempt, Epoch, RolloutId, StepId};
use refit_shared::observation::{Observation, ServiceState};
use refit_shared::operation::{AttemptId, Direction, Operation};
use refit_shared::receipt::{FailureCode, Outcome, Probe};
use refit_shared::table::TableFacts;
use refit_shared::version::PackageVersion;
use tokio::time::sleep;
use tokio_stream::StreamExt;
use tonic::Code;

struct Rig {
    world: SimWorld,
    agent: SimAgent,
    service: AgentService,
    stop: CancellationToken,
    _dir: tempfile::TempDir,
}

fn member(name: &str) -> MemberName {
    MemberName::new(name).unwrap()
}

fn cluster() -> ClusterName {
    ClusterName::new("c1").unwrap()
}

impl Rig {
    fn of(name: &str) -> Self {
        let world = SimWorld::begin(Beginning {
            members: ["m1", "m2", "m3"].map(member).to_vec(),
            installed: PackageVersion::new("9.7.3-1").unwrap(),
            offered: Vec::new(),
            timings: Timings::STANDARD,
        });
        let dir = tempfile::tempdir().unwrap();
        let agent = SimAgent::start(&world, &cluster(), &member(name), dir.path());
        let looker = Looker::new(
            cluster(),
            member(name),
            agent.place.host.clone(),
            agent.worker.view(),
            agent.place.clock.clone(),
        );
        let stop = CancellationToken::new();
        let service = AgentService::new(
            agent.place.clone(),
            agent.worker.clone(),
            Arc::new(looker),
            stop.clone(),
        );
        Self {
            world,
            agent,
            service,
            stop,
            _dir: dir,
        }
    }

    fn order(&self, operation: Operation, attempt: u32, epoch: u64) -> Order {
        Order {
            id: AttemptId {
                rollout: RolloutId::new("r1").unwrap(),
                step: StepId(1),
                attempt: Attempt(attempt),
            },
            epoch: Epoch(epoch),
            cluster: cluster(),
            member: self.agent.place.member.clone(),
            direction: Direction::Perform,
            operation,
            deadline_s: 600,
        }
    }

    async fn observe(&self) -> Observation {
        let asked = ObserveRequest {
            cluster: cluster(),
            member: self.agent.place.member.clone(),
        };
        let reply = self.service.observe(Request::new(asked.into())).await;
        Observation::try_from(reply.unwrap().into_inner()).unwrap()
    }

    async fn events(&self, order: Order) -> Vec<CarryOutEvent> {
        let reply = self.service.carry_out(Request::new(order.into())).await;
        let stream = reply.unwrap().into_inner();
        stream
            .map(|event| CarryOutEvent::try_from(event.unwrap()).unwrap())
            .collect()
            .await
    }

    async fn vitals(&self) -> Vitals {
        Vitals::take(&self.agent.place.host, &self.agent.worker).await
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_streams_its_progress_and_ends_with_its_receipt() {
    let rig = Rig::of("m3");
    let order = rig.order(Operation::LeaveGroup { drain_s: 10 }, 1, 1);
    for _ in 0..2 {
        let events = rig.events(order.clone()).await;
        let Some(CarryOutEvent::Receipt(receipt)) = events.last() else {
            panic!("{events:?}");
        };
        assert!(matches!(receipt.outcome, Outcome::Done { .. }));
        assert_eq!(receipt.content, order.content_digest());
        let (_, before) = events.split_last().unwrap();
        let is_progress = |event: &CarryOutEvent| matches!(event, CarryOutEvent::Progress(_));
        assert!(before.iter().all(is_progress));
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_cancels_nothing() {
    let rig = Rig::of("m1");
    rig.world
        .open_transaction(tokio::time::Instant::now() + Duration::from_secs(3));
    let order = rig.order(Operation::LeaveGroup { drain_s: 10 }, 1, 1);
    let call = rig.service.carry_out(Request::new(order.clone().into()));
    drop(call.await.unwrap());
    sleep(Duration::from_secs(10)).await;
    assert_eq!(
        rig.world.member_state(&member("m1")),
        Some(MemberState::Offline)
    );
    let events = rig.events(order).await;
    assert!(matches!(events[..], [CarryOutEvent::Receipt(_)]));
}

#[tokio::test(start_paused = true)]
async fn refusals_say_which_epoch_is_obeyed() {
    let rig = Rig::of("m3");
    rig.events(rig.order(Operation::BackUpConfig, 1, 7)).await;
    let events = rig.events(rig.order(Operation::BackUpConfig, 2, 6)).await;
    let [CarryOutEvent::Refusal(refused)] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(refused.highest_epoch, Some(Epoch(7)));
    assert_eq!(refused.failure.code, FailureCode::Fenced);
    let probe = rig.order(Operation::BackUpConfig, 2, 6);
    let reply = rig.service.probe(Request::new(probe.into())).await.unwrap();
    let reply = ProbeReply::try_from(reply.into_inner()).unwrap();
    assert!(matches!(reply, ProbeReply::Refusal(_)));
}

#[tokio::test(start_paused = true)]
async fn a_probe_looks_and_changes_nothing() {
    let rig = Rig::of("m3");
    for (expected, done) in [(Probe::NotDone, false), (Probe::Done, true)] {
        if done {
            rig.events(rig.order(Operation::BackUpConfig, 1, 1)).await;
        }
        let order = rig.order(Operation::BackUpConfig, 2, 9);
        let reply = rig.service.probe(Request::new(order.into())).await.unwrap();
        let reply = ProbeReply::try_from(reply.into_inner()).unwrap();
        assert_eq!(reply, ProbeReply::Found(expected));
    }
    // Neither its epoch nor its attempt counts.
    let view = rig.agent.worker.view().borrow().clone();
    assert_eq!(view.highest_epoch, Epoch(1));
    assert_eq!(rig.agent.worker.entries().await.unwrap().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_observation_is_fresh_after_an_operation_and_has_reasons_for_what_is_missing() {
    let rig = Rig::of("m3");
    let seen = rig.observe().await;
    assert_eq!(seen.service, Fact::Known(ServiceState::Active));
    assert!(seen.server.known().is_some());
    assert!(!seen.agent.in_maintenance);
    rig.events(rig.order(Operation::EnterMaintenance, 1, 4))
        .await;
    let seen = rig.observe().await;
    assert!(seen.agent.in_maintenance);
    assert_eq!(seen.agent.highest_epoch, Epoch(4));

    rig.world
        .refuse_start(&member("m3"), "9.7.3".parse().unwrap(), 67);
    rig.world.kill_mysqld(&member("m3"));
    let seen = rig.observe().await;
    assert!(matches!(seen.server, Fact::Unknown(_)));
    assert!(seen.packages.known().is_some());
    // The package facts are kept for a moment, but not across an operation.
    let held = |seen: &Observation| seen.packages.known().unwrap().held.len();
    assert_eq!(held(&seen), 0);
    let names = crate::simhost::PACKAGES.map(str::to_owned);
    let packages = &rig.agent.place.host.packages;
    packages.set_held(&names, true).await.unwrap();
    assert_eq!(held(&rig.observe().await), 0);
    let mut undo = rig.order(Operation::BackUpConfig, 2, 4);
    undo.id.step = StepId(2);
    rig.events(undo).await;
    assert_eq!(held(&rig.observe().await), 2);
}

#[tokio::test(start_paused = true)]
async fn the_ledger_can_be_read_by_rollout() {
    let rig = Rig::of("m3");
    rig.events(rig.order(Operation::BackUpConfig, 1, 1)).await;
    for (rollout, expected) in [(None, 1), (Some("r1"), 1), (Some("r2"), 0)] {
        let asked = LedgerRequest {
            cluster: cluster(),
            member: member("m3"),
            rollout: rollout.map(|name| RolloutId::new(name).unwrap()),
        };
        let reply = rig
            .service
            .ledger(Request::new(asked.into()))
            .await
            .unwrap();
        let entries: Vec<_> = reply.into_inner().collect().await;
        assert_eq!(entries.len(), expected);
        for entry in entries {
            let entry = LedgerEntry::try_from(entry.unwrap()).unwrap();
            assert!(entry.receipt.is_some());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn another_members_questions_are_not_answered() {
    let rig = Rig::of("m3");
    let asked = ObserveRequest {
        cluster: cluster(),
        member: member("m2"),
    };
    let error = rig.service.observe(Request::new(asked.into())).await;
    assert_eq!(error.unwrap_err().code(), Code::FailedPrecondition);
    let asked = BeatsRequest {
        cluster: ClusterName::new("c2").unwrap(),
        member: member("m3"),
        every: Duration::from_millis(100),
    };
    let error = rig.service.beats(Request::new(asked.into())).await;
    assert_eq!(
        error.map(|_| ()).unwrap_err().code(),
        Code::FailedPrecondition
    );
}

#[tokio::test(start_paused = true)]
async fn beats_tell_the_truth_until_the_agent_stops() {
    let rig = Rig::of("m1");
    let asked = BeatsRequest {
        cluster: cluster(),
        member: member("m1"),
        every: Duration::from_millis(100),
    };
    let reply = rig.service.beats(Request::new(asked.into())).await.unwrap();
    let mut beats = reply.into_inner();
    let next = async |beats: &mut Stream<refit_proto::common::Beat>| {
        let beat = beats.next().await.unwrap().unwrap();
        Beat::try_from(beat).unwrap()
    };
    assert!(next(&mut beats).await.writable);
    let mysql = rig.agent.place.host.mysql.clone();
    mysql.set_super_read_only(true).await.unwrap();
    // What was sent before may still be on its way.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    while next(&mut beats).await.writable {
        assert!(tokio::time::Instant::now() < deadline);
    }
    rig.world.power_off(&member("m2"));
    rig.stop.cancel();
    while let Some(beat) = beats.next().await {
        assert!(!Beat::try_from(beat.unwrap()).unwrap().writable);
        assert!(tokio::time::Instant::now() < deadline);
    }
}

#[tokio::test(start_paused = true)]
async fn probes_rest_on_what_the_server_can_do_and_not_on_its_role() {
    let primary = Rig::of("m1");
    let vitals = primary.vitals().await;
    assert!(vitals.primary.is_ok() && vitals.writable.is_ok() && vitals.online.is_ok());
    assert!(vitals.replica.is_err());
    // Still PRIMARY by its role, and no write succeeds.
    let mysql = &primary.agent.place.host.mysql;
    mysql.set_super_read_only(true).await.unwrap();
    let vitals = primary.vitals().await;
    assert_eq!(vitals.writable, Err("super_read_only is on".to_owned()));
    assert!(vitals.primary.is_err() && vitals.replica.is_err());
    assert!(vitals.online.is_ok());

    let secondary = Rig::of("m3");
    let vitals = secondary.vitals().await;
    assert!(vitals.replica.is_ok() && vitals.primary.is_err() && vitals.writable.is_err());
    let leave = secondary.order(Operation::LeaveGroup { drain_s: 10 }, 1, 1);
    secondary.events(leave).await;
    let vitals = secondary.vitals().await;
    assert!(vitals.mysqld.is_ok() && vitals.agent.is_ok());
    assert_eq!(vitals.online, Err("the member is OFFLINE".to_owned()));
    assert!(vitals.replica.is_err());
    secondary.world.kill_mysqld(&member("m3"));
    let vitals = secondary.vitals().await;
    assert!(vitals.mysqld.is_err() && vitals.online.is_err() && vitals.agent.is_ok());
}

#[tokio::test(start_paused = true)]
async fn every_question_has_an_answer_and_an_unknown_one_a_reason() {
    use refit_proto::common::answer::Fact;
    let rig = Rig::of("m1");
    let ask = |questions: &[&str]| wire::SurveyRequest {
        cluster: "c1".to_owned(),
        member: "m1".to_owned(),
        questions: questions.iter().map(|q| (*q).to_owned()).collect(),
        tables: Vec::new(),
        candidate: None,
        addresses: Vec::new(),
    };
    let reply = rig.service.survey(Request::new(ask(&[
        "row_formats",
        "weather",
        "confinement",
    ])));
    let answers = reply.await.unwrap().into_inner().answers;
    let known: Vec<&str> = answers
        .iter()
        .filter(|a| matches!(a.fact, Some(Fact::Value(_))))
        .map(|a| a.question.as_str())
        .collect();
    assert_eq!(known, ["row_formats", "confinement"]);
    let unknown = answers.iter().find(|a| a.question == "weather").unwrap();
    assert!(
        matches!(&unknown.fact, Some(Fact::UnknownReason(why)) if why.contains("upgrade refit-agent")),
        "{unknown:?}"
    );

    let mut named = ask(&[]);
    named.tables = ["shop.items", "shop.report", "shopp.items"]
        .map(str::to_owned)
        .to_vec();
    let reply = rig.service.survey(Request::new(named)).await.unwrap();
    let told = refit_shared::survey::Survey::try_from(reply.into_inner()).unwrap();
    let of = |name: &str| told.table(&name.parse().unwrap()).unwrap().clone();
    assert!(matches!(of("shop.items"), TableFacts::Base { bytes, .. } if bytes > 0));
    assert_eq!(of("shop.report"), TableFacts::NotBase("VIEW".to_owned()));
    assert_eq!(of("shopp.items"), TableFacts::Missing);

    assert_eq!(told.unreached, None, "nobody has asked for it");
    let mut addressed = ask(&[]);
    addressed.addresses = ["m2", "m9"]
        .map(|host| refit_proto::common::NetworkAddress {
            host: host.to_owned(),
            port: 3306,
            xcom: false,
        })
        .to_vec();
    let reply = rig.service.survey(Request::new(addressed)).await.unwrap();
    let tried = refit_shared::survey::Survey::try_from(reply.into_inner()).unwrap();
    let missed = tried.unreached().unwrap().keys();
    let missed: Vec<String> = missed.map(ToString::to_string).collect();
    assert_eq!(missed, ["m9:3306"], "m2 is a member, and there");
    assert_eq!(told.judged, None, "nobody has asked for it");
    let mut judged = ask(&[]);
    judged.candidate = Some(wire::OptionsCandidate {
        version: "9.7.4".to_owned(),
        packages: Vec::new(),
        files: Vec::new(),
    });
    let reply = rig.service.survey(Request::new(judged)).await.unwrap();
    let told = refit_shared::survey::Survey::try_from(reply.into_inner()).unwrap();
    assert_eq!(told.judged(), Err("no package is named"));

    let mut other = ask(&["row_formats"]);
    other.member = "m2".to_owned();
    let refused = rig.service.survey(Request::new(other)).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
}
