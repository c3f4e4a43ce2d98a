//! The connection to one controller, and every call as domain values.

use super::args::{CheckArguments, PlanArguments, RehearseArguments};
use super::failure::Failure;
use super::settings::Settings;
use crate::api::JUDGEMENT;
use refit_proto::identity::{Identity, Role};
use refit_proto::operator::wire::operator_client::OperatorClient;
use refit_proto::operator::{
    ClusterView, Configuration, Judgement, LineView, RolloutView, SummaryView, wire,
};
use refit_proto::tls::{self, MaterialPaths, OwnValidity, Peer, Reloading};
use refit_shared::checks::OF_THE_TARGET;
use refit_shared::plan::{Policy, Strategy};
use std::time::Duration;
use tonic::transport::Channel;
use tonic::{Request, Response, Status, Streaming};

/// The largest answer that is read.
const MAX_ANSWER: usize = 16 << 20;
/// How long an answer may take; longer than the controller's own limit, so that its words arrive.
const PATIENCE: Duration = Duration::from_secs(75);

#[derive(Debug, Clone)]
pub struct Connection {
    client: OperatorClient<Channel>,
    channel: Channel,
    peer: Peer,
}

impl Connection {
    /// Loads the certificate and prepares the channel; the first call connects.
    pub fn open(settings: &Settings) -> Result<Self, Failure> {
        let paths = MaterialPaths::in_dir(&settings.identity);
        let cert = paths.cert.display().to_string();
        let material = Reloading::open(paths)
            .map_err(|error| Failure::refused(told(&error)).next("refit pki inspect DIR"))?;
        let own = material.identity();
        match material.validity() {
            OwnValidity::Valid { .. } => {}
            OwnValidity::Expired { not_after } => {
                return Err(Failure::refused(format!(
                    "the certificate {cert} of {own} has expired (on {not_after})"
                ))
                .next(format!(
                    "refit pki renew {} --ca DIR",
                    settings.identity.display()
                )));
            }
            OwnValidity::NotYet { not_before } => {
                return Err(Failure::refused(format!(
                    "the certificate {cert} of {own} is valid only from {not_before}: check this host's clock"
                )));
            }
        }
        let expected = Identity::new(
            own.trust_domain,
            Role::Controller,
            &settings.controller_name,
        )
        .map_err(|error| Failure::refused(error.to_string()))?;
        let peer = Peer {
            address: settings.controller.clone(),
            expected,
        };
        let channel = tls::connect(peer.address.clone(), peer.expected.clone(), material);
        let client = OperatorClient::new(channel.clone()).max_decoding_message_size(MAX_ANSWER);
        Ok(Self {
            client,
            channel,
            peer,
        })
    }

    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    pub fn failed(&self, status: &Status) -> Failure {
        Failure::of_status(status, &self.peer)
    }

    fn answer<T>(&self, answer: Result<Response<T>, Status>) -> Result<T, Failure> {
        answer
            .map(Response::into_inner)
            .map_err(|status| self.failed(&status))
    }

    pub async fn fleet(&self, cluster: Option<&str>) -> Result<Vec<ClusterView>, Failure> {
        let cluster = cluster.unwrap_or_default().to_owned();
        let request = bounded(wire::FleetRequest { cluster });
        let answer = self.answer(self.client.clone().fleet(request).await)?;
        let clusters = answer.clusters.into_iter().map(ClusterView::try_from);
        Ok(clusters.collect::<Result<_, _>>()?)
    }

    pub async fn check(
        &self,
        cluster: &str,
        target: &str,
        policy: Policy,
        asked: &CheckArguments,
    ) -> Result<Judgement, Failure> {
        let mut request = bounded(wire::CheckRequest {
            cluster: cluster.to_owned(),
            target: target.to_owned(),
            policy: Some(policy.into()),
            strategy: in_words(asked.strategy),
            include: asked.include.clone(),
            exclude: asked.exclude.clone(),
            check_tables: asked.check_tables,
            validate_config: asked.validate_config,
        });
        if asked.validate_config
            || asked
                .include
                .iter()
                .any(|id| OF_THE_TARGET.contains(&id.as_str()))
        {
            request.set_timeout(PATIENCE + JUDGEMENT);
        }
        let answer = self.answer(self.client.clone().check(request).await)?;
        Ok(answer.try_into()?)
    }

    pub async fn config(&self, cluster: &str, target: &str) -> Result<Configuration, Failure> {
        let request = bounded(wire::ConfigRequest {
            cluster: cluster.to_owned(),
            target: target.to_owned(),
        });
        let answer = self.answer(self.client.clone().config(request).await)?;
        Ok(answer.into())
    }

    /// Has no deadline but the rehearsal's own: clones of large data take their time.
    pub async fn rehearse(
        &self,
        asked: &RehearseArguments,
    ) -> Result<Streaming<wire::RehearseResponse>, Failure> {
        let request = wire::RehearseRequest {
            cluster: asked.cluster.clone(),
            member: asked.member.clone(),
            target: asked.target.clone(),
            on_source: asked.on_source,
            copy: asked.copy,
            data_directory: asked.data_directory.clone(),
            limit_s: asked.limit,
            dry_run: asked.dry_run,
        };
        self.answer(self.client.clone().rehearse(request).await)
    }

    /// The plan file's bytes, none where nothing is advised, and notes.
    pub async fn plan(&self, asked: &PlanArguments) -> Result<(Vec<u8>, Vec<String>), Failure> {
        let mut request = bounded(wire::PlanRequest {
            cluster: asked.cluster.clone(),
            target: asked.target.clone().unwrap_or_default(),
            policy: Some(asked.policy().into()),
            strategy: in_words(asked.strategy),
            promote: asked.promote.clone().unwrap_or_default(),
            tables: asked.tables.clone(),
            advised_for: asked.advised_for.clone().unwrap_or_default(),
            check_tables: asked.check_tables,
            restart_source: asked.restart_source,
            validate_config: asked.validate_config,
        });
        if asked.validate_config {
            request.set_timeout(PATIENCE + JUDGEMENT);
        }
        let answer = self.answer(self.client.clone().plan(request).await)?;
        Ok((answer.document, answer.notes))
    }

    /// In a dry run there is no rollout, only what would happen.
    pub async fn apply(
        &self,
        document: Vec<u8>,
        reason: &str,
        dry_run: bool,
    ) -> Result<(Option<RolloutView>, Vec<String>), Failure> {
        let request = bounded(wire::ApplyRequest {
            document,
            dry_run,
            reason: reason.to_owned(),
        });
        let answer = self.answer(self.client.clone().apply(request).await)?;
        let rollout = answer.rollout.map(RolloutView::try_from).transpose()?;
        Ok((rollout, answer.notes))
    }

    pub async fn list(&self, cluster: Option<&str>) -> Result<Vec<SummaryView>, Failure> {
        let cluster = cluster.unwrap_or_default().to_owned();
        let request = bounded(wire::ListRequest { cluster });
        let answer = self.answer(self.client.clone().list(request).await)?;
        let rollouts = answer.rollouts.into_iter().map(SummaryView::try_from);
        Ok(rollouts.collect::<Result<_, _>>()?)
    }

    pub async fn show(&self, rollout: &str) -> Result<RolloutView, Failure> {
        let request = bounded(wire::ShowRequest {
            rollout: rollout.to_owned(),
        });
        let answer = self.answer(self.client.clone().show(request).await)?;
        whole(answer.rollout)
    }

    /// To the rollout as it was seen, and only if it is still so.
    pub async fn act(
        &self,
        act: crate::api::Act,
        seen: &RolloutView,
        reason: &str,
        dry_run: bool,
    ) -> Result<(RolloutView, Vec<String>), Failure> {
        use crate::api::Act;
        let request = bounded(wire::ActRequest {
            rollout: seen.summary.id.clone(),
            reason: reason.to_owned(),
            dry_run,
            turn: Some(seen.turn),
        });
        let mut client = self.client.clone();
        let answer = match act {
            Act::Pause => client.pause(request).await,
            Act::Resume => client.resume(request).await,
            Act::Approve => client.approve(request).await,
            Act::Unwind => client.unwind(request).await,
            Act::Cancel => client.cancel(request).await,
            Act::Finalize => client.finalize(request).await,
        };
        let answer = self.answer(answer)?;
        Ok((whole(answer.rollout)?, answer.notes))
    }

    /// Oldest first, and how many older lines were left out.
    pub async fn audit(&self, rollout: Option<&str>) -> Result<(Vec<LineView>, u64), Failure> {
        let rollout = rollout.unwrap_or_default().to_owned();
        let request = bounded(wire::AuditRequest { rollout });
        let answer = self.answer(self.client.clone().audit(request).await)?;
        let lines = answer.lines.into_iter().map(LineView::try_from);
        Ok((lines.collect::<Result<_, _>>()?, answer.omitted))
    }

    /// Has no deadline: it lasts as long as the rollout. HTTP/2 keepalive notices a controller that is gone.
    pub async fn watch(
        &self,
        rollout: &str,
        from_seq: u64,
    ) -> Result<Streaming<wire::WatchResponse>, Failure> {
        let request = wire::WatchRequest {
            rollout: rollout.to_owned(),
            from_seq,
        };
        self.answer(self.client.clone().watch(request).await)
    }
}

/// Empty: the controller takes the usual one.
fn in_words(strategy: Option<Strategy>) -> String {
    strategy.map_or_else(String::new, |strategy| strategy.flag().to_owned())
}

fn bounded<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(PATIENCE);
    request
}

fn whole(rollout: Option<wire::Rollout>) -> Result<RolloutView, Failure> {
    let missing = refit_proto::operator::Malformed {
        message: "answer",
        field: "rollout",
        why: "missing".to_owned(),
    };
    Ok(RolloutView::try_from(rollout.ok_or(missing)?)?)
}

/// An error with its causes, once.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}
