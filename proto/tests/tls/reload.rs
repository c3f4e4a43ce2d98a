//! Certificates are exchanged while the programs run.

use std::time::Duration;

use refit_proto::tls::{
    FaultKind, OwnValidity, Reload, ReloadError, classify, connect, connect_over,
};
use rustls::AlertDescription;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::support::*;

fn serial(material: &Material) -> String {
    material.reloading.material().facts().serial.clone()
}

#[tokio::test]
async fn new_connections_use_the_new_files_on_both_sides() {
    let (old_ca, new_ca) = (Ca::new("old"), Ca::new("new"));
    let server_files = old_ca.issue(AGENT).open();
    let client_files = old_ca.issue(CONTROLLER).open();
    let (mut server, address) = TestServer::tcp(&server_files).await;
    let dial = || connect(address.clone(), id(AGENT), client_files.reloading.clone());
    let old_connection = dial();
    check(old_connection.clone()).await.unwrap();
    assert_eq!(server_files.reloading.reload().unwrap(), Reload::Unchanged);

    // The server moves to the new CA: it presents the new certificate and wants the new CA's.
    new_ca.issue(AGENT).write(server_files.dir.path());
    let before = serial(&server_files);
    let swapped = server_files.reloading.reload().unwrap();
    assert_eq!(
        swapped,
        Reload::Swapped {
            old_serial: before,
            new_serial: serial(&server_files)
        }
    );
    let status = check(dial()).await.unwrap_err();
    assert_eq!(
        classify(&status),
        Some(FaultKind::UnknownCa),
        "presents the new certificate"
    );
    server.refusal().await;

    // The client trusts both, but still presents the old CA's certificate.
    let both = old_ca.issue(CONTROLLER).trusting(&new_ca);
    both.write(client_files.dir.path());
    client_files.reloading.reload().unwrap();
    let status = check(dial()).await.unwrap_err();
    let alert = AlertDescription::UnknownCA;
    assert_eq!(
        classify(&status),
        Some(FaultKind::PeerRefusedOurCertificate { alert }),
        "wants the new CA"
    );

    // The client moves as well.
    new_ca.issue(CONTROLLER).write(client_files.dir.path());
    client_files.reloading.reload().unwrap();
    check(dial()).await.unwrap();
    // The connection from before all this was never cut.
    check(old_connection).await.unwrap();
}

#[tokio::test]
async fn bad_new_files_keep_the_old_ones() {
    let ca = Ca::new("ca");
    let files = ca.issue(AGENT).open();
    let client = ca.issue(CONTROLLER).open();
    let (_server, address) = TestServer::tcp(&files).await;
    let before = serial(&files);

    let other_name = ca.issue("spiffe://refit.local/agent/m2");
    let expired = ca.issue_for(AGENT, -7200, -3600);
    let mut half = ca.issue(AGENT);
    half.key.clone_from(&client_key());
    let mut truncated = ca.issue(AGENT);
    truncated.cert.truncate(100);
    for (what, bundle) in [
        ("other name", other_name),
        ("expired", expired),
        ("half copied", half),
        ("truncated", truncated),
    ] {
        bundle.write(files.dir.path());
        let error = files.reloading.reload().unwrap_err();
        let expected = match error {
            ReloadError::OtherIdentity { .. } => "other name",
            ReloadError::NotValid {
                new: OwnValidity::Expired { .. },
            } => "expired",
            ReloadError::Material(_) => what,
            other => panic!("{what}: {other}"),
        };
        assert_eq!(expected, what);
        // As the watcher does it, twice: reported, given up on, still serving.
        files.reloading.look();
        files.reloading.look();
        assert_eq!(serial(&files), before, "{what}");
        let channel = connect(address.clone(), id(AGENT), client.reloading.clone());
        check(channel).await.unwrap();
    }

    // And the next good one is taken.
    ca.issue(AGENT).write(files.dir.path());
    files.reloading.look();
    assert_ne!(serial(&files), before);
}

fn client_key() -> String {
    Ca::new("x").issue(CONTROLLER).key
}

/// A renewal is loadable at each of its instants; see the picture in `tls/material.rs`.
#[test]
fn a_renewal_cut_short_is_still_loadable() {
    let ca = Ca::new("ca");
    let (old, new) = (ca.issue(AGENT), ca.issue(AGENT));
    let files = old.open();
    let before = serial(&files);
    let paths = refit_proto::tls::MaterialPaths::in_dir(files.dir.path());
    let private = |path: &std::path::Path, text: &str| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    };

    private(&paths.next_key(), &new.key);
    assert_eq!(files.reloading.reload().unwrap(), Reload::Unchanged);
    private(&paths.cert, &new.cert);
    assert!(matches!(
        files.reloading.reload().unwrap(),
        Reload::Swapped { .. }
    ));
    assert_ne!(serial(&files), before);
    std::fs::rename(paths.next_key(), &paths.key).unwrap();
    assert_eq!(files.reloading.reload().unwrap(), Reload::Unchanged);
}

#[tokio::test]
async fn the_watcher_sees_a_renewal() {
    let ca = Ca::new("ca");
    let files = ca.issue(AGENT).open();
    let before = serial(&files);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let every = Duration::from_millis(5);
    let watching = tokio::spawn(files.reloading.clone().watch(every, async {
        let _ = stopped.await;
    }));
    ca.issue(AGENT).write(files.dir.path());
    let seen = async {
        let mut ticks = tokio::time::interval(every);
        while serial(&files) == before {
            ticks.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, seen)
        .await
        .expect("reloaded in time");
    stop.send(()).unwrap();
    tokio::time::timeout(PATIENCE, watching)
        .await
        .expect("the watcher stops")
        .unwrap();
}

/// The server cuts a connection, streams and all, when the client's certificate ends; and the
/// client does when the server's does.
#[tokio::test(start_paused = true)]
async fn connections_end_with_the_peers_certificate() {
    let ca = Ca::new("ca");
    let day = 24 * 3600;
    for (server_days, client_days) in [(30, 2), (2, 30)] {
        let clock = paused_clock();
        let server = ca
            .issue_for(AGENT, -60, server_days * day)
            .open_with_clock(clock.clone());
        let client = ca
            .issue_for(CONTROLLER, -60, client_days * day)
            .open_with_clock(clock);
        let (dial, listener) = memory_net();
        let limits = refit_proto::tls::AcceptLimits::STANDARD;
        let _server = TestServer::on(listener, &server, limits);
        let address: refit_proto::tls::Address = "m1:7130".parse().unwrap();
        let channel = connect_over(dial, address, id(AGENT), client.reloading.clone());

        let start = tokio::time::Instant::now();
        let mut stream = HealthClient::new(channel.clone())
            .watch(HealthCheckRequest::default())
            .await
            .unwrap()
            .into_inner();
        stream.message().await.unwrap().expect("the first state");
        // Nothing changes any more: the stream stays silent until the connection is cut.
        let end = tokio::time::timeout(Duration::from_secs(10 * 24 * 3600), stream.message()).await;
        assert!(matches!(end, Ok(Err(_))), "{end:?}");
        let lived = start.elapsed().as_secs();
        let allowed = u64::try_from(2 * day).unwrap();
        assert!((allowed - 5..=allowed + 5).contains(&lived), "{lived} s");

        let again = check(channel).await.unwrap_err();
        let kind = classify(&again).unwrap();
        assert!(!kind.is_network(), "{kind:?}");
    }
}
