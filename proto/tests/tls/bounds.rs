//! What a peer with a good certificate can't do either: send more than anybody has to say, or begin a request and never end it.

use std::sync::Arc;
use std::time::Duration;

use refit_proto::tls::{
    AcceptLimits, Address, Dial, FaultKind, KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT, REQUEST_TIMEOUT,
    connect, connect_over,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::support::*;

type Codec = tonic_prost::ProstCodec<HealthCheckRequest, HealthCheckResponse>;

fn path() -> http::uri::PathAndQuery {
    http::uri::PathAndQuery::from_static("/grpc.health.v1.Health/Check")
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused() {
    let ca = Ca::new("ca");
    let material = ca.issue(AGENT).open();
    let (_server, address) = TestServer::tcp(&material).await;
    let client = ca.issue(CONTROLLER).open();
    let channel = connect(address, id(AGENT), client.reloading.clone());
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.unwrap();
    let request = HealthCheckRequest {
        service: "x".repeat(5 << 20),
    };
    let answer = grpc
        .unary(tonic::Request::new(request), path(), Codec::default())
        .await;
    assert_eq!(answer.unwrap_err().code(), Code::OutOfRange);
    check(channel).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_request_that_never_ends_is_given_up() {
    let ca = Ca::new("ca");
    let clock = paused_clock();
    let material = ca.issue(AGENT).open_with_clock(clock.clone());
    let client = ca.issue(CONTROLLER).open_with_clock(clock);
    let (dial, listener) = memory_net();
    let _server = TestServer::on(listener, &material, AcceptLimits::STANDARD);
    let address = "127.0.0.1:7130".parse().unwrap();
    let channel = connect_over(dial, address, id(AGENT), client.reloading.clone());
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.unwrap();
    let began = Instant::now();
    let never = tokio_stream::pending::<HealthCheckRequest>();
    let answer = grpc
        .client_streaming(tonic::Request::new(never), path(), Codec::default())
        .await;
    let code = answer.unwrap_err().code();
    assert!(
        matches!(code, Code::Cancelled | Code::DeadlineExceeded),
        "{code:?}"
    );
    let took = began.elapsed();
    assert!(took >= REQUEST_TIMEOUT, "{took:?}");
    assert!(took < REQUEST_TIMEOUT + Duration::from_secs(5), "{took:?}");
    check(channel).await.unwrap();
}

/// A plain TLS client with a good certificate, over a real socket: it can say, or not say, whatever it likes.
async fn raw(address: &Address, bundle: &Bundle) -> std::io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect((address.host(), address.port())).await?;
    tls_over(tcp, bundle).await
}

async fn tls_over<S: AsyncRead + AsyncWrite + Unpin>(
    io: S,
    bundle: &Bundle,
) -> std::io::Result<TlsStream<S>> {
    use rustls_pki_types::pem::PemObject;
    let mut roots = rustls::RootCertStore::empty();
    let ca = rustls_pki_types::CertificateDer::from_pem_slice(bundle.ca.as_bytes()).unwrap();
    roots.add(ca).unwrap();
    let cert = rustls_pki_types::CertificateDer::from_pem_slice(bundle.cert.as_bytes()).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::from_pem_slice(bundle.key.as_bytes()).unwrap();
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_protocol_versions(&[&rustls::version::TLS13])
    .unwrap()
    .with_root_certificates(roots)
    .with_client_auth_cert(vec![cert], key)
    .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsConnector::from(Arc::new(config))
        .connect("localhost".try_into().unwrap(), io)
        .await
}

/// Reads until the server has closed.
async fn until_closed<S: AsyncRead + Unpin>(stream: &mut S) -> Vec<u8> {
    let mut said = Vec::new();
    let closed = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut said)).await;
    // A reset is as good as an orderly end.
    let _ = closed.expect("the server closes the connection");
    said
}

/// On a real port, with limits that a test can wait for.
async fn tcp_with(limits: AcceptLimits, material: &Material) -> (TestServer, Address) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().into();
    (TestServer::on(listener, material, limits), address)
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

#[tokio::test]
async fn a_handshake_that_never_ends_is_given_up() {
    let ca = Ca::new("ca");
    let material = ca.issue(AGENT).open();
    let limits = AcceptLimits {
        handshake_timeout: Duration::from_millis(300),
        ..AcceptLimits::STANDARD
    };
    let (mut server, address) = tcp_with(limits, &material).await;
    // Nothing at all, and the beginning of a ClientHello.
    for beginning in [&b""[..], &b"\x16\x03\x01\x02\x00\x01\x00\x01"[..]] {
        let mut stream = TcpStream::connect((address.host(), address.port()))
            .await
            .unwrap();
        stream.write_all(beginning).await.unwrap();
        until_closed(&mut stream).await;
        let told = server.refusal().await.to_string();
        assert!(
            told.contains("no complete TLS handshake within 300ms"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn a_peer_that_says_nothing_after_the_handshake_is_given_up() {
    let ca = Ca::new("ca");
    let material = ca.issue(AGENT).open();
    let limits = AcceptLimits {
        preface_timeout: Duration::from_millis(300),
        ..AcceptLimits::STANDARD
    };
    let (_server, address) = tcp_with(limits, &material).await;
    let client = ca.issue(CONTROLLER);
    // Half a preface is no preface.
    for beginning in [0, 12] {
        let mut stream = raw(&address, &client).await.unwrap();
        stream.write_all(&PREFACE[..beginning]).await.unwrap();
        stream.flush().await.unwrap();
        until_closed(&mut stream).await;
    }
    // Who has said it stays, however long it is silent then; HTTP/2's own pings see to that.
    let mut stream = raw(&address, &client).await.unwrap();
    stream.write_all(PREFACE).await.unwrap();
    stream.write_all(SETTINGS).await.unwrap();
    stream.flush().await.unwrap();
    let mut said = Vec::new();
    let open = tokio::time::timeout(Duration::from_secs(1), stream.read_to_end(&mut said)).await;
    assert!(open.is_err(), "closed: {said:?}");
}

#[tokio::test]
async fn a_peer_has_only_so_many_connections() {
    let ca = Ca::new("ca");
    let material = ca.issue(AGENT).open();
    let limits = AcceptLimits {
        connections_of_a_peer: 3,
        ..AcceptLimits::STANDARD
    };
    let (mut server, address) = tcp_with(limits, &material).await;
    let (one, other) = (ca.issue(CONTROLLER), ca.issue(OPERATOR));
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = raw(&address, &one).await.unwrap();
        stream.write_all(PREFACE).await.unwrap();
        stream.write_all(SETTINGS).await.unwrap();
        // The server's SETTINGS: it is let in.
        let mut some = [0; 9];
        stream.read_exact(&mut some).await.unwrap();
        held.push(stream);
    }
    let mut more = raw(&address, &one).await.unwrap();
    assert!(until_closed(&mut more).await.is_empty());
    let told = server.refusal().await;
    assert!(
        matches!(&told.kind, FaultKind::TooManyConnections { peer } if peer == CONTROLLER),
        "{told:?}"
    );
    // Somebody else is not locked out by it, and a connection that ends makes room.
    let channel = |bundle: &Bundle| {
        let material = bundle.open();
        let channel = connect(address.clone(), id(AGENT), material.reloading.clone());
        (channel, material)
    };
    let (theirs, _material) = channel(&other);
    check(theirs).await.unwrap();
    drop(held.pop());
    let (ours, _material) = channel(&one);
    let room = async {
        let mut again = tokio::time::interval(Duration::from_millis(20));
        loop {
            again.tick().await;
            if check(ours.clone()).await.is_ok() {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, room)
        .await
        .expect("room in time");
}

#[tokio::test]
async fn many_silent_strangers_at_once_do_not_keep_a_peer_out() {
    let ca = Ca::new("ca");
    let material = ca.issue(AGENT).open();
    let limits = AcceptLimits {
        handshake_timeout: Duration::from_millis(500),
        ..AcceptLimits::STANDARD
    };
    let (_server, address) = tcp_with(limits, &material).await;
    let mut strangers = Vec::new();
    for _ in 0..200 {
        let stranger = TcpStream::connect((address.host(), address.port()));
        strangers.push(stranger.await.unwrap());
    }
    let client = ca.issue(CONTROLLER).open();
    let channel = connect(address, id(AGENT), client.reloading.clone());
    check(channel).await.unwrap();
}

#[tokio::test]
async fn headers_that_are_too_large_are_refused() {
    let ca = Ca::new("ca");
    let material = ca.issue(AGENT).open();
    let (_server, address) = TestServer::tcp(&material).await;
    let client = ca.issue(CONTROLLER).open();
    let channel = connect(address, id(AGENT), client.reloading.clone());
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.unwrap();
    let mut request = tonic::Request::new(HealthCheckRequest::default());
    let large = "x".repeat(64 << 10).parse().unwrap();
    request.metadata_mut().insert("x-large", large);
    let answer: Result<tonic::Response<HealthCheckResponse>, _> =
        grpc.unary(request, path(), Codec::default()).await;
    assert!(answer.is_err());
    check(channel).await.unwrap();
}

/// Opens HEADERS without END_HEADERS and never goes on; and a peer that leaves pings unanswered. Both are HTTP/2's to end, at the
/// latest when a ping has been without an answer for too long.
#[tokio::test(start_paused = true)]
async fn a_peer_that_leaves_pings_unanswered_is_given_up() {
    let ca = Ca::new("ca");
    let clock = paused_clock();
    let material = ca.issue(AGENT).open_with_clock(clock.clone());
    let (dial, listener) = memory_net();
    let _server = TestServer::on(listener, &material, AcceptLimits::STANDARD);
    let bundle = ca.issue(CONTROLLER);
    let headers = b"\0\0\x01\x01\x01\0\0\0\x01\x82";
    for more in [&b""[..], &headers[..]] {
        let io = dial.dial(&"m1:7130".parse().unwrap()).await.unwrap();
        let mut stream = tls_over(io, &bundle).await.unwrap();
        let began = Instant::now();
        stream.write_all(PREFACE).await.unwrap();
        stream.write_all(SETTINGS).await.unwrap();
        stream.write_all(more).await.unwrap();
        stream.flush().await.unwrap();
        let mut said = Vec::new();
        let bound = KEEPALIVE_INTERVAL + KEEPALIVE_TIMEOUT + Duration::from_secs(5);
        let closed = tokio::time::timeout(bound, stream.read_to_end(&mut said)).await;
        assert!(closed.is_ok(), "still open after {:?}", began.elapsed());
    }
}
