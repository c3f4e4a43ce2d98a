//! `health`: grpc.health.v1 of the controller.

use crate::cli::Exit;
use crate::cli::connection::Connection;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use serde::Serialize;
use std::time::Duration;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

const SERVICE: &str = "refit.operator.v1.Operator";

#[derive(Debug, Serialize)]
struct Health {
    controller: String,
    name: String,
    serving: bool,
}

pub async fn run(to: &Connection, output: &Output) -> Result<Exit, Failure> {
    let mut request = tonic::Request::new(HealthCheckRequest {
        service: SERVICE.to_owned(),
    });
    request.set_timeout(Duration::from_secs(10));
    let answer = HealthClient::new(to.channel()).check(request).await;
    let status = answer
        .map_err(|status| to.failed(&status))?
        .into_inner()
        .status();
    let health = Health {
        controller: to.peer().address.to_string(),
        name: to.peer().expected.to_string(),
        serving: status == ServingStatus::Serving,
    };
    output.show(&health, |style| {
        let word = if health.serving {
            style.good("acting")
        } else {
            style.bad("not acting: its log says why (journalctl -u refit-controller)")
        };
        format!("{} at {}: {word}\n", health.name, health.controller)
    });
    Ok(if health.serving {
        Exit::Done
    } else {
        Exit::Failed
    })
}
