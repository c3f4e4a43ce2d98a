//! What a load balancer sees, and what a stranger can't do, over a real socket.

use super::*;
use crate::simhost::{Beginning, SimAgent, SimWorld, Timings};
use refit_shared::ids::{ClusterName, MemberName};
use refit_shared::version::PackageVersion;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn ask(to: SocketAddr, method: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(to).await.unwrap();
    // As HAProxy's `option httpchk` does.
    let request = format!("{method} {path} HTTP/1.0\r\nHost: m\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
    (status, body.to_owned())
}

#[tokio::test]
async fn each_path_says_yes_or_no_and_why() {
    let members: Vec<MemberName> = ["m1", "m2", "m3"]
        .map(|name| MemberName::new(name).unwrap())
        .to_vec();
    let world = SimWorld::begin(Beginning {
        members: members.clone(),
        installed: PackageVersion::new("9.7.3-1").unwrap(),
        offered: Vec::new(),
        timings: Timings::STANDARD,
    });
    let stop = CancellationToken::new();
    let mut served = Vec::new();
    let mut agents = Vec::new();
    for member in &members[..2] {
        let dir = tempfile::tempdir().unwrap();
        let cluster = ClusterName::new("c1").unwrap();
        let agent = SimAgent::start(&world, &cluster, member, dir.path());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let host = agent.place.host.clone();
        let serving = serve(
            listener,
            host,
            agent.worker.clone(),
            Limits::STANDARD,
            stop.clone(),
        );
        served.push(tokio::spawn(serving));
        agents.push((agent, address, dir));
    }
    let (primary, secondary) = (agents[0].1, agents[1].1);
    for (to, path, expected) in [
        (primary, "/health", 200),
        (primary, "/primary", 200),
        (primary, "/replica", 503),
        (primary, "/ready", 200),
        (secondary, "/health", 200),
        (secondary, "/primary", 503),
        (secondary, "/replica", 200),
        (secondary, "/ready", 200),
        (primary, "/elsewhere", 404),
    ] {
        for method in ["GET", "HEAD", "OPTIONS"] {
            let (status, body) = ask(to, method, path).await;
            assert_eq!(status, expected, "{method} {path}: {body}");
        }
    }
    assert_eq!(ask(primary, "POST", "/primary").await.0, 405);
    let (_, body) = ask(secondary, "GET", "/primary").await;
    assert_eq!(body, "{\"ok\":false,\"why\":\"super_read_only is on\"}\n");
    world.kill_mysqld(&members[1]);
    assert_eq!(ask(secondary, "GET", "/replica").await.0, 503);
    stop.cancel();
    for serving in served {
        serving.await.unwrap();
    }
}

/// The probes of one member, with these limits.
struct Served {
    address: SocketAddr,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<()>,
    _agent: SimAgent,
    _dir: tempfile::TempDir,
}

async fn served(limits: Limits) -> Served {
    let member = MemberName::new("m1").unwrap();
    let world = SimWorld::begin(Beginning {
        members: vec![member.clone()],
        installed: PackageVersion::new("9.7.3-1").unwrap(),
        offered: Vec::new(),
        timings: Timings::STANDARD,
    });
    let dir = tempfile::tempdir().unwrap();
    let cluster = ClusterName::new("c1").unwrap();
    let agent = SimAgent::start(&world, &cluster, &member, dir.path());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let (host, worker) = (agent.place.host.clone(), agent.worker.clone());
    let serving = tokio::spawn(serve(listener, host, worker, limits, stop.clone()));
    Served {
        address,
        stop,
        serving,
        _agent: agent,
        _dir: dir,
    }
}

const PATIENCE: Duration = Duration::from_secs(20);
/// Far beyond what any test here waits for: what ends before was ended by another bound.
const NEVER: Duration = Duration::from_secs(3600);

fn limits() -> Limits {
    Limits {
        connections: 4,
        head: NEVER,
        life: NEVER,
        goodbye: Duration::from_millis(200),
    }
}

/// Waits until the agent has closed the connection, and returns what it said before.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    let closed = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut said)).await;
    // A reset is as good as an orderly end.
    let _ = closed.expect("the agent closes the connection");
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test]
async fn a_request_that_does_not_end_is_given_up() {
    let served = served(Limits {
        head: Duration::from_millis(300),
        ..limits()
    })
    .await;
    for beginning in ["", "GET /health HTTP/1.1\r\nHost: m\r\nX-Slow: "] {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(beginning.as_bytes()).await.unwrap();
        until_closed(&mut stream).await;
    }
    // One byte now and then is not an end either.
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream
        .write_all(b"GET /health HTTP/1.1\r\nX-Slow: ")
        .await
        .unwrap();
    let dripping = async {
        let mut drip = tokio::time::interval(Duration::from_millis(50));
        loop {
            drip.tick().await;
            if stream.write_all(b"x").await.is_err() {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, dripping)
        .await
        .expect("the agent closes the connection");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let served = served(limits()).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let request = format!(
        "GET /health HTTP/1.1\r\nX-Large: {}\r\n\r\n",
        "x".repeat(1 << 20)
    );
    let (mut read, mut write) = stream.split();
    let sending = async {
        // It is closed while we send.
        let _ = write.write_all(request.as_bytes()).await;
    };
    let mut said = vec![0; 4096];
    let (_, said) = tokio::time::timeout(PATIENCE, async {
        tokio::join!(sending, async {
            let got = read.read(&mut said).await.unwrap_or(0);
            String::from_utf8_lossy(&said[..got]).into_owned()
        })
    })
    .await
    .expect("the agent answers or closes");
    assert!(
        said.is_empty() || said.starts_with("HTTP/1.1 431"),
        "{said}"
    );
    assert_eq!(ask(served.address, "GET", "/ready").await.0, 200);
}

#[tokio::test]
async fn strangers_take_their_turn() {
    let served = served(Limits {
        life: Duration::from_millis(500),
        ..limits()
    })
    .await;
    let began = tokio::time::Instant::now();
    let mut strangers = Vec::new();
    for _ in 0..4 {
        strangers.push(TcpStream::connect(served.address).await.unwrap());
    }
    // All seats are taken by who says nothing; this one waits for a seat and gets it.
    let (status, _) = tokio::time::timeout(PATIENCE, ask(served.address, "GET", "/ready"))
        .await
        .expect("a seat in time");
    assert_eq!(status, 200);
    assert!(
        began.elapsed() >= Duration::from_millis(500),
        "there were more than four seats"
    );
    for stranger in &mut strangers {
        until_closed(stranger).await;
    }
}

#[tokio::test]
async fn who_asks_and_never_reads_does_not_keep_the_connection() {
    let served = served(Limits {
        life: Duration::from_millis(500),
        ..limits()
    })
    .await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let asking = async {
        while stream
            .write_all(&b"GET /elsewhere HTTP/1.1\r\nHost: m\r\n\r\n".repeat(1000))
            .await
            .is_ok()
        {}
    };
    tokio::time::timeout(PATIENCE, asking)
        .await
        .expect("the agent closes the connection");
}

#[tokio::test]
async fn a_silent_client_does_not_delay_the_end() {
    let served = served(limits()).await;
    let mut silent = TcpStream::connect(served.address).await.unwrap();
    silent
        .write_all(b"GET /health HTTP/1.1\r\nX-Slow: ")
        .await
        .unwrap();
    assert_eq!(ask(served.address, "GET", "/ready").await.0, 200);
    served.stop.cancel();
    tokio::time::timeout(PATIENCE, served.serving)
        .await
        .expect("serving ends")
        .unwrap();
}
