//! Snapshots on real file systems: the test's own directory, and loop-mounted btrfs and xfs (needs root, as CI has it).

use super::super::paths::Names;
use super::*;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

/// A server's directories on some file system: a data directory and binary logs outside of it.
struct World {
    _root: Root,
    path: PathBuf,
    snapshots: Snapshots,
}

enum Root {
    Plain(#[allow(dead_code, reason = "kept for its end")] tempfile::TempDir),
    Loop {
        mounted: PathBuf,
        _dir: tempfile::TempDir,
    },
}

impl Drop for Root {
    fn drop(&mut self) {
        if let Self::Loop { mounted, .. } = self {
            run("umount", &[mounted.as_os_str()]);
        }
    }
}

fn run(program: &'static str, args: &[&std::ffi::OsStr]) {
    let status = std::process::Command::new(program)
        .args(args)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::inherit())
        .status();
    assert!(status.unwrap().success(), "{program} {args:?}");
}

/// A file system of its own in a loop-mounted file.
fn on(kind: &str) -> World {
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("image");
    fs::File::create(&image)
        .unwrap()
        .set_len(400 << 20)
        .unwrap();
    match kind {
        "btrfs" => run("mkfs.btrfs", &["-q".as_ref(), image.as_os_str()]),
        "xfs" => run(
            "mkfs.xfs",
            &[
                "-q".as_ref(),
                "-m".as_ref(),
                "reflink=1".as_ref(),
                image.as_os_str(),
            ],
        ),
        _ => unreachable!("only these are asked for"),
    }
    let mounted = dir.path().join("mounted");
    fs::create_dir(&mounted).unwrap();
    run(
        "mount",
        &[
            "-o".as_ref(),
            "loop".as_ref(),
            image.as_os_str(),
            mounted.as_os_str(),
        ],
    );
    let path = mounted.clone();
    if kind == "btrfs" {
        let data = path.join("data");
        run(
            "btrfs",
            &[
                "-q".as_ref(),
                "subvolume".as_ref(),
                "create".as_ref(),
                data.as_os_str(),
            ],
        );
    }
    filled(Root::Loop { mounted, _dir: dir }, path)
}

fn plain() -> World {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().canonicalize().unwrap();
    filled(Root::Plain(dir), path)
}

fn filled(root: Root, path: PathBuf) -> World {
    let world = World {
        _root: root,
        snapshots: Snapshots::new(&path.join("snapshots"), &path.join("state")),
        path,
    };
    fs::create_dir_all(world.at("state")).unwrap();
    fs::create_dir_all(world.at("data/shop")).unwrap();
    fs::create_dir_all(world.at("data/#innodb_temp")).unwrap();
    fs::create_dir_all(world.at("logs")).unwrap();
    world.write("data/ibdata1", &vec![7; 3 << 20]);
    world.write("data/shop/orders.ibd", b"orders");
    world.write("data/ibtmp1", b"made anew");
    world.write("data/db1.pid", b"1");
    let mut sparse = vec![0; 4 << 20];
    sparse[3 << 20] = 1;
    world.write("data/sparse.ibd", &sparse);
    symlink("ibdata1", world.at("data/link")).unwrap();
    world.write("logs/binlog.000001", b"one");
    world.write("logs/binlog.index", b"binlog.000001\n");
    world.write("logs/error.log", b"before\n");
    chown(world.at("data/shop"), Some(12), Some(34)).unwrap();
    fs::set_permissions(world.at("data/shop"), PermissionsExt::from_mode(0o750)).unwrap();
    fs::set_permissions(world.at("data/ibdata1"), PermissionsExt::from_mode(0o640)).unwrap();
    chown(world.at("data/ibdata1"), Some(12), Some(34)).unwrap();
    rustix::fs::setxattr(
        world.at("data/ibdata1"),
        "user.refit",
        b"kept",
        rustix::fs::XattrFlags::empty(),
    )
    .unwrap();
    world
}

type Fingerprint = BTreeMap<String, (u32, u32, u32, Vec<u8>)>;

impl World {
    fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.at(name), bytes).unwrap();
    }
    fn items(&self) -> Vec<Item> {
        vec![
            Item {
                role: PathRole::DataDir,
                path: self.at("data"),
                names: Names::All,
            },
            Item {
                role: PathRole::BinaryLogs,
                path: self.at("logs"),
                names: Names::Matching(vec!["binlog.*".to_owned()]),
            },
        ]
    }
    /// Everything that must come back. What mysqld makes anew is of no interest, and neither is what is set aside.
    fn fingerprint(&self) -> Fingerprint {
        let mut all = BTreeMap::new();
        for top in ["data", "logs"] {
            for entry in walkdir::WalkDir::new(self.at(top)) {
                let entry = entry.unwrap();
                let name = entry.path().strip_prefix(&self.path).unwrap();
                let name = name.to_str().unwrap().to_owned();
                if name.contains("/.refit-") || name.contains("ibtmp") || name.ends_with(".pid") {
                    continue;
                }
                let meta = fs::symlink_metadata(entry.path()).unwrap();
                let content = if meta.is_symlink() {
                    fs::read_link(entry.path())
                        .unwrap()
                        .into_os_string()
                        .into_encoded_bytes()
                } else if meta.is_file() {
                    fs::read(entry.path()).unwrap()
                } else {
                    Vec::new()
                };
                all.insert(name, (meta.mode(), meta.uid(), meta.gid(), content));
            }
        }
        all
    }
    /// What an upgrade does to a data directory, in miniature.
    fn upgrade(&self) {
        self.write("data/ibdata1", b"upgraded");
        self.write("data/mysql_upgrade_history", b"new");
        fs::remove_file(self.at("data/shop/orders.ibd")).unwrap();
        self.write("logs/binlog.000002", b"two");
        self.write("logs/binlog.index", b"binlog.000001\nbinlog.000002\n");
        self.write("logs/error.log", b"before\nafter\n");
    }
    async fn take(&self) -> SnapshotMethod {
        self.snapshots
            .take("s1", self.items(), &Phase::silent())
            .await
            .unwrap()
    }
    async fn restore(&self) {
        self.snapshots
            .restore("s1", &Phase::silent())
            .await
            .unwrap();
    }
    async fn drop_it(&self) {
        self.snapshots
            .drop_snapshot("s1", &self.items())
            .await
            .unwrap();
    }
    fn leftovers(&self) -> Vec<PathBuf> {
        walkdir::WalkDir::new(&self.path)
            .into_iter()
            .map(|entry| entry.unwrap().into_path())
            .filter(|path| {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                name.contains("refit-") || name.starts_with("s1") || name.contains(".s1")
            })
            .collect()
    }
}

/// The whole life of a snapshot, with the way back from three worlds, each step asked for twice.
async fn a_life(world: World, expected: SnapshotMethod) {
    let before = world.fingerprint();
    assert!(!world.snapshots.verify("s1").await.unwrap());
    assert_eq!(world.take().await, expected);
    assert_eq!(world.take().await, expected);
    assert!(world.snapshots.verify("s1").await.unwrap());
    // The log that only shares a directory with the server's files is not part of it.
    let with_log = |fingerprint: &Fingerprint, text: &str| {
        let mut changed = fingerprint.clone();
        changed.get_mut("logs/error.log").unwrap().3 = text.as_bytes().to_vec();
        changed
    };
    // From the world where nothing happened since.
    world.restore().await;
    assert_eq!(world.fingerprint(), before);
    // From the one where everything did, and from half way.
    for _ in 0..2 {
        world.upgrade();
        assert_ne!(world.fingerprint(), before);
        for _ in 0..2 {
            world.restore().await;
            assert_eq!(world.fingerprint(), with_log(&before, "before\nafter\n"));
        }
        let mut value = [0; 8];
        let length = rustix::fs::getxattr(world.at("data/ibdata1"), "user.refit", &mut value);
        assert_eq!(&value[..length.unwrap()], b"kept");
        assert!(world.snapshots.verify("s1").await.unwrap());
        fs::remove_file(world.at("data/ibdata1")).unwrap();
    }
    for _ in 0..2 {
        world.drop_it().await;
        assert_eq!(world.leftovers(), Vec::<PathBuf>::new());
    }
    assert!(!world.snapshots.verify("s1").await.unwrap());
}

#[tokio::test]
async fn full_copies() {
    let world = plain();
    // The directory of the test may or may not share blocks; what is judged is what is done.
    let shares = {
        fs::create_dir(world.at("snapshots")).unwrap();
        tree::can_reflink(&world.at("data"), &world.at("snapshots")).unwrap()
    };
    let expected = match shares {
        true => SnapshotMethod::Reflink,
        false => SnapshotMethod::Copy,
    };
    a_life(world, expected).await;
}

#[tokio::test]
async fn reflinks_on_xfs() {
    a_life(on("xfs"), SnapshotMethod::Reflink).await;
}

#[tokio::test]
async fn subvolumes_on_btrfs() {
    let world = on("btrfs");
    a_life(world, SnapshotMethod::BtrfsSubvolume).await;
}

#[tokio::test]
async fn a_data_directory_that_is_a_mount_point_with_its_snapshots_inside() {
    let mut world = on("xfs");
    // As on a host with a volume of its own for /var/lib/mysql.
    for entry in ["ibdata1", "shop", "sparse.ibd", "link", "#innodb_temp"] {
        fs::rename(world.at("data").join(entry), world.at(entry)).unwrap();
    }
    fs::remove_dir_all(world.at("data")).unwrap();
    fs::remove_dir_all(world.at("logs")).unwrap();
    let state = tempfile::tempdir().unwrap();
    fs::remove_dir_all(world.at("state")).unwrap();
    world.snapshots = Snapshots::new(&world.at(".refit/snapshots"), state.path());
    let items = || {
        vec![Item {
            role: PathRole::DataDir,
            path: world.path.clone(),
            names: Names::All,
        }]
    };
    let taken = world.snapshots.take("s1", items(), &Phase::silent()).await;
    assert_eq!(taken.unwrap(), SnapshotMethod::Reflink);
    for _ in 0..2 {
        world.write("ibdata1", b"upgraded");
        world.write("new", b"x");
        world.restore().await;
        assert_eq!(fs::read(world.at("ibdata1")).unwrap(), vec![7; 3 << 20]);
        assert_eq!(fs::read(world.at("shop/orders.ibd")).unwrap(), b"orders");
        assert!(!world.at("new").exists());
        assert!(world.snapshots.verify("s1").await.unwrap());
        assert_eq!(fs::read(world.at(".refit-aside-s1-0/new")).unwrap(), b"x");
    }
    world.snapshots.drop_snapshot("s1", &items()).await.unwrap();
    assert!(!world.at(".refit-aside-s1-0").exists());
    // A directory that mysqld would take for a schema is refused.
    let visible = Snapshots::new(&world.at("snapshots"), state.path());
    assert!(visible.take("s1", items(), &Phase::silent()).await.is_err());
}

#[tokio::test]
async fn a_restore_that_was_cut_short_anywhere_is_finished_by_the_next_one() {
    let world = plain();
    let before = world.fingerprint();
    world.take().await;
    let name = |what: &str| world.at(&format!("data.refit-{what}-s1"));
    let steps = world.at("state/restore-s1.json");
    let garbage = || {
        fs::create_dir_all(name("new")).unwrap();
        fs::write(name("new").join("half"), "x").unwrap();
    };
    // Cut while the new tree was being built.
    world.upgrade();
    garbage();
    world.restore().await;
    // Each of the moments between two renames is made by hand: built, moved out, moved in but not noted.
    for cut in 0..4 {
        world.upgrade();
        let copy = |to: &Path| {
            run(
                "cp",
                &[
                    "-a".as_ref(),
                    world.at("snapshots/s1/0-data_dir").as_os_str(),
                    to.as_os_str(),
                ],
            );
        };
        let _ = fs::remove_dir_all(name("aside"));
        let _ = fs::remove_dir_all(name("new"));
        match cut {
            0 => copy(&name("new")),
            1 => {
                copy(&name("new"));
                fs::rename(world.at("data"), name("aside")).unwrap();
            }
            2 => {
                copy(&name("new"));
                fs::rename(world.at("data"), name("aside")).unwrap();
            }
            _ => {
                fs::rename(world.at("data"), name("aside")).unwrap();
                copy(&world.at("data"));
            }
        }
        let noted = match cut {
            0 | 1 => r#"["built","pending"]"#,
            _ => r#"["out","pending"]"#,
        };
        fs::write(&steps, noted).unwrap();
        world.restore().await;
        let mut now = world.fingerprint();
        now.get_mut("logs/error.log").unwrap().3 = b"before\n".to_vec();
        assert_eq!(now, before, "cut {cut}");
        assert!(!steps.exists());
        assert_eq!(
            fs::read(name("aside").join("ibdata1")).unwrap(),
            b"upgraded"
        );
    }
}

#[tokio::test]
async fn an_incomplete_or_changed_snapshot_does_not_count() {
    let world = plain();
    // Cut while it was being taken: under another name, or (an old tool's doing) without a manifest.
    fs::create_dir_all(world.at("snapshots/.s1.partial/0-data_dir")).unwrap();
    fs::create_dir_all(world.at("snapshots/s1/0-data_dir")).unwrap();
    assert!(!world.snapshots.verify("s1").await.unwrap());
    assert!(
        world
            .snapshots
            .restore("s1", &Phase::silent())
            .await
            .is_err()
    );
    world.take().await;
    assert!(world.snapshots.verify("s1").await.unwrap());
    assert!(!world.at("snapshots/.s1.partial").exists());
    let before = world.fingerprint();
    for (name, bytes) in [
        ("shop/orders.ibd", &b"longer than it was"[..]),
        ("extra", b"x"),
    ] {
        let stored = world.at("snapshots/s1/0-data_dir").join(name);
        let was = fs::read(&stored).ok();
        fs::write(&stored, bytes).unwrap();
        assert!(!world.snapshots.verify("s1").await.unwrap(), "{name}");
        assert!(
            world
                .snapshots
                .restore("s1", &Phase::silent())
                .await
                .is_err()
        );
        assert_eq!(world.fingerprint(), before);
        match was {
            Some(bytes) => fs::write(&stored, bytes).unwrap(),
            None => fs::remove_file(&stored).unwrap(),
        }
    }
    assert!(world.snapshots.verify("s1").await.unwrap());
    for name in ["../s1", "", ".s1", "a/b"] {
        assert!(world.snapshots.verify(name).await.is_err(), "{name}");
    }
}

#[tokio::test]
async fn a_damaged_copy_is_found_before_anything_is_moved() {
    let world = on("xfs");
    // A full copy, by keeping the snapshots on another file system.
    let other = tempfile::tempdir().unwrap();
    let snapshots = Snapshots::new(&other.path().join("snapshots"), &world.at("state"));
    let taken = snapshots.take("s1", world.items(), &Phase::silent()).await;
    assert_eq!(taken.unwrap(), SnapshotMethod::Copy);
    let stored = other.path().join("snapshots/s1/0-data_dir/sparse.ibd");
    let meta = fs::metadata(&stored).unwrap();
    assert!(meta.blocks() * 512 < meta.len(), "holes must stay holes");
    world.upgrade();
    let before = world.fingerprint();
    // The same size, so only the hash can tell.
    fs::write(
        other.path().join("snapshots/s1/0-data_dir/shop/orders.ibd"),
        b"ORDERS",
    )
    .unwrap();
    assert!(snapshots.verify("s1").await.unwrap());
    let error = snapshots.restore("s1", &Phase::silent()).await.unwrap_err();
    assert!(error.to_string().contains("orders.ibd"), "{error}");
    assert_eq!(world.fingerprint(), before);
}

#[tokio::test]
async fn too_little_room_is_refused_before_a_byte_is_copied() {
    let world = on("xfs");
    let other = plain();
    // 1 TiB of data, on paper: the free space can't be enough for its copy.
    let mounts = Mounts::read().unwrap();
    let mut items = world.items();
    items.truncate(1);
    let full = Snapshots::new(&other.at("snapshots"), &other.at("state"));
    let outlook = full.outlook(&items[0], &mounts).unwrap();
    assert_eq!(outlook.method, SnapshotMethod::Copy);
    assert!(outlook.needs() > 4 << 20, "{outlook:?}");
    // The xfs volume holds 400 MiB; what is copied to it may be more.
    let big = tempfile::tempdir().unwrap();
    let block = vec![1; 1 << 20];
    let mut file = fs::File::create(big.path().join("ibdata1")).unwrap();
    for _ in 0..420 {
        std::io::Write::write_all(&mut file, &block).unwrap();
    }
    items[0].path = big.path().canonicalize().unwrap();
    let small = Snapshots::new(&world.at("snapshots"), &world.at("state"));
    let error = small.take("s1", items, &Phase::silent()).await.unwrap_err();
    assert!(matches!(error, HostError::Space { .. }), "{error}");
    assert!(!small.verify("s1").await.unwrap());
}
