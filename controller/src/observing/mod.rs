//! Asking agents what they see: all members of a cluster at once, each with a deadline. An agent that can't be asked is a
//! fact with its reason, never a gap.

use crate::fleet::{Cluster, Fleet};
use crate::ports::{AgentError, Agents};
use futures::future::join_all;
use refit_shared::checks::{self, Selection, VersionPair};
use refit_shared::ids::MemberName;
use refit_shared::observation::{Fact, Observation};
use refit_shared::receipt::{Failure, FailureCode};
use refit_shared::survey::{Address, Candidate, Judged, Question, Survey, Surveys};
use refit_shared::table::TableName;
use refit_shared::topology::Sighting;
use refit_shared::version::MysqlVersion;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Looks at members through their agents, and believes an agent only about the member that it was asked for.
#[derive(Clone)]
pub struct Observer {
    agents: Arc<dyn Agents>,
    fleet: Arc<Fleet>,
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer").finish_non_exhaustive()
    }
}

impl Observer {
    pub fn new(agents: Arc<dyn Agents>, fleet: Arc<Fleet>) -> Self {
        Self { agents, fleet }
    }

    /// What one member's agent sees now.
    pub async fn look(
        &self,
        member: &MemberName,
        deadline: Duration,
    ) -> Result<Observation, AgentError> {
        let asked = tokio::time::timeout(deadline, self.agents.observe(member, deadline)).await;
        let seen = asked.unwrap_or_else(|_| {
            Err(AgentError::Unreachable {
                member: member.clone(),
                why: format!("no answer within {} s", deadline.as_secs_f32()),
            })
        })?;
        self.genuine(member, seen)
    }

    /// The fleet file and the agent must agree on who it is: acting on another cluster's host would be a disaster.
    fn genuine(&self, member: &MemberName, seen: Observation) -> Result<Observation, AgentError> {
        let expected = self.fleet.cluster_of(member).map(|cluster| &cluster.name);
        if seen.member == *member && Some(&seen.cluster) == expected {
            return Ok(seen);
        }
        let expected = expected.map_or("no cluster", |name| name.as_str());
        let message = format!(
            "this is the agent of member {} of cluster {}, but the fleet file says member {member} of {expected}: \
             correct the fleet file or the agent's configuration",
            seen.member, seen.cluster
        );
        Err(AgentError::Refused {
            member: member.clone(),
            failure: Failure::clean(FailureCode::Fenced, message),
        })
    }

    /// What all members' agents of a cluster see now. Takes no longer than the deadline.
    pub async fn sight(&self, cluster: &Cluster, deadline: Duration) -> Sighting {
        let looks = cluster.members.iter().map(|member| async {
            let fact = match self.look(&member.name, deadline).await {
                Ok(seen) => Fact::Known(seen),
                Err(error) => Fact::Unknown(reason(&error)),
            };
            (member.name.clone(), fact)
        });
        Sighting {
            cluster: cluster.name.clone(),
            members: join_all(looks).await.into_iter().collect(),
            surveys: Surveys::new(),
        }
    }

    /// As [`Observer::sight`], and what the wanted checks need to know beyond, each member asked only what applies to it.
    pub async fn sight_and_survey(
        &self,
        cluster: &Cluster,
        target: impl Into<Option<MysqlVersion>>,
        wanted: &Selection,
        deadline: Duration,
        survey_deadline: Duration,
    ) -> Sighting {
        let ask = |pair| checks::needed(wanted, pair);
        self.sight_and_ask(cluster, target, ask, deadline, survey_deadline)
            .await
    }

    async fn sight_and_ask(
        &self,
        cluster: &Cluster,
        target: impl Into<Option<MysqlVersion>>,
        needed: impl Fn(VersionPair) -> BTreeSet<Question>,
        deadline: Duration,
        survey_deadline: Duration,
    ) -> Sighting {
        let target = target.into();
        let mut seen = self.sight(cluster, deadline).await;
        let asks = seen.servers().map(|(name, server)| {
            let pair = VersionPair {
                from: server.version,
                to: target.unwrap_or(server.version),
            };
            let questions = needed(pair);
            async move {
                (
                    name.clone(),
                    self.survey(name, &questions, &[], survey_deadline).await,
                )
            }
        });
        let surveys: Surveys = join_all(asks).await.into_iter().collect();
        seen.surveys = surveys;
        seen
    }

    /// As [`Observer::sight`], and what is to be known to say which tables should be rebuilt for a version.
    pub async fn survey_for_advice(
        &self,
        cluster: &Cluster,
        version: MysqlVersion,
        wanted: &Selection,
        deadline: Duration,
        survey_deadline: Duration,
    ) -> Sighting {
        let ask = |pair| checks::rebuilds::needed(wanted, pair);
        self.sight_and_ask(cluster, version, ask, deadline, survey_deadline)
            .await
    }

    /// Asks every member that was seen about these tables, beside what it was asked before.
    pub async fn ask_about(&self, seen: &mut Sighting, tables: &[TableName], deadline: Duration) {
        let asks = seen.servers().map(|(name, _)| async {
            let told = self.survey(name, &BTreeSet::new(), tables, deadline).await;
            (name.clone(), told)
        });
        for (name, told) in join_all(asks).await {
            let tables = match told {
                Fact::Known(survey) => survey.tables,
                Fact::Unknown(why) => Some(Fact::Unknown(why)),
            };
            match seen.surveys.get_mut(&name) {
                Some(Fact::Known(survey)) => survey.tables = tables,
                // What is not known of it has its reason already.
                Some(Fact::Unknown(_)) | None => {}
            }
        }
    }

    /// Has the option files of these members judged, beside what they were asked before. Why a member can't be asked is its answer.
    pub async fn ask_to_judge(
        &self,
        seen: &mut Sighting,
        candidates: BTreeMap<MemberName, Result<Candidate, String>>,
        deadline: Duration,
    ) {
        let asks = candidates.into_iter().map(|(name, candidate)| async {
            let judged = match candidate {
                Ok(candidate) => self.judge(&name, &candidate, deadline).await,
                Err(why) => Some(Fact::Unknown(why)),
            };
            (name, judged)
        });
        for (name, judged) in join_all(asks).await {
            match seen.surveys.get_mut(&name) {
                Some(Fact::Known(survey)) => survey.judged = judged,
                // What is not known of it has its reason already.
                Some(Fact::Unknown(_)) | None => {}
            }
        }
    }

    /// Has these members try addresses, beside what they were asked before.
    pub async fn ask_to_reach(
        &self,
        seen: &mut Sighting,
        addresses: BTreeMap<MemberName, BTreeSet<Address>>,
        deadline: Duration,
    ) {
        let asks = addresses.into_iter().map(|(name, addresses)| async move {
            let asked = self.agents.unreached(&name, &addresses, deadline);
            let told = match tokio::time::timeout(deadline, asked).await {
                Ok(Ok(told)) => told,
                Ok(Err(error)) => Some(Fact::Unknown(reason(&error))),
                Err(_) => Some(Fact::Unknown(late(deadline))),
            };
            (name, told)
        });
        for (name, told) in join_all(asks).await {
            match seen.surveys.get_mut(&name) {
                Some(Fact::Known(survey)) => survey.unreached = told,
                // What is not known of it has its reason already.
                Some(Fact::Unknown(_)) | None => {}
            }
        }
    }

    async fn judge(
        &self,
        member: &MemberName,
        candidate: &Candidate,
        deadline: Duration,
    ) -> Option<Fact<Judged>> {
        let asked = self.agents.judge_options(member, candidate, deadline);
        match tokio::time::timeout(deadline, asked).await {
            Ok(Ok(judged)) => judged,
            Ok(Err(error)) => Some(Fact::Unknown(reason(&error))),
            Err(_) => Some(Fact::Unknown(late(deadline))),
        }
    }

    async fn survey(
        &self,
        member: &MemberName,
        questions: &BTreeSet<Question>,
        tables: &[TableName],
        deadline: Duration,
    ) -> Fact<Survey> {
        if questions.is_empty() && tables.is_empty() {
            return Fact::Known(Survey::default());
        }
        let asked = self.agents.survey(member, questions, tables, deadline);
        match tokio::time::timeout(deadline, asked).await {
            Ok(Ok(survey)) => Fact::Known(survey),
            Ok(Err(error)) => Fact::Unknown(reason(&error)),
            Err(_) => Fact::Unknown(late(deadline)),
        }
    }
}

fn late(deadline: Duration) -> String {
    format!(
        "its agent did not answer within {} s",
        deadline.as_secs_f32()
    )
}

/// Why there is no observation, without the member's name, which stands beside it.
fn reason(error: &AgentError) -> String {
    match error {
        AgentError::Unreachable { why, .. } => format!("its agent can't be asked: {why}"),
        AgentError::Refused { failure, .. } => failure.to_string(),
        AgentError::Superseded { highest, .. } => {
            format!("its agent obeys a newer controller (epoch {highest})")
        }
    }
}
