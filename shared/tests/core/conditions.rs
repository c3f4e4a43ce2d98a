//! Conditions that gates wait for, over clusters as they are seen.

use crate::support::{change_server, channel_of, group, member, replicas};
use refit_shared::condition::Condition;
use refit_shared::expectation::Holds;
use refit_shared::observation::{Fact, MemberState, ServerFacts};
use refit_shared::topology::Sighting;

/// db1, of the old series, is to be taken out by the pivot; db2 and db3 have been upgraded.
fn before_the_pivot() -> Condition {
    Condition::OnlineTogetherOrShutOut {
        members: ["db1", "db2", "db3"].map(member).into(),
        witnesses: 2,
        member: member("db1"),
        version: "9.7.4".parse().unwrap(),
    }
}

fn upgraded_but_one() -> Sighting {
    group(&["8.4.6", "9.7.4", "9.7.4"], &["9.7.4-2"])
}

/// db1's host died and is back; the others went on without it.
fn shut_out() -> Sighting {
    let mut seen = upgraded_but_one();
    for name in ["db2", "db3"] {
        change_server(&mut seen, name, |server| {
            of_group(server, |group| {
                group.members.remove(0);
                group.view_id = "17:4".to_owned();
            });
            server.gtid_executed = server
                .gtid_executed
                .union(&"bbbbbbbb-1111-2222-3333-bbbbbbbbbbbb:1-7".parse().unwrap());
        });
    }
    change_server(&mut seen, "db1", |server| {
        server.super_read_only = true;
        of_group(server, |group| {
            group.own_state = MemberState::Offline;
            group.members.clear();
        });
    });
    seen
}

fn of_group(
    server: &mut ServerFacts,
    change: impl FnOnce(&mut refit_shared::observation::GroupFacts),
) {
    match &mut server.group {
        Fact::Known(Some(group)) => change(group),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_whole_group_passes_and_so_does_one_whose_pivot_came_about_by_itself() {
    assert_eq!(before_the_pivot().judge(&upgraded_but_one()), Holds::Yes);
    assert_eq!(before_the_pivot().judge(&shut_out()), Holds::Yes);
    let strict = Condition::OnlineTogether {
        members: ["db1", "db2", "db3"].map(member).into(),
        witnesses: 2,
    };
    assert!(matches!(strict.judge(&shut_out()), Holds::No(_)));
    // Expelled, and its tries to come back were refused.
    let mut seen = shut_out();
    change_server(&mut seen, "db1", |server| {
        of_group(server, |group| group.own_state = MemberState::Error);
    });
    assert_eq!(before_the_pivot().judge(&seen), Holds::Yes);
}

#[test]
fn a_member_is_shut_out_only_if_it_can_be_taken_on_without_harm() {
    type Change = fn(&mut Sighting);
    let cases: [(&str, Change, &str); 6] = [
        (
            "it can be written to",
            |seen| change_server(seen, "db1", |s| s.super_read_only = false),
            "can be written to",
        ),
        (
            "it has what the others lack",
            |seen| {
                change_server(seen, "db1", |s| {
                    s.gtid_executed = s
                        .gtid_executed
                        .union(&"cccccccc-1111-2222-3333-bbbbbbbbbbbb:1".parse().unwrap());
                });
            },
            "cccccccc-1111-2222-3333-bbbbbbbbbbbb:1",
        ),
        (
            "an old member is still in the group and would let it join",
            |seen| change_server(seen, "db2", |s| s.version = "8.4.6".parse().unwrap()),
            "db2 runs 8.4.6",
        ),
        (
            "another member is out too",
            |seen| {
                for name in ["db2", "db3"] {
                    change_server(seen, name, |s| {
                        of_group(s, |g| g.members[1].state = MemberState::Unreachable)
                    });
                }
            },
            "db3 is UNREACHABLE",
        ),
        (
            "it is on its way back",
            |seen| {
                change_server(seen, "db1", |s| {
                    of_group(s, |g| g.own_state = MemberState::Recovering)
                })
            },
            "db1 is not in the group's view",
        ),
        (
            "its server can't be asked",
            |seen| {
                seen.members
                    .insert(member("db1"), Fact::Unknown("no answer".to_owned()));
            },
            "no answer",
        ),
    ];
    for (name, change, expected) in cases {
        let mut seen = shut_out();
        change(&mut seen);
        match before_the_pivot().judge(&seen) {
            Holds::Yes => panic!("{name}: passes"),
            Holds::No(why) | Holds::Unknown(why) => {
                assert!(why.contains(expected), "{name}: {why}")
            }
        }
    }
}

fn follows(behind: u64) -> Condition {
    Condition::Replicates {
        member: member("db2"),
        channel: String::new(),
        source: member("db1"),
        behind,
    }
}

fn has(seen: &mut Sighting, name: &str, transactions: u64) {
    let set = format!("aaaaaaaa-0000-0000-0000-000000000001:1-{transactions}");
    change_server(seen, name, |server| {
        server.gtid_executed = set.parse().unwrap();
    });
}

#[test]
fn a_replica_that_says_on_and_gets_nothing_does_not_go_on() {
    let mut first = replicas(&["9.7.3"; 2], &[(2, 1)], &[]);
    has(&mut first, "db1", 500);
    has(&mut first, "db2", 480);
    let mut later = first.clone();
    has(&mut later, "db1", 600);
    // It is not far behind, so that one look alone is content.
    assert_eq!(follows(1000).judge(&later), Holds::Yes);
    let Holds::No(why) = follows(1000).goes_on(&first, &later) else {
        panic!("it goes on");
    };
    assert!(
        why.contains("20 transactions have not arrived at db2"),
        "{why}"
    );
    // What has come since does not have to be there, too.
    has(&mut later, "db2", 500);
    assert_eq!(follows(1000).goes_on(&first, &later), Holds::Yes);
}

/// Clients write all the while: no look sees a replica that has all.
#[test]
fn a_replica_passes_a_point_that_its_sources_had_reached() {
    let passed = Condition::HasPassed {
        member: member("db3"),
        sources: [member("db1"), member("db2")].into(),
    };
    let mut first = replicas(&["9.7.3"; 3], &[(2, 1), (3, 2)], &[]);
    for (name, transactions) in [("db1", 500), ("db2", 480), ("db3", 470)] {
        has(&mut first, name, transactions);
    }
    assert_eq!(passed.judge(&first), Holds::Yes);
    let mut later = first.clone();
    for (name, transactions) in [("db1", 900), ("db2", 800), ("db3", 490)] {
        has(&mut later, name, transactions);
    }
    // It has what its own source had, and not yet what the source's source had.
    let Holds::No(why) = passed.goes_on(&first, &later) else {
        panic!("it has passed");
    };
    assert!(
        why.contains("db1 had executed") && why.contains("10 transactions have not arrived at db3"),
        "{why}"
    );
    has(&mut later, "db3", 500);
    assert_eq!(passed.goes_on(&first, &later), Holds::Yes);
    later
        .members
        .insert(member("db3"), Fact::Unknown("no answer".to_owned()));
    assert!(matches!(passed.goes_on(&first, &later), Holds::Unknown(_)));
    assert!(matches!(passed.judge(&later), Holds::Unknown(_)));
}

#[test]
fn a_replica_that_is_delayed_on_purpose_goes_on_when_it_receives() {
    let mut first = replicas(&["9.7.3"; 2], &[(2, 1)], &[]);
    has(&mut first, "db1", 500);
    has(&mut first, "db2", 100);
    change_server(&mut first, "db2", |server| {
        let channel = channel_of(server);
        channel.delay_s = 3600;
        channel.received = "aaaaaaaa-0000-0000-0000-000000000001:1-480"
            .parse()
            .unwrap();
    });
    let mut later = first.clone();
    assert!(matches!(
        follows(1000).goes_on(&first, &later),
        Holds::No(_)
    ));
    change_server(&mut later, "db2", |server| {
        channel_of(server).received = "aaaaaaaa-0000-0000-0000-000000000001:1-500"
            .parse()
            .unwrap();
    });
    assert_eq!(follows(1000).goes_on(&first, &later), Holds::Yes);
}

/// Beside a group that goes on without it a member begins none; who is in it, or sees none, may go on.
#[test]
fn a_group_that_goes_on_without_a_member_is_told() {
    let seen = shut_out();
    let others = ["db2", "db3"].map(member).to_vec();
    assert_eq!(seen.group_without(&member("db1")), Some(others));
    assert_eq!(seen.group_without(&member("db2")), None);
    assert_eq!(upgraded_but_one().group_without(&member("db1")), None);
}

/// Of a view, not of a member: who is alone in one stands, two who can't reach each other do not.
#[test]
fn a_group_stands_where_somebody_has_a_majority() {
    let stands = Condition::GroupStands;
    assert_eq!(stands.judge(&upgraded_but_one()), Holds::Yes);
    assert_eq!(stands.judge(&shut_out()), Holds::Yes);
    let mut seen = shut_out();
    change_server(&mut seen, "db2", |server| {
        of_group(server, |group| {
            group.members[1].state = MemberState::Unreachable
        });
    });
    change_server(&mut seen, "db3", |server| {
        of_group(server, |group| {
            group.members[0].state = MemberState::Unreachable
        });
    });
    assert!(matches!(stands.judge(&seen), Holds::No(_)));
    // With one of them unseen nobody knows.
    let unseen = refit_shared::observation::Fact::Unknown("no answer".to_owned());
    seen.members.insert(member("db3"), unseen);
    assert!(matches!(stands.judge(&seen), Holds::Unknown(_)));
}
