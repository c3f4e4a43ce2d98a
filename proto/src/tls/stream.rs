//! A TLS connection that knows its peer and does not outlive the peer's certificate.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep};
use tokio_rustls::TlsStream;
use tokio_stream::Stream as _;
use tokio_stream::wrappers::WatchStream;
use tonic::transport::server::Connected;

use super::seats::Seat;
use super::{Clock, Revoked};
use crate::identity::{CertificateFacts, PeerInfo, UtcSeconds};

/// The longest nap before the wall clock is looked at again: it may be stepped while we wait.
const LONGEST_NAP: Duration = Duration::from_secs(60);

/// Why a connection was closed under its users.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the peer's certificate ended at {not_after}, so the connection was closed")]
pub struct PeerCertificateEnded {
    pub not_after: UtcSeconds,
}

/// Why a connection was closed under its users.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the peer's certificate (serial {serial}) is on the deny list now, so the connection was closed"
)]
pub struct PeerCertificateDenied {
    pub serial: String,
}

/// A verified TLS stream over any byte stream. Reading or writing fails with
/// [`PeerCertificateEnded`] from the end of the peer's certificate on; the read side is woken for it.
#[derive(Debug)]
pub struct Connection<Io> {
    tls: TlsStream<Io>,
    /// Bytes read ahead of the first user, and how many of them were taken.
    early: Vec<u8>,
    taken: usize,
    peer: PeerInfo,
    deadline: Option<Deadline>,
    denial: Denial,
    /// Servers only.
    preface: Option<Preface>,
    seat: Option<Seat>,
}

/// What a client sends first of all (RFC 9113, 3.4), in bytes. Until a server has it, HTTP/2's own keepalive does not run.
const PREFACE: usize = 24;

/// A peer that has got through the handshake and then says nothing does not keep its connection.
#[derive(Debug)]
struct Preface {
    missing: usize,
    patience: Duration,
    nap: Pin<Box<Sleep>>,
}

impl Preface {
    fn poll(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.nap.as_mut().poll(cx).is_pending() {
            return Ok(());
        }
        let silent = format!("the peer said nothing within {:?}", self.patience);
        Err(io::Error::new(io::ErrorKind::TimedOut, silent))
    }
}

/// Whether the deny list names the peer by now; the read side is woken when the list changes.
struct Denial {
    serial: Option<String>,
    changes: WatchStream<Arc<Revoked>>,
    denied: bool,
}

impl fmt::Debug for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Denial")
            .field("serial", &self.serial)
            .field("denied", &self.denied)
            .finish_non_exhaustive()
    }
}

impl Denial {
    fn poll(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while let Poll::Ready(Some(list)) = Pin::new(&mut self.changes).poll_next(cx) {
            let named = self.serial.as_ref().is_some_and(|serial| list.has(serial));
            self.denied |= named;
        }
        self.check()
    }

    fn check(&self) -> io::Result<()> {
        match &self.serial {
            Some(serial) if self.denied => {
                let serial = serial.clone();
                let denied = PeerCertificateDenied { serial };
                Err(io::Error::new(io::ErrorKind::ConnectionAborted, denied))
            }
            Some(_) | None => Ok(()),
        }
    }
}

#[derive(Debug)]
struct Deadline {
    not_after: UtcSeconds,
    clock: Clock,
    nap: Pin<Box<Sleep>>,
    passed: bool,
}

impl<Io> Connection<Io> {
    pub(super) fn new(
        tls: TlsStream<Io>,
        remote: Option<SocketAddr>,
        clock: &Clock,
        denied: watch::Receiver<Arc<Revoked>>,
    ) -> Self {
        let (_, session) = tls.get_ref();
        let peer = PeerInfo::from_chain(session.peer_certificates(), remote);
        // Without a readable certificate there is no deadline, and no call is let through either.
        let deadline = peer
            .certificate()
            .ok()
            .map(|certificate| Deadline::new(certificate.not_after, clock.clone()));
        let denial = Denial {
            serial: session
                .peer_certificates()
                .and_then(|chain| chain.first())
                .and_then(|der| CertificateFacts::from_der(der).ok())
                .map(|facts| facts.serial),
            // Beginning with the list as it is now: it may have changed during the handshake.
            changes: WatchStream::new(denied),
            denied: false,
        };
        Connection {
            tls,
            early: Vec::new(),
            taken: 0,
            peer,
            deadline,
            denial,
            preface: None,
            seat: None,
        }
    }

    /// A server's: it counts as one of the peer's, and must be begun within `patience`.
    pub(super) fn seat(&mut self, seat: Seat, patience: Duration) {
        self.seat = Some(seat);
        self.preface = Some(Preface {
            missing: PREFACE,
            patience,
            nap: Box::pin(tokio::time::sleep(patience)),
        });
    }

    pub fn peer(&self) -> &PeerInfo {
        &self.peer
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Connection<Io> {
    /// Waits for the peer's first bytes and keeps them for the first reader.
    ///
    /// In TLS 1.3 the client's handshake is over before the server has judged the client's
    /// certificate. The server's first bytes, or its alert, tell.
    pub(super) async fn wait_for_first_bytes(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; 1024];
        let n = self.tls.read(&mut buffer).await?;
        if n == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the connection was closed right after the TLS handshake",
            ));
        }
        buffer.truncate(n);
        self.early = buffer;
        Ok(())
    }
}

impl Deadline {
    fn new(not_after: UtcSeconds, clock: Clock) -> Deadline {
        let nap = Box::pin(tokio::time::sleep(nap_until(not_after, &clock)));
        Deadline {
            not_after,
            clock,
            nap,
            passed: false,
        }
    }

    /// Err once the certificate has ended; otherwise registers to be woken for it.
    fn poll(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while !self.passed && self.nap.as_mut().poll(cx).is_ready() {
            // Valid through the last second, as X.509 has it.
            if self.clock.utc() > self.not_after {
                self.passed = true;
            } else {
                let nap = nap_until(self.not_after, &self.clock);
                self.nap.as_mut().reset(Instant::now() + nap);
            }
        }
        self.check()
    }

    fn check(&self) -> io::Result<()> {
        if self.passed {
            let ended = PeerCertificateEnded {
                not_after: self.not_after,
            };
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, ended));
        }
        Ok(())
    }
}

/// To one second past the end, in naps; never zero, so that re-arming cannot spin.
fn nap_until(not_after: UtcSeconds, clock: &Clock) -> Duration {
    let left = clock.utc().until(not_after) + Duration::from_secs(1);
    left.min(LONGEST_NAP)
}

impl<Io: AsyncRead + AsyncWrite + Unpin> AsyncRead for Connection<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(deadline) = &mut this.deadline {
            deadline.poll(cx)?;
        }
        this.denial.poll(cx)?;
        if this.taken < this.early.len() {
            let rest = &this.early[this.taken..];
            let n = rest.len().min(buf.remaining());
            buf.put_slice(&rest[..n]);
            this.taken += n;
            if this.taken == this.early.len() {
                (this.early, this.taken) = (Vec::new(), 0);
            }
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut this.tls).poll_read(cx, buf);
        if let Some(preface) = &mut this.preface {
            let got = buf.filled().len() - before;
            preface.missing = preface.missing.saturating_sub(got);
            if preface.missing == 0 {
                this.preface = None;
            } else {
                preface.poll(cx)?;
            }
        }
        read
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Connection<Io> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(deadline) = &self.deadline {
            deadline.check()?;
        }
        self.denial.check()?;
        Pin::new(&mut self.tls).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.tls.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(deadline) = &self.deadline {
            deadline.check()?;
        }
        self.denial.check()?;
        Pin::new(&mut self.tls).poll_write_vectored(cx, bufs)
    }
}

impl<Io> Connected for Connection<Io> {
    type ConnectInfo = PeerInfo;

    fn connect_info(&self) -> PeerInfo {
        self.peer.clone()
    }
}
