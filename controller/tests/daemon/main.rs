//! The daemon and its way to the agents, over real mutual TLS on loopback.

mod agent;
mod lines;
mod program;
#[cfg(feature = "faults")]
mod slow;

use refit_controller::pki::{self, IssueRequest};
use refit_proto::identity::Role;
use refit_proto::tls::{Clock, MaterialPaths, Reloading};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// Certificates of one fleet, in a directory that goes with it.
struct Certificates(tempfile::TempDir);

impl Certificates {
    fn new() -> Self {
        // Every test is a program of its own as far as TLS is concerned.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = tempfile::tempdir().unwrap();
        pki::init(
            &dir.path().join("ca"),
            "refit.local",
            YEAR,
            &Clock::system(),
        )
        .unwrap();
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn issue(&self, role: Role, name: &str) -> PathBuf {
        let out = self.path().join(format!("{role}-{name}"));
        let request = IssueRequest {
            ca_dir: &self.path().join("ca"),
            role,
            name,
            out_dir: &out,
            validity: YEAR / 2,
            dns: &[],
            ips: &[],
        };
        pki::issue(&request, &Clock::system()).unwrap();
        out
    }

    fn open(&self, role: Role, name: &str) -> Arc<Reloading> {
        Reloading::open(MaterialPaths::in_dir(&self.issue(role, name))).unwrap()
    }
}
