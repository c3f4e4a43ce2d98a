//! Surveys: questions by their stable names, answers as facts.

use super::ids::digest_bytes;
use super::{FromWire, InvalidMessage, Why, each, field, messages, optional, travels};
use crate::agent as wire_agent;
use crate::common as wire;
use crate::exchange::SurveyRequest;
use refit_shared::config::persisted::PersistedSetting;
use refit_shared::config::{ConfigFiles, OptionFile};
use refit_shared::observation::Fact;
use refit_shared::survey::{
    Address, Candidate, Fate, Judged, Listing, Question, Row, Speaks, Survey, Unreached,
};
use refit_shared::table::{TableFacts, TableName};
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
            tables,
            candidate,
            addresses,
        } = request;
        Ok(Self {
            cluster: field("cluster", cluster)?,
            member: field("member", member)?,
            questions,
            tables: each("tables", tables)?,
            candidate: optional("candidate", candidate)?,
            addresses: each("addresses", addresses)?,
        })
    }
}

impl From<SurveyRequest> for wire_agent::SurveyRequest {
    fn from(request: SurveyRequest) -> Self {
        let SurveyRequest {
            cluster,
            member,
            questions,
            tables,
            candidate,
            addresses,
        } = request;
        Self {
            cluster: cluster.into(),
            member: member.into(),
            questions,
            tables: tables.into_iter().map(String::from).collect(),
            candidate: candidate.map(Into::into),
            addresses: messages(addresses),
        }
    }
}

impl FromWire<wire_agent::OptionsCandidate> for Candidate {
    fn from_wire(candidate: wire_agent::OptionsCandidate) -> Result<Self, InvalidMessage> {
        let wire_agent::OptionsCandidate {
            version,
            packages,
            files,
        } = candidate;
        Ok(Self {
            version: field("version", version)?,
            packages: each("packages", packages)?,
            files: each("files", files)?,
        })
    }
}

impl From<Candidate> for wire_agent::OptionsCandidate {
    fn from(candidate: Candidate) -> Self {
        let Candidate {
            version,
            packages,
            files,
        } = candidate;
        Self {
            version: version.to_string(),
            packages: messages(packages),
            files: messages(files),
        }
    }
}

impl FromWire<wire::Survey> for Survey {
    fn from_wire(survey: wire::Survey) -> Result<Self, InvalidMessage> {
        let wire::Survey {
            answers: all,
            config,
            tables,
            judged,
            unreached,
        } = survey;
        let mut answers = BTreeMap::new();
        for (i, answer) in all.into_iter().enumerate() {
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
        Ok(Self {
            answers,
            config: optional("config", config)?,
            tables: optional("tables", tables)?,
            judged: optional("judged", judged)?,
            unreached: optional("unreached", unreached)?,
        })
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
            config: survey.config.map(Into::into),
            tables: survey.tables.map(Into::into),
            judged: survey.judged.map(Into::into),
            unreached: survey.unreached.map(Into::into),
        }
    }
}

impl FromWire<wire::NetworkAddress> for Address {
    fn from_wire(address: wire::NetworkAddress) -> Result<Self, InvalidMessage> {
        let wire::NetworkAddress { host, port, xcom } = address;
        Ok(Self {
            host,
            port: field("port", port)?,
            speaks: if xcom { Speaks::Xcom } else { Speaks::Mysql },
        })
    }
}

impl From<Address> for wire::NetworkAddress {
    fn from(address: Address) -> Self {
        let Address { host, port, speaks } = address;
        Self {
            host,
            port: port.into(),
            xcom: speaks == Speaks::Xcom,
        }
    }
}

impl FromWire<wire::UnreachedFact> for Fact<BTreeMap<Address, Unreached>> {
    fn from_wire(fact: wire::UnreachedFact) -> Result<Self, InvalidMessage> {
        let list = match fact.fact {
            Some(wire::unreached_fact::Fact::Value(list)) => list,
            Some(wire::unreached_fact::Fact::UnknownReason(why)) => return Ok(Self::Unknown(why)),
            None => return Err(InvalidMessage::new("fact", Why::Missing)),
        };
        let mut told = BTreeMap::new();
        for (i, one) in list.addresses.into_iter().enumerate() {
            let place = |e: InvalidMessage| e.within_item("addresses", i);
            let wire::UnreachedAddress {
                address,
                refused,
                why,
            } = one;
            let missing = || place(InvalidMessage::new("address", Why::Missing));
            let address = address.ok_or_else(missing)?;
            let address = field("address", address).map_err(place)?;
            if told.insert(address, Unreached { refused, why }).is_some() {
                return Err(place(InvalidMessage::new("address", Why::Twice)));
            }
        }
        Ok(Self::Known(told))
    }
}

impl From<Fact<BTreeMap<Address, Unreached>>> for wire::UnreachedFact {
    fn from(fact: Fact<BTreeMap<Address, Unreached>>) -> Self {
        let one = |(address, unreached): (Address, Unreached)| {
            let Unreached { refused, why } = unreached;
            wire::UnreachedAddress {
                address: Some(address.into()),
                refused,
                why,
            }
        };
        Self {
            fact: Some(match fact {
                Fact::Known(told) => wire::unreached_fact::Fact::Value(wire::Unreached {
                    addresses: told.into_iter().map(one).collect(),
                }),
                Fact::Unknown(why) => wire::unreached_fact::Fact::UnknownReason(why),
            }),
        }
    }
}

impl FromWire<wire::JudgedFact> for Fact<Judged> {
    fn from_wire(fact: wire::JudgedFact) -> Result<Self, InvalidMessage> {
        match fact.fact {
            Some(wire::judged_fact::Fact::Value(judged)) => {
                let wire::Judged {
                    accepted,
                    errors,
                    libraries,
                } = judged;
                Ok(Self::Known(Judged {
                    accepted,
                    errors,
                    libraries: match libraries {
                        Some(libraries) => field("libraries", libraries)?,
                        None => Fact::Unknown(
                            "its agent does not look for libraries: upgrade refit-agent".to_owned(),
                        ),
                    },
                }))
            }
            Some(wire::judged_fact::Fact::UnknownReason(why)) => Ok(Self::Unknown(why)),
            None => Err(InvalidMessage::new("fact", Why::Missing)),
        }
    }
}

impl From<Fact<Judged>> for wire::JudgedFact {
    fn from(fact: Fact<Judged>) -> Self {
        Self {
            fact: Some(match fact {
                Fact::Known(Judged {
                    accepted,
                    errors,
                    libraries,
                }) => wire::judged_fact::Fact::Value(wire::Judged {
                    accepted,
                    errors,
                    libraries: Some(libraries.into()),
                }),
                Fact::Unknown(why) => wire::judged_fact::Fact::UnknownReason(why),
            }),
        }
    }
}

impl FromWire<wire::LibrariesFact> for Fact<BTreeMap<String, Fate>> {
    fn from_wire(fact: wire::LibrariesFact) -> Result<Self, InvalidMessage> {
        let list = match fact.fact {
            Some(wire::libraries_fact::Fact::Value(list)) => list,
            Some(wire::libraries_fact::Fact::UnknownReason(why)) => return Ok(Self::Unknown(why)),
            None => return Err(InvalidMessage::new("fact", Why::Missing)),
        };
        let mut files = BTreeMap::new();
        for (i, file) in list.files.into_iter().enumerate() {
            let place = |e: InvalidMessage| e.within_item("files", i);
            let wire::LibraryFile { path, fate } = file;
            use wire::library_file::Fate as Wire;
            let fate = match fate {
                Some(Wire::Shipped(wire::ShippedFile {})) => Fate::Shipped,
                Some(Wire::GoesWith(package)) => Fate::Goes { package },
                Some(Wire::StaysWith(package)) => Fate::Stays {
                    package: Some(package).filter(|package| !package.is_empty()),
                },
                Some(Wire::Absent(wire::AbsentFile {})) => Fate::Absent,
                None => return Err(place(InvalidMessage::new("fate", Why::Missing))),
            };
            if files.insert(path, fate).is_some() {
                return Err(place(InvalidMessage::new("path", Why::Twice)));
            }
        }
        Ok(Self::Known(files))
    }
}

impl From<Fact<BTreeMap<String, Fate>>> for wire::LibrariesFact {
    fn from(fact: Fact<BTreeMap<String, Fate>>) -> Self {
        use wire::library_file::Fate as Wire;
        let file = |(path, fate): (String, Fate)| wire::LibraryFile {
            path,
            fate: Some(match fate {
                Fate::Shipped => Wire::Shipped(wire::ShippedFile {}),
                Fate::Goes { package } => Wire::GoesWith(package),
                Fate::Stays { package } => Wire::StaysWith(package.unwrap_or_default()),
                Fate::Absent => Wire::Absent(wire::AbsentFile {}),
            }),
        };
        Self {
            fact: Some(match fact {
                Fact::Known(files) => wire::libraries_fact::Fact::Value(wire::Libraries {
                    files: files.into_iter().map(file).collect(),
                }),
                Fact::Unknown(why) => wire::libraries_fact::Fact::UnknownReason(why),
            }),
        }
    }
}

impl FromWire<wire::TablesFact> for Fact<BTreeMap<TableName, TableFacts>> {
    fn from_wire(fact: wire::TablesFact) -> Result<Self, InvalidMessage> {
        let list = match fact.fact {
            Some(wire::tables_fact::Fact::Value(list)) => list,
            Some(wire::tables_fact::Fact::UnknownReason(why)) => return Ok(Self::Unknown(why)),
            None => return Err(InvalidMessage::new("fact", Why::Missing)),
        };
        let mut tables = BTreeMap::new();
        for (i, table) in list.tables.into_iter().enumerate() {
            let place = |e: InvalidMessage| e.within_item("tables", i);
            let wire::Table { name, state } = table;
            let name: TableName = field("name", name).map_err(place)?;
            let facts = match state {
                Some(wire::table::State::Missing(wire::MissingTable {})) => TableFacts::Missing,
                Some(wire::table::State::NotBase(kind)) => TableFacts::NotBase(kind),
                Some(wire::table::State::Base(base)) => {
                    let wire::BaseTable {
                        engine,
                        bytes,
                        locks,
                    } = base;
                    TableFacts::Base {
                        engine,
                        bytes,
                        locks,
                    }
                }
                None => return Err(place(InvalidMessage::new("state", Why::Missing))),
            };
            if tables.insert(name, facts).is_some() {
                return Err(place(InvalidMessage::new("name", Why::Twice)));
            }
        }
        Ok(Self::Known(tables))
    }
}

impl From<Fact<BTreeMap<TableName, TableFacts>>> for wire::TablesFact {
    fn from(fact: Fact<BTreeMap<TableName, TableFacts>>) -> Self {
        let table = |(name, facts): (TableName, TableFacts)| wire::Table {
            name: name.into(),
            state: Some(match facts {
                TableFacts::Missing => wire::table::State::Missing(wire::MissingTable {}),
                TableFacts::NotBase(kind) => wire::table::State::NotBase(kind),
                TableFacts::Base {
                    engine,
                    bytes,
                    locks,
                } => wire::table::State::Base(wire::BaseTable {
                    engine,
                    bytes,
                    locks,
                }),
            }),
        };
        Self {
            fact: Some(match fact {
                Fact::Known(tables) => wire::tables_fact::Fact::Value(wire::Tables {
                    tables: tables.into_iter().map(table).collect(),
                }),
                Fact::Unknown(why) => wire::tables_fact::Fact::UnknownReason(why),
            }),
        }
    }
}

impl FromWire<wire::ConfigFiles> for ConfigFiles {
    fn from_wire(config: wire::ConfigFiles) -> Result<Self, InvalidMessage> {
        let wire::ConfigFiles {
            roots,
            files,
            persisted,
        } = config;
        Ok(Self {
            roots,
            files: each("files", files)?,
            persisted: each("persisted", persisted)?,
            ..Self::default()
        })
    }
}

/// What else sets variables is asked of the server, and does not travel with the files.
impl From<ConfigFiles> for wire::ConfigFiles {
    fn from(config: ConfigFiles) -> Self {
        let ConfigFiles {
            roots,
            files,
            persisted,
            elsewhere: _,
            at_runtime: _,
        } = config;
        Self {
            roots,
            files: messages(files),
            persisted: messages(persisted),
        }
    }
}

impl FromWire<wire::OptionFile> for OptionFile {
    fn from_wire(file: wire::OptionFile) -> Result<Self, InvalidMessage> {
        let wire::OptionFile {
            path,
            text,
            digest,
            world_writable,
        } = file;
        Ok(Self {
            path,
            text,
            digest: field("digest", digest)?,
            world_writable,
        })
    }
}

impl From<OptionFile> for wire::OptionFile {
    fn from(file: OptionFile) -> Self {
        let OptionFile {
            path,
            text,
            digest,
            world_writable,
        } = file;
        Self {
            path,
            text,
            digest: digest_bytes(digest),
            world_writable,
        }
    }
}

impl FromWire<wire::PersistedSetting> for PersistedSetting {
    fn from_wire(setting: wire::PersistedSetting) -> Result<Self, InvalidMessage> {
        let wire::PersistedSetting { name, value } = setting;
        Ok(Self { name, value })
    }
}

impl From<PersistedSetting> for wire::PersistedSetting {
    fn from(setting: PersistedSetting) -> Self {
        let PersistedSetting { name, value } = setting;
        Self { name, value }
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
