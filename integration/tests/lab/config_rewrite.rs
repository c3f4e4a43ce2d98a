use crate::play::*;
use refit_integration::stage::Stage;
use serde_json::Value;

const FILE: &str = "/etc/mysql/mysql.conf.d/zz-production.cnf";
const MEMBERS: [&str; 3] = ["db1", "db2", "db3"];

fn on(stage: &Stage, host: &str, argv: &[&str]) -> String {
    let done = stage.lab.exec(host, argv).unwrap();
    done.ok(&format!("{host}: {argv:?}")).unwrap()
}

fn option_file(stage: &Stage, member: &str) -> Vec<String> {
    let text = on(stage, member, &["cat", FILE]);
    text.lines().map(str::to_owned).collect()
}

/// What a diff takes away and adds.
fn changes(diff: &str) -> (Vec<String>, Vec<String>) {
    let body: Vec<&str> = diff.lines().skip(2).collect();
    let of = |mark: char| {
        let lines = body.iter().filter_map(|line| line.strip_prefix(mark));
        lines.map(str::to_owned).collect()
    };
    (of('-'), of('+'))
}

/// Option files with an option that the target has removed, one under its old name, and a secret: the rollout makes exactly the
/// changes that `refit config` shows, the new servers start with them, and the secret leaves no host.
#[test]
fn option_files_are_rewritten_as_reviewed() {
    let stage = set("previous-series");
    let target = target(&stage, "newest");
    for member in MEMBERS {
        let mut argv = vec!["sed", "-i"];
        for line in [
            "$a innodb_log_file_size = 32M   # gone in the target",
            "$a report_password = hunter2",
            "$a log_slave_updates = ON",
        ] {
            argv.extend(["-e", line]);
        }
        argv.push(FILE);
        on(&stage, member, &argv);
    }
    let before: Vec<Vec<String>> = MEMBERS.map(|m| option_file(&stage, m)).to_vec();
    let looks = ["stat", "-c", "%a %U %G", FILE];
    let owner = on(&stage, "db2", &looks);

    let arguments = ["check", "shop", "--target", &target, "--accept-no-spare"];
    let checked = stage
        .refit()
        .run(&[&arguments[..], &["--include", "sysVars"]].concat())
        .unwrap();
    println!("{}", checked.stdout);
    assert_eq!(checked.code, 1, "{}{}", checked.stdout, checked.stderr);
    let line = before[0].len() - 2;
    assert!(
        checked
            .stdout
            .contains(&format!("{FILE}:{line}: innodb_log_file_size is gone")),
        "{}",
        checked.stdout
    );

    let shown = stage
        .refit()
        .run(&["config", "shop", "--target", &target])
        .unwrap();
    println!("{}", shown.stdout);
    let proposed = stage
        .refit()
        .json(&["config", "shop", "--target", &target])
        .unwrap();
    let (gone, new) = changes(proposed["members"][1]["files"][0]["diff"].as_str().unwrap());
    assert!(
        gone.contains(&"log_slave_updates = ON".to_owned()),
        "{gone:?}"
    );
    assert!(
        new.contains(&"explain_format = TRADITIONAL".to_owned()),
        "{new:?}"
    );

    // A file that has changed since the plan was made stops the rollout before anything is touched.
    let file = plan(&stage, &target, &[]);
    on(&stage, "db3", &["sed", "-i", "$a # a colleague's", FILE]);
    let stale = stage.refit().run(&["apply", &file, "--yes"]).unwrap();
    assert_eq!(stale.code, 5, "{}{}", stale.stdout, stale.stderr);
    assert!(
        stale.stderr.contains("option files have changed"),
        "{}",
        stale.stderr
    );
    on(&stage, "db3", &["sed", "-i", "$d", FILE]);

    let file = plan(&stage, &target, &["--approve-pivot", "auto"]);
    let load = stage.load().unwrap();
    load.start(4, "50").unwrap();
    let applied = stage.refit().run(&["apply", &file, "--yes"]).unwrap();
    println!("{}", applied.stdout);
    assert_eq!(applied.code, 0, "{}{}", applied.stdout, applied.stderr);
    assert_all_at(&stage, &target);
    assert_nothing_lost(&load);
    for (member, before) in MEMBERS.iter().zip(&before) {
        let mut expected: Vec<String> = before.clone();
        for line in &gone {
            let at = expected.iter().position(|known| known == line);
            expected.remove(at.unwrap_or_else(|| panic!("{line:?} was not in {expected:?}")));
        }
        expected.extend(new.iter().cloned());
        let mut after = option_file(&stage, member);
        assert!(after.contains(&"report_password = hunter2".to_owned()));
        expected.sort_unstable();
        after.sort_unstable();
        assert_eq!(after, expected, "{member}");
    }
    assert_eq!(on(&stage, "db2", &looks), owner);
    let pinned = stage.lab.sql("db2", "SELECT @@GLOBAL.explain_format");
    assert_eq!(pinned.unwrap(), "TRADITIONAL");

    let told: Value = stage.refit().json(&["audit", &rollout_id(&stage)]).unwrap();
    let kept = on(&stage, "ctl", &["cat", &file]);
    for text in [
        checked.stdout,
        shown.stdout,
        proposed.to_string(),
        told.to_string(),
        kept,
    ] {
        assert!(
            !text.contains("hunter2"),
            "a secret has left its host: {text}"
        );
    }
}

fn nothing_left_unpacked(stage: &Stage) {
    for member in MEMBERS {
        let left = ["find", "/var/lib/refit-agent-beside"];
        let found = stage.lab.exec(member, &left).unwrap();
        assert_ne!(found.code, 0, "{member}: nothing is left unpacked");
    }
}

/// An option that no table knows, but the target's own mysqld does not either: the check finds it where mysqld is asked, and the
/// rollout parks before anything is stopped.
#[test]
fn what_the_target_refuses_stops_a_member_before_it_is_stopped() {
    let stage = set("older");
    let before = stage.world().unwrap();
    let target = target(&stage, "newest");
    let asks = ["check", "shop", "--target", &target, "--accept-no-spare"];
    let check = |more: &[&str]| {
        let checked = stage.refit().run(&[&asks[..], more].concat()).unwrap();
        println!("{}{}", checked.stdout, checked.stderr);
        checked
    };
    let fine = check(&["--validate-config", "--include", "validateConfig"]);
    assert_eq!(fine.code, 0, "{}{}", fine.stdout, fine.stderr);
    for member in MEMBERS {
        let argv = ["sed", "-i", "$a no_such_option_password = hunter2", FILE];
        on(&stage, member, &argv);
    }
    let line = option_file(&stage, "db1").len();
    let unasked = check(&[]);
    assert!(
        !unasked.stdout.contains("no_such_option_password"),
        "{}",
        unasked.stdout
    );
    for shape in [&["--validate-config"][..], &["--validate-config", "--json"]] {
        let refused = check(shape);
        assert_eq!(refused.code, 2, "{}{}", refused.stdout, refused.stderr);
        for text in [
            "MY-000067",
            "unknown variable",
            "no_such_option_password",
            &format!("{FILE}:{line}"),
        ] {
            assert!(refused.stdout.contains(text), "{text}: {}", refused.stdout);
        }
        assert!(!refused.stdout.contains("hunter2"), "{}", refused.stdout);
        assert!(!refused.stdout.contains("not asked"), "{}", refused.stdout);
    }
    let planned = ["plan", "shop", "--target", &target, "--accept-no-spare"];
    let blocked = stage
        .refit()
        .run(&[&planned[..], &["--validate-config", "--dry-run"]].concat())
        .unwrap();
    println!("{}{}", blocked.stdout, blocked.stderr);
    assert_ne!(blocked.code, 0, "{}", blocked.stdout);
    let text = format!("{}{}", blocked.stdout, blocked.stderr);
    assert!(text.contains("no_such_option_password"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    nothing_left_unpacked(&stage);
    let now = stage.world().unwrap();
    now.assert_whole();
    assert_eq!(before.versions(), now.versions());
    for (name, member) in &before.0 {
        assert_eq!(member.packages, now.0[name].packages, "{name}");
    }

    // A check that is under way gives way to the rollout, and neither spoils the other.
    let file = plan(&stage, &target, &[]);
    let reply = std::thread::scope(|scope| {
        let beside = scope.spawn(|| check(&["--validate-config"]));
        let reply = stage.refit().run(&["apply", &file, "--yes"]).unwrap();
        let beside = beside.join().unwrap();
        assert_eq!(beside.code, 2, "{}{}", beside.stdout, beside.stderr);
        assert!(!beside.stdout.contains("hunter2"), "{}", beside.stdout);
        reply
    });
    println!("{}", reply.stdout);
    assert_eq!(reply.code, 3, "{}{}", reply.stdout, reply.stderr);
    let text = format!("{}{}", reply.stdout, reply.stderr);
    assert!(text.contains("validate_config"), "{text}");
    assert!(text.contains("no_such_option_password"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    let now = stage.world().unwrap();
    now.assert_whole();
    assert_eq!(before.versions(), now.versions());
    nothing_left_unpacked(&stage);
}

/// Pins as an upgrade writes them, one of them not on every member: listed, refused where the names are wrong, taken out by a rolling
/// restart under load, with the defaults in force on all members, and put back byte for byte.
#[test]
fn pins_are_released_by_a_rolling_restart_and_put_back() {
    let stage = set("newest");
    let version = target(&stage, "newest");
    let tag = "# Refit 2026-11-20, 8.4.6 to 9.7.4: its default is another:";
    let format = format!("\n[mysqld]\n{tag} tools that read EXPLAIN\nexplain_format = TRADITIONAL");
    let buffering = format!("{tag} writes to secondary indexes\ninnodb_change_buffering = none");
    for member in MEMBERS {
        let text = match member {
            "db3" => format.clone(),
            _ => format!("{format}\n{buffering}"),
        };
        let script = "printf '%s\\n' \"$1\" >> \"$2\"";
        on(&stage, member, &["sh", "-c", script, "sh", &text, FILE]);
        let now = "SET GLOBAL explain_format = 'TRADITIONAL'";
        stage.lab.sql(member, now).unwrap();
    }
    let before = stage.world().unwrap();
    let files: Vec<Vec<String>> = MEMBERS.map(|m| option_file(&stage, m)).to_vec();

    let listed = stage.refit().run(&["config", "shop", "--pins"]).unwrap();
    println!("{}", listed.stdout);
    assert_eq!(listed.code, 0, "{}{}", listed.stdout, listed.stderr);
    for text in [
        "explain_format",
        "TRADITIONAL",
        "TREE",
        "db1, db2, db3",
        "db1, db2 ",
    ] {
        assert!(listed.stdout.contains(text), "{text}: {}", listed.stdout);
    }
    let wrong = "no_such_thing,group_replication_ssl_mode,explain_format";
    let refused = stage
        .refit()
        .run(&["plan", "shop", "--release", wrong, "--accept-no-spare"]);
    let refused = refused.unwrap();
    println!("{}", refused.stderr);
    assert_eq!(refused.code, 5, "{}{}", refused.stdout, refused.stderr);
    for text in [
        "name 1: no_such_thing",
        "name 2: group_replication_ssl_mode",
        "refit config shop --pins",
    ] {
        assert!(refused.stderr.contains(text), "{text}: {}", refused.stderr);
    }
    assert!(
        !refused.stderr.contains("refit check"),
        "{}",
        refused.stderr
    );

    let plan = "/root/release.json";
    let names = "explain_format,innodb_change_buffering";
    let arguments = ["plan", "shop", "--release", names, "--accept-no-spare"];
    let planned = stage
        .refit()
        .run(&[&arguments[..], &["--soak", "3s", "--out", plan]].concat())
        .unwrap();
    println!("{}", planned.stdout);
    assert_eq!(planned.code, 0, "{}{}", planned.stdout, planned.stderr);
    assert!(
        !planned.stdout.contains("swap_packages"),
        "{}",
        planned.stdout
    );

    let load = stage.load().unwrap();
    load.start(4, "100").unwrap();
    let applied = stage.refit().run(&["apply", plan, "--yes"]).unwrap();
    println!("{}", applied.stdout);
    assert_eq!(applied.code, 0, "{}{}", applied.stdout, applied.stderr);
    let world = assert_all_at(&stage, &version);
    let asked = "SELECT CONCAT(@@GLOBAL.explain_format, ' ', @@GLOBAL.innodb_change_buffering)";
    for (member, before) in MEMBERS.iter().zip(&files) {
        assert_eq!(
            stage.lab.sql(member, asked).unwrap(),
            "TREE all",
            "{member}"
        );
        let is_pin = |line: &&String| {
            line.starts_with(tag)
                || line.starts_with("explain_format")
                || line.starts_with("innodb_change_buffering")
        };
        let expected: Vec<String> = before
            .iter()
            .filter(|line| !is_pin(line))
            .cloned()
            .collect();
        assert_eq!(option_file(&stage, member), expected, "{member}");
    }
    for (name, member) in &before.0 {
        assert_eq!(member.packages, world.0[name].packages, "{name}");
    }

    unwind(&stage);
    assert_restored(&before, &stage.world().unwrap());
    let pinned = stage.lab.sql("db2", asked).unwrap();
    assert_eq!(pinned, "TRADITIONAL none");
    assert_nothing_lost(&load);
}
