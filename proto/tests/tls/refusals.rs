//! Each wrong party is refused by the right side, and both sides can say why.

use std::sync::Arc;

use hyper_util::rt::TokioIo;
use refit_proto::tls::{Address, FaultKind, Peer, PeerFault, classify, connect};
use rustls::AlertDescription;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tonic::Code;

use crate::support::*;

#[tokio::test]
async fn the_right_certificates_meet() {
    let ca = Ca::new("ca");
    let server = ca.issue(AGENT).open();
    let (mut server, address) = TestServer::tcp(&server).await;
    for caller in [CONTROLLER, OPERATOR, AGENT] {
        let client = ca.issue(caller).open();
        let channel = connect(address.clone(), id(AGENT), client.reloading.clone());
        check(channel).await.unwrap();
        let seen = server.callers.recv().await.unwrap();
        assert_eq!(*seen.identity, id(caller));
        assert!(seen.remote.unwrap().ip().is_loopback());
    }
}

#[tokio::test]
async fn roles_are_kept_apart_on_the_wire() {
    let ca = Ca::new("ca");
    let server = ca.issue(AGENT).open();
    let (_server, address) = TestServer::tcp(&server).await;
    let (agent, operator) = ("/refit.agent.v1.Agent/X", "/refit.operator.v1.Operator/X");
    let reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    // Unimplemented is what lies behind the layer: the call was let through to it.
    let (yes, no) = (Code::Unimplemented, Code::PermissionDenied);
    for (caller, expected) in [
        (CONTROLLER, [yes, no, no, no]),
        (AGENT, [no, no, no, no]),
        (OPERATOR, [no, yes, yes, no]),
        ("spiffe://elsewhere/controller/c1", [no, no, no, no]),
    ] {
        let client = ca.issue(caller).open();
        let channel = connect(address.clone(), id(AGENT), client.reloading.clone());
        for (path, expected) in [agent, operator, reflection, "/any.Thing/X"]
            .into_iter()
            .zip(expected)
        {
            let status = call(channel.clone(), path).await;
            assert_eq!(status.code(), expected, "{caller} {path}: {status}");
            assert_eq!(classify(&status), None, "an answer is no transport fault");
            if expected == no {
                assert!(status.message().contains(caller), "{status}");
            }
        }
    }
}

/// Dials with `client`, expects the dial to fail, and returns the fault as an operator would see it.
async fn fault(client: &Material, address: &Address, expected: &str) -> PeerFault {
    let channel = connect(address.clone(), id(expected), client.reloading.clone());
    let status = check(channel).await.expect_err("refused");
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    let peer = Peer {
        address: address.clone(),
        expected: id(expected),
    };
    let fault = PeerFault::of(&status, &peer).expect("a transport fault");
    let text = fault.to_string();
    assert!(text.contains(&address.to_string()), "{text}");
    fault
}

#[tokio::test]
async fn clients_that_the_server_refuses() {
    let (ca, other) = (Ca::new("ca"), Ca::new("other"));
    let server = ca.issue(AGENT).open();
    let (mut server, address) = TestServer::tcp(&server).await;
    let hour = 3600;
    let expired = ca.issue_for(CONTROLLER, -2 * hour, -hour);
    let future = ca.issue_for(CONTROLLER, hour, 2 * hour);
    let mut no_purpose = leaf(CONTROLLER);
    no_purpose.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    use AlertDescription as Alert;
    for (what, bundle, alert) in [
        (
            "other CA",
            other.issue(CONTROLLER).trusting(&ca),
            Alert::UnknownCA,
        ),
        ("expired", expired, Alert::CertificateExpired),
        ("not yet valid", future, Alert::CertificateExpired),
        (
            "purpose",
            ca.issue_with(no_purpose),
            Alert::UnsupportedCertificate,
        ),
    ] {
        let client = bundle.open();
        let fault = fault(&client, &address, AGENT).await;
        assert_eq!(
            fault.kind,
            FaultKind::PeerRefusedOurCertificate { alert },
            "{what}"
        );
        let seen = server.refusal().await;
        let matches = match what {
            "other CA" => seen.kind == FaultKind::UnknownCa,
            "expired" => matches!(
                seen.kind,
                FaultKind::PeerCertificateExpired { not_after: Some(_) }
            ),
            "not yet valid" => matches!(
                seen.kind,
                FaultKind::PeerCertificateNotYetValid {
                    not_before: Some(_)
                }
            ),
            _ => matches!(seen.kind, FaultKind::PeerCertificateUnusable { .. }),
        };
        assert!(matches, "{what}: {seen:?}");
    }
    assert!(server.callers.try_recv().is_err(), "nobody got through");
}

#[tokio::test]
async fn servers_that_the_client_refuses() {
    let (ca, other) = (Ca::new("ca"), Ca::new("other"));
    let client = ca.issue(CONTROLLER).open();
    let hour = 3600;
    let m2 = "spiffe://refit.local/agent/m2";
    let elsewhere = "spiffe://elsewhere/agent/m1";
    let mismatch = |got: &str| FaultKind::PeerIdentityMismatch {
        expected: id(AGENT),
        got: got.into(),
    };
    let cases = [
        ("wrong host", ca.issue(m2), Some(mismatch(m2))),
        (
            "wrong role",
            ca.issue(CONTROLLER),
            Some(mismatch(CONTROLLER)),
        ),
        (
            "wrong domain",
            ca.issue(elsewhere),
            Some(mismatch(elsewhere)),
        ),
        (
            "other CA",
            other.issue(AGENT).trusting(&ca),
            Some(FaultKind::UnknownCa),
        ),
        ("expired", ca.issue_for(AGENT, -2 * hour, -hour), None),
        ("not yet", ca.issue_for(AGENT, hour, 2 * hour), None),
    ];
    for (what, bundle, kind) in cases {
        let material = bundle.open();
        let (mut server, address) = TestServer::tcp(&material).await;
        let fault = fault(&client, &address, AGENT).await;
        match kind {
            Some(kind) => assert_eq!(fault.kind, kind, "{what}"),
            None if what == "expired" => assert!(matches!(
                fault.kind,
                FaultKind::PeerCertificateExpired { not_after: Some(_) }
            )),
            None => assert!(matches!(
                fault.kind,
                FaultKind::PeerCertificateNotYetValid {
                    not_before: Some(_)
                }
            )),
        }
        assert!(!fault.kind.is_network());
        // The server learns that it, not the client, was found wanting.
        let seen = server.refusal().await;
        assert!(
            matches!(seen.kind, FaultKind::PeerRefusedOurCertificate { .. }),
            "{what}: {seen:?}"
        );
    }
}

#[tokio::test]
async fn servers_that_are_none() {
    let ca = Ca::new("ca");
    let client = ca.issue(CONTROLLER).open();

    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: Address = closed.local_addr().unwrap().into();
    drop(closed);
    let refused = fault(&client, &address, AGENT).await;
    assert!(
        matches!(
            refused.kind,
            FaultKind::Unreachable {
                io: std::io::ErrorKind::ConnectionRefused,
                ..
            }
        ),
        "{refused:?}"
    );
    assert!(refused.to_string().contains("systemctl status refit-agent"));

    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: Address = plain.local_addr().unwrap().into();
    let answering = tokio::spawn(async move {
        let (mut stream, _) = plain.accept().await.unwrap();
        let mut hello = [0; 512];
        let _ = stream.read(&mut hello).await.unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
        // Held open until the client has read it.
        let _ = stream.read(&mut hello).await;
    });
    let spoke_http = fault(&client, &address, AGENT).await;
    assert!(
        matches!(spoke_http.kind, FaultKind::NotRefit { .. }),
        "{spoke_http:?}"
    );
    answering.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_given_up_on() {
    let client = Ca::new("ca").issue(CONTROLLER).open();
    let (dial, _listener_that_never_answers) = memory_net();
    let address: Address = "m1:7130".parse().unwrap();
    let channel =
        refit_proto::tls::connect_over(dial, address, id(AGENT), client.reloading.clone());
    let status = check(channel).await.unwrap_err();
    assert!(matches!(
        classify(&status),
        Some(FaultKind::Unreachable {
            io: std::io::ErrorKind::TimedOut,
            ..
        })
    ));
}

type Certificate = (CertificateDer<'static>, PrivateKeyDer<'static>);

/// A client built from plain rustls: says and presents whatever the test wants.
fn raw_connector(
    ca: &Ca,
    versions: &[&'static rustls::SupportedProtocolVersion],
    certificate: Option<Certificate>,
) -> tokio_rustls::TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(ca.pem().as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match certificate {
        Some((cert, key)) => builder.with_client_auth_cert(vec![cert], key).unwrap(),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config).into()
}

async fn handshake(
    tls: &tokio_rustls::TlsConnector,
    address: &Address,
) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let stream = TcpStream::connect((address.host(), address.port())).await?;
    let name = ServerName::try_from("localhost").unwrap();
    tls.connect(name, stream).await
}

/// How the server's refusal of a raw client arrives there.
async fn raw_client(
    address: &Address,
    ca: &Ca,
    versions: &[&'static rustls::SupportedProtocolVersion],
    certificate: Option<Certificate>,
) -> std::io::Error {
    match handshake(&raw_connector(ca, versions, certificate), address).await {
        Err(error) => error,
        Ok(mut tls) => {
            // As a real client would, speak before having been judged: the alert must survive it.
            let _ = tls.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
            let mut byte = [0];
            tls.read_exact(&mut byte).await.expect_err("refused")
        }
    }
}

/// A resumed session would not be judged again: a client that asks for one gets a full handshake.
#[tokio::test]
async fn nothing_is_resumed() {
    let ca = Ca::new("ca");
    let material = ca.issue(AGENT).open();
    let (_server, address) = TestServer::tcp(&material).await;
    let good = ca.issue(CONTROLLER);
    let cert = CertificateDer::from_pem_slice(good.cert.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(good.key.as_bytes()).unwrap();
    let connector = raw_connector(&ca, &[&rustls::version::TLS13], Some((cert, key)));
    for _ in 0..2 {
        let mut tls = handshake(&connector, &address).await.unwrap();
        // A ticket would come before the server's first HTTP/2 bytes.
        tls.read_exact(&mut [0]).await.unwrap();
        let (_, session) = tls.get_ref();
        assert_eq!(session.handshake_kind(), Some(rustls::HandshakeKind::Full));
        assert_eq!(session.tls13_tickets_received(), 0);
    }
}

#[tokio::test]
async fn clients_that_are_not_ours() {
    let ca = Ca::new("ca");
    let material = ca.issue(AGENT).open();
    let (mut server, address) = TestServer::tcp(&material).await;
    let tls13 = [&rustls::version::TLS13];
    let refused = |alert| Some(FaultKind::PeerRefusedOurCertificate { alert });

    let error = raw_client(&address, &ca, &tls13, None).await;
    assert_eq!(
        classify(&error),
        refused(AlertDescription::CertificateRequired)
    );
    assert_eq!(server.refusal().await.kind, FaultKind::NoPeerCertificate);

    let key = rcgen::KeyPair::generate().unwrap();
    let own = leaf(CONTROLLER).self_signed(&key).unwrap().der().clone();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let error = raw_client(&address, &ca, &tls13, Some((own, key))).await;
    assert_eq!(classify(&error), refused(AlertDescription::UnknownCA));
    assert_eq!(server.refusal().await.kind, FaultKind::UnknownCa);

    let good = ca.issue(CONTROLLER);
    let cert = CertificateDer::from_pem_slice(good.cert.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(good.key.as_bytes()).unwrap();
    let tls12 = [&rustls::version::TLS12];
    let error = raw_client(&address, &ca, &tls12, Some((cert, key))).await;
    assert!(
        matches!(classify(&error), Some(FaultKind::NotRefit { .. })),
        "{error:?}"
    );
    assert!(matches!(
        server.refusal().await.kind,
        FaultKind::NotRefit { .. }
    ));

    let mut plain = TcpStream::connect((address.host(), address.port()))
        .await
        .unwrap();
    plain
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    assert!(matches!(
        server.refusal().await.kind,
        FaultKind::NotRefit { .. }
    ));
    let mut rest = Vec::new();
    tokio::time::timeout(PATIENCE, plain.read_to_end(&mut rest))
        .await
        .expect("the server closes it")
        .unwrap();

    // A port probe is a network event, not a wrong client.
    drop(
        TcpStream::connect((address.host(), address.port()))
            .await
            .unwrap(),
    );
    assert!(server.refusal().await.kind.is_network());
    assert!(server.callers.try_recv().is_err(), "nobody got through");
}

/// A certificate of our CA that names nobody completes TLS, and may call nothing.
#[tokio::test]
async fn a_genuine_certificate_without_identity_may_call_nothing() {
    let ca = Ca::new("ca");
    let material = ca.issue(AGENT).open();
    let (mut server, address) = TestServer::tcp(&material).await;
    let mut params = leaf("https://m1");
    params.subject_alt_names.truncate(1);
    let nobody = ca.issue_with(params);
    let cert = CertificateDer::from_pem_slice(nobody.cert.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(nobody.key.as_bytes()).unwrap();
    let tls = raw_connector(&ca, &[&rustls::version::TLS13], Some((cert, key)));
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap();
    let channel = endpoint.connect_with_connector_lazy(tower::service_fn(move |_: http::Uri| {
        let (tls, address) = (tls.clone(), address.clone());
        async move { handshake(&tls, &address).await.map(TokioIo::new) }
    }));
    let status = check(channel).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert!(status.message().contains("https://m1"), "{status}");
    assert!(server.callers.try_recv().is_err(), "nobody got through");
}
