//! What a rehearsal's mysqld could reach if it tried: a program that tries is put in its place, in the very unit that the agent starts.

use crate::play::*;
use std::collections::BTreeMap;

const MEMBER: &str = "db3";
const PEER: &str = "db2";
const INSTALLED: &str = "/usr/sbin/mysqld";
const OF_THE_PACKAGE: &str = "/usr/sbin/mysqld.packaged";

/// What mysqld's own user can do on the host, and its throw-away copy must not.
const ATTEMPTS: [(&str, &str); 12] = [
    ("a port of a peer", "exec 3<>/dev/tcp/{peer}/3306"),
    ("the port of the member", "exec 3<>/dev/tcp/127.0.0.1/3306"),
    ("the live socket", "mysqladmin --socket={socket} ping"),
    ("the system bus", "busctl --system list"),
    (
        "reading live data",
        "head --bytes=1 /srv/mysql/data/ibdata1",
    ),
    ("writing live data", "touch /srv/mysql/data/probe"),
    (
        "live data by way of the process",
        "head --bytes=1 /proc/{pid}/root/srv/mysql/data/ibdata1",
    ),
    ("files that the live process has open", "ls /proc/{pid}/fd"),
    (
        "memory of the live process",
        "head --bytes=0 /proc/{pid}/mem",
    ),
    ("a signal to the live process", "kill -0 {pid}"),
    ("the error log", "true >>/var/log/mysql/error.log"),
    ("/tmp of the host", "cat /tmp/probe"),
];

/// Its own place it needs.
const OWN: (&str, &str) = (
    "its own place",
    "touch /run/refit-rehearsal/stage/tmp/probe",
);

#[test]
fn a_rehearsal_reaches_nothing_but_its_own_place() {
    let stage = set("older");
    let target = target(&stage, "newest");
    let run = |argv: &[&str]| {
        let output = stage.lab.exec(MEMBER, argv).unwrap();
        output.ok("on the host").unwrap().trim().to_owned()
    };
    let pid = run(&[
        "systemctl",
        "show",
        "--value",
        "--property=MainPID",
        "mysql",
    ]);
    let socket = stage.lab.sql(MEMBER, "SELECT @@socket").unwrap();
    let peer = stage.lab.ip(PEER).unwrap();
    let mut script = "#!/bin/bash\n".to_owned();
    for (name, attempt) in ATTEMPTS.iter().chain([&OWN]) {
        let attempt = attempt
            .replace("{pid}", &pid)
            .replace("{peer}", &peer)
            .replace("{socket}", &socket);
        script.push_str(&format!(
            "if ( {attempt} ) </dev/null >/dev/null 2>&1; then echo 'probe: {name}: REACHED'; else echo 'probe: {name}: refused'; fi\n"
        ));
    }
    script.push_str(&format!(
        "[ \"$1\" = only ] || exec {OF_THE_PACKAGE} \"$@\"\n"
    ));
    let file = stage.workshop.join("probe");
    std::fs::write(&file, script).unwrap();
    run(&["touch", "/tmp/probe"]);
    run(&["mv", INSTALLED, OF_THE_PACKAGE]);
    stage.lab.put(MEMBER, &file, INSTALLED).unwrap();
    run(&["chmod", "755", INSTALLED]);

    // Outside its unit all of it can be reached: else a refusal would prove nothing.
    let as_mysqld = [
        "setpriv",
        "--reuid=mysql",
        "--regid=mysql",
        "--init-groups",
        INSTALLED,
        "only",
    ];
    let outside = told(&run(&as_mysqld));
    for (name, _) in ATTEMPTS {
        assert_eq!(outside[name], "REACHED", "{outside:#?}");
    }
    let reply = stage
        .refit()
        .run(&["rehearse", "shop", MEMBER, "--target", &target])
        .unwrap();
    assert_eq!(reply.code, 0, "{}{}", reply.stdout, reply.stderr);
    let inside = told(&run(&[
        "journalctl",
        "--unit=refit-rehearsal.service",
        "--output=cat",
        "--no-pager",
    ]));
    println!("{inside:#?}");
    assert_eq!(inside[OWN.0], "REACHED");
    let reached: Vec<_> = ATTEMPTS
        .iter()
        .filter(|(name, _)| inside[*name] != "refused")
        .collect();
    assert!(reached.is_empty(), "{reached:#?}");
    assert_eq!(
        pid,
        run(&[
            "systemctl",
            "show",
            "--value",
            "--property=MainPID",
            "mysql"
        ])
    );
}

fn told(lines: &str) -> BTreeMap<String, String> {
    let probes = lines
        .lines()
        .filter_map(|line| line.strip_prefix("probe: ")?.rsplit_once(": "));
    probes
        .map(|(name, result)| (name.to_owned(), result.to_owned()))
        .collect()
}
