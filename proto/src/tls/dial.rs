//! Dialling a peer: a lazy tonic channel that only ever talks to exactly the expected identity.
//!
//! A connection counts as made when the server's first bytes have arrived. Until then the server
//! may still refuse our certificate, and that must be told as such, not as a broken call.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Server};

use super::{Address, Connection, FaultKind, Peer, PeerFault, Reloading};
use crate::identity::Identity;

/// For name resolution, TCP, TLS and the server's first bytes together.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A silent connection is probed this often, and given up on when the probe stays unanswered.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Something that opens byte streams: TCP, or a simulated network.
pub trait Dial: Clone + Send + Sync + 'static {
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    fn dial(&self, address: &Address) -> impl Future<Output = io::Result<Self::Io>> + Send;
}

/// The real network.
#[derive(Debug, Clone, Copy)]
pub struct Tcp;

impl Dial for Tcp {
    type Io = TcpStream;

    async fn dial(&self, address: &Address) -> io::Result<TcpStream> {
        let stream = TcpStream::connect((address.host(), address.port())).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// A channel to `peer` that connects on first use and again after every loss. Needs a running tokio
/// runtime. Failures of the connection are found in a status with [`PeerFault::of`].
pub fn connect(address: Address, expected: Identity, material: Arc<Reloading>) -> Channel {
    connect_over(Tcp, address, expected, material)
}

/// The same over another network.
pub fn connect_over<D: Dial>(
    dial: D,
    address: Address,
    expected: Identity,
    material: Arc<Reloading>,
) -> Channel {
    // The scheme only keeps tonic from adding a TLS of its own; the stream below is always TLS.
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .expect("an Address prints as the authority of a URI")
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true);
    let peer = Arc::new(Peer { address, expected });
    endpoint.connect_with_connector_lazy(tower::service_fn(move |_: Uri| {
        let (dial, peer, material) = (dial.clone(), Arc::clone(&peer), Arc::clone(&material));
        async move {
            open(&dial, &peer, &material)
                .await
                .map(TokioIo::new)
                .map_err(|kind| PeerFault {
                    peer: Peer::clone(&peer),
                    kind,
                })
        }
    }))
}

/// A request that has not been answered by then, or whose beginning of an answer has not, is given up; the longest look that
/// anybody asks for, with the target's mysqld fetched for its judgement, takes three quarters of it. Streams that have begun go on.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(300);
/// Calls at once over one connection: a controller follows one order and the beats of a member, an operator a few rollouts.
const STREAMS: u32 = 128;

/// A tonic server builder with the keepalive that belongs to [`connect`]'s, and with bounds on what a peer can make us hold. The
/// size of a message is bounded by tonic (4 MiB).
pub fn server_builder() -> Server {
    Server::builder()
        .timeout(REQUEST_TIMEOUT)
        .max_concurrent_streams(Some(STREAMS))
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
}

async fn open<D: Dial>(
    dial: &D,
    peer: &Peer,
    material: &Reloading,
) -> Result<Connection<D::Io>, FaultKind> {
    let attempt = async {
        let config = material
            .client_config(&peer.expected)
            .map_err(io::Error::other)?;
        let stream = dial.dial(&peer.address).await?;
        // Not sent and not checked: the identity is checked instead.
        let name = ServerName::try_from("peer.refit.invalid").expect("a valid DNS name");
        let tls = TlsConnector::from(config).connect(name, stream).await?;
        let mut connection = Connection::new(tls.into(), None, material.clock(), material.denied());
        connection.wait_for_first_bytes().await?;
        Ok(connection)
    };
    match timeout(CONNECT_TIMEOUT, attempt).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(FaultKind::of_io(&error)),
        Err(_) => Err(FaultKind::Unreachable {
            io: io::ErrorKind::TimedOut,
            detail: format!("no answer within {} s", CONNECT_TIMEOUT.as_secs()),
        }),
    }
}
