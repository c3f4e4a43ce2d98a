use crate::play::*;
use refit_integration::stage::{Fleet, Stage, wait_for};
use std::collections::BTreeSet;
use std::time::Duration;

/// `systemd-analyze security` counts from 0 (confined) to 10 (may do all that root may). More than this is a step back.
const AGENT: f64 = 4.0;
const CONTROLLER: f64 = 1.8;

const MEMBERS: [&str; 3] = ["db1", "db2", "db3"];
/// The needles, on every host: nothing that looks for them has them in its own arguments.
const NEEDLES: &str = "/root/needles";

fn on(stage: &Stage, host: &str, argv: &[&str]) -> String {
    let done = stage.lab.exec(host, argv).unwrap();
    done.ok(&format!("{host}: {argv:?}")).unwrap()
}

fn shell(stage: &Stage, host: &str, script: &str) -> String {
    on(stage, host, &["sh", "-c", script])
}

fn exposure(stage: &Stage, host: &str, unit: &str) -> f64 {
    let told = on(
        stage,
        host,
        &["systemd-analyze", "security", "--no-pager", unit],
    );
    let figure = told
        .lines()
        .find_map(|line| {
            line.split_once("Overall exposure level for ")?
                .1
                .split(' ')
                .nth(1)?
                .parse()
                .ok()
        })
        .unwrap_or_else(|| panic!("{told}"));
    println!("  systemd-analyze security {unit}: {figure}");
    figure
}

/// Writes a file on a host without its text being an argument there.
fn write(stage: &Stage, host: &str, path: &str, mode: &str, text: &str) {
    let file = stage.workshop.join("planted");
    std::fs::write(&file, text).unwrap();
    stage.lab.put(host, &file, path).unwrap();
    std::fs::remove_file(&file).unwrap();
    on(stage, host, &["chmod", mode, path]);
}

/// What of the needles a host's files, journal and sampled processes tell.
fn found(stage: &Stage, host: &str, what: &str) -> BTreeSet<String> {
    let script = format!("{what} | grep -aoFf {NEEDLES} | sort -u || true");
    shell(stage, host, &script)
        .lines()
        .map(str::to_owned)
        .collect()
}

/// A line out of the middle of a private key.
fn part_of_key(stage: &Stage, bundle: &str) -> String {
    let pem = std::fs::read_to_string(stage.workshop.join(bundle).join("key.pem")).unwrap();
    pem.lines().nth(1).expect("a key has lines").to_owned()
}

/// A hand-over of a source's role, with passwords for the agent, for replication and in option files, and with private keys: none of
/// them is in a log, a journal, a ledger, a plan, an answer, or the arguments or the environment of a process, at any time of it.
/// That the search finds things is proved by words that are put there to be found. The daemons run under the hardened units.
#[test]
fn no_secret_is_told_and_the_units_are_confined() {
    let stage = set_as("older", Fleet::source_with_two_replicas);
    assert!(exposure(&stage, "db1", "refit-agent.service") <= AGENT);
    assert!(exposure(&stage, "ctl", "refit-controller.service") <= CONTROLLER);

    // Secrets where people have them.
    let planted = [
        "Agent-0f3a77d2c1",
        "Okv-5c11be90aa",
        "Report-71d0c2f4e8",
        "Comment-9be3a4470d",
        "Client-2ad95c31f6",
    ];
    let [agent, okv, report, comment, client] = planted;
    let sql = format!(
        "CREATE USER refit_agent@localhost IDENTIFIED BY '{agent}'; GRANT ALL ON *.* TO refit_agent@localhost WITH GRANT OPTION"
    );
    write(&stage, "db1", "/root/account.sql", "0600", &sql);
    shell(
        &stage,
        "db1",
        "mysql < /root/account.sql && rm /root/account.sql",
    );
    for member in MEMBERS {
        let there = "SELECT COUNT(*) FROM mysql.user WHERE user = 'refit_agent'";
        wait_for(
            "the agent's account",
            Duration::from_secs(30),
            || match stage.lab.sql(member, there)?.as_str() {
                "1" => Ok(()),
                other => anyhow::bail!("{other} accounts"),
            },
        )
        .unwrap();
        let login = format!("[client]\nuser=refit_agent\npassword=\"{agent}\"\n");
        write(&stage, member, "/etc/refit/mysql.cnf", "0600", &login);
        let options = format!(
            "[client]\npassword = {client}\n[mysqld]\nreport_password = {report}\nloose_keyring_okv_passphrase = {okv}\n\
             # CHANGE REPLICATION SOURCE TO SOURCE_HOST='db1', SOURCE_PASSWORD='{comment}'\n"
        );
        write(
            &stage,
            member,
            "/etc/mysql/mysql.conf.d/zz-secrets.cnf",
            "0644",
            &options,
        );
        shell(
            &stage,
            member,
            "sed -i 's|^\\[mysql\\]|&\\ncredentials_file = \"/etc/refit/mysql.cnf\"|' /etc/refit/agent.toml && systemctl restart refit-agent",
        );
    }

    // What is looked for, and what must be found.
    let canaries = [
        "canary-argument",
        "canary-environment",
        "canary-journald",
        "canary-file",
        "canary-reason",
    ];
    let replication = shell(
        &stage,
        "db1",
        "sed -n 's/^password=\"\\(.*\\)\"/\\1/p' /etc/replication.cnf",
    );
    let mut secrets: Vec<String> = planted.map(str::to_owned).to_vec();
    secrets.push(replication.trim().to_owned());
    secrets.extend(
        ["controller", "operator", "db1", "db2", "db3"].map(|bundle| part_of_key(&stage, bundle)),
    );
    assert!(
        secrets.iter().all(|secret| secret.len() >= 10),
        "{secrets:?}"
    );
    let needles: String = secrets
        .iter()
        .map(String::as_str)
        .chain(canaries)
        .map(|needle| format!("{needle}\n"))
        .collect();
    let sampler = format!(
        "while :; do cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -aoFf {NEEDLES} >> /run/sampled; \
         echo >> /run/samples; sleep 0.1; done"
    );
    for host in ["db1", "db2", "db3", "ctl"] {
        write(&stage, host, NEEDLES, "0600", &needles);
        let unit = [
            "systemd-run",
            "--quiet",
            "--unit=sampler",
            "sh",
            "-c",
            &sampler,
        ];
        on(&stage, host, &unit);
        on(&stage, host, &["sh", "-c", "sleep 3; :", "canary-argument"]);
        on(
            &stage,
            host,
            &["env", "CANARY=canary-environment", "sleep", "3"],
        );
        on(&stage, host, &["logger", "canary-journald"]);
    }
    shell(
        &stage,
        "db1",
        "echo canary-file > /var/lib/refit-agent/canary",
    );

    // The rollout, and everything that people and automation are told of it.
    let target = target(&stage, "newest");
    let load = stage.load().unwrap();
    load.start(4, "50").unwrap();
    let mut told = String::new();
    let mut say = |arguments: &[&str]| {
        let reply = stage.refit().run(arguments).unwrap();
        told += &format!("{}{}", reply.stdout, reply.stderr);
        reply.code
    };
    say(&["check", "shop", "--target", &target]);
    say(&["check", "shop", "--target", &target, "--json"]);
    say(&["config", "shop", "--target", &target]);
    say(&["config", "shop", "--target", &target, "--json"]);
    let file = plan(&stage, &target, &["--strategy", "switchover"]);
    assert_eq!(
        say(&["apply", &file, "--yes", "--reason", "canary-reason"]),
        3,
        "{told}"
    );
    let id = rollout_id(&stage);
    assert_eq!(say(&["approve", &id, "--yes"]), 0, "{told}");
    wait_for_state(&stage, &["upgraded"]);
    for arguments in [
        &["audit", &id][..],
        &["audit", &id, "--json"],
        &["show", &id],
        &["show", &id, "--json"],
        &["fleet", "--json"],
    ] {
        assert_eq!(say(arguments), 0, "{arguments:?}");
    }
    let health = shell(
        &stage,
        "db1",
        "for path in health primary replica ready; do curl -s http://127.0.0.1:8401/$path || true; done",
    );
    told += &health;
    assert_replicating_at(&stage, &["db1:db2", "db3:db2"], &target);
    assert_nothing_lost(&load);

    let leaked: Vec<&String> = secrets
        .iter()
        .filter(|secret| told.contains(secret.as_str()))
        .collect();
    assert!(leaked.is_empty(), "told to the operator: {leaked:?}");
    let mut seen = BTreeSet::new();
    for host in ["db1", "db2", "db3", "ctl"] {
        let places = [
            ("journald", "journalctl --no-pager -a -o export".to_owned()),
            ("arguments and environments", "cat /run/sampled".to_owned()),
            // All that the daemons keep, but copies of option files: those are what they are copies of, and root's only.
            (
                "state",
                "find /var/lib/refit-agent /var/lib/private/refit-controller /root -xdev -type f ! -path '*/config/*' \
                 ! -name needles ! -name '*.password' ! -name .bash_history -exec cat {} + 2>/dev/null"
                    .to_owned(),
            ),
        ];
        for (place, command) in places {
            let here = found(&stage, host, &command);
            let leaked: Vec<&String> = secrets
                .iter()
                .filter(|secret| here.contains(*secret))
                .collect();
            assert!(leaked.is_empty(), "{host}, {place}: {leaked:?}");
            println!("  {host}, {place}: {here:?}");
            seen.extend(here);
        }
        let samples = shell(&stage, host, "wc -l < /run/samples");
        println!("  {host}: processes looked at {} times", samples.trim());
        on(&stage, host, &["systemctl", "stop", "sampler"]);
    }
    let expected: BTreeSet<String> = canaries.map(str::to_owned).into();
    assert_eq!(
        seen, expected,
        "the search does not find what is there to be found"
    );
}
