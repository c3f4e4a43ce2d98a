//! A certificate on the deny list: refused in both directions, from the next look at the file on, and its open connections end.

use refit_proto::tls::{FaultKind, REVOKED, Reload, classify, connect};
use rustls::AlertDescription;

use crate::support::*;

fn serial(material: &Material) -> String {
    material.reloading.material().facts().serial.clone()
}

/// Writes the list beside the CA certificate and has it looked at.
fn deny(at: &Material, lines: &str) {
    let path = at.dir.path().join(REVOKED);
    let next = path.with_extension("next");
    std::fs::write(&next, lines).unwrap();
    std::fs::rename(&next, &path).unwrap();
    at.reloading.reload().unwrap();
}

#[tokio::test]
async fn a_client_on_the_servers_list_is_refused_and_cut_off() {
    let ca = Ca::new("ca");
    let files = ca.issue(AGENT).open();
    let (mut server, address) = TestServer::tcp(&files).await;
    let (stolen, good) = (ca.issue(CONTROLLER).open(), ca.issue(CONTROLLER).open());
    let dial = |who: &Material| connect(address.clone(), id(AGENT), who.reloading.clone());
    let (open, other) = (dial(&stolen), dial(&good));
    check(open.clone()).await.unwrap();
    check(other.clone()).await.unwrap();

    deny(&files, &format!("{} # stolen\n", serial(&stolen)));
    // New ones are refused, with the alert that says why.
    let status = check(dial(&stolen)).await.unwrap_err();
    let alert = AlertDescription::CertificateRevoked;
    assert_eq!(
        classify(&status),
        Some(FaultKind::PeerRefusedOurCertificate { alert })
    );
    assert_eq!(
        server.refusal().await.kind,
        FaultKind::PeerCertificateRevoked
    );
    // The one that was open ends as well; a channel then dials again, and that is refused.
    check(open).await.unwrap_err();
    // Nobody else is concerned.
    check(other).await.unwrap();
    check(dial(&good)).await.unwrap();

    // Taken off the list, it is good again.
    deny(&files, "# nobody\n");
    check(dial(&stolen)).await.unwrap();
}

#[tokio::test]
async fn a_server_on_the_clients_list_is_refused_and_cut_off() {
    let ca = Ca::new("ca");
    let files = ca.issue(AGENT).open();
    let (_server, address) = TestServer::tcp(&files).await;
    let client = ca.issue(CONTROLLER).open();
    let dial = || connect(address.clone(), id(AGENT), client.reloading.clone());
    let open = dial();
    check(open.clone()).await.unwrap();
    deny(&client, &serial(&files));
    check(open).await.unwrap_err();
    let status = check(dial()).await.unwrap_err();
    assert_eq!(
        classify(&status),
        Some(FaultKind::PeerCertificateRevoked),
        "{status:?}"
    );
}

/// Half a list would let somebody through.
#[tokio::test]
async fn a_list_that_cannot_be_read_is_told_and_the_one_before_stays() {
    let ca = Ca::new("ca");
    let files = ca.issue(AGENT).open();
    let (mut server, address) = TestServer::tcp(&files).await;
    let stolen = ca.issue(CONTROLLER).open();
    deny(&files, &serial(&stolen));
    std::fs::write(files.dir.path().join(REVOKED), "not a serial\n").unwrap();
    let error = files.reloading.reload().unwrap_err().to_string();
    assert!(
        error.contains(REVOKED) && error.contains("line 1"),
        "{error}"
    );
    check(connect(address, id(AGENT), stolen.reloading.clone()))
        .await
        .unwrap_err();
    server.refusal().await;
    std::fs::write(files.dir.path().join(REVOKED), serial(&stolen)).unwrap();
    assert_eq!(files.reloading.reload().unwrap(), Reload::Unchanged);
}

#[tokio::test]
async fn a_changed_list_is_seen_without_being_told() {
    let ca = Ca::new("ca");
    let files = ca.issue(AGENT).open();
    let (_server, address) = TestServer::tcp(&files).await;
    let stolen = ca.issue(CONTROLLER).open();
    std::fs::write(files.dir.path().join(REVOKED), serial(&stolen)).unwrap();
    files.reloading.look();
    check(connect(address, id(AGENT), stolen.reloading.clone()))
        .await
        .unwrap_err();
}
