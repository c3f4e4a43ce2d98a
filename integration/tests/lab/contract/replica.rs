use super::Judge;
use crate::play::*;
use refit_integration::stage::{Fleet, Shape};

/// The real server keeps as a replica what the simulated one keeps. Afterwards it follows its source as before, and has all that was
/// written there meanwhile.
#[test]
fn a_real_replica_keeps_the_contract() {
    let links = &["db2:db1"];
    let stage = set_with("older", |version| Fleet {
        members: 2,
        shape: Shape::Replication(links),
        ..Fleet::of_three(version)
    });
    let judge = Judge::on(&stage);
    let before = stage.world().unwrap();
    before.assert_replicating(links);
    let channel = "SELECT CHANNEL_NAME, HOST, PORT, USER, AUTO_POSITION, SSL_ALLOWED, GET_PUBLIC_KEY, CONNECTION_RETRY_INTERVAL, \
         CONNECTION_RETRY_COUNT FROM performance_schema.replication_connection_configuration";
    let set_up = judge.run("db2", channel);

    let there = stage.lab.ip("db1").unwrap();
    judge.asks("db2", &["--place", "replica", "--there", &there], 10);

    judge.assert_equal("db1", "db2");
    assert_eq!(judge.run("db2", channel), set_up, "the channel");
    assert_eq!(stage.world().unwrap(), before, "both are as they were");
}
