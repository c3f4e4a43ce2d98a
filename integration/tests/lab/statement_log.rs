use crate::play::*;
use anyhow::bail;
use refit_integration::stage::{Fleet, Stage, wait_for};
use std::time::Duration;

const FILE: &str = "/etc/mysql/mysql.conf.d/zz-production.cnf";

/// The source logs statements, by its option file and in every session.
fn log_statements(stage: &Stage) {
    let edit = [
        "sed",
        "-i",
        "s/^binlog_format .*/binlog_format = STATEMENT/",
        FILE,
    ];
    stage.lab.exec("db1", &edit).unwrap().ok("sed").unwrap();
    let restart = ["systemctl", "restart", "mysql"];
    stage
        .lab
        .exec("db1", &restart)
        .unwrap()
        .ok("restart")
        .unwrap();
    wait_for(
        "db1 to log statements",
        Duration::from_secs(30),
        || match stage
            .lab
            .sql("db1", "SELECT @@GLOBAL.binlog_format")?
            .as_str()
        {
            "STATEMENT" => Ok(()),
            other => bail!("{other}"),
        },
    )
    .unwrap();
}

fn format(stage: &Stage) -> String {
    let asked = "SELECT @@GLOBAL.binlog_format";
    stage.lab.sql("db1", asked).unwrap()
}

/// How many statements and how many events of rows the last binary log of the source tells of the writing client's table.
fn logged(stage: &Stage) -> (usize, usize) {
    let names = stage.lab.sql("db1", "SHOW BINARY LOGS").unwrap();
    let last = names.lines().last().expect("a binary log");
    let last = last.split('\t').next().expect("a first column");
    let base = stage
        .lab
        .sql("db1", "SELECT @@GLOBAL.log_bin_basename")
        .unwrap();
    let directory = base.rsplit_once('/').expect("a path").0;
    let file = format!("{directory}/{last}");
    let read = stage
        .lab
        .exec(
            "db1",
            &["mysqlbinlog", "--base64-output=DECODE-ROWS", &file],
        )
        .unwrap();
    let text = read.ok("mysqlbinlog").unwrap();
    let statements = text
        .lines()
        .filter(|line| line.to_uppercase().starts_with("INSERT INTO"));
    (statements.count(), text.matches("Write_rows").count())
}

fn rotate(stage: &Stage) {
    stage.lab.sql("db1", "FLUSH BINARY LOGS").unwrap();
}

/// The clients' pools are emptied, as when the application is rolled over.
fn clients_connect_anew(stage: &Stage) {
    let ids = "SELECT id FROM information_schema.processlist WHERE user = 'refit_app'";
    for id in stage.lab.sql("db1", ids).unwrap().lines() {
        // One that has ended by itself meanwhile is as good.
        let _ = stage.lab.sql("db1", &format!("KILL {id}"));
    }
}

fn some_are_logged(
    stage: &Stage,
    what: &str,
    enough: impl Fn((usize, usize)) -> bool,
) -> (usize, usize) {
    rotate(stage);
    wait_for(what, Duration::from_secs(30), || {
        let found = logged(stage);
        if enough(found) {
            Ok(found)
        } else {
            bail!("statements and events of rows: {found:?}")
        }
    })
    .unwrap()
}

/// A source that logs statements. They stop before the first replica is upgraded, once every client has connected anew; unwinding
/// puts the format back, and so does the source's restart at the end of a rollout.
#[test]
fn a_source_that_logs_statements_logs_rows_while_versions_differ() {
    let stage = set_as("previous-series", Fleet::source_with_two_replicas);
    log_statements(&stage);
    let before = stage.world().unwrap();
    let target = target(&stage, "newest");
    let load = stage.load().unwrap();
    load.start(4, "50").unwrap();
    assert_replicating_at(
        &stage,
        &["db2:db1", "db3:db1"],
        &mysql_version(&stage.lab.version("previous-series").unwrap()),
    );
    let found = some_are_logged(&stage, "statements to be logged", |(s, rows)| {
        s > 50 && rows == 0
    });
    println!("  at first, statements and events of rows: {found:?}");

    let file = plan(&stage, &target, &["--approve-pivot", "auto"]);
    let applied = apply(&stage, &file);
    wait_for_step(&stage, "db1", "log_rows", "running");
    wait_for(
        "the server to log rows",
        Duration::from_secs(20),
        || match format(&stage).as_str() {
            "ROW" => Ok(()),
            other => bail!("{other}"),
        },
    )
    .unwrap();
    // The clients' sessions still have their own format, so it waits, and kills nobody.
    let old = some_are_logged(&stage, "old sessions to go on", |(s, _)| s > 50);
    println!("  while it waits for old sessions: {old:?}");
    assert_eq!(old.1, 0);
    clients_connect_anew(&stage);
    wait_for_step(&stage, "db1", "log_rows", "done");
    let rows = some_are_logged(&stage, "rows to be logged", |(_, rows)| rows > 50);
    println!("  once clients have connected anew: {rows:?}");
    assert_eq!(rows.0, 0, "statements are still logged");
    wait_for_step(&stage, ANYBODY, "stop_server", "running");

    unwind(&stage);
    drop(applied);
    assert_eq!(format(&stage), "STATEMENT", "unwound");
    assert_restored(&before, &stage.world().unwrap());

    let file = plan(&stage, &target, &["--approve-pivot", "auto"]);
    // The sessions of these clients began while the server logged rows: nobody is waited for.
    let done = stage.refit().run(&["apply", &file, "--yes"]).unwrap();
    println!("{}", done.stdout);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    assert_replicating_at(&stage, &["db2:db1", "db3:db1"], &target);
    assert_eq!(format(&stage), "STATEMENT", "put back at the end");
    assert_nothing_lost(&load);
}
