use super::*;
use std::collections::BTreeMap;

struct World {
    dir: tempfile::TempDir,
    files: OptionFiles,
    persisted: Persisted,
}

fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for sub in ["etc/mysql/conf.d", "data", "state"] {
        fs::create_dir_all(at(sub)).unwrap();
    }
    fs::write(
        at("etc/mysql/mysql.cnf"),
        format!("!includedir {}\n", at("etc/mysql/conf.d").display()),
    )
    .unwrap();
    symlink(at("etc/mysql/mysql.cnf"), at("etc/mysql/my.cnf")).unwrap();
    fs::write(at("etc/mysql/conf.d/a.cnf"), b"[mysqld]\nport=1\n\xff\n").unwrap();
    fs::write(at("etc/mysql/debian.cnf"), "secret").unwrap();
    fs::set_permissions(at("etc/mysql/debian.cnf"), PermissionsExt::from_mode(0o600)).unwrap();
    chown(at("etc/mysql/conf.d/a.cnf"), Some(7), Some(8)).unwrap();
    fs::write(
        at("data/mysqld-auto.cnf"),
        r#"{"Version": 2, "x": {"super_read_only": {"Value": "ON"}}}"#,
    )
    .unwrap();
    let files = OptionFiles {
        dir: at("etc/mysql"),
        roots: vec![at("etc/none.cnf"), at("etc/mysql/my.cnf")],
        not_ours_to_keep: vec![at("etc/mysql/conf.d/zzzz.cnf"), at("etc/mysql/FROZEN")],
        backups: at("state/config"),
    };
    let persisted = Persisted::new(&at("data"), &at("state"));
    World {
        dir,
        files,
        persisted,
    }
}

impl World {
    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
    /// Everything that counts of everything outside the agent's own state.
    fn fingerprint(&self) -> BTreeMap<PathBuf, (u32, u32, u32, Vec<u8>)> {
        walkdir::WalkDir::new(self.dir.path())
            .into_iter()
            .map(|entry| entry.unwrap().into_path())
            .filter(|path| !path.starts_with(self.at("state")))
            .map(|path| {
                let meta = fs::symlink_metadata(&path).unwrap();
                let content = if meta.is_symlink() {
                    fs::read_link(&path)
                        .unwrap()
                        .into_os_string()
                        .into_encoded_bytes()
                } else if meta.is_file() {
                    fs::read(&path).unwrap()
                } else {
                    Vec::new()
                };
                (path, (meta.mode(), meta.uid(), meta.gid(), content))
            })
            .collect()
    }
    fn back_up(&self) {
        self.files.back_up("r1", &self.persisted).unwrap();
    }
    fn restore(&self) {
        self.files.restore("r1", &self.persisted).unwrap();
    }
    fn digest(&self) -> Digest {
        self.files.digest(&self.persisted).unwrap()
    }
    fn wreck(&self) {
        fs::write(self.at("etc/mysql/conf.d/a.cnf"), "[mysqld]\nport=2\n").unwrap();
        fs::set_permissions(
            self.at("etc/mysql/debian.cnf"),
            PermissionsExt::from_mode(0o644),
        )
        .unwrap();
        fs::create_dir(self.at("etc/mysql/new.d")).unwrap();
        fs::write(self.at("etc/mysql/new.d/x.cnf.dpkg-dist"), "x").unwrap();
        fs::remove_file(self.at("etc/mysql/my.cnf")).unwrap();
        fs::write(self.at("etc/mysql/my.cnf"), "[mysqld]\n").unwrap();
        fs::write(self.at("data/mysqld-auto.cnf"), r#"{"Version": 2}"#).unwrap();
    }
}

#[test]
fn a_round_trip_brings_every_byte_mode_and_owner_back() {
    let world = world();
    let (before, digest) = (world.fingerprint(), world.digest());
    assert!(!world.files.has_backup("r1").unwrap());
    for _ in 0..2 {
        world.back_up();
        assert!(world.files.has_backup("r1").unwrap());
    }
    // Undone from three worlds: nothing happened, everything, and half of the way back.
    world.restore();
    assert_eq!(world.fingerprint(), before);
    for half in [false, true] {
        world.wreck();
        assert_ne!(world.digest(), digest);
        if half {
            fs::remove_file(world.at("etc/mysql/my.cnf")).unwrap();
            fs::remove_file(world.at("etc/mysql/conf.d/a.cnf")).unwrap();
        }
        for _ in 0..2 {
            world.restore();
            assert_eq!(world.fingerprint(), before);
            assert_eq!(world.digest(), digest);
        }
    }
    // What was taken away is not lost.
    let kept = world.at("state/config/r1.removed");
    assert!(
        walkdir::WalkDir::new(kept)
            .into_iter()
            .any(|entry| { entry.unwrap().file_name() == "x.cnf.dpkg-dist" })
    );
}

#[test]
fn refits_own_files_count_neither_in_the_digest_nor_in_the_backup() {
    let world = world();
    let digest = world.digest();
    let ours = world.at("etc/mysql/conf.d/zzzz.cnf");
    fs::write(&ours, "[mysqld]\nsuper_read_only=ON\n").unwrap();
    fs::write(world.at("etc/mysql/FROZEN"), "x").unwrap();
    world.persisted.strip().unwrap();
    assert_eq!(world.digest(), digest);
    world.back_up();
    world.wreck();
    world.restore();
    assert!(ours.exists());
    assert_eq!(world.digest(), digest);
    // Still in maintenance: what SET PERSIST wrote must stay out of mysqld's way.
    assert!(world.persisted.is_stripped().unwrap());
    world.persisted.unstrip().unwrap();
    assert_eq!(world.digest(), digest);
}

#[test]
fn a_damaged_backup_is_none() {
    let world = world();
    world.back_up();
    let stored = fs::read_dir(world.at("state/config/r1"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| !path.ends_with(MANIFEST))
        .unwrap();
    fs::write(stored, "damage").unwrap();
    assert!(!world.files.has_backup("r1").unwrap());
    let before = world.fingerprint();
    assert!(world.files.restore("r1", &world.persisted).is_err());
    assert!(world.files.restore("../r1", &world.persisted).is_err());
    assert_eq!(world.fingerprint(), before);
    world.back_up();
    assert!(world.files.has_backup("r1").unwrap());
}

#[test]
fn an_option_file_gets_other_bytes_and_nothing_else_changes() {
    let world = world();
    let link = world.at("etc/mysql/my.cnf");
    let include = world.at("etc/mysql/conf.d/a.cnf");
    fs::set_permissions(&include, fs::Permissions::from_mode(0o640)).unwrap();
    world.back_up();
    let before = world.fingerprint();
    for path in [&link, &include] {
        let kept = world.files.kept("r1", path).unwrap().unwrap();
        assert_eq!(world.files.content(path).unwrap().unwrap(), kept);
        let mut longer = kept.clone();
        longer.extend(b"# more\n");
        for _ in 0..2 {
            world.files.replace(path, &longer).unwrap();
            assert_eq!(world.files.content(path).unwrap().unwrap(), longer);
        }
        assert_eq!(world.files.kept("r1", path).unwrap().unwrap(), kept);
        world.files.replace(path, &kept).unwrap();
        assert_eq!(world.fingerprint(), before, "{}", path.display());
    }
}

#[test]
fn only_what_mysqld_reads_is_rewritten() {
    let world = world();
    world.back_up();
    for other in [
        "etc/mysql/debian.cnf",
        "data/mysqld-auto.cnf",
        "etc/mysql/conf.d",
    ] {
        let path = world.at(other);
        assert!(world.files.content(&path).is_err(), "{other}");
        assert!(world.files.replace(&path, b"x").is_err(), "{other}");
    }
    let gone = world.at("etc/mysql/conf.d/gone.cnf");
    assert_eq!(world.files.content(&gone).unwrap(), None);
    assert!(world.files.replace(&gone, b"x").is_err());
    let a = world.at("etc/mysql/conf.d/a.cnf");
    assert_eq!(world.files.kept("other", &a).unwrap(), None);
}

#[test]
fn what_a_link_leads_out_to_is_kept_and_comes_back() {
    let world = world();
    let far = world.at("far.cnf");
    fs::write(&far, "[mysqld]\nfar=1\n").unwrap();
    let link = world.at("etc/mysql/conf.d/link.cnf");
    symlink(&far, &link).unwrap();
    world.back_up();
    let before = world.fingerprint();
    world.files.replace(&link, b"[mysqld]\n").unwrap();
    assert_eq!(fs::read(&far).unwrap(), b"[mysqld]\n");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    world.restore();
    assert_eq!(world.fingerprint(), before);
}
