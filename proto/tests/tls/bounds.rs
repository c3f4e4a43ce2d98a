//! What a peer with a good certificate can't do either: send more than anybody has to say, or begin a request and never end it.

use std::time::Duration;

use refit_proto::tls::{AcceptLimits, REQUEST_TIMEOUT, connect, connect_over};
use tokio::time::Instant;
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::support::*;

type Codec = tonic_prost::ProstCodec<HealthCheckRequest, HealthCheckResponse>;

fn path() -> http::uri::PathAndQuery {
    http::uri::PathAndQuery::from_static("/grpc.health.v1.Health/Check")
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused() {
    let ca = Ca::new("ca");
    let material = ca.issue(AGENT).open();
    let (_server, address) = TestServer::tcp(&material).await;
    let client = ca.issue(CONTROLLER).open();
    let channel = connect(address, id(AGENT), client.reloading.clone());
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.unwrap();
    let request = HealthCheckRequest {
        service: "x".repeat(5 << 20),
    };
    let answer = grpc
        .unary(tonic::Request::new(request), path(), Codec::default())
        .await;
    assert_eq!(answer.unwrap_err().code(), Code::OutOfRange);
    check(channel).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_request_that_never_ends_is_given_up() {
    let ca = Ca::new("ca");
    let clock = paused_clock();
    let material = ca.issue(AGENT).open_with_clock(clock.clone());
    let client = ca.issue(CONTROLLER).open_with_clock(clock);
    let (dial, listener) = memory_net();
    let _server = TestServer::on(listener, &material, AcceptLimits::STANDARD);
    let address = "127.0.0.1:7130".parse().unwrap();
    let channel = connect_over(dial, address, id(AGENT), client.reloading.clone());
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.unwrap();
    let began = Instant::now();
    let never = tokio_stream::pending::<HealthCheckRequest>();
    let answer = grpc
        .client_streaming(tonic::Request::new(never), path(), Codec::default())
        .await;
    let code = answer.unwrap_err().code();
    assert!(
        matches!(code, Code::Cancelled | Code::DeadlineExceeded),
        "{code:?}"
    );
    let took = began.elapsed();
    assert!(took >= REQUEST_TIMEOUT, "{took:?}");
    assert!(took < REQUEST_TIMEOUT + Duration::from_secs(5), "{took:?}");
    check(channel).await.unwrap();
}
