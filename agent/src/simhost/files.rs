//! The simulated files: option files, drop-ins, snapshots.

use super::port::SimPort;
use super::state::{HostState, OPTION_DIR, PERSISTED, Snapshot, World};
use crate::host::beside::OptionTree;
use crate::host::files::plain_name;
use crate::host::{Files, HostError, HostResult, Phase};
use async_trait::async_trait;
use refit_shared::config::mask::masked;
use refit_shared::config::{ConfigFiles, OptionFile};
use refit_shared::ids::{Digest, MemberName};
use refit_shared::observation::{DataPath, PathRole, SnapshotMethod, StorageFacts};
use std::path::PathBuf;

#[async_trait]
impl Files for SimPort {
    async fn config_digest(&self) -> HostResult<Digest> {
        self.at("files.config_digest", |world, member| {
            let mut bytes = Vec::new();
            for (name, content) in &world.host(member).config {
                bytes.extend(name.as_bytes());
                bytes.push(0);
                bytes.extend(content);
                bytes.push(0);
            }
            Ok(Digest::of(&bytes))
        })
        .await
    }

    async fn config_files(&self) -> HostResult<ConfigFiles> {
        self.at("files.config_files", |world, member| {
            let file = |(path, content): (&String, &Vec<u8>)| OptionFile {
                text: masked(&String::from_utf8_lossy(content)),
                digest: Digest::of(content),
                path: path.clone(),
                world_writable: false,
            };
            let files: Vec<OptionFile> = option_files(world.host(member)).map(file).collect();
            Ok(ConfigFiles {
                roots: files.iter().map(|file| file.path.clone()).collect(),
                files,
                ..ConfigFiles::default()
            })
        })
        .await
    }

    async fn back_up_config(&self, name: &str) -> HostResult<()> {
        let name = plain_name(name)?;
        self.at("files.back_up_config", |world, member| {
            let host = world.host_mut(member);
            let content = host.config.clone();
            host.config_backups.insert(name.to_owned(), content);
            Ok(())
        })
        .await
    }

    async fn has_config_backup(&self, name: &str) -> HostResult<bool> {
        let name = plain_name(name)?;
        self.at("files.has_config_backup", |world, member| {
            Ok(world.host(member).config_backups.contains_key(name))
        })
        .await
    }

    async fn restore_config(&self, name: &str) -> HostResult<()> {
        let name = plain_name(name)?;
        self.at("files.restore_config", |world, member| {
            let host = world.host_mut(member);
            match host.config_backups.get(name) {
                Some(content) => {
                    host.config = content.clone();
                    Ok(())
                }
                None => Err(HostError::Unexpected(format!("no backup {name}"))),
            }
        })
        .await
    }

    async fn option_tree(&self) -> HostResult<OptionTree> {
        self.at("files.option_tree", |world, member| {
            let files = option_files(world.host(member));
            let files: Vec<_> = files.map(|(p, text)| (p.clone(), text.clone())).collect();
            Ok(OptionTree {
                roots: files.iter().map(|(path, _)| path.clone()).collect(),
                files,
            })
        })
        .await
    }

    async fn option_file(&self, path: &str) -> HostResult<Option<Vec<u8>>> {
        self.at("files.option_file", |world, member| {
            let host = world.host(member);
            match option_files(host).find(|(known, _)| *known == path) {
                Some((_, content)) => Ok(Some(content.clone())),
                None if path.starts_with(OPTION_DIR) => Ok(None),
                None => Err(HostError::Unexpected(format!(
                    "{path} is no option file that mysqld reads"
                ))),
            }
        })
        .await
    }

    async fn kept_option_file(&self, name: &str, path: &str) -> HostResult<Option<Vec<u8>>> {
        let name = plain_name(name)?;
        self.at("files.kept_option_file", |world, member| {
            let backup = world.host(member).config_backups.get(name);
            Ok(backup.and_then(|files| files.get(path)).cloned())
        })
        .await
    }

    async fn replace_option_file(&self, path: &str, content: &[u8]) -> HostResult<()> {
        self.at("files.replace_option_file", |world, member| {
            judge_touch(world, member, "an option file was rewritten");
            let host = world.host_mut(member);
            if !option_files(host).any(|(known, _)| known == path) {
                let why = format!("{path} is no option file that mysqld reads");
                return Err(HostError::Unexpected(why));
            }
            host.config.insert(path.to_owned(), content.to_owned());
            Ok(())
        })
        .await
    }

    async fn write_maintenance(&self) -> HostResult<()> {
        self.at("files.write_maintenance", |world, member| {
            world.host_mut(member).maintenance = true;
            Ok(())
        })
        .await
    }

    async fn remove_maintenance(&self) -> HostResult<()> {
        self.at("files.remove_maintenance", |world, member| {
            let host = world.host_mut(member);
            host.maintenance = false;
            if host.secluded || host.runs_secluded() {
                world.violate(
                    member,
                    "the drop-ins were removed while mysqld has no binary log",
                );
            }
            if world.host(member).hold && !world.may_leave_held {
                world.violate(
                    member,
                    "the drop-ins were removed while mysqld was held down",
                );
            }
            world.host_mut(member).hold = false;
            Ok(())
        })
        .await
    }

    async fn in_maintenance(&self) -> HostResult<bool> {
        self.at("files.in_maintenance", |world, member| {
            Ok(world.host(member).maintenance)
        })
        .await
    }

    async fn set_hold(&self, on: bool) -> HostResult<()> {
        self.at("files.set_hold", |world, member| {
            let host = world.host_mut(member);
            if on && !host.maintenance {
                let why = "the server can't be held down: the drop-in is not in place";
                return Err(HostError::Unexpected(why.to_owned()));
            }
            host.hold = on;
            Ok(())
        })
        .await
    }

    async fn held(&self) -> HostResult<bool> {
        self.at("files.held", |world, member| Ok(world.host(member).hold))
            .await
    }

    async fn storage(&self) -> HostResult<StorageFacts> {
        self.at("files.storage", |_, _| {
            Ok(StorageFacts {
                paths: vec![DataPath {
                    role: PathRole::DataDir,
                    path: "/var/lib/mysql".to_owned(),
                    bytes: 1 << 30,
                    filesystem: "simulated".to_owned(),
                }],
                snapshot_method: SnapshotMethod::Reflink,
                snapshot_needs_bytes: 0,
                snapshot_free_bytes: 1 << 40,
                data_free_bytes: 1 << 40,
            })
        })
        .await
    }

    async fn take_snapshot(&self, name: &str, _: &Phase) -> HostResult<SnapshotMethod> {
        let name = plain_name(name)?;
        self.at("files.take_snapshot", |world, member| {
            judge_touch(world, member, "a snapshot was taken");
            let host = world.host_mut(member);
            if host.snapshots.get(name).is_none_or(|s| !s.complete) {
                let data = host.data.clone();
                let snapshot = Snapshot {
                    complete: false,
                    data,
                };
                host.snapshots.insert(name.to_owned(), snapshot);
            }
            Ok(())
        })
        .await?;
        let time = self.world().lock().timings.snapshot;
        self.take(time).await;
        self.at("files.take_snapshot/complete", |world, member| {
            if let Some(snapshot) = world.host_mut(member).snapshots.get_mut(name) {
                snapshot.complete = true;
            }
            Ok(SnapshotMethod::Reflink)
        })
        .await
    }

    async fn verify_snapshot(&self, name: &str) -> HostResult<bool> {
        let name = plain_name(name)?;
        self.at("files.verify_snapshot", |world, member| {
            let snapshot = world.host(member).snapshots.get(name);
            Ok(snapshot.is_some_and(|snapshot| snapshot.complete))
        })
        .await
    }

    async fn restore_snapshot(&self, name: &str, _: &Phase) -> HostResult<()> {
        let name = plain_name(name)?;
        self.at("files.restore_snapshot", |world, member| {
            judge_touch(world, member, "a snapshot was put back");
            match world.host(member).snapshots.get(name) {
                Some(snapshot) if snapshot.complete => Ok(()),
                _ => Err(HostError::Snapshot {
                    name: name.to_owned(),
                    why: "missing or incomplete".to_owned(),
                }),
            }
        })
        .await?;
        let time = self.world().lock().timings.snapshot;
        self.take(time).await;
        self.at("files.restore_snapshot/swap", |world, member| {
            let host = world.host_mut(member);
            if let Some(snapshot) = host.snapshots.get(name) {
                host.data = snapshot.data.clone();
            }
            Ok(())
        })
        .await
    }

    async fn drop_snapshot(&self, name: &str) -> HostResult<()> {
        let name = plain_name(name)?;
        self.at("files.drop_snapshot", |world, member| {
            let host = world.host_mut(member);
            host.snapshots.remove(name);
            if host.dirty.contains(name) && host.unit.process().is_none() {
                world.violate(member, "the snapshot that is the only way back was deleted");
            }
            world.host_mut(member).dirty.remove(name);
            Ok(())
        })
        .await
    }

    async fn set_dirty(&self, snapshot: &str, dirty: bool) -> HostResult<()> {
        let snapshot = plain_name(snapshot)?;
        self.at("files.set_dirty", |world, member| {
            let host = world.host_mut(member);
            if dirty {
                host.dirty.insert(snapshot.to_owned());
            } else {
                host.dirty.remove(snapshot);
            }
            Ok(())
        })
        .await
    }

    async fn is_dirty(&self, snapshot: &str) -> HostResult<bool> {
        let snapshot = plain_name(snapshot)?;
        self.at("files.is_dirty", |world, member| {
            Ok(world.host(member).dirty.contains(snapshot))
        })
        .await
    }

    async fn error_log(&self) -> HostResult<PathBuf> {
        Ok(PathBuf::from("/var/log/mysql/error.log"))
    }
}

/// What SET PERSIST wrote is none.
fn option_files(host: &HostState) -> impl Iterator<Item = (&String, &Vec<u8>)> {
    host.config.iter().filter(|(path, _)| *path != PERSISTED)
}

fn judge_touch(world: &mut World, member: &MemberName, what: &str) {
    if world.host(member).unit.process().is_some() {
        world.violate(member, format!("{what} while mysqld was running"));
    }
}
