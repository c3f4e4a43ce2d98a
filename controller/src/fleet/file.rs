//! The fleet file.
//!
//! ```toml
//! [[cluster]]
//! name = "orders"
//! members = [
//!   { name = "m1", address = "10.77.0.21:7130" },
//! ]
//! ```

use super::{Cluster, Fleet, Member};
use crate::settings_file::{InvalidFile, Mistakes, Table, parse as parse_toml};
use refit_proto::tls::Address;
use refit_shared::ids::{ClusterName, MemberName};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::Range;
use std::str::FromStr;
use toml::Spanned;
use toml::de::DeValue;

/// Reads a fleet file; `name` is for messages. Reports every mistake at once.
pub fn parse(name: &str, text: &str) -> Result<Fleet, InvalidFile> {
    let mut mistakes = Mistakes::default();
    let document = parse_toml(text, &mut mistakes);
    let mut root = Table::root(&document, "the fleet file");
    let clusters = match root.array("cluster", &mut mistakes) {
        Some((at, values)) => {
            if values.is_empty() {
                mistakes.note(at, "a fleet has at least one cluster");
            }
            clusters(&values, &mut mistakes)
        }
        None => Vec::new(),
    };
    root.end(&mut mistakes);
    mistakes.end(name, text, Some(Fleet::new(clusters)))
}

/// Names and addresses met so far, with where they were first used.
#[derive(Default)]
struct Used {
    clusters: BTreeMap<ClusterName, Range<usize>>,
    members: BTreeMap<MemberName, ClusterName>,
    addresses: BTreeMap<Address, MemberName>,
}

fn clusters(values: &[&Spanned<DeValue<'_>>], m: &mut Mistakes) -> Vec<Cluster> {
    let mut used = Used::default();
    values
        .iter()
        .filter_map(|value| cluster(value, &mut used, m))
        .collect()
}

fn cluster(value: &Spanned<DeValue<'_>>, used: &mut Used, m: &mut Mistakes) -> Option<Cluster> {
    let mut table = Table::of(value, "a [[cluster]]", m)?;
    let name = table.text("name", ClusterName::from_str, m);
    if let Some(name) = &name
        && used
            .clusters
            .insert(name.get_ref().clone(), name.span())
            .is_some()
    {
        m.note(
            name.span(),
            format!("cluster {} is in the file twice", name.get_ref()),
        );
    }
    // Members are read even where the name is wrong, so that their mistakes are reported too.
    let of = name.map_or_else(unnamed, Spanned::into_inner);
    let members = table.array("members", m).map(|(at, values)| {
        if values.is_empty() {
            m.note(at, "a cluster has at least one member");
        }
        values
            .iter()
            .filter_map(|value| member(value, &of, used, m))
            .collect()
    });
    table.end(m);
    Some(Cluster {
        name: of,
        members: members?,
    })
}

/// Stands for a name that is wrong; the file is refused anyhow.
fn unnamed() -> ClusterName {
    ClusterName::new("unnamed").expect("a literal that fits the grammar")
}

fn member(
    value: &Spanned<DeValue<'_>>,
    cluster: &ClusterName,
    used: &mut Used,
    m: &mut Mistakes,
) -> Option<Member> {
    let mut table = Table::of(value, "a member", m)?;
    let name = table.text("name", MemberName::from_str, m);
    let address = table.text("address", Address::from_str, m);
    table.end(m);
    let (name, address) = (name?, address?);
    let member = Member {
        name: name.get_ref().clone(),
        address: address.get_ref().clone(),
    };
    if let Some(first) = used.members.insert(member.name.clone(), cluster.clone()) {
        let twice = |of: &dyn Display| format!("member {} is in {of} already", member.name);
        m.note(name.span(), twice(&first));
    }
    if let Some(first) = used
        .addresses
        .insert(member.address.clone(), member.name.clone())
    {
        m.note(
            address.span(),
            format!("{} is the address of {first} already", member.address),
        );
    }
    Some(member)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_fleet() {
        let text = include_str!("../../../deploy/fleet.toml");
        let fleet = parse("fleet.toml", text).unwrap();
        let cluster = &fleet.clusters()[0];
        assert_eq!(cluster.name.as_str(), "orders");
        assert_eq!(cluster.members.len(), 3);
        let m2 = &cluster.members[1].name;
        assert_eq!(fleet.cluster_of(m2).unwrap().name, cluster.name);
        assert_eq!(fleet.cluster(&cluster.name), Some(cluster));
    }

    #[test]
    fn every_mistake_is_reported_at_once_with_its_place() {
        let text = r#"colour = "red"
[[cluster]]
name = "Orders"
members = [
  { name = "m1", address = "10.0.0.1" },
  { name = "m1", address = "10.0.0.2:7130" },
  { name = "m1", address = "10.0.0.2:7130", port = 3 },
  "m9",
]
[[cluster]]
name = "stock"
members = []
[[cluster]]
name = "stock"
members = [{ name = "m1", address = "[::1]:7130" }, { address = 7 }]
[[cluster]]
"#;
        let error = parse("fleet.toml", text).unwrap_err();
        let found: Vec<String> = error
            .mistakes()
            .map(|(line, column, message)| format!("{line}:{column}: {message}"))
            .collect();
        let expected = [
            "1:1: the fleet file has no key `colour`",
            "3:8: cluster name \"Orders\" is not valid",
            "5:28: bad address \"10.0.0.1\": no port",
            "7:12: member m1 is in unnamed already",
            "7:28: 10.0.0.2:7130 is the address of m1 already",
            "7:45: a member has no key `port`",
            "8:3: a member must be a table",
            "12:11: a cluster has at least one member",
            "14:8: cluster stock is in the file twice",
            "15:21: member m1 is in unnamed already",
            "15:53: a member needs `name`",
            "15:65: `address` must be a string",
            "16:1: a [[cluster]] needs `name`",
            "16:1: a [[cluster]] needs `members`",
        ];
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found} / {expected}");
        }
        assert!(error.to_string().contains("fleet.toml:14:8: cluster stock"));
    }

    #[test]
    fn broken_syntax_has_a_place_too() {
        let error = parse("fleet.toml", "[[cluster]]\nname = \"a\nmembers = []\n").unwrap_err();
        let (line, _, _) = error.mistakes().next().unwrap();
        assert_eq!(line, 2);
        assert!(parse("fleet.toml", "").is_err());
    }
}
