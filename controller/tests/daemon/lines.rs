//! What each answer of an agent, and each failure of the transport, means.

use super::Certificates;
use super::agent::{Answers, serve};
use refit_controller::agents::GrpcAgents;
use refit_controller::fleet;
use refit_controller::ports::{AgentError, Agents, Ledgers};
use refit_proto::agent::CarryOutEvent as Wire;
use refit_proto::exchange::{CarryOutEvent, LedgerEntry, Refusal};
use refit_proto::identity::Role;
use refit_shared::ids::{Attempt, ClusterName, Epoch, MemberName, RolloutId, StepId};
use refit_shared::observation::{Beat, Fact, MemberState, Observation};
use refit_shared::operation::{AttemptId, Direction, Operation, Order};
use refit_shared::receipt::{Failure, FailureCode, Outcome, Progress, Receipt};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::mpsc;
use tonic::Status;

const SECONDS: Duration = Duration::from_secs(10);

fn db1() -> MemberName {
    MemberName::new("db1").unwrap()
}

fn order() -> Order {
    Order {
        id: AttemptId {
            rollout: RolloutId::new("r1").unwrap(),
            step: StepId(3),
            attempt: Attempt(1),
        },
        epoch: Epoch(7),
        cluster: ClusterName::new("shop").unwrap(),
        member: db1(),
        direction: Direction::Perform,
        operation: Operation::BackUpConfig,
        deadline_s: 60,
    }
}

fn receipt() -> Receipt {
    Receipt {
        id: order().id,
        content: order().content_digest(),
        began_unix_ms: 1,
        ended_unix_ms: 2,
        outcome: Outcome::Done {
            notes: vec!["fine".to_owned()],
        },
    }
}

fn observation() -> Observation {
    let seen = crate::lines::world::group(&["9.7.3"; 3], &["9.7.3-1"]);
    seen.members[&db1()].known().unwrap().clone()
}

#[path = "../../../shared/tests/core/support.rs"]
#[allow(dead_code)]
mod world;

fn answers() -> Answers {
    Answers {
        observe: Ok(observation().into()),
        carry_out: Vec::new(),
        beats: Vec::new(),
        ledger: Vec::new(),
    }
}

fn events(events: impl IntoIterator<Item = CarryOutEvent>) -> Vec<Result<Wire, Status>> {
    events.into_iter().map(|event| Ok(event.into())).collect()
}

fn agents(certificates: &Certificates, address: SocketAddr) -> GrpcAgents {
    let text = format!(
        "[[cluster]]\nname = \"shop\"\nmembers = [{{ name = \"db1\", address = \"{address}\" }}]\n"
    );
    let fleet = fleet::parse("fleet.toml", &text).unwrap();
    GrpcAgents::new(&fleet, &certificates.open(Role::Controller, "ctl")).unwrap()
}

/// Agents of one fleet whose only member answers so.
async fn answering(answers: Answers) -> GrpcAgents {
    let certificates = Certificates::new();
    let address = serve(answers, certificates.open(Role::Agent, "db1")).await;
    agents(&certificates, address)
}

#[tokio::test]
async fn an_older_agent_that_knows_no_surveys_is_a_reason() {
    let agents = answering(answers()).await;
    let ask = refit_shared::survey::everything();
    let error = agents.survey(&db1(), &ask, &[], SECONDS).await.unwrap_err();
    assert!(why(error).contains("as an older agent answers"));
}

async fn carried_out(
    carry_out: Vec<Result<Wire, Status>>,
) -> (Result<Receipt, AgentError>, Vec<Progress>) {
    let agents = answering(Answers {
        carry_out,
        ..answers()
    })
    .await;
    let (tell, mut told) = mpsc::channel(16);
    let ended = agents.carry_out(&order(), tell).await;
    let mut progress = Vec::new();
    while let Some(says) = told.recv().await {
        progress.push(says);
    }
    (ended, progress)
}

fn why(error: AgentError) -> String {
    match error {
        AgentError::Unreachable { member, why } => {
            assert_eq!(member, db1());
            why
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn an_observation_arrives_whole() {
    let agents = answering(answers()).await;
    assert_eq!(
        agents.observe(&db1(), SECONDS).await.unwrap(),
        observation()
    );
    let stranger = MemberName::new("db9").unwrap();
    assert!(agents.observe(&stranger, SECONDS).await.is_err());
}

#[tokio::test]
async fn an_agent_of_another_cluster_is_a_refusal() {
    let not_mine = Status::failed_precondition("this agent is of cluster stock");
    let agents = answering(Answers {
        observe: Err(not_mine),
        ..answers()
    })
    .await;
    let refused = agents.observe(&db1(), SECONDS).await.unwrap_err();
    let AgentError::Refused { failure, .. } = refused else {
        panic!("{refused}");
    };
    assert_eq!(failure.code, FailureCode::Fenced);
    assert!(failure.message.contains("of cluster stock"));
}

#[tokio::test]
async fn other_answers_say_nothing_about_the_order() {
    let agents = answering(Answers {
        observe: Err(Status::internal("oops")),
        ..answers()
    })
    .await;
    let why = why(agents.observe(&db1(), SECONDS).await.unwrap_err());
    assert!(why.contains("Internal: oops"), "{why}");
}

#[tokio::test]
async fn an_order_ends_with_its_receipt() {
    let says = Progress {
        phase: "copying".to_owned(),
        percent: Some(10),
    };
    let (ended, progress) = carried_out(events([
        CarryOutEvent::Progress(says.clone()),
        CarryOutEvent::Receipt(receipt()),
    ]))
    .await;
    assert_eq!(ended, Ok(receipt()));
    assert_eq!(progress, [says]);
}

#[tokio::test]
async fn a_refusal_is_final_and_a_newer_controller_outranks_us() {
    let failure = Failure::clean(FailureCode::Fenced, "no");
    let refusal = |highest_epoch| {
        events([CarryOutEvent::Refusal(Refusal {
            failure: failure.clone(),
            highest_epoch,
        })])
    };
    let (refused, _) = carried_out(refusal(None)).await;
    assert_eq!(
        refused,
        Err(AgentError::Refused {
            member: db1(),
            failure: failure.clone()
        })
    );
    let (fenced, _) = carried_out(refusal(Some(Epoch(9)))).await;
    assert_eq!(
        fenced,
        Err(AgentError::Superseded {
            member: db1(),
            highest: Epoch(9)
        })
    );
}

#[tokio::test]
async fn a_call_that_ends_without_an_end_settles_nothing() {
    let (ended, _) = carried_out(Vec::new()).await;
    assert!(why(ended.unwrap_err()).contains("without a receipt"));
    let (broken, _) = carried_out(vec![Err(Status::unavailable("restarting"))]).await;
    assert!(why(broken.unwrap_err()).contains("restarting"));
    let (garbled, _) = carried_out(vec![Ok(Wire { event: None })]).await;
    assert!(why(garbled.unwrap_err()).contains("of the same version"));
}

#[tokio::test]
async fn beats_are_passed_on_until_nobody_listens() {
    let beat = Beat {
        member: db1(),
        at_unix_ms: 5,
        state: Fact::Known(MemberState::Online),
        writable: true,
        transactions_executed: 3,
        applier_queue: 0,
    };
    let beats = vec![Ok(beat.clone().into()); 3];
    let agents = answering(Answers { beats, ..answers() }).await;
    let (to, mut heard) = mpsc::channel(16);
    let ended = agents.beats(&db1(), Duration::from_millis(50), to).await;
    assert!(why(ended.unwrap_err()).contains("ended the beats"));
    for _ in 0..3 {
        assert_eq!(heard.recv().await, Some(beat.clone()));
    }
}

#[tokio::test]
async fn an_operator_can_tell_what_is_wrong_with_the_way() {
    let certificates = Certificates::new();
    // Nobody listens.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let why_not = why(agents(&certificates, address)
        .observe(&db1(), SECONDS)
        .await
        .unwrap_err());
    assert!(why_not.contains("Nothing listens there"), "{why_not}");
    // Somebody else answers under db1's address.
    let other = serve(answers(), certificates.open(Role::Agent, "db2")).await;
    let certificates_two = certificates.issue(Role::Controller, "second");
    let material = refit_proto::tls::Reloading::open(refit_proto::tls::MaterialPaths::in_dir(
        &certificates_two,
    ))
    .unwrap();
    let text = format!(
        "[[cluster]]\nname = \"shop\"\nmembers = [{{ name = \"db1\", address = \"{other}\" }}]\n"
    );
    let agents = GrpcAgents::new(&fleet::parse("f", &text).unwrap(), &material).unwrap();
    let why_not = why(agents
        .carry_out(&order(), mpsc::channel(1).0)
        .await
        .unwrap_err());
    assert!(why_not.contains("agent/db2"), "{why_not}");
}

#[tokio::test]
async fn a_ledger_comes_whole_or_not_at_all() {
    let certificates = Certificates::new();
    let agent = certificates.open(Role::Agent, "db1");
    let entry = |receipt| LedgerEntry {
        order: order(),
        content: order().content_digest(),
        began_unix_ms: 1,
        receipt,
    };
    let (open, ended) = (entry(None), entry(Some(receipt())));
    let whole = Answers {
        ledger: vec![Ok(open.clone().into()), Ok(ended.clone().into())],
        ..answers()
    };
    let address = serve(whole, agent.clone()).await;
    let read = agents(&certificates, address).ledger(&db1(), SECONDS).await;
    assert_eq!(read, Ok(vec![open.clone(), ended]));

    for broken in [
        Err(Status::data_loss("the ledger is damaged")),
        Ok(refit_proto::agent::LedgerEntry::default()),
    ] {
        let certificates = Certificates::new();
        let agent = certificates.open(Role::Agent, "db1");
        let broken = Answers {
            ledger: vec![Ok(open.clone().into()), broken],
            ..answers()
        };
        let address = serve(broken, agent.clone()).await;
        let read = agents(&certificates, address).ledger(&db1(), SECONDS).await;
        assert!(
            matches!(read, Err(AgentError::Unreachable { .. })),
            "{read:?}"
        );
    }
}
