//! The same refusals as another implementation of TLS sees them: `openssl s_client` dials us, we dial `openssl s_server`.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use refit_proto::tls::{Address, FaultKind, REVOKED, classify, connect};

use crate::support::*;

/// Ended and awaited however the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Its files in a directory that lives as long as they are needed.
fn files(bundle: &Bundle) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    bundle.write(dir.path());
    dir
}

fn of(dir: &Path) -> [String; 6] {
    let path = |name: &str| dir.join(name).display().to_string();
    [
        "-cert".to_owned(),
        path("cert.pem"),
        "-key".to_owned(),
        path("key.pem"),
        "-CAfile".to_owned(),
        path("ca.pem"),
    ]
}

/// Dials, speaks as an HTTP/2 client does, and returns all that openssl says once the server has closed; `None`: it was let in
/// and answered.
fn dial(address: &Address, more: &[String]) -> Option<String> {
    let child = Command::new("openssl")
        .args(["s_client", "-connect", &address.to_string()])
        .args(["-alpn", "h2", "-servername", "localhost", "-ign_eof"])
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl is installed");
    let mut child = Running(child);
    let mut input = child.0.stdin.take().unwrap();
    // A server that has refused may be gone by now.
    let _ = input.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    let _ = input.flush();
    let mut output = child.0.stdout.take().unwrap();
    let mut said = Vec::new();
    let mut some = [0; 4096];
    // The server's first frame, a SETTINGS (type 4), comes as soon as we are let in.
    let settings = |said: &[u8]| {
        said.windows(6)
            .any(|frame| frame[..3] == [0, 0, frame[2]] && frame[3..6] == [4, 0, 0])
    };
    loop {
        let count = output.read(&mut some).unwrap();
        if count == 0 {
            break;
        }
        said.extend(&some[..count]);
        if settings(&said) {
            return None;
        }
    }
    let mut complaint = String::new();
    let mut errors = child.0.stderr.take().unwrap();
    errors.read_to_string(&mut complaint).unwrap();
    Some(format!("{}{complaint}", String::from_utf8_lossy(&said)))
}

#[tokio::test(flavor = "multi_thread")]
async fn clients() {
    let (ca, other) = (Ca::new("ca"), Ca::new("other"));
    let server_files = ca.issue(AGENT).open();
    let (_server, address) = TestServer::tcp(&server_files).await;
    let hour = 3600;
    let revoked = ca.issue(CONTROLLER);
    let serial = revoked.open().reloading.material().facts().serial.clone();
    std::fs::write(server_files.dir.path().join(REVOKED), serial).unwrap();
    server_files.reloading.reload().unwrap();
    let own = {
        let key = rcgen::KeyPair::generate().unwrap();
        Bundle {
            ca: ca.pem(),
            cert: leaf(CONTROLLER).self_signed(&key).unwrap().pem(),
            key: key.serialize_pem(),
        }
    };
    // The alert's number, RFC 8446 §6.
    for (what, bundle, alert) in [
        ("expired", ca.issue_for(CONTROLLER, -2 * hour, -hour), 45),
        (
            "not yet valid",
            ca.issue_for(CONTROLLER, hour, 2 * hour),
            45,
        ),
        ("another CA's", other.issue(CONTROLLER).trusting(&ca), 48),
        ("self-signed", own, 48),
        ("revoked", revoked, 44),
    ] {
        let dir = files(&bundle);
        let said = tokio::task::block_in_place(|| dial(&address, &of(dir.path())));
        let said = said.unwrap_or_else(|| panic!("{what} was let in"));
        assert!(
            said.contains(&format!("alert number {alert}")),
            "{what}: {said}"
        );
    }
    let none = tokio::task::block_in_place(|| dial(&address, &[])).expect("refused");
    assert!(none.contains("alert number 116"), "no certificate: {none}");
    let dir = files(&ca.issue(CONTROLLER));
    let mut old = of(dir.path()).to_vec();
    old.push("-tls1_2".to_owned());
    let said = tokio::task::block_in_place(|| dial(&address, &old)).expect("refused");
    assert!(said.contains("alert number 70"), "TLS 1.2: {said}");
    // All this says something only if the right one gets in.
    let let_in = tokio::task::block_in_place(|| dial(&address, &of(dir.path())));
    assert_eq!(let_in, None);
}

/// A server that answers the handshake with this certificate; its address. What it says must have somewhere to go.
fn serve(dir: &Path, more: &[&str]) -> (Running, BufReader<ChildStdout>, Address) {
    let child = Command::new("openssl")
        .args(["s_server", "-accept", "127.0.0.1:0", "-alpn", "h2"])
        .args(of(dir))
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl is installed");
    let mut child = Running(child);
    let mut output = BufReader::new(child.0.stdout.take().unwrap());
    let address = output
        .by_ref()
        .lines()
        .map(Result::unwrap)
        .find_map(|line| line.strip_prefix("ACCEPT ").map(str::to_owned))
        .expect("it says where it listens");
    (child, output, address.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn servers() {
    let (ca, other) = (Ca::new("ca"), Ca::new("other"));
    let client = ca.issue(CONTROLLER).open();
    let revoked = ca.issue(AGENT);
    let serial = revoked.open().reloading.material().facts().serial.clone();
    std::fs::write(client.dir.path().join(REVOKED), serial).unwrap();
    client.reloading.reload().unwrap();
    let hour = 3600;
    type Is = fn(&FaultKind) -> bool;
    let cases: [(&str, Bundle, &[&str], Is); 7] = [
        (
            "expired",
            ca.issue_for(AGENT, -2 * hour, -hour),
            &[],
            |kind| matches!(kind, FaultKind::PeerCertificateExpired { .. }),
        ),
        (
            "not yet valid",
            ca.issue_for(AGENT, hour, 2 * hour),
            &[],
            |kind| matches!(kind, FaultKind::PeerCertificateNotYetValid { .. }),
        ),
        ("another CA's", other.issue(AGENT), &[], |kind| {
            *kind == FaultKind::UnknownCa
        }),
        (
            "another host's",
            ca.issue("spiffe://refit.local/agent/m2"),
            &[],
            |kind| matches!(kind, FaultKind::PeerIdentityMismatch { .. }),
        ),
        (
            "another role's",
            ca.issue("spiffe://refit.local/operator/m1"),
            &[],
            |kind| matches!(kind, FaultKind::PeerIdentityMismatch { .. }),
        ),
        ("revoked", revoked, &[], |kind| {
            *kind == FaultKind::PeerCertificateRevoked
        }),
        ("TLS 1.2", ca.issue(AGENT), &["-tls1_2"], |kind| {
            matches!(kind, FaultKind::NotRefit { .. })
        }),
    ];
    for (what, bundle, more, is) in cases {
        let dir = files(&bundle);
        let (_server, _says, address) = tokio::task::block_in_place(|| serve(dir.path(), more));
        let status = check(connect(address, id(AGENT), client.reloading.clone()))
            .await
            .expect_err(what);
        let kind = classify(&status).unwrap_or_else(|| panic!("{what}: {status}"));
        assert!(is(&kind), "{what}: {kind:?}");
    }
}
