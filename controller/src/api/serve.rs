//! Serving: mTLS connections in, authorisation in front of everything, health and reflection beside the API.
//!
//! The end, in this order: health says not serving, watch streams are ended, calls under way get a bounded time, the rest is
//! dropped. A silent client can't delay it.

use super::desk::Desk;
use super::limits::{GOODBYE, MAX_MESSAGE, MAX_STREAMS};
use super::service::OperatorService;
use crate::standing::Standing;
use refit_proto::identity::AuthoriseLayer;
use refit_proto::operator::wire::operator_server::OperatorServer;
use refit_proto::tls::{self, Listener, Reloading};
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Why the API could not be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("cannot serve the operator API")]
    Transport(#[from] tonic::transport::Error),
    #[error("cannot serve gRPC reflection: the built-in descriptors are broken")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// Serves until `stop` is cancelled. Whether the controller may act becomes the health of the services
/// `""` and `refit.operator.v1.Operator`.
pub async fn serve<L: Listener>(
    listener: L,
    material: Arc<Reloading>,
    desk: Arc<dyn Desk>,
    standing: watch::Receiver<Standing>,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let (health, health_service) = tonic_health::server::health_reporter();
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(refit_proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let domain = material.identity().trust_domain;
    let incoming = tls::accept(listener, material);
    let operator = OperatorServer::new(OperatorService::new(desk, stop.clone()))
        .max_decoding_message_size(MAX_MESSAGE);
    let telling = tell_health(health, standing, stop.clone());
    let server = tls::server_builder()
        .max_concurrent_streams(MAX_STREAMS)
        .layer(AuthoriseLayer::new(domain))
        .add_service(operator)
        .add_service(health_service)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?)
        .serve_with_incoming_shutdown(incoming, stop.clone().cancelled_owned());
    let bounded = async {
        stop.cancelled().await;
        tokio::time::sleep(GOODBYE).await;
    };
    tokio::select! {
        served = server => served?,
        () = async { tokio::join!(telling, bounded); } => {
            tracing::info!("calls were still open at the end; they have been dropped");
        }
    }
    Ok(())
}

/// Keeps the health service truthful, until the end.
async fn tell_health(
    health: tonic_health::server::HealthReporter,
    mut standing: watch::Receiver<Standing>,
    stop: CancellationToken,
) {
    const OPERATOR: &str = "refit.operator.v1.Operator";
    loop {
        let serving = standing.borrow_and_update().may_act() && !stop.is_cancelled();
        let status = if serving {
            tonic_health::ServingStatus::Serving
        } else {
            tonic_health::ServingStatus::NotServing
        };
        health.set_service_status("", status).await;
        health.set_service_status(OPERATOR, status).await;
        if stop.is_cancelled() {
            return;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            changed = standing.changed() => if changed.is_err() {
                // Whoever judged is gone, so nobody can say that the controller may act.
                health.set_service_status("", tonic_health::ServingStatus::NotServing).await;
                health.set_service_status(OPERATOR, tonic_health::ServingStatus::NotServing).await;
                stop.cancelled().await;
                return;
            }
        }
    }
}
