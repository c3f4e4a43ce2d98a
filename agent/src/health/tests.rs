//! What a load balancer sees, over a real socket.

use super::*;
use crate::simhost::{Beginning, SimAgent, SimWorld, Timings};
use refit_shared::ids::{ClusterName, MemberName};
use refit_shared::version::PackageVersion;
use std::net::SocketAddr;
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
        let serving = serve(listener, host, agent.worker.clone(), stop.clone());
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
        serving.await.unwrap().unwrap();
    }
}
