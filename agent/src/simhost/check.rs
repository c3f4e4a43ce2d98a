//! What must never happen, and what must be so once nothing is going on.

use super::SimWorld;
use super::state::World;
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
        for (name, host) in &world.hosts {
            let Some(server) = host.server() else {
                continue;
            };
            if !server.super_read_only && server.member != MemberState::Online {
                wrongs.push(format!("{name}: writable outside its group"));
            }
            if !server.super_read_only && world.primary.as_ref() != Some(name) {
                wrongs.push(format!("{name}: writable, though it is not the primary"));
            }
        }
        match &world.primary {
            None => wrongs.push("the group has no primary".to_owned()),
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

/// Acknowledged transactions that no ONLINE member has, or that an ONLINE one lacks.
fn lost_writes(world: &World) -> Vec<String> {
    let mut wrongs = Vec::new();
    for (name, host) in world.hosts.iter().filter(|(_, host)| host.is_online()) {
        let lacking = world.acknowledged.difference(&host.data.transactions);
        let count = lacking.count();
        if count > 0 {
            wrongs.push(format!(
                "{name}: ONLINE without {count} acknowledged transactions"
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
