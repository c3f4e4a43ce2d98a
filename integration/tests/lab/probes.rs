use crate::play::*;

/// What a load balancer asks the agents, and that it is the truth.
#[test]
fn health_probes_tell_the_truth() {
    let stage = set("older");
    let ask = |member: &str, path: &str| -> u16 {
        let url = format!("http://{}:8401{path}", stage.lab.ip(member).unwrap());
        let argv = [
            "net",
            "curl",
            "-s",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            "--max-time",
            "5",
            &url,
        ];
        stage.lab.call(argv).unwrap().stdout.trim().parse().unwrap()
    };
    let world = stage.world().unwrap();
    let primary = world.primary().unwrap().to_owned();
    for member in &stage.members {
        let is_primary = *member == primary;
        assert_eq!(ask(member, "/health"), 200, "{member}");
        assert_eq!(ask(member, "/ready"), 200, "{member}");
        assert_eq!(ask(member, "/primary") == 200, is_primary, "{member}");
        assert_eq!(ask(member, "/replica") == 200, !is_primary, "{member}");
    }
    // The role still says PRIMARY, but nobody can write: /primary must say no.
    stage
        .lab
        .sql(&primary, "SET GLOBAL super_read_only=ON")
        .unwrap();
    refit_integration::stage::wait_for(
        "/primary to say no",
        std::time::Duration::from_secs(10),
        || {
            if ask(&primary, "/primary") == 503 {
                Ok(())
            } else {
                anyhow::bail!("still 200")
            }
        },
    )
    .unwrap();
    stage
        .lab
        .sql(
            &primary,
            "SET GLOBAL super_read_only=OFF; SET GLOBAL read_only=OFF",
        )
        .unwrap();
    stage
        .lab
        .exec("db3", &["systemctl", "stop", "mysql"])
        .unwrap();
    refit_integration::stage::wait_for(
        "/health to say no",
        std::time::Duration::from_secs(10),
        || {
            if ask("db3", "/health") == 503 {
                Ok(())
            } else {
                anyhow::bail!("still 200")
            }
        },
    )
    .unwrap();
    assert_eq!(ask("db3", "/ready"), 200, "the agent itself can act");
}
