use crate::play::*;
use refit_integration::stage::Reply;

/// Input that can't be right: a clear message, a non-zero exit code, and nothing changed.
#[test]
fn bad_input_is_refused_and_changes_nothing() {
    let stage = set("older");
    let before = stage.world().unwrap();
    let refit = stage.refit();
    let newest = target(&stage, "newest");
    let oldest = target(&stage, "oldest");
    let refused = |reply: Reply, words: &[&str]| {
        assert_eq!(reply.code, 5, "{}{}", reply.stdout, reply.stderr);
        let text = format!("{}{}", reply.stdout, reply.stderr).to_lowercase();
        for word in words {
            assert!(
                text.contains(&word.to_lowercase()),
                "{word:?} is missing in: {text}"
            );
        }
    };
    let plan_to = |version: &str| {
        refit
            .run(&[
                "plan",
                "shop",
                "--target",
                version,
                "--accept-no-spare",
                "--force",
                "--out",
                "/root/p.json",
            ])
            .unwrap()
    };
    refused(plan_to("9.7.99"), &["no repository offers", "9.7.99"]);
    refused(plan_to(&oldest), &["lower"]);
    refused(
        refit
            .run(&["plan", "shop", "--target", &newest, "--out", "/root/p.json"])
            .unwrap(),
        &["--accept-no-spare"],
    );
    refused(
        refit
            .run(&["plan", "shoq", "--target", &newest, "--out", "/root/p.json"])
            .unwrap(),
        &["shoq", "shop"],
    );

    // An edited plan, with the digest left or made anew; a stale one; two at once.
    let file = plan(&stage, &newest, &["--approve-pivot", "auto"]);
    let edit = [
        "sed",
        "s/\"restore_primary\": true/\"restore_primary\": false/",
        &file,
    ];
    let edited = stage.lab.exec("ctl", &edit).unwrap().ok("sed").unwrap();
    assert_ne!(
        edited,
        stage.lab.exec("ctl", &["cat", &file]).unwrap().stdout,
        "nothing was edited"
    );
    std::fs::write(stage.workshop.join("edited.json"), edited).unwrap();
    stage
        .lab
        .put(
            "ctl",
            &stage.workshop.join("edited.json"),
            "/root/edited.json",
        )
        .unwrap();
    refused(
        refit.run(&["apply", "/root/edited.json", "--yes"]).unwrap(),
        &["edited"],
    );

    stage
        .lab
        .sql("db2", "SET PERSIST max_connections = 99")
        .unwrap();
    refused(
        refit.run(&["apply", &file, "--yes"]).unwrap(),
        &["db2", "option files"],
    );
    stage.lab.sql("db2", "RESET PERSIST").unwrap();

    // A member that is not ONLINE, and a group without a majority.
    stage.lab.sql("db3", "STOP GROUP_REPLICATION").unwrap();
    refused(plan_to(&newest), &["db3", "OFFLINE"]);
    stage.lab.sql("db3", "START GROUP_REPLICATION").unwrap();
    refit_integration::stage::wait_for(
        "db3 to be back",
        std::time::Duration::from_secs(60),
        || {
            if stage.world()?.0["db3"].state == "ONLINE" {
                Ok(())
            } else {
                anyhow::bail!("not yet")
            }
        },
    )
    .unwrap();

    let after = stage.world().unwrap();
    after.assert_whole();
    assert_eq!(before.versions(), after.versions());
    let list = refit.json(&["list"]).unwrap();
    assert_eq!(
        list.as_array()
            .or_else(|| list["rollouts"].as_array())
            .map(Vec::len),
        Some(0),
        "{list}"
    );

    // Two at once: the second is told who has the cluster.
    let file = plan(&stage, &newest, &[]);
    let mut first = apply(&stage, &file);
    wait_for_step(&stage, "db3", "fetch_packages", "done");
    refused(
        refit.run(&["apply", &file, "--yes"]).unwrap(),
        &["shop", &rollout_id(&stage)],
    );
    wait_for_state(&stage, &["upgraded"]);
    first.wait().unwrap();
}
