//! Health over plain HTTP, for load balancers that speak nothing else: `/health`, `/primary`, `/replica`, `/ready`.
//!
//! 200 or 503, with the reason as JSON; each request asks the server anew. No secrets, nothing can be changed.

mod serve;
#[cfg(test)]
mod tests;

pub use serve::Limits;

use crate::host::Host;
use crate::service::Vitals;
use crate::worker::Worker;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[derive(Debug, Clone)]
struct Asked {
    host: Host,
    worker: Worker,
}

/// Picks what a path asks for.
type Pick = fn(&Vitals) -> &Result<(), String>;

/// Serves until `stop` is cancelled.
pub async fn serve(
    listener: TcpListener,
    host: Host,
    worker: Worker,
    limits: Limits,
    stop: CancellationToken,
) {
    let router = Router::new()
        // An ONLINE member: it may get reads.
        .route("/health", path(|vitals| &vitals.online))
        .route("/primary", path(|vitals| &vitals.primary))
        .route("/replica", path(|vitals| &vitals.replica))
        // The agent itself can act.
        .route("/ready", path(|vitals| &vitals.agent))
        .with_state(Asked { host, worker });
    serve::serve(listener, router, limits, stop).await;
}

/// GET, HEAD and, since HAProxy's default check is that, OPTIONS.
fn path(pick: Pick) -> MethodRouter<Asked> {
    let answer = move |State(asked): State<Asked>| async move {
        let vitals = Vitals::take(&asked.host, &asked.worker).await;
        reply(pick(&vitals))
    };
    get(answer).options(answer)
}

fn reply(is: &Result<(), String>) -> Response {
    let (status, body) = match is {
        Ok(()) => (StatusCode::OK, serde_json::json!({ "ok": true })),
        Err(why) => (
            StatusCode::SERVICE_UNAVAILABLE,
            serde_json::json!({ "ok": false, "why": why }),
        ),
    };
    (
        status,
        [
            (header::CONTENT_TYPE, "application/json"),
            (header::CACHE_CONTROL, "no-store"),
        ],
        format!("{body}\n"),
    )
        .into_response()
}
