//! The contract of `Files` on the real file system, in a directory that looks like a host.

use super::maintenance::Maintenance;
use super::*;
use crate::host::Host;
use crate::host::contract::insistent::{Below, Insistent};
use crate::host::contract::{FilesScene, HostHand, of_files};
use crate::operations::ErrorLog;
use crate::simhost::{Beginning, Shape, SimWorld, Timings};
use futures::future::BoxFuture;
use refit_shared::ids::MemberName;
use refit_shared::version::PackageVersion;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

/// A server that is down and has been seen before.
#[derive(Debug)]
struct Down;

#[async_trait]
impl AskPaths for Down {
    async fn paths(&self) -> HostResult<ServerPaths> {
        Err(HostError::ServerAway("it is down".to_owned()))
    }
}

fn scene(dir: &Path) -> FilesScene {
    let at = |name: &str| dir.join(name);
    for sub in [
        "etc/mysql/conf.d",
        "data/shop",
        "logs",
        "state",
        "snapshots",
    ] {
        fs::create_dir_all(at(sub)).unwrap();
    }
    let include = format!(
        "[mysqld]\nport=1\n!includedir {}\n",
        at("etc/mysql/conf.d").display()
    );
    fs::write(at("etc/mysql/my.cnf"), include).unwrap();
    fs::set_permissions(at("etc/mysql/my.cnf"), PermissionsExt::from_mode(0o640)).unwrap();
    fs::write(at("etc/mysql/debian.cnf"), "secret").unwrap();
    fs::write(at("data/ibdata1"), vec![7; 1 << 20]).unwrap();
    fs::write(at("data/ibtmp1"), "made anew").unwrap();
    fs::write(at("data/shop/orders.ibd"), "orders").unwrap();
    chown(at("data/shop"), Some(12), Some(34)).unwrap();
    let persisted = r#"{"Version": 2, "x": {"super_read_only": {"Value": "ON"}}}"#;
    fs::write(at("data/mysqld-auto.cnf"), persisted).unwrap();
    let said = ServerPaths {
        variables: [
            ("datadir", at("data/")),
            ("log_bin_basename", at("logs/binlog")),
            ("log_error", at("logs/error.log")),
        ]
        .map(|(name, path)| (name.to_owned(), path.display().to_string()))
        .into(),
        tablespaces: Vec::new(),
    };
    paths::remember(&at("state/server-paths.json"), &said).unwrap();
    let maintenance = at("etc/mysql/conf.d/zzzz-refit-maintenance.cnf");
    let files = HostFiles {
        state_dir: at("state"),
        options: OptionFiles {
            dir: at("etc/mysql"),
            roots: vec![at("etc/none.cnf"), at("etc/mysql/my.cnf")],
            not_ours_to_keep: vec![maintenance.clone(), at("etc/mysql/FROZEN")],
            backups: at("state/config"),
        },
        maintenance: Maintenance {
            mysqld_file: maintenance,
            option_file: at("etc/mysql/my.cnf"),
            unit_file: at("systemd/mysql.service.d/90-refit.conf"),
            hold: at("state/hold"),
        },
        snapshots: Snapshots::new(&at("snapshots"), &at("state")),
        snapshot_dir: at("snapshots"),
        server: Arc::new(Down),
        storage: Mutex::new(None),
    };
    FilesScene {
        files: Arc::new(files),
        hand: Arc::new(HostHand {
            option_file: at("etc/mysql/my.cnf"),
            option_dir: at("etc/mysql/conf.d"),
            data: at("data"),
            snapshots: at("snapshots"),
            beside: at("state-beside"),
            rehearsal: at("state-rehearsal"),
        }),
    }
}

fn directory() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().canonicalize().unwrap();
    (dir, path)
}

#[tokio::test]
async fn real_files_keep_the_contract() {
    for promise in of_files() {
        let (_dir, path) = directory();
        let kept = (promise.keep)(&scene(&path)).await;
        kept.unwrap_or_else(|why| panic!("{promise}\n  {why:#}"));
    }
}

/// Files of a host that does nothing else. Its faults are those of the process: nobody counts them.
#[derive(Debug)]
struct OnlyFiles(Host);

impl Below for OnlyFiles {
    fn host(&self) -> Host {
        self.0.clone()
    }
    fn log(&self) -> Arc<dyn ErrorLog> {
        Arc::new(crate::operations::FileLog::new(self.0.files.clone()))
    }
    fn death(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
    fn failed(&self) -> u64 {
        0
    }
}

/// Those of a host that does nothing else.
fn insistent(scene: FilesScene) -> FilesScene {
    let member = MemberName::new("db1").unwrap();
    let version = PackageVersion::new("9.7.3-1").unwrap();
    let world = SimWorld::shaped(
        Shape::Alone,
        Beginning {
            members: vec![member.clone()],
            installed: version,
            offered: Vec::new(),
            timings: Timings::STANDARD,
        },
    );
    let host = Host {
        files: scene.files,
        ..world.host(&member)
    };
    let insistent = Insistent::over(Arc::new(OnlyFiles(host)));
    FilesScene {
        files: insistent.host().files,
        hand: scene.hand,
    }
}

#[tokio::test]
async fn real_files_keep_the_contract_where_calls_are_made_once_more() {
    for promise in of_files() {
        let (_dir, path) = directory();
        let kept = (promise.keep)(&insistent(scene(&path))).await;
        kept.unwrap_or_else(|why| panic!("{promise}\n  {why:#}"));
    }
}

/// What fails at a point is told, and made good by the next call. In processes with rules of their own.
#[cfg(feature = "faults")]
#[test]
fn real_files_keep_the_contract_whatever_befalls_a_call() {
    let starts = ["snapshot.", "config.", "maintenance.", "hold."];
    let points: Vec<_> = refit_faults::POINTS
        .iter()
        .filter(|point| {
            point.program == "agent" && starts.iter().any(|s| point.name.starts_with(s))
        })
        .collect();
    assert!(points.len() >= 8, "{points:?}");
    let judge = |rules: &str, point: &str| {
        let run = |test: &str| {
            std::process::Command::new(std::env::current_exe().unwrap())
                .args([&format!("host::files::contract_tests::{test}"), "--exact"])
                .env("REFIT_FAULTS", rules)
                .output()
                .unwrap()
        };
        let told = run("real_files_keep_the_contract");
        let said = String::from_utf8_lossy(&told.stdout).into_owned();
        let injected = format!("an injected fault at {point}");
        assert!(
            !told.status.success() && said.contains(&injected),
            "{rules}:\n{said}"
        );
        let kept = run("real_files_keep_the_contract_where_calls_are_made_once_more");
        let said = String::from_utf8_lossy(&kept.stdout).into_owned();
        assert!(
            kept.status.success() && said.contains("1 passed"),
            "{rules}:\n{said}"
        );
    };
    // The first time that a point is met, and the second.
    std::thread::scope(|threads| {
        for time in [1, 2] {
            let (judge, points) = (&judge, &points);
            threads.spawn(move || {
                for point in points {
                    judge(&format!("{}=error@{time}", point.name), point.name);
                }
            });
        }
    });
}
