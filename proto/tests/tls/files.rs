//! What is refused when a program reads its own certificate files.

use refit_proto::tls::{MaterialPaths, MaterialProblem, OwnValidity};

use crate::support::*;

#[test]
fn wrong_files_are_all_reported_at_once() {
    use std::os::unix::fs::PermissionsExt;
    let (ca, other) = (Ca::new("ca"), Ca::new("other"));
    let load = |bundle: &Bundle, mode: u32| {
        let dir = tempfile::tempdir().unwrap();
        let paths = bundle.write(dir.path());
        std::fs::set_permissions(&paths.key, std::fs::Permissions::from_mode(mode)).unwrap();
        refit_proto::tls::Material::load(&paths)
    };
    let good = ca.issue(AGENT);
    let material = load(&good, 0o400).unwrap();
    assert_eq!(*material.identity(), id(AGENT));

    for mode in [0o640, 0o604, 0o610, 0o601] {
        let error = load(&good, mode).unwrap_err();
        assert!(
            matches!(
                error.problems.as_slice(),
                [MaterialProblem::KeyTooOpen { .. }]
            ),
            "{error}"
        );
        assert!(error.to_string().contains("chmod 600"));
    }

    // Key of another, certificate of another CA that names nobody: three mistakes, three reports.
    let mut params = leaf("https://m1");
    params.subject_alt_names.truncate(1);
    let mut bad = other.issue_with(params);
    bad.ca = ca.pem();
    bad.key = good.key.clone();
    let error = load(&bad, 0o600).unwrap_err();
    let kinds = error.problems.iter().map(|problem| match problem {
        MaterialProblem::NoIdentity { .. } => "identity",
        MaterialProblem::KeyMismatch { .. } => "key",
        MaterialProblem::NotFromThisCa { .. } => "ca",
        other => panic!("{other}"),
    });
    assert_eq!(kinds.collect::<Vec<_>>(), ["identity", "key", "ca"]);

    let mut leaf_as_ca = good.clone();
    leaf_as_ca.ca = good.cert.clone();
    let error = load(&leaf_as_ca, 0o600).unwrap_err();
    assert!(error.to_string().contains("not a CA's"), "{error}");

    let mut junk = good.clone();
    (junk.key, junk.cert) = ("SECRET".into(), "junk".into());
    let error = load(&junk, 0o600).unwrap_err();
    assert_eq!(error.problems.len(), 2, "{error}");
    assert!(!error.to_string().contains("SECRET"));

    let nowhere = tempfile::tempdir().unwrap();
    let paths = MaterialPaths::in_dir(nowhere.path());
    let error = refit_proto::tls::Material::load(&paths).unwrap_err();
    assert_eq!(error.problems.len(), 3, "{error}");

    // Expired is a state to report, not a reason not to start.
    let expired = load(&ca.issue_for(AGENT, -7200, -3600), 0o600).unwrap();
    let now = refit_proto::tls::Clock::system().utc();
    assert!(matches!(expired.validity(now), OwnValidity::Expired { .. }));
}
