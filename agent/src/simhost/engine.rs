//! Time: events that are due happen when somebody looks, in their order.

use super::state::{Due, Event, Unit, World};
use refit_shared::observation::MemberState;
use tokio::time::Instant;

impl World {
    /// Brings the world up to the present.
    pub fn settle(&mut self, now: Instant) {
        while let Some((&key, _)) = self.events.first_key_value() {
            if key.0 > now {
                break;
            }
            let due = self.events.remove(&key).expect("it was there just now");
            self.now = self.now.max(key.0);
            self.happen(due);
        }
        self.now = self.now.max(now);
        self.replicate();
    }

    fn happen(&mut self, due: Due) {
        let Due { member, event } = due;
        match event {
            Event::Says(pid, line) => {
                if self.host(&member).unit.is(pid) {
                    self.say(&member, &line);
                }
            }
            Event::UpgradeBegins(pid, version) => {
                let host = self.host_mut(&member);
                if let Unit::Activating(process) = &mut host.unit
                    && process.pid == pid
                {
                    process.upgrading = true;
                    host.data.upgrading_to = Some(version);
                }
            }
            Event::Ready(pid) => self.ready(&member, pid),
            Event::GivesUp(pid) => {
                if self.host(&member).unit.is(pid) {
                    self.host_mut(&member).unit = Unit::Failed;
                    let after = self.timings.restart;
                    self.later(after, &member, Event::Restart);
                }
            }
            Event::Ends(pid) => self.ended(&member, pid),
            Event::Restart => {
                let host = self.host(&member);
                // The drop-in says Restart=no.
                if host.powered && !host.drop_in_loaded && matches!(host.unit, Unit::Failed) {
                    self.start_unit(&member);
                }
            }
            Event::Recovered(pid) => self.recovered(&member, pid),
            Event::Cloned(pid) => self.cloned(&member, pid),
            Event::MayWrite(pid) => {
                let is_primary = self.decides_to_write(&member);
                let host = self.host_mut(&member);
                let is_it = host.unit.is(pid);
                if let Some(server) = host.server_mut()
                    && is_it
                    && is_primary
                    && server.member == MemberState::Online
                {
                    server.super_read_only = false;
                }
            }
            Event::JoinAtBoot(pid) => self.join_at_boot(&member, pid),
            Event::Expelled(pid) => self.expel(&member, pid),
            Event::Rejoins(pid) => self.rejoin(&member, pid),
        }
    }
}
