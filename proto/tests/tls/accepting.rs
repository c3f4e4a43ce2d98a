//! The accept loop under strain.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use refit_proto::tls::{AcceptLimits, Address, Dial, FaultKind, Listener, connect_over};
use tokio::io::DuplexStream;
use tokio::time::Instant;

use crate::support::*;

const EMFILE: i32 = 24;

fn address() -> Address {
    "m1:7130".parse().unwrap()
}

/// Out of file descriptors for a while, then a working listener.
struct Starved<L> {
    until: Instant,
    attempts: Arc<AtomicUsize>,
    then: L,
}

impl<L: Listener> Listener for Starved<L> {
    type Io = L::Io;

    async fn accept(&mut self) -> io::Result<(L::Io, SocketAddr)> {
        if Instant::now() < self.until {
            // Paused time stands still under a loop that spins: past any sane count, let it run on.
            if self.attempts.fetch_add(1, Ordering::Relaxed) > 1000 {
                tokio::time::sleep_until(self.until).await;
            }
            return Err(io::Error::from_raw_os_error(EMFILE));
        }
        self.then.accept().await
    }
}

#[tokio::test(start_paused = true)]
async fn running_out_of_descriptors_does_not_spin() {
    let ca = Ca::new("ca");
    let (server, client) = (ca.issue(AGENT).open(), ca.issue(CONTROLLER).open());
    let (dial, listener) = memory_net();
    let attempts = Arc::new(AtomicUsize::new(0));
    let starved = Starved {
        until: Instant::now() + Duration::from_secs(60),
        attempts: attempts.clone(),
        then: listener,
    };
    let _server = TestServer::on(starved, &server, AcceptLimits::STANDARD);
    tokio::time::advance(Duration::from_secs(1)).await;
    // The dial gives up after 5 s; call until the listener is back.
    let start = Instant::now();
    loop {
        let channel = connect_over(dial.clone(), address(), id(AGENT), client.reloading.clone());
        if check(channel).await.is_ok() {
            break;
        }
        assert!(
            start.elapsed() < Duration::from_secs(120),
            "never recovered"
        );
    }
    let attempts = attempts.load(Ordering::Relaxed);
    assert!((5..=80).contains(&attempts), "{attempts} attempts in 60 s");
}

#[tokio::test(start_paused = true)]
async fn silent_clients_lose_their_slot() {
    let ca = Ca::new("ca");
    let (server, client) = (ca.issue(AGENT).open(), ca.issue(CONTROLLER).open());
    let (dial, listener) = memory_net();
    let limits = AcceptLimits {
        handshake_timeout: Duration::from_secs(2),
        concurrent_handshakes: 1,
        ..AcceptLimits::STANDARD
    };
    let mut server = TestServer::on(listener, &server, limits);
    let silent: DuplexStream = dial.dial(&address()).await.unwrap();
    let start = Instant::now();
    // The only slot is taken by the silent one; this one waits for it and is then served.
    let channel = connect_over(dial, address(), id(AGENT), client.reloading.clone());
    check(channel).await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(2));
    let refusal = server.refusal().await;
    assert!(matches!(
        refusal.kind,
        FaultKind::Unreachable {
            io: io::ErrorKind::TimedOut,
            ..
        }
    ));
    drop(silent);
}

#[tokio::test]
async fn dropping_the_server_closes_the_port() {
    let ca = Ca::new("ca");
    let (server, client) = (ca.issue(AGENT).open(), ca.issue(CONTROLLER).open());
    let (server, address) = TestServer::tcp(&server).await;
    let channel =
        || refit_proto::tls::connect(address.clone(), id(AGENT), client.reloading.clone());
    check(channel()).await.unwrap();
    drop(server);
    let closed = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        loop {
            ticks.tick().await;
            let refused = tokio::net::TcpStream::connect((address.host(), address.port())).await;
            if refused.is_err() {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, closed)
        .await
        .expect("the port closes");
}
