//! What must never happen, and what must be so once nothing is going on.

use super::state::{HostState, World};
use super::{Shape, SimWorld};
use refit_shared::ids::MemberName;
use refit_shared::observation::MemberState;

impl SimWorld {
    /// Everything that has happened and must never: at any time.
    pub fn violations(&self) -> Vec<String> {
        self.lock().violations.clone()
    }

    /// What is wrong with the world at rest, whatever way it came there: lost writes, writable servers outside the group,
    /// a group that takes no writes, and every violation on the way.
    pub fn wrongs_at_rest(&self) -> Vec<String> {
        let world = self.lock();
        let mut wrongs = world.violations.clone();
        wrongs.extend(lost_writes(&world));
        if world.shape == Shape::Alone {
            return wrongs;
        }
        if world.shape.is_topology() {
            wrongs.extend(topology(&world));
            return wrongs;
        }
        for (name, host) in &world.hosts {
            let Some(server) = host.server() else {
                continue;
            };
            if server.bootstrap {
                wrongs.push(format!("{name}: bootstrap_group was left ON"));
            }
            if server.admits && !host.maintenance {
                wrongs.push(format!("{name}: administrators may still write"));
            }
            if !server.super_read_only && server.member != MemberState::Online {
                wrongs.push(format!("{name}: writable outside its group"));
            }
            if !server.super_read_only && !world.has_role(name) {
                wrongs.push(format!("{name}: writable, though it is not the primary"));
            }
        }
        if world.shape == Shape::MultiPrimary {
            let writable = world.hosts.iter().any(|(name, host)| {
                world.is_online(name) && host.server().is_some_and(|s| !s.super_read_only)
            });
            if !writable {
                wrongs.push("no member takes writes".to_owned());
            }
            return wrongs;
        }
        match &world.primary {
            None if world.may_stop => {}
            None => wrongs.push("the group has no primary".to_owned()),
            // The one that begins the group, or was to leave it last, has been lost: a person is told, and nobody else may serve.
            Some(_) if world.may_stop && !world.has_majority() => {}
            Some(name) => {
                let server = world.host(name).server();
                if server.is_none_or(|server| server.super_read_only) {
                    wrongs.push(format!("{name}: the primary does not take writes"));
                }
            }
        }
        wrongs
    }
}

/// One server takes writes, and the others that serve follow.
fn topology(world: &World) -> Vec<String> {
    let mut wrongs = Vec::new();
    match world.writable().as_slice() {
        [_] => {}
        // Paused for work on a source, and shown as such.
        [] if world
            .hosts
            .values()
            .any(|h| h.maintenance && h.data.channels.is_empty()) => {}
        [] => wrongs.push("nobody takes writes".to_owned()),
        several => wrongs.push(format!("{} servers take writes", several.len())),
    }
    for (name, host) in &world.hosts {
        let Some(server) = host.server() else {
            continue;
        };
        let replica = !host.data.channels.is_empty();
        if replica && !server.super_read_only {
            wrongs.push(format!("{name}: a replica takes writes"));
        }
        if server.admits && !host.maintenance {
            wrongs.push(format!("{name}: administrators may still write"));
        }
        let away = |source| world.host(source).server().is_none();
        let mut sources = host.data.channels.values().map(|c| &c.source);
        let waits = sources.any(away);
        if replica && !host.maintenance && !waits && !world.replicates(name) {
            wrongs.push(format!("{name}: does not replicate"));
        }
    }
    wrongs
}

/// Acknowledged transactions that no ONLINE member has, or that an ONLINE one lacks.
fn lost_writes(world: &World) -> Vec<String> {
    let mut wrongs = Vec::new();
    // A server that stands alone has the only copy, whether it runs or not.
    let counts = |name: &MemberName, host: &HostState| match world.shape {
        Shape::Group | Shape::MultiPrimary => world.is_online(name),
        Shape::Alone => true,
        // One that is stopped, or does not replicate yet, has its part still to come.
        Shape::Replicas | Shape::Chain => host
            .server()
            .is_some_and(|s| s.applier || !s.super_read_only),
    };
    for (name, host) in world.hosts.iter().filter(|(name, host)| counts(name, host)) {
        let lacking = world.acknowledged.difference(&host.data.transactions);
        let count = lacking
            .filter(|tx| !world.is_on_its_way(name, **tx))
            .count();
        if count > 0 {
            wrongs.push(format!(
                "{name}: serves without {count} acknowledged transactions"
            ));
        }
        let foreign = host.data.transactions.difference(&world.acknowledged);
        let count = foreign.count();
        if count > 0 {
            wrongs.push(format!("{name}: has {count} transactions nobody wrote"));
        }
    }
    wrongs
}
