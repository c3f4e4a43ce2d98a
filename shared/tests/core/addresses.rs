//! Which addresses are tried by whom, and what becomes of one that is not reached.

use crate::support::{change_server, channel_of, group, member, replicas, request};
use refit_shared::checks::{
    ADDRESSES_REACHABLE, Finding, Level, Selection, Subject, addresses, run_selected,
    run_without_survey,
};
use refit_shared::observation::{Fact, MemberState, ReplicationService, ServerFacts};
use refit_shared::plan::Strategy;
use refit_shared::survey::{Address, Speaks, Unreached};
use refit_shared::topology::Sighting;
use std::collections::BTreeMap;

const E: Level = Level::Error;
const W: Level = Level::Warning;

/// `db1` with the replicas `db2` and `db3`, of which `db3` has `db4` below it.
fn tree() -> Sighting {
    replicas(&["9.7.3"; 4], &[(2, 1), (3, 1), (4, 3)], &["9.7.4-2"])
}

fn trio() -> Sighting {
    let mut seen = group(&["9.7.3"; 3], &["9.7.4-2"]);
    for name in ["db1", "db2", "db3"] {
        let local = format!("{name}:33061");
        change_server(&mut seen, name, |server| {
            set(server, "group_replication_local_address", &local);
        });
    }
    seen
}

fn set(server: &mut ServerFacts, variable: &str, value: &str) {
    let (variable, value) = (variable.to_owned(), value.to_owned());
    server.variables.insert(variable, value);
}

fn with<T>(seen: &Sighting, strategy: Option<Strategy>, ask: impl FnOnce(Subject<'_>) -> T) -> T {
    let want = request("9.7.4");
    ask(Subject {
        seen,
        target: want.target,
        policy: &want.policy,
        strategy,
        today: "2026-11-28".parse().unwrap(),
    })
}

/// `db1: db2:3306 db3:3306`, one line a member; `x` behind an address of XCom.
fn tried(seen: &Sighting) -> Vec<String> {
    let word = |address: &Address| match address.speaks {
        Speaks::Mysql => address.to_string(),
        Speaks::Xcom => format!("{address}x"),
    };
    let all = with(seen, None, addresses).into_iter();
    let line = all.map(|(name, own)| {
        let words: Vec<String> = own.iter().map(word).collect();
        format!("{name}: {}", words.join(" "))
    });
    line.collect()
}

const NAMELESS: &str = "failed to lookup address information";

/// This member does not reach these hosts, at any port.
fn misses(seen: &mut Sighting, by: &str, hosts: &[&str], refused: bool) {
    let tried = with(seen, None, addresses).remove(&member(by));
    let tried = tried.unwrap_or_default().into_iter();
    let missed = tried.filter(|address| hosts.contains(&address.host.as_str()));
    let why = || Unreached {
        refused,
        why: NAMELESS.to_owned(),
    };
    let told = missed.map(|address| (address, why())).collect();
    tells(seen, by, Some(Fact::Known(told)));
}

fn tells(seen: &mut Sighting, by: &str, told: Option<Fact<BTreeMap<Address, Unreached>>>) {
    match seen.surveys.get_mut(&member(by)).unwrap() {
        Fact::Known(survey) => survey.unreached = told,
        Fact::Unknown(why) => panic!("{why}"),
    }
}

fn found(seen: &Sighting, strategy: Option<Strategy>) -> Vec<Finding> {
    let only = Selection::new([ADDRESSES_REACHABLE], []).unwrap();
    let mut results = with(seen, strategy, |subject| run_selected(subject, &only));
    assert_eq!(results.len(), 1);
    results.remove(0).findings
}

fn brief(found: &[Finding]) -> Vec<(Level, &str)> {
    found.iter().map(|f| (f.level, f.object.as_str())).collect()
}

fn stops(server: &mut ServerFacts) {
    let Fact::Known(channels) = &mut server.channels else {
        panic!("they are known")
    };
    channels[0].receiving = false;
    channel_of(server).receiver.service = ReplicationService::Connecting;
}

/// Replicas may be promoted, and a channel that runs shows that its address works.
#[test]
fn in_a_topology_everybody_tries_the_replicas_but_those_that_it_reads_from() {
    let mut seen = tree();
    let all = [
        "db1: db2:3306 db3:3306 db4:3306",
        "db2: db3:3306 db4:3306",
        "db3: db2:3306 db4:3306",
        "db4: db2:3306",
    ];
    assert_eq!(tried(&seen), all);
    change_server(&mut seen, "db4", stops);
    assert_eq!(tried(&seen)[3], "db4: db2:3306 db3:3306");
    change_server(&mut seen, "db2", |server| {
        server.report_host = String::new()
    });
    assert_eq!(
        tried(&seen)[0],
        "db1: db3:3306 db4:3306",
        "it names itself nothing"
    );
}

#[test]
fn a_replica_that_nobody_reaches_blocks_only_who_would_follow_it() {
    let mut seen = tree();
    assert_eq!(found(&seen, Some(Strategy::Switchover)), []);
    for by in ["db1", "db2"] {
        misses(&mut seen, by, &["db3"], false);
    }
    for (strategy, level) in [(Strategy::Switchover, E), (Strategy::ReplicasFirst, W)] {
        let found = found(&seen, Some(strategy));
        assert_eq!(brief(&found), [(level, "db3")], "{strategy:?}: {found:#?}");
        assert_eq!(
            found[0].description,
            "db1, db2 can not reach db3 at db3:3306 (its report_host and port): failed to lookup address information; \
             nobody could replicate from it after a switchover"
        );
        assert!(
            found[0]
                .fix
                .contains("report_host in the option files of db3")
        );
    }
}

/// Its own channel names it, and nobody else is to blame.
#[test]
fn a_replica_that_does_not_reach_its_source_is_told_as_such() {
    let mut seen = tree();
    change_server(&mut seen, "db4", stops);
    misses(&mut seen, "db4", &["db3"], true);
    let found = found(&seen, Some(Strategy::ReplicasFirst));
    assert_eq!(brief(&found), [(E, "db4"), (W, "db3")], "{found:#?}");
    assert!(
        found[0]
            .description
            .starts_with("db4 does not reach its source at db3:3306")
    );
    assert!(found[0].fix.contains("CHANGE REPLICATION SOURCE TO"));
}

/// MySQL manual, "Connections for Distributed Recovery": MEMBER_HOST, or the endpoints that are advertised instead.
#[test]
fn in_a_group_everybody_tries_the_donors() {
    let mut seen = trio();
    let all = [
        "db1: db2:3306 db3:3306",
        "db2: db1:3306 db3:3306",
        "db3: db1:3306 db2:3306",
    ];
    assert_eq!(tried(&seen), all);
    change_server(&mut seen, "db1", |server| {
        let variable = "group_replication_advertise_recovery_endpoints";
        set(server, variable, "10.0.0.1:3307, [::1]:3308");
    });
    assert_eq!(tried(&seen)[1], "db2: 10.0.0.1:3307 [::1]:3308 db3:3306");
}

#[test]
fn one_donor_is_enough_and_none_is_too_few() {
    let mut seen = trio();
    assert_eq!(found(&seen, None), []);
    misses(&mut seen, "db3", &["db2"], false);
    let one = found(&seen, None);
    assert_eq!(brief(&one), [(W, "db2")]);
    assert!(
        one[0]
            .description
            .contains("it would have to catch up from another")
    );
    misses(&mut seen, "db3", &["db1", "db2"], false);
    let none = found(&seen, None);
    assert_eq!(brief(&none), [(E, "db1"), (E, "db2")]);
    assert!(none[0].description.contains("it could not join again"));
}

/// ONLINE members talk at their local addresses all the time. Where one is not, its server listens there only while it is in a group.
#[test]
fn local_addresses_are_tried_only_where_no_group_runs_by_them() {
    let mut seen = trio();
    change_server(&mut seen, "db3", |server| match &mut server.group {
        Fact::Known(Some(group)) => group.own_state = MemberState::Offline,
        other => panic!("{other:?}"),
    });
    let all = [
        "db1: db2:3306 db3:3306 db3:33061x",
        "db2: db1:3306 db3:3306 db3:33061x",
        "db3: db1:3306 db1:33061x db2:3306 db2:33061x",
    ];
    assert_eq!(tried(&seen), all);
    let local = |host: &str| Address {
        host: host.to_owned(),
        port: 33061,
        speaks: Speaks::Xcom,
    };
    for (by, to, refused, expected) in [
        ("db1", "db3", true, vec![]),
        ("db1", "db3", false, vec![(E, "db3")]),
        ("db3", "db1", true, vec![(E, "db1")]),
        ("db3", "db1", false, vec![(E, "db1")]),
    ] {
        let mut seen = seen.clone();
        let why = "why".to_owned();
        let told = BTreeMap::from([(local(to), Unreached { refused, why })]);
        tells(&mut seen, by, Some(Fact::Known(told)));
        assert_eq!(brief(&found(&seen, None)), expected, "{by} {to} {refused}");
    }
    change_server(&mut seen, "db3", |server| {
        set(server, "group_replication_communication_stack", "MYSQL");
        set(server, "group_replication_local_address", "db3:3306");
    });
    assert_eq!(tried(&seen)[0], "db1: db2:3306 db3:3306");
}

/// Not to know is as bad as what is looked for.
#[test]
fn who_did_not_try_is_told() {
    let mut seen = tree();
    tells(&mut seen, "db2", None);
    tells(
        &mut seen,
        "db4",
        Some(Fact::Unknown("no answer within 15 s".to_owned())),
    );
    let found = found(&seen, None);
    assert_eq!(brief(&found), [(E, "db2"), (E, "db4")], "{found:#?}");
    assert!(found[0].description.contains("upgrade refit-agent"));
    assert!(found[1].description.contains("no answer within 15 s"));
}

/// What is asked again right before a rollout begins is what an observation tells: nobody tries addresses then.
#[test]
fn without_a_survey_it_is_not_made() {
    let made = with(&tree(), None, run_without_survey);
    assert!(!made.is_empty());
    assert!(made.iter().all(|result| result.id != ADDRESSES_REACHABLE));
}
