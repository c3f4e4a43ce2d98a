//! Serving the probes. The port is plain and open to whoever reaches it, so everything about a connection has a bound: how many
//! there are, how long a request takes to arrive, how large its head is, how long the connection lives.

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Bounds on what a stranger can make the agent hold.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Open at once. More wait in the kernel's backlog, unaccepted.
    pub connections: usize,
    /// From the beginning of a connection, or the end of its last answer, to the end of the next request's head.
    pub head: Duration,
    /// Of a connection, however busy: who asks but never reads does not keep it.
    pub life: Duration,
    /// How long an answer under way may take once the agent is told to stop, or the connection has lived.
    pub goodbye: Duration,
}

impl Limits {
    pub const STANDARD: Self = Self {
        connections: 64,
        head: Duration::from_secs(10),
        life: Duration::from_secs(60),
        goodbye: Duration::from_secs(2),
    };
}

/// A request's head; the paths have no parameters and no body.
const HEAD: usize = 16 << 10;
/// After a failed accept: out of descriptors, the listener stays readable and would be asked again and again.
const PAUSE: Duration = Duration::from_millis(500);

/// Serves until `stop` is cancelled; a silent client can't delay the end.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    let seats = Arc::new(Semaphore::new(limits.connections));
    let mut open = JoinSet::new();
    loop {
        let seat = tokio::select! {
            seat = seats.clone().acquire_owned() => seat.expect("nobody closes the semaphore"),
            () = stop.cancelled() => break,
        };
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(why) => {
                    tracing::debug!(%why, "a health check could not be accepted");
                    sleep(PAUSE).await;
                    continue;
                }
            },
            () = stop.cancelled() => break,
        };
        let connection = converse(stream, router.clone(), limits, stop.clone());
        open.spawn(async move {
            connection.await;
            drop(seat);
        });
        while open.try_join_next().is_some() {}
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

/// One connection, from its first byte to its end.
async fn converse(stream: TcpStream, router: Router, limits: Limits, stop: CancellationToken) {
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(HEAD);
    let service = TowerToHyperService::new(router);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        // Whoever asked may have gone away; that is nobody's fault.
        _ = connection.as_mut() => return,
        () = sleep(limits.life) => {}
        () = stop.cancelled() => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(limits.goodbye, connection).await;
}
