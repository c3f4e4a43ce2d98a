//! Who the agent is to its server: the account of the socket (auth_socket), or a file with a password.

use crate::host::files::options;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How to log in. A file is read at every new connection, so that a changed password needs no restart.
#[derive(Debug, Clone)]
pub struct Credentials {
    user: String,
    file: Option<PathBuf>,
}

/// The credentials file can't be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", path.display())]
pub struct CredentialsError {
    pub path: PathBuf,
    pub why: String,
}

impl Credentials {
    pub fn new(user: &str, file: Option<&Path>) -> Self {
        Self {
            user: user.to_owned(),
            file: file.map(Path::to_owned),
        }
    }

    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// User and password. A file that others may read is refused.
    pub fn read(&self) -> Result<(String, Option<String>), CredentialsError> {
        let Some(path) = &self.file else {
            return Ok((self.user.clone(), None));
        };
        let wrong = |why: String| CredentialsError {
            path: path.clone(),
            why,
        };
        let meta = std::fs::metadata(path).map_err(|e| wrong(e.to_string()))?;
        if meta.mode() & 0o077 != 0 {
            return Err(wrong(format!(
                "mode {:04o} lets others read it; make it 0600",
                meta.mode() & 0o7777
            )));
        }
        let text = std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()))?;
        let client = |name: &str| {
            options::parse(&text)
                .into_iter()
                .filter(|option| option.group == "client" && option.name == name)
                .filter_map(|option| option.value)
                .next_back()
        };
        let password =
            client("password").ok_or_else(|| wrong("has no password in [client]".to_owned()))?;
        let user = client("user").unwrap_or_else(|| self.user.clone());
        Ok((user, Some(password)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_must_be_private_and_name_a_password() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mysql.cnf");
        std::fs::write(&path, "[client]\nuser = refit\npassword = \"s #1\"\n").unwrap();
        let credentials = Credentials::new("root", Some(&path));
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        assert!(
            credentials
                .read()
                .unwrap_err()
                .to_string()
                .contains("make it 0600")
        );
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        let (user, password) = credentials.read().unwrap();
        assert_eq!(
            (user.as_str(), password.as_deref()),
            ("refit", Some("s #1"))
        );
        std::fs::write(&path, "[mysqld]\npassword=x\n").unwrap();
        assert!(credentials.read().is_err());
        assert_eq!(
            Credentials::new("root", None).read().unwrap(),
            ("root".to_owned(), None)
        );
    }
}
