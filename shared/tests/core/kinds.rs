//! What kind of cluster servers say that they are, and which strategy that leads to.

use crate::support::{change_server, group, member, request};
use refit_shared::observation::{ChannelFacts, Fact, MemberState, ServerFacts};
use refit_shared::plan::Strategy;
use refit_shared::planner::choose::{Unfit, choose};
use refit_shared::planner::{Refusal, plan};
use refit_shared::topology::{Kind, NoKind, Sighting};
use refit_shared::version::MysqlVersion;

type Change = fn(&mut Sighting);

fn three() -> Sighting {
    group(&["9.7.3"; 3], &["9.7.4-2", "9.7.3-1"])
}

fn each(seen: &mut Sighting, change: impl Fn(&mut ServerFacts)) {
    let names: Vec<_> = seen.members.keys().cloned().collect();
    for name in names {
        change_server(seen, name.as_str(), &change);
    }
}

fn without_group(server: &mut ServerFacts) {
    server.group = Fact::Known(None);
}

fn mode(server: &mut ServerFacts, single: bool) {
    let Fact::Known(Some(group)) = &mut server.group else {
        panic!()
    };
    group.single_primary = single;
}

fn replicates(server: &mut ServerFacts) {
    server.channels = Fact::Known(vec![ChannelFacts {
        name: String::new(),
        source_host: "db1".into(),
        receiving: true,
        applying: true,
        last_error: String::new(),
        detail: Fact::Unknown("not told".into()),
    }]);
}

fn only_first(seen: &mut Sighting) {
    seen.members.retain(|name, _| name.as_str() == "db1");
}

#[test]
fn kinds_are_read_from_what_the_servers_say() {
    let cases: &[(&str, Change, Kind)] = &[
        ("a group", |_| {}, Kind::SinglePrimaryGroup),
        (
            "several primaries",
            |s| each(s, |server| mode(server, false)),
            Kind::MultiPrimaryGroup,
        ),
        (
            "a member that is out knows only its own setting",
            |s| {
                change_server(s, "db3", |server| {
                    mode(server, false);
                    let Fact::Known(Some(group)) = &mut server.group else {
                        panic!()
                    };
                    group.own_state = MemberState::Offline;
                });
            },
            Kind::SinglePrimaryGroup,
        ),
        (
            "a member that can't be seen",
            |s| {
                s.members
                    .insert(member("db3"), Fact::Unknown("no answer".into()));
            },
            Kind::SinglePrimaryGroup,
        ),
        (
            "a source and its replicas",
            |s| {
                each(s, without_group);
                change_server(s, "db2", replicates);
            },
            Kind::ReplicationTopology,
        ),
        (
            "one server alone",
            |s| {
                only_first(s);
                each(s, without_group);
            },
            Kind::StandaloneServer,
        ),
        (
            "one server that replicates from elsewhere",
            |s| {
                only_first(s);
                each(s, without_group);
                each(s, replicates);
            },
            Kind::ReplicationTopology,
        ),
    ];
    for (name, change, kind) in cases {
        let mut seen = three();
        change(&mut seen);
        assert_eq!(seen.kind(), Ok(*kind), "{name}");
    }
}

#[test]
fn contradictions_are_told_and_never_guessed() {
    let cases: &[(&str, Change, &str)] = &[
        (
            "one outside the group",
            |s| change_server(s, "db2", without_group),
            "set up on db1, db3, and not on db2",
        ),
        (
            "two groups",
            |s| {
                change_server(s, "db2", |server| {
                    let Fact::Known(Some(group)) = &mut server.group else {
                        panic!()
                    };
                    group.group_name = "bbbbbbbb-1111-2222-3333-bbbbbbbbbbbb".into();
                });
            },
            "db2 say group bbbbbbbb",
        ),
        (
            "two modes",
            |s| change_server(s, "db2", |server| mode(server, false)),
            "db2 say a multi-primary group",
        ),
        (
            "strangers",
            |s| each(s, without_group),
            "db1, db2, db3 are in no group, and none replicates from another",
        ),
    ];
    for (name, change, words) in cases {
        let mut seen = three();
        change(&mut seen);
        let Err(NoKind::Contradiction(why)) = seen.kind() else {
            panic!("{name}: {:?}", seen.kind());
        };
        assert!(why.contains(words), "{name}: {why}");
        let Err(Refusal::Blocked(findings)) = plan(&request("9.7.4"), &seen, 5) else {
            panic!("{name}");
        };
        let told = findings.iter().any(|f| f.check == "clusterKind");
        assert!(told, "{name}: {findings:?}");
    }
}

#[test]
fn too_little_seen_is_not_a_kind() {
    let mut seen = three();
    for name in ["db1", "db2", "db3"] {
        seen.members
            .insert(member(name), Fact::Unknown("no answer".into()));
    }
    assert!(matches!(seen.kind(), Err(NoKind::Unseen(why)) if why.len() == 3));

    // Two servers in no group, and the third could be the replica of one.
    let mut seen = three();
    each(&mut seen, without_group);
    seen.members
        .insert(member("db3"), Fact::Unknown("no answer".into()));
    assert!(matches!(seen.kind(), Err(NoKind::Unseen(_))));
}

#[test]
fn a_strategy_that_does_not_fit_is_refused_with_those_that_do() {
    let mut seen = three();
    assert_eq!(
        choose(&seen, None, MysqlVersion::new(9, 7, 4))
            .unwrap()
            .strategy,
        Strategy::InGroupRolling
    );
    each(&mut seen, without_group);
    change_server(&mut seen, "db2", replicates);
    let asked = Some(Strategy::InGroupRolling);
    assert!(matches!(
        choose(&seen, asked, MysqlVersion::new(9, 7, 4)),
        Err(Unfit::Strategy {
            kind: Kind::ReplicationTopology,
            ..
        })
    ));
    let mut request = request("9.7.4");
    request.strategy = asked;
    let Err(Refusal::Blocked(findings)) = plan(&request, &seen, 5) else {
        panic!();
    };
    let told = &findings[0];
    assert_eq!(told.check, "clusterKind");
    assert_eq!(
        told.description,
        "in-group rolling is not for a replication topology"
    );
}

#[test]
fn strategies_are_read_as_they_are_typed() {
    for strategy in Strategy::ALL {
        assert_eq!(Strategy::parse(strategy.flag()), Some(strategy));
    }
    for kind in Kind::ALL {
        assert_eq!(Kind::parse(kind.as_str()), Some(kind));
    }
}
