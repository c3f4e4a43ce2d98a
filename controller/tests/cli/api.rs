//! The service itself, called by a gRPC client.

use crate::samples;
use crate::server::Server;
use refit_proto::identity::{Identity, Role};
use refit_proto::operator::wire::operator_client::OperatorClient;
use refit_proto::operator::{ErrorCode, Refusal, State, wire};
use refit_proto::tls;
use std::time::Duration;
use tonic::transport::Channel;
use tonic::{Code, Status};

fn channel(server: &Server, who: &str) -> Channel {
    let material = server.material(who);
    let controller = Identity::new(
        material.identity().trust_domain,
        Role::Controller,
        "localhost",
    );
    let _entered = server.runtime().enter();
    tls::connect(server.address.into(), controller.unwrap(), material)
}

fn code(status: &Status) -> ErrorCode {
    Refusal::of_status(status)
        .unwrap_or_else(|| panic!("{status:?}"))
        .code
}

#[test]
fn an_agents_certificate_opens_nothing() {
    let server = Server::start();
    server.issue(Role::Agent, "db1", &tls::Clock::system());
    let mut client = OperatorClient::new(channel(&server, "db1"));
    let refused = server
        .runtime()
        .block_on(client.list(wire::ListRequest::default()));
    let status = refused.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert!(status.message().contains("operator"), "{status}");

    let act = wire::ActRequest {
        rollout: samples::ROLLOUT.to_owned(),
        ..wire::ActRequest::default()
    };
    let status = server.runtime().block_on(client.unwind(act)).unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert!(server.desk.done().is_empty());
}

#[test]
fn the_name_in_the_certificate_is_the_actor() {
    let server = Server::start();
    let mut client = OperatorClient::new(channel(&server, "ann"));
    let apply = |dry_run, reason: &str| wire::ApplyRequest {
        document: server.desk.plan_file().into_bytes(),
        dry_run,
        reason: reason.to_owned(),
    };
    server.runtime().block_on(async {
        let dry = client.apply(apply(true, "")).await.unwrap().into_inner();
        assert_eq!(dry.rollout, None);
        assert!(dry.notes[0].contains("to 9.7.4"), "{:?}", dry.notes);
        assert!(
            server.desk.done().is_empty(),
            "a dry run has changed something"
        );

        client.apply(apply(false, "change 4711")).await.unwrap();
        assert_eq!(server.desk.done(), ["apply by ann (change 4711)"]);

        let status = client.apply(apply(false, "two\nlines")).await.unwrap_err();
        assert_eq!(code(&status), ErrorCode::RequestInvalid);
        let status = client
            .apply(apply(false, &"x".repeat(501)))
            .await
            .unwrap_err();
        assert_eq!(code(&status), ErrorCode::RequestInvalid);
    });
}

#[test]
fn bad_plans_have_their_own_codes() {
    let server = Server::start();
    let mut client = OperatorClient::new(channel(&server, "ann"));
    let good = server.desk.plan_file();
    let mut other = samples::plan();
    other.policy.soak_s += 1;
    let cases = [
        ("{}".to_owned(), ErrorCode::PlanMalformed),
        (
            good.replace("\"refit_plan\": 1", "\"refit_plan\": 2"),
            ErrorCode::PlanMalformed,
        ),
        (
            good.replace("\"accept_no_spare\": true", "\"accept_no_spare\": false"),
            ErrorCode::PlanEdited,
        ),
        (
            refit_shared::plan::document::write(&other),
            ErrorCode::PlanUnknown,
        ),
    ];
    for (document, expected) in cases {
        for dry_run in [true, false] {
            let request = wire::ApplyRequest {
                document: document.clone().into_bytes(),
                dry_run,
                reason: String::new(),
            };
            let status = server
                .runtime()
                .block_on(client.apply(request))
                .unwrap_err();
            assert_eq!(code(&status), expected);
            assert_eq!(status.code(), expected.grpc());
        }
    }
    assert!(server.desk.done().is_empty());
}

#[test]
fn a_watcher_gets_every_line_once_and_can_resume() {
    let server = Server::start();
    server.desk.moves("rollout_created", "one", |_| {});
    server.desk.moves("step_intended", "two", |_| {});
    let mut client = OperatorClient::new(channel(&server, "ann"));
    let watch = |from_seq| wire::WatchRequest {
        rollout: samples::ROLLOUT.to_owned(),
        from_seq,
    };
    server.runtime().block_on(async {
        let mut stream = client.watch(watch(0)).await.unwrap().into_inner();
        let first = stream.message().await.unwrap().unwrap();
        let texts: Vec<&str> = first.lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["one", "two"]);
        server.desk.moves("step_resolved", "three", |_| {});
        let second = stream.message().await.unwrap().unwrap();
        assert_eq!(second.lines.len(), 1);
        assert_eq!(second.lines[0].text, "three");
        let next = second.rollout.unwrap().next_seq;
        drop(stream);

        server.desk.moves("parked", "four", |_| {});
        let mut stream = client.watch(watch(next)).await.unwrap().into_inner();
        let resumed = stream.message().await.unwrap().unwrap();
        assert_eq!(resumed.lines.len(), 1);
        assert_eq!(resumed.lines[0].text, "four");
    });
}

#[test]
fn stopping_ends_streams_and_does_not_wait_for_silent_clients() {
    let mut server = Server::start();
    server.desk.moves("rollout_created", "one", |_| {});
    let mut client = OperatorClient::new(channel(&server, "ann"));
    let watch = wire::WatchRequest {
        rollout: samples::ROLLOUT.to_owned(),
        from_seq: 0,
    };
    let mut stream = server.runtime().block_on(async {
        let mut stream = client.watch(watch).await.unwrap().into_inner();
        stream.message().await.unwrap().unwrap();
        stream
    });
    let took = server.stop();
    assert!(took < Duration::from_secs(10), "{took:?}");
    let status = server.runtime().block_on(stream.message()).unwrap_err();
    assert_eq!(code(&status), ErrorCode::ControllerStopping);
}

#[test]
fn health_follows_the_controllers_standing() {
    use refit_controller::ports::JournalError;
    use refit_controller::standing::Standing;
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_check_response::ServingStatus;
    use tonic_health::pb::health_client::HealthClient;
    let server = Server::start();
    let mut client = HealthClient::new(channel(&server, "ann"));
    let request = HealthCheckRequest {
        service: "refit.operator.v1.Operator".to_owned(),
    };
    server.runtime().block_on(async {
        let mut told = client.watch(request).await.unwrap().into_inner();
        let mut until = async |wanted: ServingStatus| {
            loop {
                if told.message().await.unwrap().unwrap().status() == wanted {
                    return;
                }
            }
        };
        until(ServingStatus::Serving).await;
        server.stands(Standing::JournalFailed(JournalError::Write(
            "disk full".into(),
        )));
        until(ServingStatus::NotServing).await;
    });
}

#[test]
fn reflection_lists_the_service() {
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    let server = Server::start();
    let mut client = ServerReflectionClient::new(channel(&server, "ann"));
    let request = tonic_reflection::pb::v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let names: Vec<String> = server.runtime().block_on(async {
        let asked = futures::stream::iter([request]);
        let mut answers = client
            .server_reflection_info(asked)
            .await
            .unwrap()
            .into_inner();
        match answers.message().await.unwrap().unwrap().message_response {
            Some(MessageResponse::ListServicesResponse(list)) => list
                .service
                .into_iter()
                .map(|service| service.name)
                .collect(),
            other => panic!("{other:?}"),
        }
    });
    assert!(
        names
            .iter()
            .any(|name| name == "refit.operator.v1.Operator"),
        "{names:?}"
    );
}

#[test]
fn an_act_states_the_turn_that_its_caller_saw() {
    let server = Server::start();
    server.desk.moves("rollout_created", "one", |_| {});
    let mut client = OperatorClient::new(channel(&server, "ann"));
    let act = |turn, dry_run| wire::ActRequest {
        rollout: samples::ROLLOUT.to_owned(),
        reason: String::new(),
        dry_run,
        turn,
    };
    server.runtime().block_on(async {
        for dry_run in [true, false] {
            for status in [
                client.pause(act(None, dry_run)).await.unwrap_err(),
                client.resume(act(None, dry_run)).await.unwrap_err(),
                client.approve(act(None, dry_run)).await.unwrap_err(),
                client.unwind(act(None, dry_run)).await.unwrap_err(),
                client.cancel(act(None, dry_run)).await.unwrap_err(),
                client.finalize(act(None, dry_run)).await.unwrap_err(),
            ] {
                assert_eq!(code(&status), ErrorCode::RequestInvalid);
                assert!(status.message().contains("`turn` is missing"), "{status}");
            }
            for other in [0, 2, u64::MAX] {
                let status = client.pause(act(Some(other), dry_run)).await.unwrap_err();
                assert_eq!(code(&status), ErrorCode::RolloutMoved);
                let refusal = Refusal::of_status(&status).unwrap();
                assert!(refusal.what.contains("turn 1"), "{refusal:?}");
            }
        }
        assert!(server.desk.done().is_empty());
        client.pause(act(Some(1), false)).await.unwrap();
        // The same request once more: the first one has moved the rollout on.
        let status = client.pause(act(Some(1), false)).await.unwrap_err();
        assert_eq!(code(&status), ErrorCode::RolloutMoved);
    });
    assert_eq!(server.desk.done(), ["Pause by ann"]);
}

#[test]
fn a_dry_run_of_every_act_changes_nothing() {
    let server = Server::start();
    server.desk.moves("rollout_created", "one", |_| {});
    let mut client = OperatorClient::new(channel(&server, "ann"));
    let dry = || wire::ActRequest {
        rollout: samples::ROLLOUT.to_owned(),
        reason: String::new(),
        dry_run: true,
        turn: Some(1),
    };
    server.runtime().block_on(async {
        assert!(client.pause(dry()).await.is_ok());
        assert!(client.approve(dry()).await.is_ok());
        assert!(client.cancel(dry()).await.is_ok());
        let unwind = client.unwind(dry()).await.unwrap().into_inner();
        assert!(
            unwind.notes[0].contains("nothing has been done"),
            "{:?}",
            unwind.notes
        );
        // What could not be done now is refused in a dry run too.
        let status = client.resume(dry()).await.unwrap_err();
        assert_eq!(code(&status), ErrorCode::RolloutState);
        let status = client.finalize(dry()).await.unwrap_err();
        assert_eq!(code(&status), ErrorCode::RolloutState);
        server.desk.moves("rollout_closed", "ended", |view| {
            *view = samples::upgraded()
        });
        let status = client.unwind(dry()).await.unwrap_err();
        assert_eq!(code(&status), ErrorCode::RolloutNoWayBack);
        let after = client.show(wire::ShowRequest {
            rollout: samples::ROLLOUT.to_owned(),
        });
        let after = after.await.unwrap().into_inner().rollout.unwrap();
        let after = refit_proto::operator::RolloutView::try_from(after).unwrap();
        assert_eq!(after.summary.state, State::Upgraded);
    });
    assert!(server.desk.done().is_empty());
}
