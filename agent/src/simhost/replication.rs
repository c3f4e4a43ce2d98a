//! Asynchronous replication: receivers, appliers, and what must never happen to a topology.
//!
//! Source: MYSQL.md of the project's notes, §3. A replica receives at once and applies a little later; relay logs are fetched
//! again after a restart (`relay_log_recovery` with GTID auto-position). Channels are part of the data directory.

use super::state::{Channel, NoWrite, PORT, Receiver, TxId, World};
use crate::host::LogFormat;
use refit_shared::ids::MemberName;
use refit_shared::observation::{
    ChannelDetail, ChannelFacts, ConnectedReplica, Fact, ReplicationService, ThreadState,
};
use refit_shared::survey::Unreached;
use std::collections::BTreeSet;
use std::time::Duration;

/// From the commit on the source until a replica has applied it.
const LAG: Duration = Duration::from_millis(100);
/// A replica that has less than what was committed so long ago has lost something.
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(2);
/// From a connection to the source until its server_uuid has been asked for.
const INTRODUCTION: Duration = Duration::from_millis(70);
const CANT_CONNECT: u32 = 2003;

impl World {
    /// Whether a connection from this host to a server comes about. A member's name is its address.
    pub fn unreached(&self, from: &MemberName, host: &str) -> Result<(), Unreached> {
        let failed = |refused, why: &str| {
            Err(Unreached {
                refused,
                why: why.to_owned(),
            })
        };
        let named = match host {
            "127.0.0.1" => Some(from),
            _ => self.hosts.keys().find(|name| name.as_str() == host),
        };
        let Some(to) = named else {
            return failed(false, "failed to lookup address information");
        };
        let (there, here) = (self.host(to), self.host(from));
        if to != from && (!there.powered || there.isolated || here.isolated) {
            return failed(false, "no answer within 2 s");
        }
        match there.server() {
            Some(_) if !there.runs_secluded() => Ok(()),
            Some(_) | None => failed(true, "Connection refused"),
        }
    }

    /// Who takes writes now.
    pub fn writable(&self) -> Vec<MemberName> {
        let takes = |member: &&MemberName| {
            let server = self.host(member).server();
            server.is_some_and(|server| !server.super_read_only)
        };
        self.hosts.keys().filter(takes).cloned().collect()
    }

    /// Clients find the server that takes writes, wherever it is.
    pub fn write_to_source(&mut self) -> Result<TxId, NoWrite> {
        let writable = self.writable();
        let Some(source) = writable.first().cloned() else {
            return Err(NoWrite("nobody takes writes"));
        };
        if self.host(&source).isolated {
            return Err(NoWrite("the source is cut off"));
        }
        if self.host(&source).runs_secluded() {
            return Err(NoWrite("the source has no network"));
        }
        let tx = self.next_tx;
        self.next_tx += 1;
        self.commits.insert(tx, (source.clone(), self.now));
        self.host_mut(&source).data.transactions.insert(tx);
        self.acknowledged.insert(tx);
        Ok(tx)
    }

    /// Brings every replica up to the present.
    pub fn replicate(&mut self) {
        if !self.shape.is_topology() {
            return;
        }
        let members: Vec<MemberName> = self.hosts.keys().cloned().collect();
        // Along a chain a transaction takes a pass a hop.
        for _ in 0..members.len() {
            let mut moved = false;
            for member in &members {
                moved |= self.receive(member);
                moved |= self.apply(member);
            }
            if !moved {
                return;
            }
        }
    }

    fn receive(&mut self, member: &MemberName) -> bool {
        let host = self.host(member);
        let Some(server) = host.server() else {
            return false;
        };
        let Some(channel) = host.data.channels.values().next() else {
            return false;
        };
        let (source, tries_for) = (channel.source.clone(), channel.tries_for());
        let listens = channel.port == PORT;
        if matches!(server.receiver, Receiver::Off | Receiver::GaveUp) {
            return false;
        }
        let above = self.host(&source);
        let now = self.now;
        let serves = above.server().is_some() && !above.runs_secluded();
        let reachable = serves && listens && !above.isolated && !host.isolated;
        if !reachable {
            if let Some(server) = self.host_mut(member).server_mut() {
                server.receiver = match server.receiver {
                    Receiver::Connecting { since } if now >= since + tries_for => Receiver::GaveUp,
                    Receiver::Connecting { since } => Receiver::Connecting { since },
                    Receiver::On | Receiver::Off | Receiver::GaveUp => {
                        Receiver::Connecting { since: now }
                    }
                };
            }
            return false;
        }
        let (older, newer) = (
            host.running_version() < above.running_version(),
            host.running_version() > above.running_version(),
        );
        let statements = above.server().is_some_and(|server| {
            let old_session = server.old_sessions_until.is_some_and(|until| now < until);
            !server.restarted && (server.log_format != LogFormat::Row || old_session)
        });
        if older {
            self.violate(member, format!("replicates from {source}, which is newer"));
        }
        if statements && newer {
            self.violate(
                member,
                format!("is newer than {source}, which logs statements"),
            );
        }
        let (above, host) = (self.host(&source), self.host(member));
        let known =
            |tx: &&TxId| host.data.transactions.contains(tx) || host.data.relay.contains(tx);
        let has = host.data.transactions.len() + host.data.relay.len();
        let new: Vec<TxId> = if has == above.data.transactions.len() {
            Vec::new()
        } else {
            let all = above.data.transactions.iter();
            all.filter(|tx| !known(tx)).copied().collect()
        };
        let now = self.now;
        let host = self.host_mut(member);
        if let Some(server) = host.server_mut() {
            if server.receiver != Receiver::On {
                server.introduced_at = Some(now + INTRODUCTION);
            }
            server.receiver = Receiver::On;
        }
        let moved = !new.is_empty();
        host.data.received.extend(&new);
        host.data.relay.extend(new);
        moved
    }

    fn apply(&mut self, member: &MemberName) -> bool {
        let now = self.now;
        let host = self.host(member);
        if host.data.relay.is_empty() || host.server().is_none_or(|server| !server.applier) {
            return false;
        }
        let due = |tx: &&TxId| {
            let commit = self.commits.get(tx);
            commit.is_none_or(|(_, at)| *at + LAG <= now)
        };
        let ready: Vec<TxId> = host.data.relay.iter().filter(due).copied().collect();
        let host = self.host_mut(member);
        for tx in &ready {
            host.data.relay.remove(tx);
            host.data.transactions.insert(*tx);
        }
        !ready.is_empty()
    }

    /// A replica is a little behind, and further where the server above it is away.
    pub fn is_on_its_way(&self, member: &MemberName, tx: TxId) -> bool {
        let host = self.host(member);
        let mut above = host.data.channels.values();
        let away = above.any(|channel| {
            let source = self.host(&channel.source);
            source.server().is_none() || !source.data.transactions.contains(&tx)
        });
        let commit = self.commits.get(&tx);
        let fresh = commit.is_some_and(|(_, at)| *at + CAUGHT_UP_WITHIN > self.now);
        !host.data.channels.is_empty() && (away || fresh)
    }

    /// What letting writes in on this server would break.
    pub fn judge_opening(&mut self, member: &MemberName) {
        self.judge_own_tables(member, "was made writable");
        if !self.shape.is_topology() {
            return;
        }
        if !self.host(member).data.channels.is_empty() {
            self.violate(member, "a replica was made writable");
        }
        if self.host(member).runs_secluded() {
            self.violate(member, "was made writable without a binary log");
        }
        let others: Vec<_> = self.writable();
        if let Some(other) = others.iter().find(|other| *other != member) {
            let why = format!("was made writable while {other} takes writes");
            self.violate(member, why);
        }
        let lacking = self
            .acknowledged
            .difference(&self.host(member).data.transactions)
            .count();
        if lacking > 0 {
            let why = format!("was made writable without {lacking} acknowledged transactions");
            self.violate(member, why);
        }
    }

    /// The channels as the server tells of them.
    pub fn channels(
        &self,
        member: &MemberName,
        gtids: impl Fn(&BTreeSet<TxId>) -> refit_shared::gtid::GtidSet,
    ) -> Vec<ChannelFacts> {
        let host = self.host(member);
        let Some(server) = host.server() else {
            return Vec::new();
        };
        let state = |service, errno, error: &str| ThreadState {
            service,
            errno,
            error: error.to_owned(),
        };
        let away = "error connecting to source";
        let receiver = match server.receiver {
            Receiver::On => state(ReplicationService::On, 0, ""),
            Receiver::Off => state(ReplicationService::Off, 0, ""),
            Receiver::Connecting { .. } => {
                state(ReplicationService::Connecting, CANT_CONNECT, away)
            }
            Receiver::GaveUp => state(ReplicationService::Off, CANT_CONNECT, away),
        };
        let applier = if server.applier {
            state(ReplicationService::On, 0, "")
        } else {
            state(ReplicationService::Off, 0, "")
        };
        let introduced = server.introduced_at.is_some_and(|at| at <= self.now);
        let waits = !host.data.relay.is_empty();
        let one = |(name, channel): (&String, &Channel)| ChannelFacts {
            name: name.clone(),
            source_host: channel.source.to_string(),
            receiving: receiver.service == ReplicationService::On,
            applying: server.applier,
            last_error: receiver.error.clone(),
            detail: Fact::Known(ChannelDetail {
                source_port: channel.port,
                source_uuid: introduced.then(|| self.host(&channel.source).uuid.clone()),
                user: "replica".to_owned(),
                auto_position: true,
                connect_retry_s: channel.connect_retry_s,
                retry_count: channel.retry_count,
                ssl: channel.ssl,
                get_public_key: channel.get_public_key,
                auto_failover: false,
                delay_s: 0,
                filters: Vec::new(),
                received: gtids(&host.data.received),
                receiver: receiver.clone(),
                applier: applier.clone(),
                lag_ms: Some(if waits { 100 } else { 0 }),
            }),
        };
        host.data.channels.iter().map(one).collect()
    }

    /// Who reads from this server now.
    pub fn connected(&self, member: &MemberName) -> Vec<ConnectedReplica> {
        let reads = |name: &&MemberName| {
            let host = self.host(name);
            host.data.channels.values().any(|c| c.source == *member)
                && host
                    .server()
                    .is_some_and(|s| matches!(s.receiver, Receiver::On))
        };
        let row = |name: &MemberName| ConnectedReplica {
            server_id: u64::from(self.host(name).number),
            host: name.to_string(),
            port: 3306,
            uuid: Some(self.host(name).uuid.clone()),
        };
        self.hosts.keys().filter(reads).map(row).collect()
    }

    /// Both threads run.
    pub fn replicates(&self, member: &MemberName) -> bool {
        let host = self.host(member);
        !host.data.channels.is_empty()
            && host
                .server()
                .is_some_and(|s| s.applier && matches!(s.receiver, Receiver::On))
    }

    pub fn start_threads(&mut self, member: &MemberName, receiver: bool, applier: bool) {
        self.judge_own_tables(member, "replicates");
        let now = self.now;
        let any = !self.host(member).data.channels.is_empty();
        if let Some(server) = self.host_mut(member).server_mut()
            && any
        {
            if receiver && !matches!(server.receiver, Receiver::On) {
                server.receiver = Receiver::Connecting { since: now };
            }
            server.applier |= applier;
        }
        self.replicate();
    }

    /// A thread of it runs, or tries to.
    pub fn threads_run(&self, member: &MemberName) -> bool {
        let server = self.host(member).server();
        server.is_some_and(|s| {
            s.applier || matches!(s.receiver, Receiver::On | Receiver::Connecting { .. })
        })
    }

    /// New relay logs: what was received is fetched again, and `known` says whether the receiver's source is still who it was.
    pub fn reset_relay(&mut self, member: &MemberName, known: bool) {
        let host = self.host_mut(member);
        host.data.relay.clear();
        host.data.received.clear();
        if let Some(server) = host.server_mut()
            && !known
        {
            server.introduced_at = None;
        }
    }

    pub fn stop_threads(&mut self, member: &MemberName, applier: bool) {
        if let Some(server) = self.host_mut(member).server_mut() {
            server.receiver = Receiver::Off;
            server.applier &= !applier;
        }
    }
}
