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

    // db2's agent suddenly shows db1's certificate: the controller does not talk to it, and says why.
    stage
        .lab
        .put("db2", &stage.workshop.join("db1"), "/etc/refit/tls")
        .unwrap();
    stage
        .lab
        .exec("db2", &["systemctl", "restart", "refit-agent"])
        .unwrap();
    wait_for("db2 to be refused", Duration::from_secs(30), || {
        let fleet = stage.refit().run(&["fleet"])?;
        if fleet.stdout.contains("agent/db1") {
            Ok(())
        } else {
            bail!("{}", fleet.stdout)
        }
    })
    .unwrap();
    let target = target(&stage, "newest");
    let plan = stage
        .refit()
        .run(&[
            "plan",
            "shop",
            "--target",
            &target,
            "--accept-no-spare",
            "--out",
            "/root/never.json",
        ])
        .unwrap();
    assert_eq!(plan.code, 5, "{}{}", plan.stdout, plan.stderr);

    // Its own one again, without a restart.
    let pid = |stage: &refit_integration::stage::Stage| {
        stage
            .lab
            .exec(
                "db2",
                &["systemctl", "show", "-P", "MainPID", "refit-agent"],
            )
            .unwrap()
            .stdout
    };
    let before = pid(&stage);
    stage
        .lab
        .put("db2", &stage.workshop.join("db2"), "/etc/refit/tls")
        .unwrap();
    wait_for("db2 to be seen again", Duration::from_secs(30), || {
        let fleet = stage.refit().run(&["fleet"])?;
        if fleet.stdout.contains("agent/db1") {
            bail!("{}", fleet.stdout)
        } else {
            Ok(())
        }
    })
    .unwrap();
    assert_eq!(before, pid(&stage), "the agent was restarted");
}
