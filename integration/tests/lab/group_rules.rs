//! What the rules say of groups of mixed versions (`refit_shared::rules::group`), and what real members do.

use crate::play::{lab, mysql_version};
use anyhow::{Result, bail};
use refit_integration::stage::{Lab, wait_for};
use refit_shared::rules::group::{self, Electable, Join};
use refit_shared::version::MysqlVersion;
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(60);
const JOINED: &str = "SELECT COUNT(*) FROM performance_schema.replication_group_members \
     WHERE MEMBER_ID = @@server_uuid AND MEMBER_STATE = 'ONLINE'";
/// A higher version joins, and says so: MY-013426.
const READ_COMPATIBLE: &str = "MY-013426";
/// It is refused for its version: MY-011521.
const INCOMPATIBLE: &str = "MY-011521";
const LOG: &str = "/var/log/mysql/error.log";

struct Member {
    host: &'static str,
    version: MysqlVersion,
    uuid: String,
}

/// Three members of three versions: each joins each other's group, is appointed in it, and one is elected.
#[test]
fn groups_of_mixed_versions_are_as_the_rules_say() {
    let lab = lab();
    let members = three_versions(&lab);
    for first in &members {
        for joiner in members.iter().filter(|m| m.host != first.host) {
            begin(&lab, first);
            let said = group::join(joiner.version, &[first.version]);
            let seen = join(&lab, joiner);
            println!("  {} joins {}: {seen:?}", joiner.version, first.version);
            assert!(
                matches!(
                    (&said, seen),
                    (Join::Compatible, Joined::Silently)
                        | (Join::ReadOnly, Joined::AsReadCompatible)
                        | (Join::Refused(_), Joined::Refused)
                ),
                "{} joins {}: the rule says {said:?}",
                joiner.version,
                first.version
            );
            if seen != Joined::Refused {
                appoint(&lab, first, joiner);
            }
            end(&lab, &members);
        }
    }
    elect(&lab, &members);
    lab.down().unwrap();
}

/// The same data, and then each with a version of its own.
fn three_versions(lab: &Lab) -> Vec<Member> {
    let oldest = lab.version("previous-series").unwrap();
    lab.raise(&["3", "--names", "db1,db2,db3", "--version", &oldest])
        .unwrap();
    lab.call(["group", "bootstrap"])
        .unwrap()
        .ok("group")
        .unwrap();
    let hosts = [
        ("db1", oldest),
        ("db2", lab.version("older").unwrap()),
        ("db3", lab.version("newest").unwrap()),
    ];
    for (host, package) in hosts.iter().rev() {
        lab.sql(
            host,
            "SET PERSIST group_replication_start_on_boot = OFF; STOP GROUP_REPLICATION",
        )
        .unwrap();
        let run = |argv: &[&str]| lab.exec(host, argv).unwrap().ok(&argv.join(" ")).unwrap();
        let pins = ["mysql-server", "mysql-server-core"].map(|name| format!("{name}={package}"));
        run(&["systemctl", "stop", "mysql"]);
        run(&["touch", "/etc/mysql/FROZEN"]);
        run(&[
            "env",
            "DEBIAN_FRONTEND=noninteractive",
            "apt-get",
            "install",
            "-q",
            "-y",
            "--allow-change-held-packages",
            "-o",
            "Dpkg::Options::=--force-confold",
            &pins[0],
            &pins[1],
        ]);
        run(&["rm", "/etc/mysql/FROZEN"]);
        run(&["systemctl", "start", "mysql"]);
    }
    let member = |(host, package): &(&'static str, String)| Member {
        host,
        version: mysql_version(package).parse().unwrap(),
        uuid: lab.sql(host, "SELECT @@server_uuid").unwrap(),
    };
    hosts.iter().map(member).collect()
}

fn begin(lab: &Lab, member: &Member) {
    let begin = "SET GLOBAL group_replication_bootstrap_group = ON; START GROUP_REPLICATION; \
         SET GLOBAL group_replication_bootstrap_group = OFF";
    lab.sql(member.host, begin).unwrap();
    wait_for("a group of one", WITHIN, || online(lab, member)).unwrap();
}

fn online(lab: &Lab, member: &Member) -> Result<()> {
    match lab.sql(member.host, JOINED)?.as_str() {
        "1" => Ok(()),
        _ => bail!("{} is not ONLINE", member.host),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Joined {
    Silently,
    AsReadCompatible,
    Refused,
}

fn join(lab: &Lab, joiner: &Member) -> Joined {
    let (warned, refused) = (
        lines(lab, joiner, READ_COMPATIBLE),
        lines(lab, joiner, INCOMPATIBLE),
    );
    if let Err(why) = lab.sql(joiner.host, "START GROUP_REPLICATION") {
        assert!(
            lines(lab, joiner, INCOMPATIBLE) > refused,
            "{} for another reason: {why:#}",
            joiner.host
        );
        return Joined::Refused;
    }
    wait_for("the joiner to be ONLINE", WITHIN, || online(lab, joiner)).unwrap();
    if lines(lab, joiner, READ_COMPATIBLE) > warned {
        Joined::AsReadCompatible
    } else {
        Joined::Silently
    }
}

fn lines(lab: &Lab, member: &Member, code: &str) -> usize {
    let counted = lab.exec(member.host, &["grep", "-c", code, LOG]).unwrap();
    counted.stdout.trim().parse().unwrap()
}

/// `group_replication_set_as_primary` for the joiner, against the rule.
fn appoint(lab: &Lab, first: &Member, joiner: &Member) {
    let statement = format!("SELECT group_replication_set_as_primary('{}')", joiner.uuid);
    let seen = lab.sql(first.host, &statement);
    let said = group::may_be_appointed(joiner.version, &[first.version, joiner.version]);
    match (&seen, &said) {
        (Ok(_), Ok(())) => {}
        (Err(why), Err(_)) if format!("{why:#}").contains("ERROR 3910") => {}
        _ => panic!(
            "{} appointed beside {}: {seen:?}, the rule says {said:?}",
            joiner.version, first.version
        ),
    }
    println!(
        "  {} appointed beside {}: {}",
        joiner.version,
        first.version,
        if seen.is_ok() { "done" } else { "error 3910" }
    );
}

/// All leave and are read-only.
fn end(lab: &Lab, members: &[Member]) {
    for member in members {
        let leave = "STOP GROUP_REPLICATION; SET GLOBAL super_read_only = ON";
        lab.sql(member.host, leave).unwrap();
    }
}

/// The lowest version's member leaves; of the others the lower version is elected, whatever the weights are.
fn elect(lab: &Lab, members: &[Member]) {
    let weights = [50, 10, 90];
    for (member, weight) in members.iter().zip(weights) {
        let statement = format!("SET GLOBAL group_replication_member_weight = {weight}");
        lab.sql(member.host, &statement).unwrap();
    }
    begin(lab, &members[0]);
    for joiner in &members[1..] {
        assert_eq!(join(lab, joiner), Joined::AsReadCompatible);
    }
    lab.sql(members[0].host, "STOP GROUP_REPLICATION").unwrap();
    let electable = members
        .iter()
        .zip(weights)
        .skip(1)
        .map(|(member, weight)| Electable {
            version: member.version,
            weight,
            uuid: &member.uuid,
        });
    let said = group::elected(&electable.collect::<Vec<_>>()).expect("two are left");
    let primary = "SELECT MEMBER_ID FROM performance_schema.replication_group_members WHERE MEMBER_ROLE = 'PRIMARY'";
    let seen = wait_for("a primary", WITHIN, || {
        let seen = lab.sql(members[2].host, primary)?;
        if seen.is_empty() || seen == members[0].uuid {
            bail!("{seen:?}")
        }
        Ok(seen)
    });
    assert_eq!(seen.unwrap(), said.uuid);
    println!(
        "  elected: {}, although {} weighs more",
        said.version, members[2].version
    );
}
