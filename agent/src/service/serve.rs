//! Serving: mTLS connections in, authorisation in front of everything, health beside the service.

use super::{AgentService, health};
use crate::host::Host;
use crate::worker::Worker;
use refit_proto::agent::agent_server::AgentServer;
use refit_proto::identity::AuthoriseLayer;
use refit_proto::tls::{self, Listener, Reloading};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// An order has a few kilobytes; nothing that a controller sends comes near this.
const LARGEST_MESSAGE: usize = 1 << 20;
/// How long open calls may take to end once the agent is told to stop.
const GOODBYE: Duration = Duration::from_secs(2);

/// Why the service could not be served.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve the agent's API")]
pub struct ServeError(#[from] tonic::transport::Error);

/// Serves until `stop` is cancelled; a silent client can't delay the end.
pub async fn serve<L: Listener>(
    listener: L,
    material: Arc<Reloading>,
    service: AgentService,
    host: Host,
    worker: Worker,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let (reporter, health_service) = tonic_health::server::health_reporter();
    let domain = material.identity().trust_domain;
    let incoming = tls::accept(listener, material);
    let server = tls::server_builder()
        .layer(AuthoriseLayer::new(domain))
        .add_service(AgentServer::new(service).max_decoding_message_size(LARGEST_MESSAGE))
        .add_service(health_service)
        .serve_with_incoming_shutdown(incoming, stop.clone().cancelled_owned());
    let telling = health::tell(reporter, host, worker, stop.clone());
    let goodbye = async {
        stop.cancelled().await;
        tokio::time::sleep(GOODBYE).await;
    };
    tokio::select! {
        served = server => served?,
        () = async { tokio::join!(telling, goodbye); } => tracing::info!("calls were still open at the end; they have been dropped"),
    }
    Ok(())
}
