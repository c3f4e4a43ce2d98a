//! Facts a step expects of its own member, before it begins and after it ended. "Not what I expected" is a refusal, never
//! a repair: a person's own changes on the host are seen here.

use crate::ids::Digest;
use crate::observation::{MemberState, Observation, ServiceState};
use crate::rules::variables::renamed;
use crate::version::{MysqlVersion, PackageVersion};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Something that one observation of one member can confirm or deny.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "expect", rename_all = "snake_case", deny_unknown_fields)]
pub enum Expectation {
    PackagesAt {
        version: PackageVersion,
    },
    ServerRunning {
        version: MysqlVersion,
    },
    ServerStopped,
    InGroup {
        state: MemberState,
    },
    NotInGroup,
    Config {
        digest: Digest,
    },
    MaintenanceIs {
        on: bool,
    },
    /// Neither read-only nor offline: by its own variables, whatever its role says.
    TakesWrites {
        on: bool,
    },
    /// It has a binary log and listens to its network: `log_bin` is ON, `skip_networking` OFF.
    LogsAndListens,
    /// What its binary log holds: `binlog_format`.
    LogFormat {
        is: String,
    },
    /// Nothing sets the variable, neither a file nor SET PERSIST: what the server has of it is its default.
    DefaultInForce {
        variable: String,
    },
}

/// Yes, no with the reason, or could not tell with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holds {
    Yes,
    No(String),
    Unknown(String),
}

impl Holds {
    fn when(condition: bool, otherwise: impl FnOnce() -> String) -> Self {
        if condition {
            Holds::Yes
        } else {
            Holds::No(otherwise())
        }
    }
    pub fn is_yes(&self) -> bool {
        *self == Holds::Yes
    }
}

impl Expectation {
    /// Judges one observation.
    pub fn judge(&self, seen: &Observation) -> Holds {
        match self.try_judge(seen) {
            Ok(holds) => holds,
            Err(reason) => Holds::Unknown(reason.to_owned()),
        }
    }

    fn try_judge<'a>(&self, seen: &'a Observation) -> Result<Holds, &'a str> {
        Ok(match self {
            Self::PackagesAt { version } => match seen.packages.require()?.installed_version() {
                Ok(installed) => Holds::when(installed == version, || {
                    format!("packages are at {installed}, not {version}")
                }),
                Err(reason) => Holds::No(reason),
            },
            Self::ServerRunning { version } => {
                let server = seen.server.require()?;
                Holds::when(server.version == *version, || {
                    format!("mysqld is {}, not {version}", server.version)
                })
            }
            Self::ServerStopped => {
                let state = *seen.service.require()?;
                Holds::when(
                    matches!(state, ServiceState::Inactive | ServiceState::Failed),
                    || format!("the unit is {state:?}, not stopped").to_lowercase(),
                )
            }
            Self::InGroup { state } => match seen.server.require()?.group.require()? {
                Some(group) => Holds::when(group.own_state == *state, || {
                    format!(
                        "the member is {}, not {}",
                        group.own_state.as_str(),
                        state.as_str()
                    )
                }),
                None => Holds::No("Group Replication is not set up on this server".to_owned()),
            },
            Self::NotInGroup => match seen.server.require()?.group.require()? {
                Some(group) => Holds::when(
                    matches!(group.own_state, MemberState::Offline | MemberState::Error),
                    || format!("the member is still {}", group.own_state.as_str()),
                ),
                None => Holds::Yes,
            },
            Self::Config { digest } => {
                let found = seen.config_digest.require()?;
                Holds::when(found == digest, || {
                    format!(
                        "the option files have changed (digest {}, was {})",
                        found.short(),
                        digest.short()
                    )
                })
            }
            Self::TakesWrites { on } => {
                let server = seen.server.require()?;
                Holds::when(server.takes_writes() == *on, || {
                    let set = |name, is| if is { name } else { "" };
                    format!(
                        "the server {} writes ({})",
                        if *on { "does not take" } else { "takes" },
                        [
                            set("read_only", server.read_only),
                            set("super_read_only", server.super_read_only),
                            set("offline_mode", server.offline_mode),
                        ]
                        .into_iter()
                        .find(|name| !name.is_empty())
                        .unwrap_or("neither read-only nor offline")
                    )
                })
            }
            Self::LogsAndListens => {
                let variables = &seen.server.require()?.variables;
                let mut wrong = Vec::new();
                for (name, wanted) in [("log_bin", "ON"), ("skip_networking", "OFF")] {
                    match variables.get(name) {
                        Some(is) if is == wanted => {}
                        Some(is) => wrong.push(format!("{name} is {is}, not {wanted}")),
                        None => return Err("the agent did not report log_bin and skip_networking"),
                    }
                }
                Holds::when(wrong.is_empty(), || wrong.join(" and "))
            }
            Self::LogFormat { is } => match seen.server.require()?.variables.get("binlog_format") {
                Some(found) => Holds::when(found == is, || {
                    format!("binlog_format is {found}, not {is}: SET GLOBAL binlog_format = {is}")
                }),
                None => return Err("the agent did not report binlog_format"),
            },
            Self::DefaultInForce { variable } => {
                let explicit = &seen.server.require()?.explicit_variables;
                let old = renamed::old_name(variable).unwrap_or(variable);
                let set = explicit.contains(variable) || explicit.contains(old);
                Holds::when(!set, || {
                    format!("{variable} is still set, so its default is not in force")
                })
            }
            Self::MaintenanceIs { on } => Holds::when(seen.agent.in_maintenance == *on, || {
                format!(
                    "the maintenance drop-ins are {}in place",
                    if *on { "not " } else { "" }
                )
            }),
        })
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PackagesAt { version } => write!(f, "packages at {version}"),
            Self::ServerRunning { version } => write!(f, "mysqld {version} running"),
            Self::ServerStopped => write!(f, "mysqld stopped"),
            Self::InGroup { state } => write!(f, "{} in the group", state.as_str()),
            Self::NotInGroup => write!(f, "out of the group"),
            Self::Config { digest } => write!(f, "option files unchanged ({})", digest.short()),
            Self::LogsAndListens => write!(f, "binary log and network on"),
            Self::LogFormat { is } => write!(f, "binlog_format {is}"),
            Self::DefaultInForce { variable } => write!(f, "{variable} at its default"),
            Self::TakesWrites { on: true } => write!(f, "takes writes"),
            Self::TakesWrites { on: false } => write!(f, "takes no writes"),
            Self::MaintenanceIs { on: true } => write!(f, "maintenance drop-ins in place"),
            Self::MaintenanceIs { on: false } => write!(f, "no maintenance drop-ins"),
        }
    }
}
