//! The CA in a scratch directory: what it makes, what it refuses, and renewals cut short.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use refit_proto::identity::{CertificateFacts, Role};
use refit_proto::tls::{Clock, Material, MaterialPaths, Reload, Reloading};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::renew::Renewal;
use super::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

struct World {
    dir: tempfile::TempDir,
    clock: Clock,
}

impl World {
    /// With a CA of 100 days.
    fn new() -> World {
        let world = World {
            dir: tempfile::tempdir().unwrap(),
            clock: Clock::system(),
        };
        init(&world.ca(), "refit.local", DAY * 100, &world.clock).unwrap();
        world
    }

    fn ca(&self) -> PathBuf {
        self.dir.path().join("ca")
    }

    fn out(&self) -> PathBuf {
        self.dir.path().join("m1")
    }

    fn issue(&self) -> Result<BundleReport, PkiError> {
        let (ca_dir, out_dir) = (self.ca(), self.out());
        let request = IssueRequest {
            ca_dir: &ca_dir,
            role: Role::Agent,
            name: "m1",
            out_dir: &out_dir,
            validity: DAY * 30,
            dns: &["m1.example.com".to_owned()],
            ips: &["10.77.0.21".parse().unwrap()],
        };
        issue(&request, &self.clock)
    }

    fn renew(&self) -> Result<BundleReport, PkiError> {
        renew(&self.out(), &self.ca(), None, &self.clock)
    }

    /// Every file with its content and mode.
    fn snapshot(&self) -> Vec<(PathBuf, Vec<u8>, u32)> {
        let mut files = Vec::new();
        let mut dirs = vec![self.dir.path().to_owned()];
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    dirs.push(path);
                } else {
                    files.push((path.clone(), std::fs::read(&path).unwrap(), mode(&path)));
                }
            }
        }
        files.sort();
        files
    }
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn der(path: &Path) -> Vec<u8> {
    let pem = std::fs::read(path).unwrap();
    CertificateDer::from_pem_slice(&pem).unwrap().to_vec()
}

fn shifted(by: Duration) -> Clock {
    Clock::new(move || SystemTime::now() + by)
}

#[test]
fn certificates_say_what_they_must() {
    let world = World::new();
    let report = world.issue().unwrap();
    assert_eq!(report.identity, "spiffe://refit.local/agent/m1");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["certificate"]["state"], "valid");
    assert_eq!(json["certificate"]["dns"][0], "m1.example.com");
    assert_eq!(json["certificate"]["ips"][0], "10.77.0.21");

    let lifetime = |facts: &CertificateFacts| facts.not_after.0 - facts.not_before.0;
    let ca = CertificateFacts::from_der(&der(&world.ca().join("ca.pem"))).unwrap();
    assert!(ca.is_ca);
    assert_eq!(ca.trust_domain().unwrap().as_str(), "refit.local");
    assert_eq!(lifetime(&ca), 100 * 24 * 3600 + 300);
    let leaf = CertificateFacts::from_der(&der(&world.out().join("cert.pem"))).unwrap();
    assert!(!leaf.is_ca);
    assert_eq!(lifetime(&leaf), 30 * 24 * 3600 + 300);
    assert_eq!(leaf.issuer, ca.subject);
    assert_eq!((leaf.serial.len(), ca.serial.len()), (32, 32));
    assert_ne!(leaf.serial, ca.serial);
}

#[test]
fn keys_are_private_and_nothing_temporary_is_left() {
    let world = World::new();
    world.issue().unwrap();
    world.renew().unwrap();
    let files: Vec<_> = world
        .snapshot()
        .into_iter()
        .map(|(path, _, mode)| {
            let name = path.strip_prefix(world.dir.path()).unwrap();
            format!("{} {mode:04o}", name.display())
        })
        .collect();
    assert_eq!(
        files,
        [
            "ca/ca-key.pem 0600",
            "ca/ca.pem 0644",
            "m1/ca.pem 0644",
            "m1/cert.pem 0644",
            "m1/key.pem 0600",
        ]
    );
    assert_eq!((mode(&world.ca()), mode(&world.out())), (0o700, 0o700));
}

#[test]
fn nothing_is_overwritten() {
    let world = World::new();
    world.issue().unwrap();
    let before = world.snapshot();
    let again = init(&world.ca(), "refit.local", DAY, &world.clock).unwrap_err();
    assert_eq!(again.problems().len(), 2, "{again}");
    let again = world.issue().unwrap_err();
    assert_eq!(again.problems().len(), 3, "{again}");
    assert!(again.to_string().contains("refit pki renew"), "{again}");
    assert_eq!(world.snapshot(), before);

    // One file of a kind is enough, a dangling link too.
    for name in ["ca.pem", "cert.pem", "key.pem"] {
        std::fs::remove_dir_all(world.out()).unwrap();
        std::fs::create_dir(world.out()).unwrap();
        std::os::unix::fs::symlink("/nowhere", world.out().join(name)).unwrap();
        let error = world.issue().unwrap_err();
        assert!(
            matches!(error.problems(), [Problem::Exists { .. }]),
            "{error}"
        );
        assert_eq!(std::fs::read_dir(world.out()).unwrap().count(), 1);
    }
}

#[test]
fn all_mistakes_at_once_and_nothing_written() {
    let world = World::new();
    let (ca_dir, out_dir) = (world.dir.path().join("no-ca"), world.out());
    let before = world.snapshot();
    let request = IssueRequest {
        ca_dir: &ca_dir,
        role: Role::Operator,
        name: "Alice",
        out_dir: &out_dir,
        validity: Duration::ZERO,
        dns: &["*.example.com".to_owned(), "ok.example.com".to_owned()],
        ips: &[],
    };
    let error = issue(&request, &world.clock).unwrap_err();
    let text = error.to_string();
    assert_eq!(error.problems().len(), 5, "{text}");
    for part in [
        "\"Alice\"",
        "\"*.example.com\"",
        "at least a second",
        "refit pki init",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(world.snapshot(), before);
    assert!(!world.out().exists());

    let empty = world.dir.path().join("new-ca");
    let error = init(&empty, "No Domain", Duration::MAX, &world.clock).unwrap_err();
    assert_eq!(error.problems().len(), 2, "{error}");
    assert!(!empty.exists());
}

#[test]
fn a_ca_that_cannot_be_used() {
    let world = World::new();
    let key = world.ca().join("ca-key.pem");
    let problem = |clock: &Clock| {
        let world = World {
            dir: tempfile::tempdir_in(world.dir.path()).unwrap(),
            clock: clock.clone(),
        };
        let (out_dir, ca_dir) = (world.out(), key.parent().unwrap());
        let request = IssueRequest {
            ca_dir,
            role: Role::Agent,
            name: "m1",
            out_dir: &out_dir,
            validity: DAY * 30,
            dns: &[],
            ips: &[],
        };
        let error = issue(&request, &world.clock).unwrap_err();
        assert!(!out_dir.exists());
        let [problem] = error.problems() else {
            panic!("{error}");
        };
        problem.to_string()
    };
    assert!(problem(&shifted(DAY * 80 + DAY / 2)).contains("at most 19 days"));
    assert!(problem(&shifted(DAY * 101)).contains("not now"));
    chmod(&key, 0o640);
    assert!(problem(&world.clock).contains("chmod 600"));
    chmod(&key, 0o600);
    let other = World::new();
    let good = std::fs::read(&key).unwrap();
    std::fs::copy(other.ca().join("ca-key.pem"), &key).unwrap();
    assert!(problem(&world.clock).contains("does not belong"));
    std::fs::write(&key, "not a key but SECRET").unwrap();
    let told = problem(&world.clock);
    assert!(
        told.contains("no private key") && !told.contains("SECRET"),
        "{told}"
    );
    std::fs::write(&key, good).unwrap();
    std::fs::remove_file(world.ca().join("ca.pem")).unwrap();
    assert!(problem(&world.clock).contains("refit pki init"));
}

#[test]
fn renewal_keeps_who_and_changes_the_key() {
    let world = World::new();
    world.issue().unwrap();
    let old = CertificateFacts::from_der(&der(&world.out().join("cert.pem"))).unwrap();
    let old_key = std::fs::read(world.out().join("key.pem")).unwrap();
    // Also when it has expired: that is when people think of it.
    let later = shifted(DAY * 40);
    let report = renew(&world.out(), &world.ca(), None, &later).unwrap();
    let new = CertificateFacts::from_der(&der(&world.out().join("cert.pem"))).unwrap();
    assert_eq!(report.identity, old.identity().unwrap().to_string());
    assert_eq!(
        (&new.uris, &new.dns, &new.ips),
        (&old.uris, &old.dns, &old.ips)
    );
    assert_ne!(new.serial, old.serial);
    assert_ne!(std::fs::read(world.out().join("key.pem")).unwrap(), old_key);
    let lived = |facts: &CertificateFacts| facts.not_after.0 - facts.not_before.0;
    assert_eq!(lived(&new), lived(&old));
    let asked = renew(&world.out(), &world.ca(), Some(DAY), &later).unwrap();
    assert!(asked.certificate.seconds_left <= DAY.as_secs());
}

#[test]
fn renewal_refuses_what_is_not_its_own() {
    let (world, other) = (World::new(), World::new());
    world.issue().unwrap();
    let before = world.snapshot();
    let error = renew(&world.out(), &other.ca(), None, &world.clock).unwrap_err();
    assert!(
        matches!(error.problems(), [Problem::OtherCa { .. }]),
        "{error}"
    );
    let error = renew(&world.ca(), &world.ca(), None, &world.clock).unwrap_err();
    assert!(error.to_string().contains("refit pki issue"), "{error}");
    let error = renew(
        &world.dir.path().join("none"),
        &world.ca(),
        None,
        &world.clock,
    );
    assert!(error.is_err());

    let running = Renewal::prepare(&world.out(), &world.ca(), None, &world.clock).unwrap();
    let error = world.renew().unwrap_err();
    assert!(
        matches!(error.problems(), [Problem::Busy { .. }]),
        "{error}"
    );
    assert_eq!(world.snapshot(), before);
    drop(running);
    world.renew().unwrap();
}

/// Cut after each step, and the next renewal cut after each of its steps: loadable as it stands, by
/// a running program too; and the one after that works.
#[test]
fn renewal_cut_short_anywhere_twice() {
    let world = World::new();
    let paths = MaterialPaths::in_dir(&world.out());
    for first in 0..=Renewal::STEPS.len() {
        for second in 0..=Renewal::STEPS.len() {
            if first + second > 0 {
                std::fs::remove_dir_all(world.out()).unwrap();
            }
            world.issue().unwrap();
            let running = Reloading::open(paths.clone()).unwrap();
            for cut_after in [first, second] {
                let renewal = Renewal::prepare(&world.out(), &world.ca(), None, &world.clock);
                let renewal = renewal.unwrap();
                for step in &Renewal::STEPS[..cut_after] {
                    step(&renewal).unwrap();
                    Material::load(&paths).unwrap();
                }
                drop(renewal);
                let swapped = running.reload().unwrap() != Reload::Unchanged;
                assert_eq!(swapped, cut_after >= 3, "the third step is the change");
            }
            let loaded = Material::load(&paths).unwrap();
            let report = world.renew().unwrap();
            assert_ne!(report.certificate.serial, loaded.facts().serial);
            assert!(!paths.next_key().exists());
            assert!(matches!(running.reload().unwrap(), Reload::Swapped { .. }));
            let told = inspect(&world.out(), &world.clock).unwrap().problems;
            assert!(told.is_empty(), "{told:?}");
        }
    }
}

#[test]
fn a_renewal_cut_short_is_told() {
    let world = World::new();
    world.issue().unwrap();
    let renewal = Renewal::prepare(&world.out(), &world.ca(), None, &world.clock).unwrap();
    for (step, left_over) in Renewal::STEPS.iter().zip([false, true, true, false]) {
        step(&renewal).unwrap();
        let told = inspect(&world.out(), &world.clock).unwrap().problems;
        assert_eq!(!told.is_empty(), left_over, "{told:?}");
    }
}

#[test]
fn renewal_keeps_the_owner() {
    let world = World::new();
    world.issue().unwrap();
    let key = world.out().join("key.pem");
    // Only root may give files away; for others there is no foreign owner to keep.
    if std::os::unix::fs::chown(&key, Some(4242), Some(4343)).is_err() {
        return;
    }
    world.renew().unwrap();
    use std::os::unix::fs::MetadataExt;
    let meta = key.metadata().unwrap();
    assert_eq!((meta.uid(), meta.gid()), (4242, 4343));
    assert_eq!(mode(&key), 0o600);
}

#[test]
fn inspection_tells_what_is_wrong() {
    let world = World::new();
    world.issue().unwrap();
    let ca = inspect(&world.ca(), &world.clock).unwrap();
    assert!(ca.problems.is_empty(), "{ca:?}");
    assert!(ca.certificates[0].is_ca && ca.key.unwrap().private);
    let bundle = inspect(&world.out(), &world.clock).unwrap();
    assert!(bundle.problems.is_empty(), "{bundle:?}");
    assert_eq!(bundle.certificates.len(), 2);
    let file = inspect(&world.out().join("cert.pem"), &world.clock).unwrap();
    assert_eq!(file.certificates[0], bundle.certificates[0]);

    chmod(&world.out().join("key.pem"), 0o644);
    let late = inspect(&world.out(), &shifted(DAY * 40)).unwrap();
    assert_eq!(late.certificates[0].state, CertificateState::Expired);
    assert_eq!(late.key.as_ref().unwrap().mode, "0644");
    let text = late.problems.join("\n");
    assert_eq!(late.problems.len(), 2, "{text}");
    assert!(
        text.contains("refit pki renew") && text.contains("chmod 600"),
        "{text}"
    );
    let json = serde_json::to_string(&late).unwrap();
    assert!(json.contains("\"state\":\"expired\""), "{json}");
    assert!(!json.contains("PRIVATE KEY"));

    let empty = tempfile::tempdir().unwrap();
    assert!(inspect(empty.path(), &world.clock).is_err());
    assert!(inspect(&empty.path().join("none"), &world.clock).is_err());
}
