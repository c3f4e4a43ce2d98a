//! `mysql_upgrade`: what servers before 8.0.16 have beside them to upgrade their own tables (MYSQL.md §4.1).
//!
//! It logs in as the agent does: over the socket, with the agent's own private file where that has a password. No secret is in the
//! arguments or copied, and no other option file is read: one could ask for --write-binlog.

use super::credentials::Credentials;
use crate::host::{HostError, HostResult};
use crate::process::Program;
use std::path::Path;
use std::time::Duration;

pub(super) const INSTALLED: &str = "/usr/bin/mysql_upgrade";

pub(super) async fn run(
    program: &Path,
    socket: &Path,
    credentials: &Credentials,
    deadline: Duration,
) -> HostResult<()> {
    // A file that others may read is refused here.
    let (user, _) = credentials.read().map_err(|e| HostError::Io {
        action: "read",
        what: e.path.display().to_string(),
        source: std::io::Error::other(e.why),
    })?;
    let with = |name: &str, value: &Path| format!("--{name}={}", value.display());
    // It must be the first argument.
    let options = match credentials.file() {
        Some(file) => with("defaults-file", file),
        None => "--no-defaults".to_owned(),
    };
    Program::at(program, "mysql_upgrade", deadline)
        // Logins of root's own that mysql_config_editor keeps would be read beside all others.
        .env("MYSQL_TEST_LOGIN_FILE", "/nonexistent")
        .arg(options)
        .arg(with("socket", socket))
        .args(["--protocol=socket", "--skip-write-binlog"])
        // Also where an earlier run was cut off, or has ended: it may be repeated.
        .arg("--force")
        .arg(format!("--user={user}"))
        .succeed()
        .await
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    const SOON: Duration = Duration::from_secs(20);

    /// A program of that name which notes what it was given, and does what it is told.
    fn stand_in(dir: &Path, does: &str) -> PathBuf {
        let path = dir.join("mysql_upgrade");
        let noted = dir.join("noted");
        let script = format!(
            "#!/bin/sh\nfor each in \"$@\"; do echo \"$each\"; done > {noted}\nenv >> {noted}\n{does}\n",
            noted = noted.display()
        );
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        path
    }

    fn noted(dir: &Path) -> String {
        std::fs::read_to_string(dir.join("noted")).unwrap()
    }

    fn lines(dir: &Path) -> Vec<String> {
        let arguments = noted(dir);
        let arguments = arguments.lines().take_while(|line| line.starts_with("--"));
        arguments.map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn as_the_socket_s_account_it_needs_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let program = stand_in(dir.path(), "exit 0");
        let root = Credentials::new("root", None);
        run(&program, Path::new("/run/x.sock"), &root, SOON)
            .await
            .unwrap();
        assert_eq!(
            lines(dir.path()),
            [
                "--no-defaults",
                "--socket=/run/x.sock",
                "--protocol=socket",
                "--skip-write-binlog",
                "--force",
                "--user=root"
            ]
        );
        assert!(noted(dir.path()).contains("MYSQL_TEST_LOGIN_FILE=/nonexistent"));
    }

    #[tokio::test]
    async fn a_password_is_in_no_argument_and_no_environment() {
        let dir = tempfile::tempdir().unwrap();
        let program = stand_in(dir.path(), "exit 0");
        let file = dir.path().join("refit.cnf");
        std::fs::write(&file, "[client]\nuser=refit\npassword=hunter2\n").unwrap();
        let credentials = Credentials::new("root", Some(&file));
        let socket = Path::new("/run/x.sock");
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
        let refused = run(&program, socket, &credentials, SOON).await;
        assert!(refused.unwrap_err().to_string().contains("make it 0600"));
        assert!(!dir.path().join("noted").exists(), "it was not started");

        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
        run(&program, socket, &credentials, SOON).await.unwrap();
        let first = format!("--defaults-file={}", file.display());
        assert_eq!(lines(dir.path()).first(), Some(&first));
        assert!(noted(dir.path()).contains("--user=refit"));
        assert!(!noted(dir.path()).contains("hunter2"));
    }

    #[tokio::test]
    async fn it_ends_badly_late_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let root = Credentials::new("root", None);
        let socket = Path::new("/run/x.sock");
        let wrong = "echo 'Error: Server version (8.0.14) does not match with the version of the server (8.0.15)'; exit 1";
        let program = stand_in(dir.path(), wrong);
        let error = run(&program, socket, &root, SOON).await.unwrap_err();
        assert!(error.to_string().contains("does not match"), "{error}");

        let program = stand_in(dir.path(), "sleep 600");
        let soon = Duration::from_millis(300);
        let error = run(&program, socket, &root, soon).await.unwrap_err();
        assert!(matches!(error, HostError::Timeout { .. }), "{error}");

        let none = dir.path().join("none");
        let error = run(&none, socket, &root, SOON).await.unwrap_err();
        assert!(error.to_string().contains("mysql_upgrade"), "{error}");
    }
}
