//! A controller's API on loopback with real certificates, and the `refit` program beside it.

use crate::desk::FakeDesk;
use assert_cmd::Command;
use refit_controller::api;
use refit_controller::pki::{self, IssueRequest};
use refit_controller::standing::{Stand, Standing};
use refit_proto::identity::Role;
use refit_proto::tls::{Clock, MaterialPaths, Reloading};
use refit_shared::ids::Epoch;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes; a test that reaches it has failed.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Server {
    pub desk: FakeDesk,
    pub stand: Stand,
    pub dir: tempfile::TempDir,
    pub address: SocketAddr,
    runtime: Runtime,
    running: Option<(CancellationToken, tokio::task::JoinHandle<()>)>,
}

impl Server {
    /// A CA, a controller `localhost`, an operator `ann`, and the API served.
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        pki::init(
            &dir.path().join("ca"),
            "refit.local",
            pki::DEFAULT_CA_VALIDITY,
            &Clock::system(),
        )
        .unwrap();
        let runtime = runtime();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let mut server = Self {
            desk: FakeDesk::new(),
            stand: Stand::acting(Epoch(7)),
            address: listener.local_addr().unwrap(),
            runtime,
            running: None,
            dir,
        };
        server.issue(Role::Controller, "localhost", &Clock::system());
        server.issue(Role::Operator, "ann", &Clock::system());
        server.serve(listener);
        server
    }

    pub fn issue(&self, role: Role, name: &str, clock: &Clock) -> PathBuf {
        self.issue_from("ca", role, name, clock)
    }

    pub fn issue_from(&self, ca: &str, role: Role, name: &str, clock: &Clock) -> PathBuf {
        let out = self.path(name);
        let request = IssueRequest {
            ca_dir: &self.path(ca),
            role,
            name,
            out_dir: &out,
            validity: Duration::from_secs(24 * 3600),
            dns: &[],
            ips: &[],
        };
        pki::issue(&request, clock).unwrap();
        out
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn material(&self, name: &str) -> Arc<Reloading> {
        Reloading::open(MaterialPaths::in_dir(&self.path(name))).unwrap()
    }

    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    fn serve(&mut self, listener: TcpListener) {
        let stop = CancellationToken::new();
        let serving = api::serve(
            listener,
            self.material("localhost"),
            Arc::new(self.desk.clone()),
            self.stand.subscribe(),
            stop.clone(),
        );
        let task = self.runtime.spawn(async { serving.await.unwrap() });
        self.running = Some((stop, task));
    }

    /// Ends the API as an orderly stop of the controller does; returns how long that took.
    pub fn stop(&mut self) -> Duration {
        let began = Instant::now();
        if let Some((stop, task)) = self.running.take() {
            stop.cancel();
            self.runtime.block_on(task).unwrap();
        }
        began.elapsed()
    }

    /// Ends the API as kill -9 does: connections break, nobody says goodbye.
    pub fn crash(&mut self) {
        self.running = None;
        std::mem::replace(&mut self.runtime, runtime()).shutdown_background();
    }

    /// Serves again on the same address, as after a restart.
    pub fn restart(&mut self) {
        self.stop();
        let bound = self.runtime.block_on(async {
            let deadline = Instant::now() + PATIENCE;
            loop {
                match TcpListener::bind(self.address).await {
                    Ok(listener) => return listener,
                    Err(error) if Instant::now() > deadline => panic!("{error}"),
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        });
        self.serve(bound);
    }

    pub fn stands(&self, standing: Standing) {
        self.stand.stop(standing);
    }

    /// `refit` as the operator ann.
    pub fn refit(&self, arguments: &[&str]) -> Command {
        self.refit_as("ann", arguments)
    }

    pub fn refit_as(&self, who: &str, arguments: &[&str]) -> Command {
        let mut command = refit(self.dir.path());
        command
            .env(
                "REFIT_CONTROLLER",
                format!("localhost:{}", self.address.port()),
            )
            .env("REFIT_IDENTITY", self.path(who))
            .args(arguments);
        command
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// `refit` that sees nothing of the person who runs the tests.
pub fn refit(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_refit"));
    command
        .env_clear()
        .env("XDG_CONFIG_HOME", dir)
        .current_dir(dir)
        .timeout(PATIENCE);
    command
}

/// Waits for something to become true.
pub fn wait_until(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// Exit code, standard output, standard error.
pub fn outcome(mut command: Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code().unwrap_or(-1),
        text(&output.stdout),
        text(&output.stderr),
    )
}
