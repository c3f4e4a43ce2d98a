//! Accepting connections: our own loop, because tonic's spins when file descriptors run out and its
//! TLS cannot be reloaded.
//!
//! ```text
//!            ┌──────────── accept task ────────────┐
//!  Listener ─┤ accept ─> handshake tasks (≤ limit, │─> channel (16) ─> Incoming ─> tonic
//!            │ 5 s each, config taken per accept)  │
//!            └─────────────────────────────────────┘
//! ```
//!
//! While all handshake slots are taken nothing is accepted and the kernel's backlog holds the rest.
//! Dropping [`Incoming`] ends the task, its handshakes and the listener.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_stream::Stream;

use super::seats::{Full, Seats};
use super::{Connection, FaultKind, Reloading};

/// Finished handshakes that the server has not yet picked up; it does so at once, so few are enough.
const READY: usize = 16;

/// Pauses after a failed accept, doubling from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// Something that yields byte streams: a TCP listener, or a simulated one.
pub trait Listener: Send + 'static {
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Must be cancel-safe: a connection is either returned or still to be accepted.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Io, SocketAddr)>> + Send;
}

impl Listener for TcpListener {
    type Io = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, remote) = TcpListener::accept(self).await?;
        // Small messages both ways; waiting to fill a packet would only add latency.
        stream.set_nodelay(true)?;
        Ok((stream, remote))
    }
}

/// Bounds on what strangers can make us hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcceptLimits {
    pub handshake_timeout: Duration,
    pub concurrent_handshakes: usize,
    /// From the end of the handshake until the peer has said that it speaks HTTP/2. Keepalive takes over from there.
    pub preface_timeout: Duration,
    /// Connections that one peer, by the name in its certificate, may have open.
    pub connections_of_a_peer: usize,
}

impl AcceptLimits {
    pub const STANDARD: AcceptLimits = AcceptLimits {
        handshake_timeout: Duration::from_secs(5),
        concurrent_handshakes: 64,
        preface_timeout: Duration::from_secs(10),
        // A controller has one to each agent; an operator one for each command that is running.
        connections_of_a_peer: 128,
    };
}

/// A connection that did not get past the handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandshakeRefusal {
    pub remote: SocketAddr,
    pub kind: FaultKind,
}

impl fmt::Display for HandshakeRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let remote = self.remote;
        match &self.kind {
            FaultKind::Unreachable { detail, .. } => {
                write!(f, "{remote} went away during the TLS handshake: {detail}")
            }
            FaultKind::PeerRefusedOurCertificate { alert } => {
                write!(f, "{remote} refused our certificate: TLS alert {alert:?}")
            }
            FaultKind::PeerIdentityMismatch { expected, got } => {
                write!(f, "{remote} is {got}, expected {expected}")
            }
            FaultKind::PeerCertificateExpired { not_after } => {
                write!(f, "the certificate of {remote} has expired")?;
                not_after.map_or(Ok(()), |at| write!(f, " on {at}"))
            }
            FaultKind::PeerCertificateNotYetValid { not_before } => {
                write!(f, "the certificate of {remote} is not valid yet")?;
                not_before.map_or(Ok(()), |at| write!(f, ", only from {at}"))
            }
            FaultKind::PeerCertificateRevoked => {
                write!(f, "the certificate of {remote} is on our deny list")
            }
            FaultKind::UnknownCa => {
                write!(f, "the certificate of {remote} was not issued by our CA")
            }
            FaultKind::NoPeerCertificate => write!(f, "{remote} presented no certificate"),
            FaultKind::PeerCertificateUnusable { detail } => {
                write!(f, "the certificate of {remote} cannot be used: {detail}")
            }
            FaultKind::TooManyConnections { peer } => {
                write!(f, "{remote} is {peer}, which has too many connections open")
            }
            FaultKind::NotRefit { detail } => {
                write!(f, "{remote} does not speak Refit's TLS 1.3: {detail}")
            }
        }
    }
}

/// Verified connections, for tonic's `serve_with_incoming_shutdown`. Never ends by itself.
#[derive(Debug)]
pub struct Incoming<Io> {
    ready: mpsc::Receiver<Connection<Io>>,
    task: JoinHandle<()>,
}

impl<Io> Drop for Incoming<Io> {
    fn drop(&mut self) {
        // Drops the listener and, through the JoinSet, every handshake.
        self.task.abort();
    }
}

impl<Io> Stream for Incoming<Io> {
    type Item = Result<Connection<Io>, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.ready.poll_recv(cx).map(|ready| ready.map(Ok))
    }
}

/// Accepts with the standard limits; refusals are logged. Needs a running tokio runtime.
pub fn accept<L: Listener>(listener: L, material: Arc<Reloading>) -> Incoming<L::Io> {
    accept_with(listener, material, AcceptLimits::STANDARD, log_refusal)
}

/// The same with other limits and another listener to refusals.
pub fn accept_with<L: Listener>(
    listener: L,
    material: Arc<Reloading>,
    limits: AcceptLimits,
    on_refusal: impl Fn(&HandshakeRefusal) + Send + Sync + 'static,
) -> Incoming<L::Io> {
    let (tx, ready) = mpsc::channel(READY);
    let acceptor = Acceptor {
        seats: Seats::new(limits.connections_of_a_peer),
        material,
        limits,
        on_refusal: Arc::new(on_refusal),
        tx,
    };
    let task = tokio::spawn(acceptor.run(listener));
    Incoming { ready, task }
}

fn log_refusal(refusal: &HandshakeRefusal) {
    if refusal.kind.is_network() {
        // Port probes and load balancers do this all day.
        tracing::debug!(remote = %refusal.remote, "{refusal}");
    } else {
        tracing::warn!(remote = %refusal.remote, "connection refused: {refusal}");
    }
}

struct Acceptor<Io> {
    material: Arc<Reloading>,
    limits: AcceptLimits,
    seats: Seats,
    on_refusal: Arc<dyn Fn(&HandshakeRefusal) + Send + Sync>,
    tx: mpsc::Sender<Connection<Io>>,
}

impl<Io: AsyncRead + AsyncWrite + Unpin + Send + 'static> Acceptor<Io> {
    async fn run<L: Listener<Io = Io>>(self, mut listener: L) {
        let mut handshakes = JoinSet::new();
        let mut pause = FIRST_PAUSE;
        let mut resume: Option<Instant> = None;
        loop {
            let room = handshakes.len() < self.limits.concurrent_handshakes;
            tokio::select! {
                () = self.tx.closed() => return,
                Some(done) = handshakes.join_next() => {
                    if let Err(error) = done {
                        tracing::error!(%error, "a TLS handshake task failed");
                    }
                }
                () = sleep_until(resume.unwrap_or_else(Instant::now)), if resume.is_some() => {
                    resume = None;
                }
                accepted = listener.accept(), if room && resume.is_none() => match accepted {
                    Ok((io, remote)) => {
                        if pause != FIRST_PAUSE {
                            tracing::info!("accepting connections again");
                            pause = FIRST_PAUSE;
                        }
                        handshakes.spawn(self.handshake(io, remote));
                    }
                    Err(error) if concerns_one_connection(&error) => {}
                    Err(error) => {
                        // Out of descriptors or memory: the listener stays readable, so accepting
                        // at once again would spin.
                        if pause == FIRST_PAUSE {
                            tracing::error!(%error, "cannot accept connections; trying again, more slowly");
                        }
                        resume = Some(Instant::now() + pause);
                        pause = (pause * 2).min(LAST_PAUSE);
                    }
                },
            }
        }
    }

    /// One connection from TCP to verified; owns everything that it needs.
    fn handshake(&self, io: Io, remote: SocketAddr) -> impl Future<Output = ()> + Send + 'static {
        let acceptor = TlsAcceptor::from(self.material.server_config());
        let clock = self.material.clock().clone();
        let denied = self.material.denied();
        let (limit, preface) = (self.limits.handshake_timeout, self.limits.preface_timeout);
        let seats = self.seats.clone();
        let on_refusal = Arc::clone(&self.on_refusal);
        let tx = self.tx.clone();
        async move {
            let kind = match timeout(limit, acceptor.accept(io)).await {
                Ok(Ok(tls)) => {
                    let mut connection = Connection::new(tls.into(), Some(remote), &clock, denied);
                    match seats.take(connection.peer()) {
                        Ok(seat) => {
                            connection.seat(seat, preface);
                            // An error means that the server has stopped; so has the need for this one.
                            let _ = tx.send(connection).await;
                            return;
                        }
                        Err(Full { peer }) => FaultKind::TooManyConnections { peer },
                    }
                }
                Ok(Err(error)) => FaultKind::of_io(&error),
                Err(_) => FaultKind::Unreachable {
                    io: io::ErrorKind::TimedOut,
                    detail: format!("no complete TLS handshake within {limit:?}"),
                },
            };
            on_refusal(&HandshakeRefusal { remote, kind });
        }
    }
}

/// Errors of `accept` that say something about one connection and nothing about the next.
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::NotConnected
    )
}
