//! The mount table: on which mount and file system a path is.

use crate::host::{HostError, HostResult};
use std::path::{Path, PathBuf};

/// One mounted file system, as `/proc/self/mountinfo` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    id: u32,
    pub(super) point: PathBuf,
    pub(super) kind: String,
    source: String,
}

#[derive(Debug, Clone)]
pub(super) struct Mounts(Vec<Mount>);

impl Mounts {
    pub(super) fn read() -> HostResult<Self> {
        let path = Path::new("/proc/self/mountinfo");
        let text = std::fs::read_to_string(path).map_err(super::disk::error("read", path))?;
        Ok(Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        Self(text.lines().filter_map(mount).collect())
    }

    /// The mount that a (canonical) path is on.
    pub(super) fn of(&self, path: &Path) -> HostResult<&Mount> {
        self.0
            .iter()
            .filter(|mount| path.starts_with(&mount.point))
            // The deepest one; of several on one point the last covers the others.
            .max_by_key(|mount| mount.point.components().count())
            .ok_or_else(|| {
                HostError::Unexpected(format!("no mount has the path {}", path.display()))
            })
    }

    pub(super) fn same_mount(&self, a: &Path, b: &Path) -> HostResult<bool> {
        Ok(self.of(a)?.id == self.of(b)?.id)
    }

    /// One file system under both, possibly through two mounts.
    pub(super) fn same_filesystem(&self, a: &Path, b: &Path) -> HostResult<bool> {
        let (a, b) = (self.of(a)?, self.of(b)?);
        Ok(a.id == b.id || (a.kind == b.kind && a.source == b.source))
    }

    /// Mount points strictly below a path.
    pub(super) fn below(&self, path: &Path) -> Vec<&Path> {
        self.0
            .iter()
            .map(|mount| mount.point.as_path())
            .filter(|point| point.starts_with(path) && *point != path)
            .collect()
    }
}

/// `36 35 98:0 /root /point rw,noatime master:1 - ext4 /dev/root rw` (proc(5)).
fn mount(line: &str) -> Option<Mount> {
    let (left, right) = line.split_once(" - ")?;
    let mut left = left.split(' ');
    let id = left.next()?.parse().ok()?;
    let point = PathBuf::from(unescaped(left.nth(3)?));
    let mut right = right.split(' ');
    Some(Mount {
        id,
        point,
        kind: right.next()?.to_owned(),
        source: right.next()?.to_owned(),
    })
}

/// Spaces, tabs, newlines and backslashes are written as three octal digits.
fn unescaped(text: &str) -> String {
    let mut plain = text.to_owned();
    for (escape, c) in [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ] {
        plain = plain.replace(escape, c);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
21 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw
30 21 0:40 / /srv/mysql rw,noatime - btrfs /dev/sdb rw
31 30 0:41 /binlog /srv/mysql/data\\040dir/bin rw - btrfs /dev/sdb rw
32 21 8:2 / /other rw - xfs /dev/sdc rw
broken line
";

    #[test]
    fn a_path_is_on_its_deepest_mount() {
        let mounts = Mounts::parse(TABLE);
        let of = |path: &str| mounts.of(Path::new(path)).unwrap().point.clone();
        assert_eq!(of("/etc"), Path::new("/"));
        assert_eq!(of("/srv/mysql/data"), Path::new("/srv/mysql"));
        assert_eq!(of("/srv/mysqlx"), Path::new("/"));
        let same = |a: &str, b: &str| mounts.same_filesystem(Path::new(a), Path::new(b)).unwrap();
        assert!(same("/srv/mysql/x", "/srv/mysql/data dir/bin/y"));
        assert!(!same("/srv/mysql", "/other"));
        assert_eq!(
            mounts.below(Path::new("/srv/mysql")),
            [Path::new("/srv/mysql/data dir/bin")]
        );
    }
}
