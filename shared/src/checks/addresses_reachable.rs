//! Members reach one another at the addresses that they use, or will use, for one another.

use super::{ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::ids::MemberName;
use crate::observation::{ChannelFacts, MemberState, ServerFacts};
use crate::plan::Strategy;
use crate::survey::{Address, Speaks, Unreached};
use crate::topology::Kind;
use std::collections::{BTreeMap, BTreeSet};

pub const CHECK: Check = Check {
    id: "addressesReachable",
    level: Level::Error,
    reference: Reference {
        source: "MySQL manual, \"Group Replication Network Requirements\", \"Connections for Distributed Recovery\", report_host (MYSQL.md §5). MySQL Shell has no such check",
        link: Some(
            "https://dev.mysql.com/doc/refman/8.4/en/group-replication-distributed-recovery-connections.html",
        ),
    },
    applies: When::Always,
    // The agent tries as another program on the host than mysqld is.
    overriding: Overriding::Allowed,
    needs: &[],
    title: "Members reach one another at their addresses",
    description: "A replica that is to follow another source uses its report_host, a member that joins uses the donors' MEMBER_HOST and the others' group_replication_local_address: a name that does not resolve or a firewall shows only then. Each agent tries the addresses that its server would use, but those of channels and groups that run by them: it logs in as nobody, is refused, and that is not counted towards max_connect_errors.",
    kinds: &[
        Kind::ReplicationTopology,
        Kind::SinglePrimaryGroup,
        Kind::MultiPrimaryGroup,
    ],
    strategies: ANY_STRATEGY,
    run,
};

/// What an address is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Purpose {
    /// A channel reads from there.
    Source,
    /// A replica will read from there, when the source hands over to that member.
    Heir,
    /// A member that joins catches up from there.
    Donor,
    /// Members of a group talk to one another.
    Group,
}

/// Somebody's address, as one member uses it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Use<'a> {
    /// `db2`, or a channel of the member that uses it.
    whose: String,
    purpose: Purpose,
    address: Address,
    /// Nobody listens there while its server is in no group.
    may_refuse: bool,
    by: &'a MemberName,
}

/// What each member's agent is to try. Members with nothing to try are left out.
pub fn addresses(subject: Subject<'_>) -> BTreeMap<MemberName, BTreeSet<Address>> {
    let mut all: BTreeMap<MemberName, BTreeSet<Address>> = BTreeMap::new();
    for used in uses(subject) {
        let own = all.entry(used.by.clone()).or_default();
        own.insert(used.address);
    }
    all
}

fn uses(subject: Subject<'_>) -> Vec<Use<'_>> {
    let Ok(chosen) = subject.chosen() else {
        return Vec::new();
    };
    if !CHECK.kinds.contains(&chosen.kind) {
        return Vec::new();
    }
    let grouped = chosen.kind != Kind::ReplicationTopology;
    let mut all = Vec::new();
    for (by, own) in subject.seen.servers() {
        all.extend(sources(by, own));
        let others = subject.seen.servers().filter(|(name, _)| *name != by);
        for (name, other) in others {
            let used = |purpose, address| Use {
                whose: name.to_string(),
                purpose,
                address,
                may_refuse: purpose == Purpose::Group && !is_online(other),
                by,
            };
            if grouped {
                let donors = donor(subject, other).into_iter();
                all.extend(donors.map(|address| used(Purpose::Donor, address)));
                // Where both are ONLINE they talk there all the time.
                if !(is_online(own) && is_online(other)) {
                    let local = local(other).into_iter();
                    all.extend(local.map(|address| used(Purpose::Group, address)));
                }
            } else if !channels(other).is_empty() {
                let heir = mysql(&other.report_host, other.port);
                let heir = heir.filter(|address| !reads_from(own, address));
                all.extend(heir.map(|address| used(Purpose::Heir, address)));
            }
        }
    }
    all.sort();
    all
}

fn channels(server: &ServerFacts) -> &[ChannelFacts] {
    server.channels.known().map_or(&[], Vec::as_slice)
}

fn mysql(host: &str, port: u16) -> Option<Address> {
    (!host.is_empty()).then(|| Address {
        host: host.to_owned(),
        port,
        speaks: Speaks::Mysql,
    })
}

fn source(channel: &ChannelFacts) -> Option<Address> {
    let detail = channel.detail.known()?;
    mysql(&channel.source_host, detail.source_port)
}

/// A channel that runs shows that its address works.
fn reads_from(server: &ServerFacts, address: &Address) -> bool {
    let mut running = channels(server).iter().filter(|channel| channel.receiving);
    running.any(|channel| source(channel).as_ref() == Some(address))
}

fn sources<'a>(by: &'a MemberName, server: &ServerFacts) -> Vec<Use<'a>> {
    let stopped = channels(server).iter().filter(|channel| !channel.receiving);
    let used = |channel: &ChannelFacts| {
        Some(Use {
            whose: if channel.name.is_empty() {
                by.to_string()
            } else {
                format!("{by}, channel {}", channel.name)
            },
            purpose: Purpose::Source,
            address: source(channel)?,
            may_refuse: false,
            by,
        })
    };
    stopped.filter_map(used).collect()
}

fn is_online(server: &ServerFacts) -> bool {
    let group = server.group.known().and_then(Option::as_ref);
    group.is_some_and(|group| group.own_state == MemberState::Online)
}

/// Where others recover from: the endpoints that it advertises, else MEMBER_HOST and MEMBER_PORT as a view has them.
fn donor(subject: Subject<'_>, server: &ServerFacts) -> Vec<Address> {
    let advertised = server
        .variables
        .get("group_replication_advertise_recovery_endpoints")
        .filter(|text| !text.is_empty() && !text.eq_ignore_ascii_case("DEFAULT"));
    if let Some(advertised) = advertised {
        let endpoints = advertised.split(',');
        return endpoints
            .filter_map(|text| parse(text.trim(), Speaks::Mysql))
            .collect();
    }
    let views = subject
        .seen
        .groups()
        .flat_map(|(_, _, group)| &group.members);
    let mut own = views.filter(|member| member.uuid == server.uuid && !member.host.is_empty());
    let address = match own.next() {
        Some(member) => mysql(&member.host, member.port),
        None => mysql(&server.report_host, server.port),
    };
    address.into_iter().collect()
}

fn local(server: &ServerFacts) -> Option<Address> {
    let variable = |name: &str| server.variables.get(name).map(String::as_str);
    let speaks = match variable("group_replication_communication_stack") {
        Some("MYSQL") => Speaks::Mysql,
        _ => Speaks::Xcom,
    };
    parse(variable("group_replication_local_address")?, speaks)
}

/// `db1:3306` or `[::1]:3306`.
fn parse(text: &str, speaks: Speaks) -> Option<Address> {
    let (host, port) = text.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Some(Address {
        port: port.parse().ok()?,
        host: (!host.is_empty()).then(|| host.to_owned())?,
        speaks,
    })
}

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut untold: BTreeMap<&MemberName, &str> = BTreeMap::new();
    let mut tried: BTreeMap<&MemberName, Vec<(Use<'_>, Option<&Unreached>)>> = BTreeMap::new();
    for used in uses(subject) {
        let survey = match subject.seen.surveys.get(used.by) {
            Some(survey) => survey.require(),
            None => Err("its agent was not asked"),
        };
        match survey.and_then(|survey| survey.unreached()) {
            Ok(unreached) => {
                let why = unreached.get(&used.address);
                tried.entry(used.by).or_default().push((used, why));
            }
            Err(why) => drop(untold.insert(used.by, why)),
        }
    }
    let hands_over = subject
        .chosen()
        .is_ok_and(|chosen| chosen.strategy == Strategy::Switchover);
    let mut together: BTreeMap<(Level, Use<'_>, String), Vec<&MemberName>> = BTreeMap::new();
    for (by, uses) in tried {
        let reaches_a_donor = uses
            .iter()
            .any(|(used, why)| used.purpose == Purpose::Donor && why.is_none());
        for (used, why) in uses {
            let Some(why) = why else { continue };
            if used.may_refuse && why.refused {
                continue;
            }
            let level = match used.purpose {
                Purpose::Source | Purpose::Group => Level::Error,
                Purpose::Heir if hands_over => Level::Error,
                Purpose::Donor if !reaches_a_donor => Level::Error,
                Purpose::Heir | Purpose::Donor => Level::Warning,
            };
            // Who tries is told beside; everything else must be alike.
            let alike = match used.purpose {
                Purpose::Source => used,
                Purpose::Heir | Purpose::Donor | Purpose::Group => Use {
                    by: subject.seen.members.keys().next().unwrap_or(by),
                    ..used
                },
            };
            let who = together.entry((level, alike, why.why.clone())).or_default();
            if who.last() != Some(&by) {
                who.push(by);
            }
        }
    }
    let untold = untold.into_iter();
    let mut found: Vec<Finding> = untold
        .map(|(by, why)| CHECK.untold(by, "which addresses it reaches", why))
        .collect();
    found.extend(together.into_iter().map(|((level, used, why), who)| {
        let who: Vec<&str> = who.into_iter().map(MemberName::as_str).collect();
        told(level, &used, &why, &who.join(", "))
    }));
    found
}

fn told(level: Level, used: &Use<'_>, why: &str, who: &str) -> Finding {
    let (whose, address) = (&used.whose, &used.address);
    let network = format!("see to the name's resolution and to firewalls on {who}");
    let (what, fix) = match used.purpose {
        Purpose::Source => (
            format!("{who} does not reach its source at {address}: {why}"),
            format!(
                "{network}, or have the channel read from another address (CHANGE REPLICATION SOURCE TO SOURCE_HOST=…)"
            ),
        ),
        Purpose::Heir => (
            format!(
                "{who} can not reach {whose} at {address} (its report_host and port): {why}; nobody could replicate from it after a switchover"
            ),
            format!(
                "{network}, or set report_host in the option files of {whose} to a name that the others reach, and restart it"
            ),
        ),
        Purpose::Donor => (
            format!(
                "{who} can not reach {whose} at {address} to catch up from it: {why}{}",
                match level {
                    Level::Error =>
                        "; it reaches no other donor either, so it could not join again",
                    Level::Warning | Level::Notice => "; it would have to catch up from another",
                }
            ),
            format!(
                "{network}, or set report_host in the option files of {whose} to a name that the others reach, and restart it"
            ),
        ),
        Purpose::Group => (
            format!(
                "{who} can not reach {whose} at {address} (group_replication_local_address): {why}; they could not be in one group"
            ),
            format!(
                "{network}, or set group_replication_local_address of {whose} to an address that the others reach"
            ),
        ),
    };
    CHECK.finding(level, whose, what, fix)
}
