//! Daemons with fault points in them on real hosts: each crashes at one point after the other, exactly there, and the rollout goes on.

use crate::play::*;
use refit_integration::stage::{Fleet, Stage};

/// What an armed daemon has before it: it crashes at the first, when it is started again at the second, and so on.
const RULES: &str = "/etc/refit/faults";
/// At which it has crashed.
const MET: &str = "/etc/refit/faults.met";

/// Run when the daemon has ended: one that crashed has met the first rule of the list.
const NEXT: &str = r#"[ "$EXIT_STATUS" = ABRT ] || exit 0
head --lines=1 /etc/refit/faults >> /etc/refit/faults.met
sed --in-place 1d /etc/refit/faults
printf 'REFIT_FAULTS=%s\n' "$(head --lines=1 /etc/refit/faults)" > /etc/refit/faults.env
"#;

const DROP_IN: &str = "[Service]
EnvironmentFile=/etc/refit/faults.env
ExecStopPost=+/bin/sh /etc/refit/next-fault
";

fn put(stage: &Stage, host: &str, path: &str, text: &str) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    stage.lab.put(host, file.path(), path).unwrap();
}

fn run(stage: &Stage, host: &str, argv: &[&str]) -> String {
    let done = stage.lab.exec(host, argv).unwrap();
    done.ok(&format!("{host}: {argv:?}")).unwrap()
}

/// Puts a daemon there that has the points in it, and these rules before it.
fn arm(stage: &Stage, host: &str, program: &str, rules: &[&str]) {
    let armed = programs().join("armed").join(program);
    assert!(
        armed.exists(),
        "{}: `make lab-test` builds it",
        armed.display()
    );
    let folder = format!("/etc/systemd/system/{program}.service.d");
    run(stage, host, &["mkdir", "--parents", &folder]);
    put(stage, host, &format!("{folder}/faults.conf"), DROP_IN);
    put(stage, host, "/etc/refit/next-fault", NEXT);
    put(stage, host, RULES, &(rules.join("\n") + "\n"));
    put(stage, host, MET, "");
    let first = rules.first().expect("there are rules");
    put(
        stage,
        host,
        "/etc/refit/faults.env",
        &format!("REFIT_FAULTS={first}\n"),
    );
    let beside = format!("/usr/local/bin/{program}.armed");
    let place = format!("/usr/local/bin/{program}");
    stage.lab.put(host, &armed, &beside).unwrap();
    run(stage, host, &["chmod", "0755", &beside]);
    run(stage, host, &["mv", &beside, &place]);
    run(stage, host, &["systemctl", "daemon-reload"]);
    run(stage, host, &["systemctl", "restart", program]);
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.is_empty()).collect()
}

/// The agent of a replica crashes half way in each of its effects on the host, forward across series and all the way back; the
/// controller crashes around its journal and its calls. What was begun is gone on with each time: nobody is asked to help, everything is
/// as it was at the end, and nothing is lost.
#[test]
fn daemons_that_crash_at_every_point_go_on() {
    const REHEARSING: [&str; 1] = ["rehearsal.clone/half=crash"];
    const FORWARD: [&str; 13] = [
        "order/received=crash",
        "work/begun=crash",
        "ledger.write/half=crash@2",
        "maintenance.enter/half=crash",
        "hold.set/before=crash",
        "hold.set/after=crash",
        "snapshot.take/half=crash",
        "config.write/half=crash",
        "packages.swap/before=crash",
        "packages.swap/half=crash",
        "work/done=crash",
        "maintenance.leave/half=crash",
        "order/reply=crash",
    ];
    const BACK: [&str; 4] = [
        "snapshot.restore/half=crash",
        "packages.swap/half=crash",
        "config.write/half=crash",
        "ledger.write/after=crash",
    ];
    const CONTROLLER: [&str; 7] = [
        "journal.append/before=crash@2",
        "journal.append/applied=crash@2",
        "journal.append/flushed=crash@2",
        "journal.append/after=crash@2",
        "call/before=crash",
        "call/reply=crash",
        "call/before=duplicate;call/reply=drop@2;look/before=error@9",
    ];
    let stage = set_as("previous-series", Fleet::source_with_two_replicas);
    let before = stage.world().unwrap();
    let target = target(&stage, "newest");
    let (member, other) = ("db2", "db3");
    let met = |host: &str| run(&stage, host, &["cat", MET]);
    let clone = "/srv/mysql/snapshots/.refit-rehearsal";

    arm(
        &stage,
        member,
        "refit-agent",
        &[&REHEARSING[..], &FORWARD, &BACK].concat(),
    );
    let rehearsed = stage
        .refit()
        .run(&["rehearse", "shop", member, "--target", &target])
        .unwrap();
    assert_eq!(
        rehearsed.code, 1,
        "{}{}",
        rehearsed.stdout, rehearsed.stderr
    );
    assert_eq!(lines(&met(member)).first(), REHEARSING.first());

    // Orders that come twice, and answers that are late: no crash, and no list to go through.
    arm(
        &stage,
        other,
        "refit-agent",
        &["order/received=duplicate;order/reply=delay:300ms;ledger.write/half=delay:20ms"],
    );
    let load = stage.load().unwrap();
    load.start(4, "50").unwrap();
    let mut watching = apply(&stage, &plan(&stage, &target, &[]));
    wait_for_step(&stage, ANYBODY, "fetch_packages", "done");
    arm(&stage, "ctl", "refit-controller", &CONTROLLER);
    let rollout = wait_for_state(&stage, &["awaiting_approval", "parked", "restored"]);
    assert_eq!(state(&rollout), "awaiting_approval", "{rollout:#}");
    watching.wait().unwrap();
    run(&stage, member, &["test", "!", "-e", clone]);
    assert_eq!(
        lines(&met(member)),
        [&REHEARSING[..], &FORWARD].concat(),
        "the agent of {member} crashed there"
    );
    assert_eq!(
        lines(&met("ctl")),
        CONTROLLER[..6],
        "the controller crashed there"
    );
    assert_eq!(lines(&met(other)), [""; 0], "the agent of {other} crashed");

    unwind(&stage);
    assert_eq!(
        lines(&met(member)),
        [&REHEARSING[..], &FORWARD, &BACK].concat(),
        "the agent of {member} crashed there"
    );
    assert_restored(&before, &stage.world().unwrap());
    assert_nothing_lost(&load);
    let audit = run(&stage, member, &["dpkg", "--audit"]);
    assert_eq!(audit, "", "{member} has half-installed packages");
    println!(
        "  crashes: {} of the agent, {} of the controller",
        lines(&met(member)).len(),
        lines(&met("ctl")).len()
    );
}
