//! The target's own programs, unpacked beside the installed ones and never installed: no maintainer script runs, nothing on
//! the PATH changes. Here they judge option files; the server's data and its own files are not touched.
//!
//! ```text
//! <state>-beside/root      the packages, by dpkg-deb --extract
//!               /options   the option files as they would be, with includes that lead to the copies; readable by root only
//!               /data      an empty data directory;  /said.log  its error log
//! ```
//!
//! Not below the agent's own directory: mysqld becomes the user that the option files name (the first `user` counts, so the
//! command line can't say otherwise) and must then be able to read its plugins.

use super::files::disk;
use super::{Beside, HostError, HostResult};
use crate::process::Program;
use async_trait::async_trait;
use refit_shared::config::mask::{MASK, is_secret};
use refit_shared::config::read::includes;
use refit_shared::config::relocate::relocated;
use refit_shared::observation::Fact;
pub use refit_shared::survey::{Fate, Judged};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Below what is unpacked.
pub(super) const MYSQLD: &str = "usr/sbin/mysqld";
const UNPACK: Duration = Duration::from_secs(300);
/// It loads plugins and parses options; on a busy host that takes seconds.
const JUDGE: Duration = Duration::from_secs(120);
/// What dpkg knows of a file.
const QUERY: Duration = Duration::from_secs(20);
/// Where the packages put them.
const PLUGINS: &str = "/usr/lib/mysql/plugin";
const UNLOOKED: &str = "libraries were not looked for";
/// Lines that are worth a person's attention.
const MOST: usize = 10;

/// Option files as they would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionTree {
    /// Where mysqld begins to read.
    pub roots: Vec<String>,
    /// Path and content of every file that is there.
    pub files: Vec<(String, Vec<u8>)>,
}

/// See the module.
#[derive(Debug)]
pub struct Unpacked {
    dir: PathBuf,
}

impl Unpacked {
    pub fn new(state_dir: &Path) -> Self {
        let mut dir = state_dir.as_os_str().to_owned();
        dir.push("-beside");
        Self { dir: dir.into() }
    }

    /// At a place of its own, for a rehearsal.
    pub(super) fn at(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
        }
    }

    fn options(&self) -> PathBuf {
        self.dir.join("options")
    }

    /// Where the copy of an absolute path is.
    fn copy_of(&self, path: &str) -> PathBuf {
        self.options().join(path.trim_start_matches('/'))
    }

    /// Writes the copies, and a file that includes the roots in their order.
    pub(super) fn stage(&self, tree: &OptionTree) -> HostResult<PathBuf> {
        let place = |path: &str| self.copy_of(path).to_string_lossy().into_owned();
        for (path, content) in &tree.files {
            let copy = self.copy_of(path);
            disk::make_private_dir(copy.parent().unwrap_or(&self.dir))?;
            disk::write_durably(&copy, &relocated(content, place), 0o600)?;
            // A directory that is empty is none that is missing.
            for (is_dir, target) in includes(content) {
                if is_dir && Path::new(&target).is_dir() {
                    disk::make_private_dir(&self.copy_of(&target))?;
                }
            }
        }
        let there = |root: &&String| tree.files.iter().any(|(path, _)| path == *root);
        let roots = tree.roots.iter().filter(there);
        let text: String = roots
            .map(|root| format!("!include {}\n", place(root)))
            .collect();
        let first = self.options().join("roots.cnf");
        disk::make_private_dir(&self.options())?;
        disk::write_durably(&first, text.as_bytes(), 0o600)?;
        Ok(first)
    }

    pub(super) async fn unpack(&self, packages: &[PathBuf]) -> HostResult<()> {
        let root = self.dir.join("root");
        make_public_dir(&root)?;
        for package in packages {
            Program::new("dpkg-deb", UNPACK)
                .arg("--extract")
                .arg(package)
                .arg(&root)
                .succeed()
                .await?;
        }
        if disk::exists(&root.join(MYSQLD))? {
            return Ok(());
        }
        // Else what does not start for want of a program would be told as the target's own refusal.
        let why = format!(
            "{} packages are unpacked, and none has {MYSQLD}",
            packages.len()
        );
        Err(HostError::Packages(why))
    }

    /// What becomes of each file. One that stays is given to the target, where it would find it.
    async fn fates(
        &self,
        packages: &[PathBuf],
        libraries: &[PathBuf],
    ) -> HostResult<BTreeMap<String, Fate>> {
        let mut swapped = BTreeSet::new();
        for package in packages {
            let field = Program::new("dpkg-deb", QUERY).arg("--field").arg(package);
            let name = field.arg("Package").succeed().await?.stdout;
            swapped.insert(name.trim().to_owned());
        }
        let root = self.dir.join("root");
        let mut fates = BTreeMap::new();
        for library in libraries {
            let beside = below(&root, library);
            let fate = if disk::exists(&beside)? {
                Fate::Shipped
            } else if disk::exists(library)? {
                fate(&owners(library).await?, &swapped)
            } else {
                Fate::Absent
            };
            if let Fate::Stays { .. } = fate {
                let dir = beside.parent().unwrap_or(&root);
                make_public_dir(dir)?;
                std::os::unix::fs::symlink(library, &beside)
                    .map_err(disk::error("make", &beside))?;
            }
            fates.insert(library.display().to_string(), fate);
        }
        Ok(fates)
    }

    /// `plugins`: where the present server looks for libraries.
    async fn ask(&self, options: &Path, plugins: &Path) -> HostResult<Judged> {
        let root = self.dir.join("root");
        let data = self.dir.join("data");
        let log = self.dir.join("said.log");
        make_public_dir(&data)?;
        let with = |name: &str, path: &Path| format!("--{name}={}", path.display());
        make_public_dir(&self.dir)?;
        // The command line beats the files: whatever they say, nothing of the server's own is opened.
        let finished = Program::at(&root.join(MYSQLD), "mysqld", JUDGE)
            .env("LD_LIBRARY_PATH", libraries(&root))
            .arg(with("defaults-file", options))
            .args([
                "--validate-config",
                "--user=root",
                "--persisted-globals-load=OFF",
            ])
            .arg(with("datadir", &data))
            .arg(with("basedir", &root.join("usr")))
            .arg(with("plugin-dir", &below(&root, plugins)))
            .arg(with("lc-messages-dir", &root.join("usr/share/mysql")))
            .arg(with(
                "character-sets-dir",
                &root.join("usr/share/mysql/charsets"),
            ))
            .arg(with("log-error", &log))
            .run()
            .await?;
        let logged = match std::fs::read(&log) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(disk::error("read", &log)(e)),
        };
        let said = format!("{logged}\n{}", finished.stderr);
        Ok(verdict(finished.status.success(), &said))
    }
}

#[async_trait]
impl Beside for Unpacked {
    async fn judge_options(
        &self,
        packages: &[PathBuf],
        tree: &OptionTree,
        libraries: &[PathBuf],
    ) -> HostResult<Judged> {
        self.clear().await?;
        let left = Left(Some(&self.dir));
        let judged = async {
            self.unpack(packages).await?;
            let fates = self.fates(packages, libraries).await?;
            let options = self.stage(tree)?;
            // A server loads all from its one plugin_dir.
            let plugins = libraries.first().and_then(|library| library.parent());
            let plugins = plugins.unwrap_or(Path::new(PLUGINS));
            let judged = self.ask(&options, plugins).await?;
            Ok(Judged {
                libraries: Fact::Known(fates),
                ..judged
            })
        }
        .await;
        left.removed()?;
        judged
    }

    async fn clear(&self) -> HostResult<()> {
        disk::remove_tree(&self.dir)
    }
}

/// What was unpacked, removed at the end or when whoever waited has gone: a check gives way to an order wherever it stands.
struct Left<'a>(Option<&'a Path>);

impl Left<'_> {
    fn removed(mut self) -> HostResult<()> {
        self.0.take().map_or(Ok(()), disk::remove_tree)
    }
}

impl Drop for Left<'_> {
    fn drop(&mut self) {
        // A program that was killed may have made a file a moment ago.
        if let Some(dir) = self.0
            && disk::remove_tree(dir).is_err()
            && let Err(error) = disk::remove_tree(dir)
        {
            tracing::warn!(%error, "what was unpacked beside is left until the agent unpacks again or is restarted");
        }
    }
}

/// Where packages bring libraries of their own: those beside, not those of the version that is installed.
pub(super) fn libraries(root: &Path) -> String {
    let own = ["usr/lib/mysql/private", "usr/lib/mysql"];
    let own = own.map(|dir| root.join(dir).display().to_string());
    own.join(":")
}

/// An absolute path's place below a root.
fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// The packages that have a file, as dpkg knows.
async fn owners(file: &Path) -> HostResult<Vec<String>> {
    let text = file.display().to_string();
    if text.contains(['*', '?', '[', '\\']) {
        // dpkg-query would take it for a pattern.
        let why = format!("whose {text} is can't be asked: it has odd characters");
        return Err(HostError::Unexpected(why));
    }
    let query = Program::new("dpkg-query", QUERY);
    let asked = query.args(["--search", "--"]).arg(file).run().await?;
    match asked.status.code() {
        Some(0) => Ok(named(&asked.stdout, &text)),
        // No package has it.
        Some(1) if asked.stderr.contains("no path found") => Ok(Vec::new()),
        _ => Err(asked.failed()),
    }
}

/// `a, b:amd64: /path`; lines about diversions name no owner.
fn named(said: &str, file: &str) -> Vec<String> {
    let lines = said.lines().filter(|line| !line.starts_with("diversion "));
    let own = lines.filter_map(|line| line.strip_suffix(file)?.strip_suffix(": "));
    let names = own.flat_map(|names| names.split(", "));
    let plain = names.map(|name| name.split(':').next().unwrap_or(name).to_owned());
    plain.collect()
}

/// Of a file that is there and that the target's packages do not bring.
fn fate(owners: &[String], swapped: &BTreeSet<String>) -> Fate {
    let other = owners.iter().find(|owner| !swapped.contains(*owner));
    match (other, owners.first()) {
        (None, Some(package)) => Fate::Goes {
            package: package.clone(),
        },
        (package, _) => Fate::Stays {
            package: package.cloned(),
        },
    }
}

fn make_public_dir(dir: &Path) -> HostResult<()> {
    std::fs::create_dir_all(dir).map_err(disk::error("make", dir))?;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755))
        .map_err(disk::error("set the mode of", dir))
}

/// A plugin that can't be loaded is an error line and no exit code (MYSQL.md §5.6): it would be missing after the upgrade.
fn verdict(success: bool, said: &str) -> Judged {
    let lines = || said.lines().map(str::trim).filter(|line| !line.is_empty());
    let is_error = |line: &&str| line.contains("[ERROR]") && !line.contains("MY-010119");
    let refused = lines().any(|line| line.contains("[ERROR]"));
    // What fails before there is a log (a library that is missing) has no levels.
    let has_level = |line: &str| {
        ["[ERROR]", "[Warning]", "[Note]", "[System]"]
            .iter()
            .any(|level| line.contains(level))
    };
    let errors: Vec<String> = if refused {
        lines().filter(is_error).map(scrubbed).take(MOST).collect()
    } else if success {
        Vec::new()
    } else {
        let bare = lines().filter(|line| !has_level(line));
        bare.map(scrubbed).take(MOST).collect()
    };
    Judged {
        accepted: success && !refused,
        errors,
        libraries: Fact::Unknown(UNLOOKED.to_owned()),
    }
}

/// `unknown variable 'password=secret'` without the secret.
fn scrubbed(line: &str) -> String {
    let parts = line.split('\'').map(|part| match part.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}={MASK}"),
        _ => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("'")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is not there can't refuse anything.
    #[tokio::test]
    async fn packages_without_a_server_are_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let unpacked = Unpacked::at(&dir.path().join("beside"));
        let refused = unpacked.unpack(&[]).await;
        assert!(
            matches!(refused, Err(HostError::Packages(_))),
            "{refused:?}"
        );
    }

    #[test]
    fn verdicts_as_the_real_program_gives_them() {
        let unknown = "2026-11-20T20:00:00.1Z 0 [Note] [MY-013667] [Server] Error-log destination \"stderr\" is not a file.\n\
                       2026-11-20T20:00:00.1Z 0 [ERROR] [MY-000067] [Server] unknown variable 'innodb_log_file_size=1G'.\n\
                       2026-11-20T20:00:00.1Z 0 [ERROR] [MY-010119] [Server] Aborting\n";
        let judged = verdict(false, unknown);
        assert!(!judged.accepted);
        assert_eq!(judged.errors.len(), 1);
        assert!(judged.in_words().contains("innodb_log_file_size=1G"));
        let warned = "0 [Warning] [MY-013746] [Server] A deprecated TLS version\n";
        let judged = verdict(true, warned);
        assert!(judged.accepted && judged.errors.is_empty(), "{judged:?}");
        let plugin = "0 [ERROR] [MY-010901] [Server] Can't open shared library 'x.so'\n";
        assert!(
            !verdict(true, plugin).accepted,
            "its plugin would be missing"
        );
        let library = "mysqld: error while loading shared libraries: libx.so.1: cannot open shared object file\n";
        assert!(verdict(false, library).in_words().contains("libx.so.1"));
        let secret = verdict(
            false,
            "0 [ERROR] [MY-000067] [Server] unknown variable 'old_password=hunter2'.\n",
        );
        assert!(!secret.in_words().contains("hunter2"), "{secret:?}");
    }

    #[tokio::test]
    async fn nothing_is_left_unpacked_when_it_fails_or_whoever_waited_has_gone() {
        let state = tempfile::tempdir().unwrap();
        let beside = Unpacked::new(&state.path().join("agent"));
        let left_by_a_crash = beside.dir.join("root/usr/sbin");
        std::fs::create_dir_all(&left_by_a_crash).unwrap();
        let tree = OptionTree {
            roots: Vec::new(),
            files: Vec::new(),
        };
        let none = [state.path().join("none.deb")];
        assert!(beside.judge_options(&none, &tree, &[]).await.is_err());
        assert!(!beside.dir.exists());

        std::fs::create_dir_all(&left_by_a_crash).unwrap();
        let work = async {
            let _left = Left(Some(&beside.dir));
            std::future::pending::<()>().await;
        };
        let waited = tokio::time::timeout(Duration::from_millis(1), work).await;
        assert!(waited.is_err() && !beside.dir.exists());

        std::fs::create_dir_all(&left_by_a_crash).unwrap();
        beside.clear().await.unwrap();
        assert!(!beside.dir.exists());
    }

    /// As dpkg-query 1.22 says it.
    #[test]
    fn a_file_goes_only_with_the_packages_that_are_swapped() {
        let file = "/usr/lib/mysql/plugin/x.so";
        let swapped = BTreeSet::from(["mysql-server-core".to_owned()]);
        let of = |said: &str| fate(&named(said, file), &swapped);
        let stays = |package: Option<&str>| Fate::Stays {
            package: package.map(str::to_owned),
        };
        let goes = Fate::Goes {
            package: "mysql-server-core".to_owned(),
        };
        assert_eq!(of(&format!("mysql-server-core: {file}\n")), goes);
        assert_eq!(of(&format!("mysql-server-core:amd64: {file}\n")), goes);
        let both = format!("mysql-server-core, vendor-plugins:amd64: {file}\n");
        assert_eq!(of(&both), stays(Some("vendor-plugins")));
        let diverted = format!("diversion by vendor-plugins from: {file}\n");
        assert_eq!(of(&diverted), stays(None));
        assert_eq!(of(""), stays(None));
    }

    #[test]
    fn copies_include_copies() {
        let dir = tempfile::tempdir().unwrap();
        let empty = dir.path().join("empty.d");
        std::fs::create_dir(&empty).unwrap();
        let beside = Unpacked {
            dir: dir.path().join("beside"),
        };
        let tree = OptionTree {
            roots: vec!["/etc/none.cnf".to_owned(), "/etc/mysql/my.cnf".to_owned()],
            files: vec![
                (
                    "/etc/mysql/my.cnf".to_owned(),
                    format!("!includedir {}\n!include /etc/x.cnf\n", empty.display()).into_bytes(),
                ),
                ("/etc/x.cnf".to_owned(), b"[mysqld]\na=1\n".to_vec()),
            ],
        };
        let first = beside.stage(&tree).unwrap();
        let text = std::fs::read_to_string(first).unwrap();
        let copy = beside.copy_of("/etc/mysql/my.cnf");
        assert_eq!(text, format!("!include {}\n", copy.display()));
        let text = std::fs::read_to_string(copy).unwrap();
        for (_, target) in includes(text.as_bytes()) {
            assert!(Path::new(&target).exists(), "{target}");
            assert!(
                Path::new(&target).starts_with(dir.path().join("beside")),
                "{target}"
            );
        }
    }
}
