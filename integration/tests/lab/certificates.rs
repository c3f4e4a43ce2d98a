use crate::play::*;
use anyhow::bail;
use refit_integration::stage::wait_for;
use std::time::Duration;

/// Certificates that must not work: another CA's, an agent's in an operator's hands, another host's, an expired one. Each is
/// refused in words that name the host and the cure, and renewing needs no restart.
#[test]
fn wrong_certificates_are_refused() {
    let stage = set("older");
    stage.pki(&["init", "--ca", "other-ca"]).unwrap();
    stage
        .pki(&[
            "issue", "operator", "mallory", "--ca", "other-ca", "--out", "stranger",
        ])
        .unwrap();
    stage
        .pki(&[
            "issue",
            "operator",
            "late",
            "--ca",
            "ca",
            "--out",
            "late",
            "--validity",
            "1s",
        ])
        .unwrap();
    let identity = |name: &str| {
        stage
            .lab
            .put("ctl", &stage.workshop.join(name), &format!("/root/{name}"))
            .unwrap();
        let path = format!("/root/{name}");
        stage.refit().run(&["--identity", &path, "list"]).unwrap()
    };
    assert_eq!(identity("operator").code, 0);
    for (name, words) in [
        ("stranger", &["certificate", "CA"][..]),
        ("db1", &["agent"]),
        ("late", &["expired"]),
    ] {
        // A certificate that lives for a second may still be alive at the first try.
        let reply = wait_for(
            &format!("{name} to be refused"),
            Duration::from_secs(10),
            || {
                let reply = identity(name);
                if reply.code == 0 {
                    bail!("{}", reply.stdout)
                } else {
                    Ok(reply)
                }
            },
        )
        .unwrap();
        assert_eq!(reply.code, 5, "{name}: {}", reply.stderr);
        let text = reply.stderr.to_lowercase();
        assert!(
            words.iter().all(|word| text.contains(&word.to_lowercase())),
            "{name}: {}",
            reply.stderr
        );
    }

    // An agent that is given another member's certificate does not even start, and says why.
    let bundle = |host: &str, name: &str| {
        stage
            .lab
            .put(host, &stage.workshop.join(name), "/etc/refit/tls")
            .unwrap();
    };
    bundle("db2", "db1");
    let judged = stage
        .lab
        .exec("db2", &["refit-agent", "--check-config"])
        .unwrap();
    assert_eq!(judged.code, 2, "{}{}", judged.stdout, judged.stderr);
    assert!(
        judged.stderr.contains("refit pki issue agent db2"),
        "{}",
        judged.stderr
    );
    bundle("db2", "db2");

    // The controller dials db1's host and is told that it is db2's: it does not talk to it, and names both.
    let fleet = stage
        .lab
        .exec("ctl", &["cat", "/etc/refit/fleet.toml"])
        .unwrap()
        .stdout;
    let (one, two) = (stage.lab.ip("db1").unwrap(), stage.lab.ip("db2").unwrap());
    let swapped = fleet
        .replace(&one, "ONE")
        .replace(&two, &one)
        .replace("ONE", &two);
    let rewrite = |text: &str| {
        let file = stage.workshop.join("fleet.toml");
        std::fs::write(&file, text).unwrap();
        stage
            .lab
            .put("ctl", &file, "/etc/refit/fleet.toml")
            .unwrap();
        stage
            .lab
            .exec("ctl", &["systemctl", "restart", "refit-controller"])
            .unwrap()
            .ok("restart")
            .unwrap();
    };
    rewrite(&swapped);
    wait_for("both to be refused", Duration::from_secs(30), || {
        let fleet = stage.refit().run(&["fleet"])?;
        let told = ["agent/db1", "agent/db2"]
            .iter()
            .all(|name| fleet.stdout.contains(name));
        if told {
            Ok(())
        } else {
            bail!("{}{}", fleet.stdout, fleet.stderr)
        }
    })
    .unwrap();
    let target = target(&stage, "newest");
    let plan = [
        "plan",
        "shop",
        "--target",
        &target,
        "--accept-no-spare",
        "--out",
        "/root/never.json",
    ];
    let refused = stage.refit().run(&plan).unwrap();
    assert_eq!(refused.code, 5, "{}{}", refused.stdout, refused.stderr);
    rewrite(&fleet);

    // A renewed certificate is taken up without a restart.
    let pid = || {
        stage
            .lab
            .exec(
                "db2",
                &["systemctl", "show", "-P", "MainPID", "refit-agent"],
            )
            .unwrap()
            .stdout
    };
    let shown = || {
        let file = |name: &str| {
            stage
                .workshop
                .join("operator")
                .join(name)
                .display()
                .to_string()
        };
        let (ca, cert, key, at) = (
            file("ca.pem"),
            file("cert.pem"),
            file("key.pem"),
            format!("{two}:8400"),
        );
        let argv = [
            "net", "openssl", "s_client", "-connect", &at, "-CAfile", &ca, "-cert", &cert, "-key",
            &key,
        ];
        stage.lab.call(argv).unwrap().stdout
    };
    let leaf = || {
        let pem = std::fs::read_to_string(stage.workshop.join("db2/cert.pem")).unwrap();
        pem.split("-----END").next().unwrap().trim().to_owned()
    };
    let before = pid();
    assert!(shown().contains(&leaf()), "{}", shown());
    stage.pki(&["renew", "db2", "--ca", "ca"]).unwrap();
    assert!(!shown().contains(&leaf()), "renewing changed nothing");
    bundle("db2", "db2");
    wait_for(
        "the renewed certificate to be shown",
        Duration::from_secs(30),
        || {
            if shown().contains(&leaf()) {
                Ok(())
            } else {
                bail!("still the old one")
            }
        },
    )
    .unwrap();
    assert_eq!(before, pid(), "the agent was restarted");
    wait_for("all agents to be seen", Duration::from_secs(30), || {
        let fleet = stage.refit().run(&["fleet"])?;
        if fleet.stdout.contains("unreachable") {
            bail!("{}", fleet.stdout)
        } else {
            Ok(())
        }
    })
    .unwrap();
}
