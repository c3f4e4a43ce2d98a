//! Surveys: questions by their stable names, answers as facts.

use super::{FromWire, InvalidMessage, Why, each, field, messages, travels};
use crate::agent as wire_agent;
use crate::common as wire;
use crate::exchange::SurveyRequest;
use refit_shared::observation::Fact;
use refit_shared::survey::{Listing, Question, Row, Survey};
use std::collections::BTreeMap;

travels! {
    wire_agent::SurveyRequest => SurveyRequest, "survey_request";
    wire::Survey => Survey, "survey";
}

impl FromWire<wire_agent::SurveyRequest> for SurveyRequest {
    fn from_wire(request: wire_agent::SurveyRequest) -> Result<Self, InvalidMessage> {
        let wire_agent::SurveyRequest {
            cluster,
            member,
            questions,
        } = request;
        Ok(Self {
            cluster: field("cluster", cluster)?,
            member: field("member", member)?,
            questions,
        })
    }
}

impl From<SurveyRequest> for wire_agent::SurveyRequest {
    fn from(request: SurveyRequest) -> Self {
        let SurveyRequest {
            cluster,
            member,
            questions,
        } = request;
        Self {
            cluster: cluster.into(),
            member: member.into(),
            questions,
        }
    }
}

impl FromWire<wire::Survey> for Survey {
    fn from_wire(survey: wire::Survey) -> Result<Self, InvalidMessage> {
        let mut answers = BTreeMap::new();
        for (i, answer) in survey.answers.into_iter().enumerate() {
            let place = |e: InvalidMessage| e.within_item("answers", i);
            let wire::Answer { question, fact } = answer;
            let unknown = || {
                let why = Why::UnknownQuestion(question.clone());
                place(InvalidMessage::new("question", why))
            };
            let asked = Question::parse(&question).ok_or_else(unknown)?;
            let fact = match fact {
                Some(wire::answer::Fact::Value(listing)) => {
                    Fact::Known(field("value", listing).map_err(place)?)
                }
                Some(wire::answer::Fact::UnknownReason(why)) => Fact::Unknown(why),
                None => return Err(place(InvalidMessage::new("fact", Why::Missing))),
            };
            if answers.insert(asked, fact).is_some() {
                return Err(place(InvalidMessage::new("question", Why::Twice)));
            }
        }
        Ok(Self { answers })
    }
}

impl From<Survey> for wire::Survey {
    fn from(survey: Survey) -> Self {
        let answer = |(question, fact): (Question, Fact<Listing>)| wire::Answer {
            question: question.to_string(),
            fact: Some(match fact {
                Fact::Known(listing) => wire::answer::Fact::Value(listing.into()),
                Fact::Unknown(why) => wire::answer::Fact::UnknownReason(why),
            }),
        };
        Self {
            answers: survey.answers.into_iter().map(answer).collect(),
        }
    }
}

impl FromWire<wire::Listing> for Listing {
    fn from_wire(listing: wire::Listing) -> Result<Self, InvalidMessage> {
        let wire::Listing { total, rows } = listing;
        Ok(Self {
            total,
            rows: each("rows", rows)?,
        })
    }
}

impl From<Listing> for wire::Listing {
    fn from(listing: Listing) -> Self {
        let Listing { total, rows } = listing;
        Self {
            total,
            rows: messages(rows),
        }
    }
}

impl FromWire<wire::SurveyRow> for Row {
    fn from_wire(row: wire::SurveyRow) -> Result<Self, InvalidMessage> {
        let wire::SurveyRow {
            schema,
            name,
            part,
            detail,
        } = row;
        Ok(Self {
            schema,
            name,
            part,
            detail,
        })
    }
}

impl From<Row> for wire::SurveyRow {
    fn from(row: Row) -> Self {
        let Row {
            schema,
            name,
            part,
            detail,
        } = row;
        Self {
            schema,
            name,
            part,
            detail,
        }
    }
}
