//! The world that a plan was made from, and how the present one differs.

use crate::ids::{Digest, MemberName, ServerUuid};
use crate::observation::{MemberRole, ServerFacts};
use crate::topology::Sighting;
use crate::version::{MysqlVersion, PackageVersion};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The facts that a plan rests on. Not what changes by itself (GTIDs, queues, free space): gates look after those.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    pub group: Option<String>,
    pub members: BTreeMap<MemberName, MemberWorld>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberWorld {
    pub uuid: ServerUuid,
    pub version: MysqlVersion,
    pub package_version: PackageVersion,
    pub config: Digest,
    /// Takes writes by its role: the primary of a group, or a server that replicates from nobody.
    pub primary: bool,
    /// Asynchronous channels by name, and the server that each reads from where it has ever been connected. Empty for group
    /// members and sources.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub channels: BTreeMap<String, Option<ServerUuid>>,
}

impl World {
    /// Reads the world from what was seen. Every member must have been seen whole; all that is missing is reported at once.
    pub fn of(seen: &Sighting) -> Result<Self, Vec<String>> {
        let mut members = BTreeMap::new();
        let mut missing = Vec::new();
        let mut group = None;
        for (name, fact) in &seen.members {
            let member = (|| {
                let observation = fact.require()?;
                let server = observation.server.require()?;
                let view = server.group.require()?.as_ref();
                let own = view.and_then(|g| g.members.iter().find(|m| m.uuid == server.uuid));
                group = group.take().or_else(|| view.map(|g| g.group_name.clone()));
                let packages = observation.packages.require()?;
                let (primary, channels) = match view {
                    Some(_) => (
                        own.is_some_and(|m| m.role == MemberRole::Primary),
                        BTreeMap::new(),
                    ),
                    None => {
                        let channels = channels(server)?;
                        (channels.is_empty(), channels)
                    }
                };
                Ok::<_, Cow<'_, str>>(MemberWorld {
                    uuid: server.uuid.clone(),
                    version: server.version,
                    package_version: packages.installed_version()?.clone(),
                    config: *observation.config_digest.require()?,
                    primary,
                    channels,
                })
            })();
            match member {
                Ok(member) => {
                    members.insert(name.clone(), member);
                }
                Err(why) => missing.push(format!("{name}: {why}")),
            }
        }
        if missing.is_empty() {
            Ok(Self { group, members })
        } else {
            Err(missing)
        }
    }

    /// The one member that takes writes by its role, or the first of several.
    pub fn primary(&self) -> Option<(&MemberName, &MemberWorld)> {
        self.members.iter().find(|(_, member)| member.primary)
    }

    /// What has changed from `self` (planned) to `now`, a line a difference; empty when nothing has.
    pub fn differences(&self, now: &World) -> Vec<String> {
        let mut out = Vec::new();
        if self.group != now.group {
            let name = |g: &Option<String>| g.clone().unwrap_or_else(|| "none".to_owned());
            out.push(format!(
                "group name was {}, is {}",
                name(&self.group),
                name(&now.group)
            ));
        }
        for (name, was) in &self.members {
            let Some(is) = now.members.get(name) else {
                out.push(format!("{name} is no longer a member"));
                continue;
            };
            if was.uuid != is.uuid {
                out.push(format!(
                    "{name}: server UUID was {}, is {}",
                    was.uuid, is.uuid
                ));
            }
            if was.version != is.version {
                out.push(format!(
                    "{name}: mysqld was {}, is {}",
                    was.version, is.version
                ));
            }
            if was.package_version != is.package_version {
                out.push(format!(
                    "{name}: packages were {}, are {}",
                    was.package_version, is.package_version
                ));
            }
            if was.config != is.config {
                out.push(format!(
                    "{name}: option files have changed ({} → {})",
                    was.config.short(),
                    is.config.short()
                ));
            }
            if was.primary != is.primary {
                let role = |primary: bool| match (primary, &self.group) {
                    (true, Some(_)) => "primary",
                    (false, Some(_)) => "secondary",
                    (true, None) => "source",
                    (false, None) => "replica",
                };
                out.push(format!(
                    "{name}: was {}, is {}",
                    role(was.primary),
                    role(is.primary)
                ));
            }
            if was.channels != is.channels {
                out.push(format!(
                    "{name}: replicated from {}, replicates from {}",
                    in_words(&was.channels),
                    in_words(&is.channels)
                ));
            }
        }
        for name in now
            .members
            .keys()
            .filter(|name| !self.members.contains_key(*name))
        {
            out.push(format!("{name} is a new member"));
        }
        out
    }
}

fn channels(server: &ServerFacts) -> Result<BTreeMap<String, Option<ServerUuid>>, &str> {
    let mut found = BTreeMap::new();
    for channel in server.channels.require()? {
        let source = channel.detail.require()?.source_uuid.clone();
        found.insert(channel.name.clone(), source);
    }
    Ok(found)
}

fn in_words(channels: &BTreeMap<String, Option<ServerUuid>>) -> String {
    if channels.is_empty() {
        return "nobody".to_owned();
    }
    let one = |(name, source): (&String, &Option<ServerUuid>)| {
        let source = source
            .as_ref()
            .map_or_else(|| "nobody yet".to_owned(), ToString::to_string);
        if name.is_empty() {
            source
        } else {
            format!("{source} ({name})")
        }
    };
    channels.iter().map(one).collect::<Vec<_>>().join(" and ")
}
