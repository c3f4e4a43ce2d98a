//! What probes want to know, and `grpc.health.v1` kept true to it.

use super::pulse;
use crate::host::Host;
use crate::worker::Worker;
use refit_shared::observation::MemberState;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

/// How often the services of `grpc.health.v1` are brought up to date.
const EVERY: Duration = Duration::from_millis(1000);

/// The state of one host, each part with the reason where it is not so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vitals {
    /// The agent can act: its ledger can be read and written.
    pub agent: Result<(), String>,
    /// mysqld answers.
    pub mysqld: Result<(), String>,
    /// It is an ONLINE member of its group.
    pub online: Result<(), String>,
    /// A write would succeed here: ONLINE, and neither read-only nor offline. Never the role alone.
    pub writable: Result<(), String>,
    /// It is the writable primary.
    pub primary: Result<(), String>,
    /// It is an ONLINE member that can be read but not written to.
    pub replica: Result<(), String>,
}

impl Vitals {
    /// Asks the worker and the server now.
    pub async fn take(host: &Host, worker: &Worker) -> Self {
        let agent = worker.view().borrow().broken.clone().map_or(Ok(()), Err);
        let pulse = match pulse(host).await {
            Ok(pulse) => pulse,
            Err(why) => {
                let down = || Err(why.clone());
                return Self {
                    agent,
                    mysqld: down(),
                    online: down(),
                    writable: down(),
                    primary: down(),
                    replica: down(),
                };
            }
        };
        let online = match pulse.state {
            Some(MemberState::Online) => Ok(()),
            Some(state) => Err(format!("the member is {}", state.as_str())),
            None => Err("Group Replication is not set up".to_owned()),
        };
        let writable =
            online
                .clone()
                .and_then(|()| match (pulse.super_read_only, pulse.offline_mode) {
                    (true, _) => Err("super_read_only is on".to_owned()),
                    (_, true) => Err("offline_mode is on".to_owned()),
                    (false, false) => Ok(()),
                });
        let primary = writable.clone().and_then(|()| {
            if pulse.primary {
                Ok(())
            } else {
                Err("the member is a secondary".to_owned())
            }
        });
        let replica = online.clone().and_then(|()| {
            match (pulse.primary || writable.is_ok(), pulse.offline_mode) {
                (true, _) => Err("the member is the primary".to_owned()),
                (_, true) => Err("offline_mode is on".to_owned()),
                (false, false) => Ok(()),
            }
        });
        Self {
            agent,
            mysqld: Ok(()),
            online,
            writable,
            primary,
            replica,
        }
    }
}

/// Keeps `grpc.health.v1` up to date until the end: services "", agent, mysqld, member-online, primary, writable.
pub async fn tell(reporter: HealthReporter, host: Host, worker: Worker, stop: CancellationToken) {
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let vitals = tokio::select! {
            _ = tick.tick() => Vitals::take(&host, &worker).await,
            () = stop.cancelled() => {
                let ending = || Err("the agent is shutting down".to_owned());
                Vitals { agent: ending(), mysqld: ending(), online: ending(), writable: ending(), primary: ending(), replica: ending() }
            }
        };
        for (service, is) in [
            ("", &vitals.agent),
            ("agent", &vitals.agent),
            ("mysqld", &vitals.mysqld),
            ("member-online", &vitals.online),
            ("primary", &vitals.primary),
            ("writable", &vitals.writable),
        ] {
            let status = if is.is_ok() {
                ServingStatus::Serving
            } else {
                ServingStatus::NotServing
            };
            reporter.set_service_status(service, status).await;
        }
        if stop.is_cancelled() {
            return;
        }
    }
}
