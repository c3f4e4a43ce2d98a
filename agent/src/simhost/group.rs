//! The group's rules: joining, recovery, election, expulsion, and who may write.
//!
//! Source: MYSQL.md of the project's notes, §2.1 to §2.8, tried with real servers; the version rules are
//! [`refit_shared::rules::group`].

use super::Shape;
use super::state::{Event, NoWrite, TxId, World};
use crate::host::files::RESTART_STATUS;
use refit_shared::ids::MemberName;
use refit_shared::observation::{GroupMember, MemberRole, MemberState};
use refit_shared::rules::group::{self, Join};
use refit_shared::version::MysqlVersion;
use std::collections::BTreeSet;

/// A transaction that a recovering member has not applied yet, per queue entry shown.
const SHOWN_QUEUE: u64 = 100;

impl World {
    pub fn write(&mut self) -> Result<TxId, NoWrite> {
        match self.shape {
            Shape::Group | Shape::MultiPrimary => self.write_in_group(),
            Shape::Alone => self.write_alone(),
            Shape::Replicas | Shape::Chain => self.write_to_source(),
        }
    }

    /// The first server takes the writes.
    fn write_alone(&mut self) -> Result<TxId, NoWrite> {
        let tx = self.next_tx;
        let host = self.hosts.values_mut().next();
        let host = host.expect("a world has hosts");
        match host.server() {
            None => return Err(NoWrite("the server is away")),
            Some(server) if server.super_read_only => {
                return Err(NoWrite("the server is read-only"));
            }
            Some(_) => {}
        }
        host.data.transactions.insert(tx);
        self.next_tx += 1;
        self.acknowledged.insert(tx);
        Ok(tx)
    }

    fn write_in_group(&mut self) -> Result<TxId, NoWrite> {
        let primary = self.writer().ok_or(NoWrite("nobody takes writes"))?;
        let host = self.host(&primary);
        if self.is_cut_off(&primary) {
            return Err(NoWrite("the primary is cut off from its group"));
        }
        if !self.is_online(&primary) {
            return Err(NoWrite("the primary is not ONLINE"));
        }
        if host.server().is_none_or(|server| server.super_read_only) {
            return Err(NoWrite("the primary is read-only"));
        }
        if !self.has_majority() {
            return Err(NoWrite("the group has lost its majority"));
        }
        let tx = self.next_tx;
        self.next_tx += 1;
        let online: Vec<MemberName> = self.online().cloned().collect();
        for member in &online {
            self.host_mut(member).data.transactions.insert(tx);
        }
        self.acknowledged.insert(tx);
        Ok(tx)
    }

    pub fn open_transaction(&mut self, until: tokio::time::Instant) {
        let writes = match self.shape {
            Shape::Group | Shape::MultiPrimary => self.writer(),
            Shape::Alone => self.hosts.keys().next().cloned(),
            Shape::Replicas | Shape::Chain => self.writable().into_iter().next(),
        };
        if let Some(primary) = writes
            && let Some(server) = self.host_mut(&primary).server_mut()
        {
            server.writing_until = Some(until);
        }
    }

    /// The primary; in a multi-primary group the first member that can write.
    fn writer(&self) -> Option<MemberName> {
        if self.shape != Shape::MultiPrimary {
            return self.primary.clone();
        }
        let writable = |member: &&MemberName| {
            let server = self.host(member).server();
            server.is_some_and(|server| !server.super_read_only)
        };
        self.online().find(writable).cloned()
    }

    /// MEMBER_ROLE is PRIMARY.
    pub fn has_role(&self, member: &MemberName) -> bool {
        match self.shape {
            Shape::Group => self.primary.as_ref() == Some(member),
            Shape::MultiPrimary => true,
            Shape::Alone | Shape::Replicas | Shape::Chain => false,
        }
    }

    /// The group lets the member write: it is the primary, or in a multi-primary group of the lowest version.
    pub fn decides_to_write(&self, member: &MemberName) -> bool {
        if self.shape != Shape::MultiPrimary {
            return self.primary.as_ref() == Some(member);
        }
        let taking_part = self.view.iter().filter(|other| {
            let state = self.host(other).member_state();
            matches!(state, Some(MemberState::Online | MemberState::Recovering))
        });
        let lowest = self.versions(taking_part.cloned()).into_iter().min();
        lowest.is_some() && self.host(member).running_version() == lowest
    }

    fn online(&self) -> impl Iterator<Item = &MemberName> {
        self.view.iter().filter(|member| self.is_online(member))
    }

    /// ONLINE, and reachable for the others in its view.
    pub fn is_online(&self, member: &MemberName) -> bool {
        self.view.contains(member)
            && self.host(member).member_state() == Some(MemberState::Online)
            && !self.is_cut_off(member)
    }

    /// Whether it can't reach the others in its view. Who is alone in one has everybody.
    fn is_cut_off(&self, member: &MemberName) -> bool {
        self.host(member).isolated && self.view.iter().any(|other| other != member)
    }

    pub fn has_majority(&self) -> bool {
        let reachable = self
            .view
            .iter()
            .filter(|member| {
                let state = self.host(member).member_state();
                !self.is_cut_off(member)
                    && matches!(state, Some(MemberState::Online | MemberState::Recovering))
            })
            .count();
        reachable * 2 > self.view.len()
    }

    fn versions(&self, of: impl Iterator<Item = MemberName>) -> Vec<MysqlVersion> {
        of.filter_map(|member| self.host(&member).running_version())
            .collect()
    }

    /// START GROUP_REPLICATION. `Err`: the error's text; what the server logs is in its log.
    pub fn join(&mut self, member: &MemberName) -> Result<(), String> {
        if !self.shape.is_group() {
            return Err(
                "The server is not configured properly to be an active member of the group"
                    .to_owned(),
            );
        }
        if self.host(member).member_state() == Some(MemberState::Offline) {
            self.judge_own_tables(member, "joins");
        }
        let (own, version, read_only) = {
            let host = self.host(member);
            let Some(server) = host.server() else {
                return Err("the server is away".to_owned());
            };
            match server.member {
                MemberState::Offline => {}
                MemberState::Online | MemberState::Recovering => return Ok(()),
                MemberState::Error | MemberState::Unreachable => {
                    return Err("the member is already part of the group".to_owned());
                }
            }
            let version = host.running_version().expect("it has a server");
            let read_only = server.super_read_only;
            (host.data.transactions.clone(), version, read_only)
        };
        let refused = |world: &mut Self, line: &str| {
            world.say(member, line);
            // The plugin puts back the mode from before START.
            if let Some(server) = world.host_mut(member).server_mut() {
                server.super_read_only = read_only;
            }
            Err(
                "The server is not configured properly to be an active member of the group"
                    .to_owned(),
            )
        };
        if self.host(member).server().is_some_and(|s| s.bootstrap) {
            self.bootstrap(member);
            return Ok(());
        }
        // A group of one that is cut off is one all the same, and nobody can reach it.
        let cut = |one: &MemberName| self.host(one).isolated;
        if cut(member) || !self.has_majority() || self.online().all(cut) {
            return refused(
                self,
                "[ERROR] [MY-011640] [Repl] Plugin group_replication reported: 'Timeout on wait for view after joining group'",
            );
        }
        if self.view.contains(member) {
            return refused(
                self,
                "[ERROR] [MY-011735] [Repl] Plugin group_replication reported: '[GCS] Old incarnation found while trying to add node'",
            );
        }
        let others = self.versions(self.view.iter().cloned());
        match group::join(version, &others) {
            Join::Compatible => {}
            Join::ReadOnly => self.say(
                member,
                "[Warning] [MY-013426] [Repl] Plugin group_replication reported: 'Member version is read compatible with the group.'",
            ),
            Join::Refused(_) => {
                return refused(
                    self,
                    "[ERROR] [MY-011521] [Repl] Plugin group_replication reported: 'Member version is incompatible with the group.'",
                );
            }
        }
        let union: BTreeSet<TxId> = self
            .online()
            .flat_map(|other| self.host(other).data.transactions.iter().copied())
            .collect();
        if !own.is_subset(&union) {
            return refused(
                self,
                "[ERROR] [MY-011526] [Repl] Plugin group_replication reported: 'This member has more executed transactions than those present in the group.'",
            );
        }
        self.view.insert(member.clone());
        self.view_id += 1;
        let pid = self.pid(member);
        if let Some(server) = self.host_mut(member).server_mut() {
            server.member = MemberState::Recovering;
            server.super_read_only = true;
        }
        let after = self.timings.recovery;
        let clones = std::mem::take(&mut self.host_mut(member).clones_when_joining);
        let then = if clones {
            Event::Cloned(pid)
        } else {
            Event::Recovered(pid)
        };
        self.later(after, member, then);
        Ok(())
    }

    /// The data of a donor are in place of its own. The server ends with its own status and counts on being started on them.
    pub fn cloned(&mut self, member: &MemberName, pid: u32) {
        let host = self.host(member);
        if !host.unit.is(pid) || host.member_state() != Some(MemberState::Recovering) {
            return;
        }
        let donor = self.online().next().cloned();
        let Some(donor) = donor else {
            return;
        };
        let theirs = self.host(&donor).data.transactions.clone();
        self.leave_view(member);
        self.host_mut(member).data.transactions = theirs;
        self.end_with(member, RESTART_STATUS);
    }

    /// A new group, whatever others may be in.
    fn bootstrap(&mut self, member: &MemberName) {
        let other = self.online().next().cloned();
        if let Some(other) = other {
            self.violate(
                member,
                format!("bootstrapped a second group, while {other} is in the first"),
            );
        }
        self.view = [member.clone()].into();
        self.view_id += 1;
        if let Some(server) = self.host_mut(member).server_mut() {
            server.member = MemberState::Online;
            server.super_read_only = true;
        }
        self.elect();
    }

    fn pid(&self, member: &MemberName) -> u32 {
        self.host(member)
            .unit
            .process()
            .map_or(0, |process| process.pid)
    }

    pub fn recovered(&mut self, member: &MemberName, pid: u32) {
        let host = self.host(member);
        if !host.unit.is(pid) || host.member_state() != Some(MemberState::Recovering) {
            return;
        }
        let donors: BTreeSet<TxId> = self
            .online()
            .flat_map(|donor| self.host(donor).data.transactions.iter().copied())
            .collect();
        if self.online().next().is_none() || self.host(member).isolated {
            let again = self.timings.recovery;
            self.later(again, member, Event::Recovered(pid));
            return;
        }
        let (now, catch_up) = (self.now, self.timings.catch_up);
        let host = self.host_mut(member);
        let missing = donors.difference(&host.data.transactions).count() as u64;
        host.data.transactions.extend(donors);
        if let Some(server) = host.server_mut() {
            server.member = MemberState::Online;
            server.applied_at = now + catch_up;
            server.queue = missing.min(SHOWN_QUEUE);
        }
        self.view_id += 1;
        if self.primary.is_none() {
            self.elect();
        }
    }

    /// STOP GROUP_REPLICATION by a person or an agent.
    pub fn leave(&mut self, member: &MemberName) {
        let serving = self.online().filter(|other| *other != member).count();
        let too_few = serving * 2 <= self.hosts.len() && !self.may_stop;
        if self.is_online(member) && too_few {
            self.violate(
                member,
                format!("left the group although only {serving} others serve"),
            );
        }
        self.leave_view(member);
        if let Some(server) = self.host_mut(member).server_mut() {
            server.member = MemberState::Offline;
            server.super_read_only = true;
        }
    }

    pub fn leave_view(&mut self, member: &MemberName) {
        if !self.view.remove(member) {
            return;
        }
        self.view_id += 1;
        if self.primary.as_ref() == Some(member) || self.shape == Shape::MultiPrimary {
            self.elect();
        }
    }

    /// The lowest version, then the smallest UUID; in a multi-primary group all of the lowest version.
    fn elect(&mut self) {
        if self.shape == Shape::MultiPrimary {
            let online: Vec<MemberName> = self.online().cloned().collect();
            for member in online
                .iter()
                .filter(|m| self.decides_to_write(m))
                .collect::<Vec<_>>()
            {
                let (pid, after) = (self.pid(member), self.timings.election);
                self.later(after, member, Event::MayWrite(pid));
            }
            return;
        }
        let candidate = self
            .online()
            .filter_map(|member| {
                let host = self.host(member);
                Some((host.running_version()?, host.uuid.clone(), member.clone()))
            })
            .min()
            .map(|(_, _, member)| member);
        self.primary.clone_from(&candidate);
        if let Some(member) = candidate {
            let (pid, after) = (self.pid(&member), self.timings.election);
            self.later(after, &member, Event::MayWrite(pid));
        }
    }

    /// `group_replication_set_as_primary`.
    pub fn appoint(&mut self, member: &MemberName) -> Result<(), String> {
        if !self.is_online(member) || !self.has_majority() {
            return Err("member not ONLINE or no majority".to_owned());
        }
        if self.primary.as_ref() == Some(member) {
            return Ok(());
        }
        let version = self
            .host(member)
            .running_version()
            .expect("an ONLINE member runs");
        let all = self.versions(self.view.iter().cloned());
        group::may_be_appointed(version, &all).map_err(|why| why.to_string())?;
        if let Some(old) = self.primary.replace(member.clone())
            && let Some(server) = self.host_mut(&old).server_mut()
        {
            server.super_read_only = true;
        }
        let (pid, after) = (self.pid(member), self.timings.election);
        self.later(after, member, Event::MayWrite(pid));
        Ok(())
    }

    /// The member stops answering the others; they wait before they expel it.
    pub fn lose_contact(&mut self, member: &MemberName) {
        if self.view.contains(member) {
            let (pid, after) = (self.pid(member), self.timings.expel);
            self.later(after, member, Event::Expelled(pid));
        }
    }

    pub fn expel(&mut self, member: &MemberName, pid: u32) {
        let host = self.host(member);
        let same_and_well = host.powered && !host.isolated && host.unit.is(pid);
        // A new incarnation joins only when the old one is out of the view.
        let joined_anew = !host.unit.is(pid)
            && matches!(
                host.member_state(),
                Some(MemberState::Online | MemberState::Recovering)
            );
        let alone = self.view.len() == 1 && host.unit.is(pid);
        if same_and_well || joined_anew || alone || !self.view.contains(member) {
            return;
        }
        if !self.has_majority() {
            let again = self.timings.expel;
            self.later(again, member, Event::Expelled(pid));
            return;
        }
        let pid_now = self.pid(member);
        if pid_now == pid
            && let Some(server) = self.host_mut(member).server_mut()
        {
            server.member = MemberState::Error;
            server.super_read_only = true;
        }
        self.leave_view(member);
    }

    pub fn isolate(&mut self, member: &MemberName, isolated: bool) {
        self.host_mut(member).isolated = isolated;
        if isolated {
            self.lose_contact(member);
        } else if self.host(member).member_state() == Some(MemberState::Error) {
            let (pid, after) = (self.pid(member), self.timings.rejoin);
            self.later(after, member, Event::Rejoins(pid));
        }
    }

    /// An expelled member tries by itself (`group_replication_autorejoin_tries`), and stays read-only while it can't.
    pub fn rejoin(&mut self, member: &MemberName, pid: u32) {
        let host = self.host(member);
        if !host.unit.is(pid) || host.member_state() != Some(MemberState::Error) {
            return;
        }
        if host.isolated || !self.has_majority() || self.view.contains(member) {
            let again = self.timings.rejoin;
            self.later(again, member, Event::Rejoins(pid));
            return;
        }
        if let Some(server) = self.host_mut(member).server_mut() {
            server.member = MemberState::Offline;
        }
        if self.join(member).is_err()
            && let Some(server) = self.host_mut(member).server_mut()
        {
            server.member = MemberState::Error;
            server.super_read_only = true;
        }
    }

    /// The view as this member reports it.
    pub fn seen_by(&self, member: &MemberName) -> Vec<GroupMember> {
        let own = self.host(member);
        if !self.view.contains(member) {
            return vec![self.row(member, own.member_state().unwrap_or(MemberState::Offline))];
        }
        self.view
            .iter()
            .map(|other| {
                let host = self.host(other);
                let cut = (own.isolated || host.isolated) && other != member;
                let state = match host.member_state() {
                    Some(state @ (MemberState::Online | MemberState::Recovering)) if !cut => state,
                    _ => MemberState::Unreachable,
                };
                self.row(other, state)
            })
            .collect()
    }

    fn row(&self, member: &MemberName, state: MemberState) -> GroupMember {
        let host = self.host(member);
        let role = if state == MemberState::Offline {
            MemberRole::None
        } else if self.has_role(member) {
            MemberRole::Primary
        } else {
            MemberRole::Secondary
        };
        GroupMember {
            uuid: host.uuid.clone(),
            host: member.to_string(),
            port: 3306,
            state,
            role,
            version: host.running_version().unwrap_or(host.data.version),
        }
    }
}
