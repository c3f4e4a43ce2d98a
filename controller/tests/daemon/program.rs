//! The program: what it refuses to start with, how it says that it is ready, and how it ends.

use super::Certificates;
use refit_controller::journal::SledJournal;
use refit_controller::ports::Journal;
use refit_proto::identity::Role;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// Nothing here is expected to take a noticeable part of this.
const PATIENCE: Duration = Duration::from_secs(60);

struct Installed {
    certificates: Certificates,
    config: PathBuf,
}

impl Installed {
    fn new(tls: impl FnOnce(&Certificates) -> PathBuf) -> Self {
        let certificates = Certificates::new();
        let tls = tls(&certificates);
        let dir = certificates.path();
        let sample = include_str!("../../../deploy/controller.toml");
        let text = sample
            .replace("0.0.0.0:7100", "127.0.0.1:0")
            .replace("/etc/refit/tls", &tls.display().to_string())
            .replace(
                "/etc/refit/fleet.toml",
                &dir.join("fleet.toml").display().to_string(),
            )
            .replace(
                "/var/lib/refit-controller",
                &dir.join("state").display().to_string(),
            );
        let config = dir.join("controller.toml");
        std::fs::write(&config, text).unwrap();
        let fleet = include_str!("../../../deploy/fleet.toml");
        std::fs::write(dir.join("fleet.toml"), fleet).unwrap();
        Self {
            certificates,
            config,
        }
    }

    fn of_a_controller() -> Self {
        Self::new(|certificates| certificates.issue(Role::Controller, "ctl"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.certificates.path().join(name)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_refit-controller"));
        command
            .arg("--config")
            .arg(&self.config)
            .env_remove("RUST_LOG");
        command
    }

    fn check(&self) -> Output {
        self.command().arg("--check-config").output().unwrap()
    }

    /// Starts it, and waits until it tells systemd that it is ready.
    fn start(&self) -> Started {
        let socket = self.path("notify");
        let _ = std::fs::remove_file(&socket);
        let notified = UnixDatagram::bind(&socket).unwrap();
        notified.set_read_timeout(Some(PATIENCE)).unwrap();
        let child = self
            .command()
            .env("NOTIFY_SOCKET", &socket)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut message = [0; 4096];
        let length = notified.recv(&mut message).expect("it becomes ready");
        let message = String::from_utf8_lossy(&message[..length]).into_owned();
        assert!(message.contains("READY=1"), "{message}");
        Started {
            child,
            _notified: notified,
        }
    }
}

/// A running daemon, and systemd's end of the line.
struct Started {
    child: Child,
    _notified: UnixDatagram,
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn terminate(started: Started) -> Output {
    let child = started.child;
    let pid = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn the_samples_are_fine() {
    let output = Installed::of_a_controller().check();
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("is fine; 1 cluster(s)"));
}

#[test]
fn every_mistake_is_told_at_once_and_nothing_is_started() {
    let installed = Installed::new(|certificates| certificates.issue(Role::Operator, "ann"));
    std::fs::write(installed.path("fleet.toml"), "[[cluster]]\nname = \"X\"\n").unwrap();
    for output in [installed.check(), installed.command().output().unwrap()] {
        assert_eq!(output.status.code(), Some(2));
        let said = said(&output);
        for expected in [
            "fleet.toml:2:8: cluster name \"X\" is not valid",
            "needs `members`",
            "operator/ann, not of a controller",
        ] {
            assert!(said.contains(expected), "{said}");
        }
    }
    assert!(!installed.path("state").exists());
    std::fs::write(&installed.config, "listen = 3\n").unwrap();
    let output = installed.check();
    assert!(
        said(&output).contains("controller.toml:1:10: `listen` must be a string"),
        "{}",
        said(&output)
    );
}

#[test]
fn it_starts_says_so_ends_when_told_and_each_start_is_a_new_epoch() {
    let installed = Installed::of_a_controller();
    for epoch in 1..=2 {
        let output = terminate(installed.start());
        assert!(output.status.success(), "{}", said(&output));
        assert!(
            said(&output).contains(&format!("acting as epoch {epoch}")),
            "{}",
            said(&output)
        );
        for unwanted in ["ERROR", "WARN"] {
            assert!(!said(&output).contains(unwanted), "{}", said(&output));
        }
    }
}

#[test]
fn a_second_controller_on_the_same_journal_does_not_start() {
    let installed = Installed::of_a_controller();
    let first = installed.start();
    let second = installed.command().output().unwrap();
    assert_eq!(second.status.code(), Some(5), "{}", said(&second));
    assert!(
        said(&second).contains("open in another process"),
        "{}",
        said(&second)
    );
    assert!(terminate(first).status.success());
}

#[test]
fn a_corrupt_journal_is_refused_with_its_own_code() {
    let installed = Installed::of_a_controller();
    let journal = installed.path("state/journal");
    std::fs::create_dir_all(installed.path("state")).unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let journal = SledJournal::open(&journal).unwrap();
        journal.next_epoch().await.unwrap();
    });
    damage(&journal);
    let output = installed.command().output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let said = said(&output);
    assert!(
        said.contains("the journal is corrupt") && said.contains("refit journal verify"),
        "{said}"
    );
}

/// Nobody remembers anything here; that the new journal is made, kept apart from the old one, and above all epochs, shows.
#[test]
fn a_journal_is_made_anew_and_the_old_one_is_kept() {
    let installed = Installed::of_a_controller();
    let fleet =
        "[[cluster]]\nname = \"shop\"\nmembers = [{ name = \"db1\", address = \"127.0.0.1:9\" }]\n";
    std::fs::write(installed.path("fleet.toml"), fleet).unwrap();
    let rebuild = |more: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_refit"))
            .args(["journal", "rebuild", "--config"])
            .arg(&installed.config)
            .args(more)
            .output()
            .unwrap();
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        (output.status.code(), said)
    };
    let running = installed.start();
    let (code, said_of_it) = rebuild(&[]);
    assert_eq!(code, Some(5), "{said_of_it}");
    assert!(
        said_of_it.contains("open in another process"),
        "{said_of_it}"
    );
    assert!(terminate(running).status.success());

    let kept = || {
        let state = std::fs::read_dir(installed.path("state")).unwrap();
        let names = state.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains("lost")).count()
    };
    let (code, said_of_it) = rebuild(&["--dry-run"]);
    assert_eq!((code, kept()), (Some(0), 0), "{said_of_it}");
    assert!(said_of_it.contains("db1 was not asked"), "{said_of_it}");
    let (code, said_of_it) = rebuild(&[]);
    assert_eq!((code, kept()), (Some(0), 1), "{said_of_it}");
    let output = terminate(installed.start());
    // The agent that could not be asked may have obeyed later controllers.
    assert!(
        said(&output).contains("acting as epoch 1002"),
        "{}",
        said(&output)
    );
    let exported = Command::new(env!("CARGO_BIN_EXE_refit"))
        .args(["journal", "export"])
        .arg(installed.path("state/journal"))
        .output()
        .unwrap();
    let exported = String::from_utf8_lossy(&exported.stdout).into_owned();
    assert!(exported.contains("\"epoch\":1002"), "{exported}");
}

/// An epoch that was durable is gone.
fn damage(journal: &Path) {
    let db = sled::Config::new()
        .path(journal)
        .segment_size(512 * 1024)
        .open()
        .unwrap();
    db.remove("mepoch").unwrap();
    db.flush().unwrap();
}
