//! Wrong certificates, in plain words and with what to do.

use crate::server::{Server, outcome};
use refit_controller::pki;
use refit_proto::identity::Role;
use refit_proto::tls::Clock;
use std::time::{Duration, SystemTime};

fn refused(server: &Server, who: &str, words: &[&str]) {
    let (code, stdout, stderr) = outcome(server.refit_as(who, &["list"]));
    assert_eq!(code, 5, "{who}: {stdout}{stderr}");
    assert_eq!(stdout, "", "{who}");
    for word in words {
        assert!(
            stderr.contains(word),
            "{who}: {word:?} is missing in: {stderr}"
        );
    }
}

#[test]
fn an_agents() {
    let server = Server::start();
    server.issue(Role::Agent, "db1", &Clock::system());
    refused(
        &server,
        "db1",
        &["agent", "role operator", "Nothing was changed"],
    );
}

#[test]
fn another_cas() {
    let server = Server::start();
    let other = server.path("other");
    pki::init(
        &other,
        "refit.local",
        pki::DEFAULT_CA_VALIDITY,
        &Clock::system(),
    )
    .unwrap();
    server.issue_from("other", Role::Operator, "mallory", &Clock::system());
    refused(
        &server,
        "mallory",
        &["was not issued by our CA", "refit pki inspect"],
    );
}

#[test]
fn an_expired_one() {
    let server = Server::start();
    // Both the CA and the certificate are made the day before yesterday, for a day.
    let then = SystemTime::now() - Duration::from_secs(2 * 24 * 3600);
    let past = Clock::new(move || then);
    let old = server.path("old");
    pki::init(&old, "refit.local", pki::DEFAULT_CA_VALIDITY, &past).unwrap();
    server.issue_from("old", Role::Operator, "late", &past);
    refused(&server, "late", &["has expired", "refit pki renew"]);
}

#[test]
fn none_at_all() {
    let server = Server::start();
    refused(&server, "nobody", &["ca.pem", "cert.pem", "key.pem"]);
}

#[test]
fn the_controllers_is_for_another_name() {
    let server = Server::start();
    let mut command = server.refit(&["list"]);
    command.args(["--controller-name", "ctl"]);
    let (code, _, stderr) = outcome(command);
    assert_eq!(code, 5, "{stderr}");
    assert!(
        stderr.contains("expected spiffe://refit.local/controller/ctl"),
        "{stderr}"
    );
    assert!(stderr.contains("controller/localhost"), "{stderr}");
}

#[test]
fn nobody_listens() {
    let mut server = Server::start();
    server.stop();
    let (code, _, stderr) = outcome(server.refit(&["list"]));
    assert_eq!(code, 1, "{stderr}");
    for word in [
        "localhost",
        "systemctl status refit-controller",
        "agents finish",
    ] {
        assert!(stderr.contains(word), "{word:?} is missing in: {stderr}");
    }
}
