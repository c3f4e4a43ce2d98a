//! Source and replica topologies out of what the servers say.

use crate::support::{change_server, channel_of, member, replicas};
use refit_shared::ids::{MemberName, ServerUuid};
use refit_shared::observation::{ConnectedReplica, Fact};
use refit_shared::plan::drift::World;
use refit_shared::topology::Sighting;
use refit_shared::topology::replication::{Contradiction, Role, Tree, errant};

fn drawn(seen: &Sighting) -> String {
    let tree = Tree::of(seen).unwrap();
    let line =
        |(branch, name): (String, &MemberName)| format!("{branch}{name} {}\n", tree.role(name));
    tree.drawn().into_iter().map(line).collect()
}

fn wrongs(seen: &Sighting) -> Vec<String> {
    let wrong = Tree::of(seen).unwrap_err();
    wrong.iter().map(Contradiction::to_string).collect()
}

#[test]
fn trees_of_any_shape_are_drawn() {
    let version = ["9.7.3"; 5];
    assert_eq!(
        drawn(&replicas(&version[..3], &[(2, 1), (3, 1)], &[])),
        "db1 source\n├─ db2 replica\n└─ db3 replica\n"
    );
    assert_eq!(
        drawn(&replicas(&version, &[(2, 1), (3, 2), (4, 2), (5, 1)], &[])),
        "db1 source\n├─ db2 intermediate source\n│  ├─ db3 replica\n│  └─ db4 replica\n└─ db5 replica\n"
    );
    assert_eq!(
        drawn(&replicas(&version[..3], &[(3, 1), (3, 2)], &[])),
        "db1 source\n└─ db3 replica\ndb2 source\n└─ db3 replica\n"
    );
}

#[test]
fn every_member_comes_after_all_below_it_and_sources_come_last() {
    let seen = replicas(&["9.7.3"; 5], &[(2, 1), (3, 2), (4, 3), (5, 1)], &[]);
    let tree = Tree::of(&seen).unwrap();
    let order: Vec<_> = tree
        .leaves_first()
        .into_iter()
        .map(MemberName::as_str)
        .collect();
    assert_eq!(order, ["db4", "db5", "db3", "db2", "db1"]);
    assert_eq!(tree.role(&member("db3")), Role::Intermediate);
}

#[test]
fn what_does_not_fit_is_said_and_never_guessed() {
    let three = || replicas(&["9.7.3"; 3], &[(2, 1), (3, 1)], &[]);

    let circle = replicas(&["9.7.3"; 3], &[(2, 1), (1, 2), (3, 1)], &[]);
    assert_eq!(
        wrongs(&circle),
        ["circular replication: db1 from db2 from db1"]
    );

    let mut seen = three();
    let stranger = ServerUuid::new("99999999-0000-0000-0000-000000000009").unwrap();
    change_server(&mut seen, "db3", |s| {
        channel_of(s).source_uuid = Some(stranger.clone())
    });
    assert_eq!(
        wrongs(&seen),
        ["db3 replicates from db1:3306 (channel \"\"), which is no member of this cluster"]
    );

    let mut seen = three();
    change_server(&mut seen, "db1", |s| {
        s.replicas = Fact::Known(vec![ConnectedReplica {
            server_id: 9,
            host: "old9".into(),
            port: 3306,
            uuid: Some(stranger.clone()),
        }]);
    });
    assert!(
        wrongs(&seen)[0].starts_with("old9:3306"),
        "{:?}",
        wrongs(&seen)
    );

    let mut seen = three();
    change_server(&mut seen, "db3", |s| s.channels = Fact::Known(vec![]));
    assert_eq!(
        wrongs(&seen),
        ["db3 neither replicates from a member of this cluster nor is replicated from"]
    );

    let mut seen = three();
    seen.members
        .insert(member("db3"), Fact::Unknown("no route".into()));
    assert!(wrongs(&seen).contains(&"db3 could not be seen: no route".to_owned()));

    let mut seen = three();
    change_server(&mut seen, "db3", |s| {
        s.uuid = ServerUuid::new("00000000-0000-0000-0000-000000000002").unwrap();
    });
    let wrongs = wrongs(&seen);
    assert!(
        wrongs.iter().any(|why| why.contains("same server UUID")),
        "{wrongs:?}"
    );
}

#[test]
fn a_client_that_reads_the_binary_log_is_no_replica() {
    let mut seen = replicas(&["9.7.3"; 2], &[(2, 1)], &[]);
    change_server(&mut seen, "db1", |s| {
        s.replicas = Fact::Known(vec![ConnectedReplica {
            server_id: 77,
            host: String::new(),
            port: 0,
            uuid: None,
        }]);
    });
    Tree::of(&seen).unwrap();
}

#[test]
fn a_channel_that_was_never_connected_needs_one_member_of_that_name() {
    let mut seen = replicas(&["9.7.3"; 3], &[(2, 1), (3, 1)], &[]);
    change_server(&mut seen, "db3", |s| channel_of(s).source_uuid = None);
    Tree::of(&seen).unwrap();
    change_server(&mut seen, "db2", |s| s.report_host = "db1".into());
    assert!(
        wrongs(&seen)[0].contains("never been connected"),
        "{:?}",
        wrongs(&seen)
    );
}

#[test]
fn a_replica_that_is_ahead_is_not_errant_and_one_that_wrote_is() {
    let mut seen = replicas(&["9.7.3"; 3], &[(2, 1), (3, 2)], &[]);
    let source = seen.server(&member("db1")).unwrap().uuid.clone();
    let own = seen.server(&member("db2")).unwrap().uuid.clone();
    change_server(&mut seen, "db3", |s| {
        s.gtid_executed = format!("{source}:1-105").parse().unwrap();
    });
    assert!(
        errant(&seen, &member("db3")).unwrap().is_empty(),
        "read later than its source"
    );
    change_server(&mut seen, "db2", |s| {
        s.gtid_executed = format!("{source}:1-100,{own}:1-2").parse().unwrap();
    });
    assert_eq!(
        seen.errant(&member("db2")).unwrap().to_string(),
        format!("{own}:1-2")
    );
    assert!(errant(&seen, &member("db1")).unwrap().is_empty());
}

#[test]
fn the_world_of_a_plan_knows_who_replicates_from_whom() {
    let before = replicas(&["9.7.3"; 3], &[(2, 1), (3, 1)], &[]);
    let world = World::of(&before).unwrap();
    assert_eq!(world.primary().unwrap().0.as_str(), "db1");
    let after = replicas(&["9.7.3"; 3], &[(2, 1), (3, 2)], &[]);
    let differences = world.differences(&World::of(&after).unwrap());
    assert_eq!(differences.len(), 1, "{differences:?}");
    assert!(
        differences[0].starts_with("db3: replicated from"),
        "{differences:?}"
    );
}
