use crate::play::*;
use anyhow::ensure;
use refit_integration::stage::{Stage, wait_for};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

const PLUGINS: &str = "/usr/lib/mysql/plugin";
/// What dpkg knows to be this package's.
const OWNED: &str = "/var/lib/dpkg/info/mysql-server-core.list";
const FILE: &str = "/etc/mysql/mysql.conf.d/zz-production.cnf";
const STAYS: &str = "login_stays.so";
const GONE: &str = "component_gone";
const OURS: &str = "component_ours";

fn on(stage: &Stage, host: &str, argv: &[&str]) -> String {
    let done = stage.lab.exec(host, argv).unwrap();
    done.ok(&format!("{host}: {argv:?}")).unwrap()
}

fn is_there(stage: &Stage, host: &str, file: &str) -> bool {
    let path = format!("{PLUGINS}/{file}");
    let looked = stage.lab.exec(host, &["test", "-e", &path]).unwrap();
    looked.code == 0
}

/// A library of another name; `owned`: the package that is installed has brought it.
fn copy(stage: &Stage, host: &str, from: &str, to: &str, owned: bool) {
    let [from, to] = [from, to].map(|file| format!("{PLUGINS}/{file}"));
    on(stage, host, &["cp", "--preserve=mode", &from, &to]);
    if owned {
        on(stage, host, &["sed", "-i", &format!("$a {to}"), OWNED]);
    }
}

/// Installing writes to tables of this server alone.
fn installs(stage: &Stage, host: &str, statement: &str) {
    let statement = format!(
        "SET GLOBAL super_read_only = OFF; SET GLOBAL read_only = OFF; {statement}; SET GLOBAL super_read_only = ON"
    );
    stage.lab.sql(host, &statement).unwrap();
}

/// Who is told at which level, and all that is said.
fn told(stage: &Stage, target: &str) -> (i32, BTreeSet<(String, String)>, String) {
    let asks = ["check", "shop", "--target", target, "--accept-no-spare"];
    let only = ["--include", "pluginLibraries", "--json"];
    let checked = stage.refit().run(&[&asks[..], &only[..]].concat());
    let checked = checked.unwrap();
    let report: Value = serde_json::from_str(&checked.stdout).unwrap();
    let [check] = report["checksPerformed"].as_array().unwrap().as_slice() else {
        panic!("one check: {report:#}")
    };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let problems = check["detectedProblems"].as_array().unwrap();
    let levels = problems
        .iter()
        .map(|problem| (text(&problem["dbObject"]), text(&problem["level"])));
    println!("{check:#}");
    (checked.code, levels.collect(), check.to_string())
}

/// Libraries that go with their package when it is swapped, and one that no package has: each is told, a member whose logins depend on
/// one is not stopped, and what becomes of the files and of the servers is what was told.
#[test]
fn libraries_that_the_target_does_not_bring_stop_a_member_before_it_is_stopped() {
    let stage = set("older");
    let target = target(&stage, "newest");
    let (code, levels, _) = told(&stage, &target);
    assert_eq!((code, levels), (0, BTreeSet::new()));

    copy(&stage, "db2", "mysql_no_login.so", "login_ours.so", true);
    installs(
        &stage,
        "db2",
        "INSTALL PLUGIN mysql_no_login SONAME 'login_ours.so'",
    );
    let source = "component_query_attributes.so";
    for (host, component, owned) in [("db2", GONE, true), ("db3", OURS, false)] {
        copy(&stage, host, source, &format!("{component}.so"), owned);
        installs(
            &stage,
            host,
            &format!("INSTALL COMPONENT 'file://{component}'"),
        );
    }
    // What nobody's package has is loaded by an option file, too: the target finds it where it is.
    copy(&stage, "db3", "mysql_no_login.so", STAYS, false);
    let line = format!("$a plugin_load_add = mysql_no_login={STAYS}");
    on(&stage, "db3", &["sed", "-i", &line, FILE]);
    on(&stage, "db3", &["systemctl", "restart", "mysql"]);
    wait_for("db3 to be back", Duration::from_secs(60), || {
        let asked = "SELECT member_state FROM performance_schema.replication_group_members WHERE member_id = @@server_uuid";
        let state = stage.lab.sql("db3", asked)?;
        ensure!(state == "ONLINE", "{state}");
        Ok(())
    })
    .unwrap();
    let before = stage.world().unwrap();
    let (code, levels, said) = told(&stage, &target);
    assert_eq!(code, 2, "{said}");
    let level = |file: &str, level: &str| (file.to_owned(), level.to_owned());
    let warned = [
        level("component_gone.so", "Warning"),
        level("component_ours.so", "Warning"),
        level(STAYS, "Warning"),
    ];
    let mut expected = BTreeSet::from(warned.clone());
    expected.insert(level("login_ours.so", "Error"));
    assert_eq!(levels, expected, "{said}");
    for text in [
        "plugin mysql_no_login is in /usr/lib/mysql/plugin/login_ours.so, which mysql-server-core has now",
        "accounts that log in with it could not (only on db2)",
        "UNINSTALL PLUGIN mysql_no_login",
        "component_ours.so, which is no package's: it stays as it is",
        "UNINSTALL COMPONENT 'file://component_gone'",
    ] {
        assert!(said.contains(text), "{text}: {said}");
    }

    // Nobody has to ask: the rollout looks before it stops anything.
    let file = plan(&stage, &target, &[]);
    let reply = stage.refit().run(&["apply", &file, "--yes"]).unwrap();
    println!("{}", reply.stdout);
    assert_eq!(reply.code, 3, "{}{}", reply.stdout, reply.stderr);
    let text = format!("{}{}", reply.stdout, reply.stderr);
    assert!(
        text.contains("validate_config") && text.contains("login_ours.so"),
        "{text}"
    );
    let now = stage.world().unwrap();
    now.assert_whole();
    assert_eq!(before.versions(), now.versions());

    installs(&stage, "db2", "UNINSTALL PLUGIN mysql_no_login");
    let (code, levels, said) = told(&stage, &target);
    assert_eq!(
        (code, levels),
        (1, BTreeSet::from(warned)),
        "only warnings are left: {said}"
    );
    let id = rollout_id(&stage);
    let resumed = stage.refit().run(&["resume", &id, "--yes"]).unwrap();
    assert_eq!(resumed.code, 0, "{}{}", resumed.stdout, resumed.stderr);
    wait_for_state(&stage, &["upgraded"]);
    assert_all_at(&stage, &target);

    // dpkg removes what its package does not have any more, and leaves alone what is nobody's.
    for file in ["login_ours.so", "component_gone.so"] {
        assert!(!is_there(&stage, "db2", file), "{file} is still there");
    }
    assert!(is_there(&stage, "db3", "component_ours.so"));
    let loaded = "SELECT plugin_library FROM information_schema.plugins WHERE plugin_name = 'mysql_no_login'";
    assert_eq!(stage.lab.sql("db3", loaded).unwrap(), STAYS);
    let installed = "SELECT component_urn FROM mysql.component";
    let serves = "USE sys; SELECT COALESCE(mysql_query_attribute_string('x'), 'none')";
    assert_eq!(stage.lab.sql("db3", serves).unwrap(), "none");
    let gone = stage.lab.sql("db2", installed).unwrap();
    assert_eq!(gone, format!("file://{GONE}"), "it is installed");
    let why = stage.lab.sql("db2", serves).unwrap_err();
    assert!(format!("{why:#}").contains("does not exist"), "{why:#}");
    let log = on(&stage, "db2", &["grep", GONE, "/var/log/mysql/error.log"]);
    println!("{log}");
    assert!(log.contains("[ERROR]"), "it is only logged: {log}");
}
