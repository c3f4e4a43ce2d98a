use crate::play::*;
use refit_integration::stage::{Fleet, Stage, wait_for};
use std::collections::BTreeMap;

const TABLES: [&str; 2] = ["items", "Order `lines`"];

/// Which tablespace each table is in, on each server: another one after it was rebuilt.
fn spaces(stage: &Stage) -> BTreeMap<(String, String), String> {
    let mut spaces = BTreeMap::new();
    for member in &stage.members {
        let asked = "SELECT name, space FROM information_schema.innodb_tables WHERE name LIKE 'warehouse/%' ORDER BY name";
        for line in stage.lab.sql(member, asked).unwrap().lines() {
            let (name, space) = line.split_once('\t').expect("two columns");
            spaces.insert((member.clone(), name.to_owned()), space.to_owned());
        }
    }
    spaces
}

/// Two tables with rows in them, by the server that takes writes.
fn fill(stage: &Stage) {
    let sql = |statement: &str| stage.lab.sql("db1", statement).unwrap();
    sql("CREATE DATABASE warehouse");
    for table in TABLES {
        let name = table.replace('`', "``");
        sql(&format!(
            "CREATE TABLE warehouse.`{name}` (id INT PRIMARY KEY AUTO_INCREMENT, note VARCHAR(200))"
        ));
        sql(&format!(
            "INSERT INTO warehouse.`{name}` (note) SELECT REPEAT('x', 200) FROM mysql.help_topic"
        ));
    }
}

/// How often a binary log of this host says ALTER TABLE.
fn altered_in_binary_logs(stage: &Stage, member: &str) -> usize {
    let names = stage.lab.sql(member, "SHOW BINARY LOGS").unwrap();
    let base = stage
        .lab
        .sql(member, "SELECT @@GLOBAL.log_bin_basename")
        .unwrap();
    let directory = base.rsplit_once('/').expect("a path").0;
    let mut argv = vec!["mysqlbinlog".to_owned()];
    argv.extend(names.lines().map(|line| {
        let name = line.split('\t').next().expect("a first column");
        format!("{directory}/{name}")
    }));
    let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
    let read = stage.lab.exec(member, &argv).unwrap();
    let text = read.ok("mysqlbinlog").unwrap();
    assert!(
        text.contains("CREATE TABLE warehouse"),
        "{member}: {directory}"
    );
    text.matches("ALTER TABLE").count()
}

/// Two tables are rebuilt on a source and both its replicas, under load: on each server by itself. Nobody's binary log tells of it,
/// nobody has a GTID that the source did not write, and clients go on.
#[test]
fn tables_are_rebuilt_on_every_server_and_no_gtid_is_written() {
    let stage = set_as("newest", Fleet::source_with_two_replicas);
    let before = stage.world().unwrap();
    let target = target(&stage, "newest");
    let sql = |statement: &str| stage.lab.sql("db1", statement).unwrap();
    fill(&stage);
    let load = stage.load().unwrap();
    load.start(4, "50").unwrap();
    assert_replicating_at(&stage, &["db2:db1", "db3:db1"], &target);
    stage
        .refit()
        .run(&["fleet"])
        .unwrap()
        .ok("refit fleet")
        .unwrap();
    let were = spaces(&stage);
    assert_eq!(were.len(), 6, "{were:?}");

    let tables = format!("warehouse.{},warehouse.{}", TABLES[0], TABLES[1]);
    let rebuild = ["--strategy", "rebuild-tables", "--tables", &tables];
    let file = plan(&stage, &target, &rebuild);
    let done = stage.refit().run(&["apply", &file, "--yes"]).unwrap();
    println!("{}", done.stdout);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);

    let after = assert_replicating_at(&stage, &["db2:db1", "db3:db1"], &target);
    assert_eq!(after.writable(), ["db1"], "{after:#?}");
    assert_same_config(&before, &after);
    let are = spaces(&stage);
    println!("  tablespaces before {were:?}\n  after {are:?}");
    assert_eq!(are.len(), were.len());
    for (table, space) in &are {
        assert_ne!(were[table], *space, "{table:?} was not rebuilt");
    }
    for member in &stage.members {
        assert_eq!(altered_in_binary_logs(&stage, member), 0, "{member}");
        let read_only = stage
            .lab
            .sql(member, "SELECT @@GLOBAL.super_read_only")
            .unwrap();
        let closed = if member == "db1" { "0" } else { "1" };
        assert_eq!(read_only, closed, "{member}");
    }
    assert_nothing_lost(&load);
    println!(
        "  longest gaps as the client saw them, ms: {:?}",
        longest_gaps(&load)
    );
    // Every GTID anywhere is of the source.
    let uuid = sql("SELECT @@server_uuid");
    for member in &stage.members {
        let executed = stage
            .lab
            .sql(member, "SELECT @@GLOBAL.gtid_executed")
            .unwrap();
        assert!(
            executed.split(',').all(|set| set.trim().starts_with(&uuid)),
            "{member}: {executed}"
        );
    }

    // What is not there is known when the plan is made.
    let wrong = [
        "plan",
        "shop",
        "--target",
        &target,
        "--strategy",
        "rebuild-tables",
    ];
    let wrong = [&wrong[..], &["--tables", "warehouse.itms", "--dry-run"]].concat();
    let refused = stage.refit().run(&wrong).unwrap();
    let said = format!("{}{}", refused.stdout, refused.stderr);
    assert_eq!(refused.code, 5, "{said}");
    for member in &stage.members {
        assert!(
            said.contains(&format!("{member}: warehouse.itms")),
            "{said}"
        );
    }
    assert_replicating_at(&stage, &["db2:db1", "db3:db1"], &target);
}

/// The same on the members of a group under load: one after the other is out of it, the primary last, and has its role again.
#[test]
fn tables_are_rebuilt_on_every_member_of_a_group() {
    let stage = set("newest");
    let before = stage.world().unwrap();
    before.assert_whole();
    let target = target(&stage, "newest");
    fill(&stage);
    let load = stage.load().unwrap();
    load.start(4, "50").unwrap();
    wait_for("the tables to be everywhere", PATIENCE, || {
        let seen = spaces(&stage);
        anyhow::ensure!(seen.len() == 6, "{seen:?}");
        Ok(())
    })
    .unwrap();
    let were = spaces(&stage);

    let tables = format!("warehouse.{},warehouse.{}", TABLES[0], TABLES[1]);
    let rebuild = ["--strategy", "rebuild-tables", "--tables", &tables];
    let file = plan(&stage, &target, &rebuild);
    let done = stage.refit().run(&["apply", &file, "--yes"]).unwrap();
    println!("{}", done.stdout);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);

    let after = assert_all_at(&stage, &target);
    assert_eq!(before.primary(), after.primary());
    assert_same_config(&before, &after);
    let are = spaces(&stage);
    println!("  tablespaces before {were:?}\n  after {are:?}");
    assert_eq!(are.len(), were.len());
    for (table, space) in &are {
        assert_ne!(were[table], *space, "{table:?} was not rebuilt");
    }
    for member in &stage.members {
        assert_eq!(altered_in_binary_logs(&stage, member), 0, "{member}");
    }
    assert_nothing_lost(&load);
    println!(
        "  longest gaps as the client saw them, ms: {:?}",
        longest_gaps(&load)
    );
    // Every GTID anywhere is the group's: none has a member's own UUID.
    let ask = |member: &str, what: &str| stage.lab.sql(member, what).unwrap();
    let own: Vec<String> = stage
        .members
        .iter()
        .map(|member| ask(member, "SELECT @@server_uuid"))
        .collect();
    for member in &stage.members {
        let executed = ask(member, "SELECT @@GLOBAL.gtid_executed");
        assert!(
            own.iter().all(|uuid| !executed.contains(uuid.as_str())),
            "{member}: {executed}"
        );
    }
}

/// The source is restarted without binary log and network for it, as the manual has it: clients are locked out meanwhile, none of
/// their writes is lost, and nobody's GTIDs tell of it.
#[test]
fn a_source_is_restarted_without_binary_log_to_rebuild_its_tables() {
    let stage = set_as("newest", Fleet::source_with_two_replicas);
    let before = stage.world().unwrap();
    let target = target(&stage, "newest");
    fill(&stage);
    let load = stage.load().unwrap();
    load.start(4, "100").unwrap();
    assert_replicating_at(&stage, &["db2:db1", "db3:db1"], &target);
    let were = spaces(&stage);
    assert_eq!(were.len(), 6, "{were:?}");

    let tables = format!("warehouse.{},warehouse.{}", TABLES[0], TABLES[1]);
    let rebuild = ["--strategy", "rebuild-tables", "--tables", &tables];
    let rebuild = [&rebuild[..], &["--restart-source"]].concat();
    let file = plan(&stage, &target, &rebuild);
    let done = stage.refit().run(&["apply", &file, "--yes"]).unwrap();
    println!("{}", done.stdout);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);

    let after = assert_replicating_at(&stage, &["db2:db1", "db3:db1"], &target);
    assert_eq!(after.writable(), ["db1"], "{after:#?}");
    assert_same_config(&before, &after);
    let are = spaces(&stage);
    for (table, space) in &are {
        assert_ne!(were[table], *space, "{table:?} was not rebuilt");
    }
    let ask = |member: &str, what: &str| stage.lab.sql(member, what).unwrap();
    assert_eq!(
        ask("db1", "SELECT @@GLOBAL.log_bin, @@GLOBAL.skip_networking"),
        "1\t0"
    );
    let argv = ["systemctl", "cat", "mysql.service"];
    let unit = stage.lab.exec("db1", &argv).unwrap();
    assert!(!unit.ok("systemctl cat").unwrap().contains("skip-log-bin"));
    for member in &stage.members {
        assert_eq!(altered_in_binary_logs(&stage, member), 0, "{member}");
    }
    assert_nothing_lost(&load);
    println!(
        "  longest gaps as the client saw them, ms: {:?}",
        longest_gaps(&load)
    );
    let uuid = ask("db1", "SELECT @@server_uuid");
    for member in &stage.members {
        let executed = ask(member, "SELECT @@GLOBAL.gtid_executed");
        assert!(
            executed.split(',').all(|set| set.trim().starts_with(&uuid)),
            "{member}: {executed}"
        );
    }
}
