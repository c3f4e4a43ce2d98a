//! MySQL's option files: which ones there are on this host. What they say is read by [`refit_shared::config`].

use refit_shared::config::persisted::PersistedSetting;
use refit_shared::config::read::{self, includes};
use refit_shared::config::{ConfigFiles, OptionFile, mask, names};
use refit_shared::ids::Digest;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// One option of one group. Names are written with `_`, without `loose_`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionLine {
    pub group: String,
    pub name: String,
    pub value: Option<String>,
}

/// Includes nest no deeper than this in mysqld either.
const DEEPEST: usize = 10;

/// The options of a text, without following its includes.
pub fn parse(text: &str) -> Vec<OptionLine> {
    let root = "text".to_owned();
    let files = [OptionFile::new(&root, text)];
    lines(read::read(&[root], &files))
}

fn lines(reading: read::Reading) -> Vec<OptionLine> {
    let line = |setting: read::Setting| OptionLine {
        group: setting.group,
        name: names::meaning(&setting.name).name,
        value: setting.value,
    };
    reading.settings.into_iter().map(line).collect()
}

/// The file and all that it includes, in the order in which mysqld reads them. A file that does not exist is left out.
pub fn files(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    collect(root, 0, &mut found)?;
    Ok(found)
}

fn collect(path: &Path, depth: usize, found: &mut Vec<PathBuf>) -> io::Result<()> {
    if depth > DEEPEST || found.iter().any(|known| known == path) {
        return Ok(());
    }
    let text = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    found.push(path.to_owned());
    for (is_dir, target) in includes(&text) {
        let target = PathBuf::from(target);
        if !is_dir {
            collect(&target, depth + 1, found)?;
            continue;
        }
        let mut names = match std::fs::read_dir(&target) {
            Ok(entries) => entries
                .map(|entry| entry.map(|entry| entry.path()))
                .collect::<io::Result<Vec<_>>>()?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(e),
        };
        names.sort();
        for name in names {
            if name.extension().is_some_and(|extension| extension == "cnf") {
                collect(&name, depth + 1, found)?;
            }
        }
    }
    Ok(())
}

/// One file as it may leave the host: with secrets masked.
fn masked(path: &Path) -> io::Result<OptionFile> {
    let bytes = std::fs::read(path)?;
    let meta = std::fs::metadata(path)?;
    Ok(OptionFile {
        path: path.to_string_lossy().into_owned(),
        text: mask::masked(&String::from_utf8_lossy(&bytes)),
        digest: Digest::of(&bytes),
        world_writable: meta.mode() & 0o002 != 0,
    })
}

/// What these files say, with secrets masked.
pub fn config(
    roots: &[PathBuf],
    files: &[PathBuf],
    persisted: Vec<PersistedSetting>,
) -> io::Result<ConfigFiles> {
    Ok(ConfigFiles {
        roots: roots
            .iter()
            .map(|root| root.to_string_lossy().into_owned())
            .collect(),
        files: files
            .iter()
            .map(|file| masked(file))
            .collect::<io::Result<_>>()?,
        persisted,
        ..ConfigFiles::default()
    })
}

/// What the files say to mysqld: groups `[mysqld]`, `[server]` and `[mysqld-X.Y]`.
pub fn server_options(root: &Path) -> io::Result<Vec<OptionLine>> {
    let config = config(&[root.to_owned()], &files(root)?, Vec::new())?;
    let mut options = lines(config.read());
    options.retain(|option| {
        option.group == "server" || option.group == "mysqld" || option.group.starts_with("mysqld-")
    });
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn option(group: &str, name: &str, value: Option<&str>) -> OptionLine {
        OptionLine {
            group: group.to_owned(),
            name: name.to_owned(),
            value: value.map(str::to_owned),
        }
    }

    #[test]
    fn options_are_read_as_mysqld_reads_them() {
        let text = "# comment\n; too\n[mysqld]\nskip-name-resolve\nloose-group_replication_start_on_boot = ON # why\n\
                    init_connect=\"SET x='#1'\"\n [client]\npassword = 'a b\\\\c'\n";
        assert_eq!(
            parse(text),
            [
                option("mysqld", "skip_name_resolve", None),
                option("mysqld", "group_replication_start_on_boot", Some("ON")),
                option("mysqld", "init_connect", Some("SET x='#1'")),
                option("client", "password", Some("a b\\c")),
            ]
        );
    }

    #[test]
    fn includes_are_followed_in_order_and_circles_end() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("conf.d")).unwrap();
        let root = format!(
            "!includedir {}\n!include {}\n[mysqld]\nport=1\n",
            at("conf.d").display(),
            at("extra.cnf").display()
        );
        std::fs::write(at("my.cnf"), root).unwrap();
        std::fs::write(
            at("extra.cnf"),
            format!("!include {}\n", at("my.cnf").display()),
        )
        .unwrap();
        std::fs::write(at("conf.d/b.cnf"), "[mysqld]\nb=1\n").unwrap();
        std::fs::write(
            at("conf.d/a.cnf"),
            "[mysqldump]\nquick\n[mysqld-9.7]\na=1\n",
        )
        .unwrap();
        std::fs::write(at("conf.d/a.cnf.dpkg-dist"), "[mysqld]\nold=1\n").unwrap();
        assert_eq!(
            files(&at("my.cnf")).unwrap(),
            ["my.cnf", "conf.d/a.cnf", "conf.d/b.cnf", "extra.cnf"].map(at)
        );
        // As deep as mysqld goes round, so each several times.
        let names: BTreeSet<String> = server_options(&at("my.cnf"))
            .unwrap()
            .into_iter()
            .map(|option| option.name)
            .collect();
        assert_eq!(Vec::from_iter(names), ["a", "b", "port"]);
        assert!(files(&at("none.cnf")).unwrap().is_empty());
    }

    #[test]
    fn secrets_stay_on_the_host_and_digests_are_of_the_real_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("my.cnf");
        let text = "[mysqld]\nmax_connections=5\nreport_password = hunter2\n";
        std::fs::write(&path, text).unwrap();
        let found = config(
            std::slice::from_ref(&path),
            &files(&path).unwrap(),
            Vec::new(),
        )
        .unwrap();
        let [file] = found.files.as_slice() else {
            panic!("{found:?}")
        };
        assert!(
            !file.text.contains("hunter2") && !file.is_whole(),
            "{}",
            file.text
        );
        assert_eq!(file.digest, Digest::of(text.as_bytes()));
        assert_eq!(found.read().settings.len(), 2);
        assert!(!file.world_writable);
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[\\PC\n]{0,200}") {
            let _ = parse(&text);
        }
    }
}
