//! mysqld's process and its unit: starting on a data directory, stopping, dying.

use super::log;
use super::state::{Event, HostState, Process, Receiver, Server, Unit, World};
use crate::host::files::maintenance_restarts_after;
use refit_shared::config::judge::{Found, judge};
use refit_shared::config::{ConfigFiles, OptionFile};
use refit_shared::ids::MemberName;
use refit_shared::observation::MemberState;
use refit_shared::rules::releases::ReleaseTable;
use refit_shared::rules::system_tables::by_program;
use refit_shared::rules::upgrade_path;
use refit_shared::version::MysqlVersion;
use std::time::Duration;

/// What a start on a data directory leads to.
enum Course {
    Plain,
    Upgrade { series: bool },
    Downgrade,
    Refuse(u32),
}

fn course(host: &HostState, binary: MysqlVersion) -> Course {
    if let Some(code) = host.refuses.get(&binary) {
        return Course::Refuse(*code);
    }
    if refuses_its_options(host, binary) {
        return Course::Refuse(67);
    }
    let data = &host.data;
    if let Some(begun) = data.upgrading_to {
        return if begun == binary {
            Course::Upgrade {
                series: begun.series() != data.version.series(),
            }
        } else {
            Course::Refuse(13379)
        };
    }
    if binary == data.version {
        return Course::Plain;
    }
    if binary < data.version {
        return if binary.series() == data.version.series() {
            Course::Downgrade
        } else {
            Course::Refuse(14061)
        };
    }
    match upgrade_path::upgrade(&ReleaseTable::built_in(), data.version, binary) {
        Ok(_) => Course::Upgrade {
            series: binary.series() != data.version.series(),
        },
        Err(_) => Course::Refuse(14060),
    }
}

/// mysqld does not start with an option that it does not know (MY-000067).
fn refuses_its_options(host: &HostState, binary: MysqlVersion) -> bool {
    let files = host.config.iter();
    refused_option(files, binary).is_some()
}

/// The first option that a mysqld of this version does not know.
pub(super) fn refused_option<'a>(
    files: impl Iterator<Item = (&'a String, &'a Vec<u8>)>,
    binary: MysqlVersion,
) -> Option<String> {
    let text = |content: &Vec<u8>| String::from_utf8_lossy(content).into_owned();
    let files: Vec<OptionFile> = files
        .map(|(path, content)| OptionFile::new(path, text(content)))
        .collect();
    let config = ConfigFiles {
        roots: files.iter().map(|file| file.path.clone()).collect(),
        files,
        ..ConfigFiles::default()
    };
    judge(&config, binary, binary)
        .iter()
        .find_map(|found| match found {
            Found::Removed {
                entry,
                loose: false,
                ..
            } => Some(entry.name.to_owned()),
            _ => None,
        })
}

impl World {
    pub fn say(&mut self, member: &MemberName, line: &str) {
        let at = self.now_unix_ms();
        let line = log::stamped(at, line);
        self.host_mut(member).log.push(line);
    }

    /// The service manager carries out a start job.
    pub fn start_unit(&mut self, member: &MemberName) {
        let host = self.host_mut(member);
        if !matches!(host.unit, Unit::Inactive | Unit::Failed) {
            return;
        }
        if host.hold && host.drop_in_loaded {
            // A condition that does not hold: the job ends well and nothing runs.
            host.unit = Unit::Inactive;
            return;
        }
        if host.frozen {
            host.unit = Unit::Failed;
            return;
        }
        let binary = host
            .installed
            .get("mysql-server-core")
            .and_then(|version| version.mysql_version().ok());
        let Some(binary) = binary.filter(|_| host.broken.is_empty()) else {
            host.unit = Unit::Failed;
            return;
        };
        self.start_process(member, binary);
    }

    fn start_process(&mut self, member: &MemberName, version: MysqlVersion) {
        self.judge_start(member, version);
        let pid = self.next_pid;
        self.next_pid += 1;
        let host = self.host_mut(member);
        let course = course(host, version);
        host.unit = Unit::Activating(Process {
            pid,
            version,
            in_maintenance: host.maintenance,
            secluded: host.secluded,
            upgrading: false,
        });
        if !matches!(course, Course::Refuse(_)) {
            host.data.open_by = Some(version);
        }
        let from = host.data.version;
        self.say(
            member,
            "[System] [MY-015015] [Server] MySQL Server - start.",
        );
        self.say(
            member,
            &format!("[System] [MY-010116] [Server] /usr/sbin/mysqld (mysqld {version}) starting as process {pid}"),
        );
        self.say(
            member,
            "[System] [MY-013576] [InnoDB] InnoDB initialization has started.",
        );
        let start = self.timings.start;
        match course {
            Course::Plain => self.later(start, member, Event::Ready(pid)),
            Course::Refuse(code) => {
                for line in log::refusal(code) {
                    self.later(start / 2, member, Event::Says(pid, line));
                }
                self.later(start, member, Event::GivesUp(pid));
            }
            Course::Upgrade { series } => {
                self.upgrade(member, pid, (from, version), series);
            }
            Course::Downgrade => {
                let line = format!(
                    "[System] [MY-014064] [Server] Server downgrade from '{}' to '{}' started.",
                    log::id(from),
                    log::id(version)
                );
                self.later(start / 2, member, Event::Says(pid, line));
                self.later(start, member, Event::Ready(pid));
            }
        }
    }

    fn upgrade(
        &mut self,
        member: &MemberName,
        pid: u32,
        (from, to): (MysqlVersion, MysqlVersion),
        series: bool,
    ) {
        let mut at = self.timings.start / 2;
        let step = if series {
            self.timings.upgrade / 4
        } else {
            Duration::from_millis(50)
        };
        self.later(at, member, Event::UpgradeBegins(pid, to));
        for line in log::upgrade(from, to, series) {
            self.later(at, member, Event::Says(pid, line));
            at += step;
        }
        self.later(at, member, Event::Ready(pid));
    }

    /// What serves has system tables of its own version, and has been restarted since a program made them so.
    pub fn judge_own_tables(&mut self, member: &MemberName, what: &str) {
        let host = self.host(member);
        let (tables, restart) = (host.data.system_tables, host.data.restart_wanted);
        if host.running_version().is_some_and(|v| v != tables) {
            self.violate(member, format!("{what} with system tables of {tables}"));
        } else if restart {
            self.violate(
                member,
                format!("{what} before the restart that mysql_upgrade wants"),
            );
        }
    }

    /// What must never be done to a data directory.
    fn judge_start(&mut self, member: &MemberName, version: MysqlVersion) {
        let host = self.host(member);
        let data = &host.data;
        let first = version != data.version && data.upgrading_to.is_none();
        if !first {
            return;
        }
        if data.open_by == Some(version) {
            return;
        }
        if let Some(was) = data.open_by {
            self.violate(
                member,
                format!("{version} was started on data that {was} did not leave cleanly"),
            );
            return;
        }
        let way_back = host
            .snapshots
            .iter()
            .any(|(name, s)| s.complete && s.data == *data && host.dirty.contains(name));
        if !way_back {
            self.violate(
                member,
                format!("the first start of {version} had no complete snapshot of the present data, noted as needed"),
            );
        }
    }

    pub fn ready(&mut self, member: &MemberName, pid: u32) {
        let now = self.now;
        let host = self.host_mut(member);
        let Unit::Activating(process) = &host.unit else {
            return;
        };
        if process.pid != pid {
            return;
        }
        let mut process = process.clone();
        process.upgrading = false;
        host.data.version = process.version;
        host.data.upgrading_to = None;
        if !by_program(process.version) {
            host.data.system_tables = process.version;
        }
        host.data.restart_wanted = false;
        let start_on_boot = self.shape.is_group() && !process.in_maintenance;
        let host = self.host_mut(member);
        // Relay logs are fetched again.
        host.data.relay.clear();
        host.data.received.clear();
        let replicates = !process.in_maintenance && !host.data.channels.is_empty();
        let server = Server {
            super_read_only: process.in_maintenance || start_on_boot || host.starts_read_only(),
            admits: false,
            log_format: host.log_format,
            old_sessions_until: None,
            restarted: true,
            start_on_boot,
            bootstrap: false,
            slow_shutdown: false,
            member: MemberState::Offline,
            writing_until: None,
            applied_at: now,
            queue: 0,
            receiver: if replicates {
                Receiver::Connecting { since: now }
            } else {
                Receiver::Off
            },
            introduced_at: Some(now),
            applier: replicates,
        };
        let line = log::ready(process.version);
        host.unit = Unit::Active(process, server);
        self.say(member, &line);
        if start_on_boot {
            self.join_at_boot(member, pid);
        }
    }

    /// START GROUP_REPLICATION as part of the server's own start: read-only, and tried again while the group still knows an
    /// old incarnation.
    pub fn join_at_boot(&mut self, member: &MemberName, pid: u32) {
        if !self.host(member).unit.is(pid)
            || self.host(member).member_state() != Some(MemberState::Offline)
        {
            return;
        }
        let refused = self.join(member).is_err();
        if let Some(server) = self.host_mut(member).server_mut() {
            server.super_read_only = true;
        }
        if refused {
            self.later(Duration::from_secs(5), member, Event::JoinAtBoot(pid));
        }
    }

    pub fn stop_unit(&mut self, member: &MemberName) {
        let timings = self.timings;
        let host = self.host_mut(member);
        let (process, slow) = match &host.unit {
            Unit::Inactive | Unit::Deactivating(_) => return,
            Unit::Failed => {
                host.unit = Unit::Inactive;
                return;
            }
            Unit::Activating(process) => (process.clone(), false),
            Unit::Active(process, server) => (process.clone(), server.slow_shutdown),
        };
        if process.upgrading {
            self.violate(member, "mysqld was stopped while it upgraded its data");
        }
        if self.host(member).member_state() == Some(MemberState::Online) {
            self.violate(
                member,
                "mysqld was stopped while it was ONLINE in its group",
            );
        }
        let writable = self
            .host(member)
            .server()
            .is_some_and(|s| !s.super_read_only);
        if self.shape.is_topology() && writable {
            self.violate(member, "mysqld was stopped while it took writes");
        }
        self.leave_view(member);
        self.host_mut(member).unit = Unit::Deactivating(process.clone());
        self.say(
            member,
            "[System] [MY-013172] [Server] Received SHUTDOWN from user <via user signal>.",
        );
        let after = if slow {
            timings.slow_stop
        } else {
            timings.stop
        };
        self.later(after, member, Event::Ends(process.pid));
    }

    pub fn ended(&mut self, member: &MemberName, pid: u32) {
        let host = self.host_mut(member);
        if !host.unit.is(pid) {
            return;
        }
        let version = host.unit.process().map(|process| process.version);
        if std::mem::take(&mut host.crash_at_shutdown) {
            host.unit = Unit::Failed;
            return;
        }
        host.unit = Unit::Inactive;
        if host.data.upgrading_to.is_none() {
            host.data.open_by = None;
        }
        if let Some(version) = version {
            self.say(member, &log::shut_down(version));
            self.say(member, "[System] [MY-015016] [Server] MySQL Server - end.");
        }
    }

    /// mysqld ends by itself with this status. In maintenance what the drop-in says of it counts.
    pub fn end_with(&mut self, member: &MemberName, status: i32) {
        let host = self.host_mut(member);
        if let Some(version) = host.unit.process().map(|process| process.version) {
            host.unit = Unit::Inactive;
            host.data.open_by = None;
            let is_forced = !host.drop_in_loaded || maintenance_restarts_after(status);
            self.say(member, &log::shut_down(version));
            if is_forced {
                self.start_unit(member);
            }
        }
    }

    pub fn kill_mysqld(&mut self, member: &MemberName) {
        if self.host(member).unit.process().is_none() {
            return;
        }
        self.lose_contact(member);
        self.host_mut(member).unit = Unit::Failed;
        let after = self.timings.restart;
        self.later(after, member, Event::Restart);
    }

    pub fn power_off(&mut self, member: &MemberName) {
        if !self.host(member).powered {
            return;
        }
        self.lose_contact(member);
        let host = self.host_mut(member);
        host.powered = false;
        host.unit = Unit::Inactive;
        host.kill_agent();
    }

    pub fn power_on(&mut self, member: &MemberName) {
        let host = self.host_mut(member);
        if host.powered {
            return;
        }
        host.powered = true;
        host.boots += 1;
        host.drop_in_loaded = host.maintenance;
        host.secluded = false;
        host.kill_agent();
        self.start_unit(member);
    }
}
