//! A certificate authority for tests, a server with the health service, and a network in memory.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType,
};
use refit_proto::identity::{AuthoriseLayer, Identity, PeerIdentity};
use refit_proto::tls::{
    AcceptLimits, Address, Clock, Dial, HandshakeRefusal, Listener, MaterialPaths, Reloading,
    accept_with, server_builder,
};
use tokio::io::DuplexStream;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::HealthServer;

pub const AGENT: &str = "spiffe://refit.local/agent/m1";
pub const CONTROLLER: &str = "spiffe://refit.local/controller/c1";
pub const OPERATOR: &str = "spiffe://refit.local/operator/alice";

/// No wait in these tests is expected to take a noticeable part of this.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub fn id(uri: &str) -> Identity {
    uri.parse().unwrap()
}

pub struct Ca(CertifiedIssuer<'static, KeyPair>);

impl Ca {
    pub fn new(name: &str) -> Ca {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Ca(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    pub fn issue(&self, uri: &str) -> Bundle {
        self.issue_with(leaf(uri))
    }

    /// Valid from and to so many seconds from now.
    pub fn issue_for(&self, uri: &str, from: i64, to: i64) -> Bundle {
        let mut params = leaf(uri);
        let now = time::OffsetDateTime::now_utc();
        params.not_before = now + time::Duration::seconds(from);
        params.not_after = now + time::Duration::seconds(to);
        self.issue_with(params)
    }

    pub fn issue_with(&self, params: CertificateParams) -> Bundle {
        let key = KeyPair::generate().unwrap();
        Bundle {
            ca: self.pem(),
            cert: params.signed_by(&key, &self.0).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }
}

pub fn leaf(uri: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "test");
    // A DNS name lets plain rustls clients of these tests verify the server; Refit ignores it.
    params.subject_alt_names = vec![
        SanType::URI(uri.try_into().unwrap()),
        SanType::DnsName("localhost".try_into().unwrap()),
    ];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    params
}

#[derive(Clone)]
pub struct Bundle {
    pub ca: String,
    pub cert: String,
    pub key: String,
}

impl Bundle {
    /// The same certificate, trusting another CA as well.
    pub fn trusting(mut self, also: &Ca) -> Bundle {
        self.ca.push_str(&also.pem());
        self
    }

    /// Writes the files; each is replaced by rename, as `refit pki renew` does it.
    pub fn write(&self, dir: &Path) -> MaterialPaths {
        use std::os::unix::fs::PermissionsExt;
        let paths = MaterialPaths::in_dir(dir);
        for (path, text) in [
            (&paths.ca, &self.ca),
            (&paths.key, &self.key),
            (&paths.cert, &self.cert),
        ] {
            let temporary = path.with_extension("tmp");
            std::fs::write(&temporary, text).unwrap();
            let mode = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(&temporary, mode).unwrap();
            std::fs::rename(&temporary, path).unwrap();
        }
        paths
    }

    pub fn open(&self) -> Material {
        self.open_with_clock(Clock::system())
    }

    pub fn open_with_clock(&self, clock: Clock) -> Material {
        let dir = tempfile::tempdir().unwrap();
        let reloading = Reloading::open_with_clock(self.write(dir.path()), clock).unwrap();
        Material { dir, reloading }
    }
}

/// Certificate files on disk, opened.
pub struct Material {
    pub dir: tempfile::TempDir,
    pub reloading: Arc<Reloading>,
}

/// A running server with the health service behind the authorisation layer.
pub struct TestServer {
    pub refusals: mpsc::UnboundedReceiver<HandshakeRefusal>,
    pub callers: mpsc::UnboundedReceiver<PeerIdentity>,
    _stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl TestServer {
    pub async fn tcp(material: &Material) -> (TestServer, Address) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().into();
        (
            TestServer::on(listener, material, AcceptLimits::STANDARD),
            address,
        )
    }

    pub fn on<L: Listener>(listener: L, material: &Material, limits: AcceptLimits) -> TestServer {
        let (refused, refusals) = mpsc::unbounded_channel();
        let (called, callers) = mpsc::unbounded_channel();
        let incoming = accept_with(
            listener,
            material.reloading.clone(),
            limits,
            move |refusal| {
                let _ = refused.send(refusal.clone());
            },
        );
        let domain = material.reloading.identity().trust_domain;
        let (_stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let (_reporter, health) = tonic_health::server::health_reporter();
            let _: &HealthServer<_> = &health;
            let health = tonic::service::interceptor::InterceptedService::new(
                health,
                move |request: tonic::Request<()>| {
                    let _ = called.send(PeerIdentity::of(&request)?);
                    Ok(request)
                },
            );
            server_builder()
                .layer(AuthoriseLayer::new(domain))
                .add_service(health)
                .serve_with_incoming_shutdown(incoming, async {
                    let _ = stopped.await;
                })
                .await
                .unwrap();
        });
        TestServer {
            refusals,
            callers,
            _stop,
            task,
        }
    }

    pub async fn refusal(&mut self) -> HandshakeRefusal {
        tokio::time::timeout(PATIENCE, self.refusals.recv())
            .await
            .expect("a refusal in time")
            .expect("the server lives")
    }
}

pub async fn check(channel: Channel) -> Result<(), tonic::Status> {
    let request = HealthCheckRequest::default();
    tokio::time::timeout(PATIENCE, HealthClient::new(channel).check(request))
        .await
        .expect("an answer in time")
        .map(|_| ())
}

/// Calls any method by its path, as a client that knows no table would.
pub async fn call(channel: Channel, path: &'static str) -> tonic::Status {
    use tonic_health::pb::HealthCheckResponse;
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<HealthCheckRequest, HealthCheckResponse>::default();
    let path = http::uri::PathAndQuery::from_static(path);
    grpc.unary(
        tonic::Request::new(HealthCheckRequest::default()),
        path,
        codec,
    )
    .await
    .expect_err("nobody serves it")
}

/// A clock that moves with tokio's (paused) time.
pub fn paused_clock() -> Clock {
    let (wall, start) = (SystemTime::now(), tokio::time::Instant::now());
    Clock::new(move || wall + start.elapsed())
}

/// A network in memory: what is dialled arrives at the listener.
pub fn memory_net() -> (MemoryDial, MemoryListener) {
    let (tx, rx) = mpsc::channel(16);
    (MemoryDial(tx), MemoryListener(rx))
}

#[derive(Clone)]
pub struct MemoryDial(mpsc::Sender<DuplexStream>);

impl Dial for MemoryDial {
    type Io = DuplexStream;

    async fn dial(&self, _: &Address) -> io::Result<DuplexStream> {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        self.0.send(theirs).await.map_err(io::Error::other)?;
        Ok(ours)
    }
}

pub struct MemoryListener(mpsc::Receiver<DuplexStream>);

impl Listener for MemoryListener {
    type Io = DuplexStream;

    async fn accept(&mut self) -> io::Result<(DuplexStream, SocketAddr)> {
        match self.0.recv().await {
            Some(stream) => Ok((stream, ([127, 0, 0, 1], 1).into())),
            None => std::future::pending().await,
        }
    }
}
