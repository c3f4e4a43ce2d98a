//! What scenarios have in common: a stage with a load, a plan, an apply in the background, and the questions at the end.

use anyhow::{Context, Result, bail};
use refit_integration::stage::{Fleet, Lab, Load, Stage, Verdict, World, wait_for};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

/// A rolling upgrade of three members takes a minute or two here; a scenario that needs more than this is stuck.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// The directory of the programs under test: beside this test program.
pub fn programs() -> PathBuf {
    let own = std::env::current_exe().expect("a running program has a path");
    own.ancestors()
        .nth(2)
        .expect("target/<profile>/deps/lab-…")
        .to_owned()
}

/// Hosts with MySQL of a role (older, previous-series, …) and Refit.
pub fn set(role: &str) -> Stage {
    set_as(role, Fleet::of_three)
}

/// The lab of this scenario.
pub fn lab() -> Lab {
    Lab::named(&crate::seat::name())
}

/// The same for another kind of cluster.
pub fn set_as(role: &str, fleet: fn(&str) -> Fleet) -> Stage {
    set_with(role, fleet)
}

pub fn set_with(role: &str, fleet: impl Fn(&str) -> Fleet) -> Stage {
    let lab = lab();
    let version = lab.version(role).unwrap();
    Stage::set(lab, &fleet(&version), &programs(), |line| {
        println!("  {line}")
    })
    .unwrap()
}

/// The MySQL version of a package role, for `--target`.
pub fn target(stage: &Stage, role: &str) -> String {
    mysql_version(&stage.lab.version(role).unwrap())
}

/// `9.7.4` of `9.7.4-2`.
pub fn mysql_version(package: &str) -> String {
    package
        .split('-')
        .next()
        .expect("split gives at least one part")
        .to_owned()
}

/// Plans to a file on ctl and returns the file's path.
pub fn plan(stage: &Stage, target: &str, more: &[&str]) -> String {
    let file = format!("/root/plan-{target}.json");
    let mut arguments = vec![
        "plan",
        "shop",
        "--target",
        target,
        "--accept-no-spare",
        "--soak",
        "3s",
        "--force",
        "--out",
        &file,
    ];
    arguments.extend(more);
    let reply = stage.refit().run(&arguments).unwrap();
    assert_eq!(reply.code, 0, "plan: {}{}", reply.stdout, reply.stderr);
    file
}

/// `refit apply` in the background.
pub fn apply(stage: &Stage, plan: &str) -> Child {
    stage.refit().spawn(&["apply", plan, "--yes"]).unwrap()
}

/// The only rollout, or the newest.
pub fn rollout(stage: &Stage) -> Result<Value> {
    let list = stage.refit().json(&["list"])?;
    let list = list
        .as_array()
        .or_else(|| list["rollouts"].as_array())
        .context("no list of rollouts")?;
    let newest = list
        .iter()
        .max_by_key(|rollout| rollout["id"].as_str().map(str::to_owned))
        .context("no rollout yet")?;
    let id = newest["id"].as_str().context("a rollout has an id")?;
    stage.refit().json(&["show", id])
}

pub fn rollout_id(stage: &Stage) -> String {
    rollout(stage).unwrap()["id"]
        .as_str()
        .expect("a rollout has an id")
        .to_owned()
}

pub fn state(rollout: &Value) -> &str {
    rollout["state"].as_str().unwrap_or("?")
}

/// For [`wait_for_step`]: whoever's turn it is.
pub const ANYBODY: &str = "anybody";

/// Waits until a step of a member has a status ("running", "done", …).
pub fn wait_for_step(stage: &Stage, member: &str, title: &str, status: &str) {
    wait_for_step_in(stage, member, title, &[status]);
}

/// The same, for any of these.
pub fn wait_for_step_in(stage: &Stage, member: &str, title: &str, wanted: &[&str]) {
    let what = format!("{title} of {member} to be {}", wanted.join(" or "));
    wait_for(&what, PATIENCE, || {
        let rollout = rollout(stage)?;
        let steps = rollout["steps"].as_array().context("a rollout has steps")?;
        let is = |step: &&Value| {
            (member == ANYBODY || step["member"] == member)
                && step["title"] == title
                && step["status"]
                    .as_str()
                    .is_some_and(|is| wanted.contains(&is))
        };
        if steps.iter().any(|step| is(&step)) {
            return Ok(());
        }
        bail!("{}", standing(&rollout))
    })
    .unwrap();
}

/// Waits until a step of that name has a status on any member but these, and returns the member.
pub fn whose_step(stage: &Stage, title: &str, status: &str, besides: &[String]) -> String {
    let what = format!("{title} to be {status} on another than {besides:?}");
    wait_for(&what, PATIENCE, || {
        let rollout = rollout(stage)?;
        let steps = rollout["steps"].as_array().context("a rollout has steps")?;
        let found = steps
            .iter()
            .filter(|step| step["title"] == title && step["status"] == status)
            .filter_map(|step| step["member"].as_str())
            .find(|member| !besides.iter().any(|other| other == member));
        found.map(str::to_owned).with_context(|| standing(&rollout))
    })
    .unwrap()
}

/// Where a rollout stands, for whoever has waited in vain.
pub fn standing(rollout: &Value) -> String {
    let open: Vec<String> = rollout["steps"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|step| !matches!(step["status"].as_str(), Some("pending" | "done" | "undone")))
        .map(|step| {
            format!(
                "{} {} {} {}",
                step["member"], step["title"], step["status"], step["in_flight"]
            )
        })
        .collect();
    format!(
        "the rollout is {} ({}), waits for {}, open steps: {open:?}",
        rollout["state"], rollout["why"], rollout["waiting_for"]
    )
}

/// Waits until the newest rollout is in one of these states and returns it.
pub fn wait_for_state(stage: &Stage, wanted: &[&str]) -> Value {
    wait_for(
        &format!("the rollout to be {}", wanted.join(" or ")),
        PATIENCE,
        || {
            let rollout = rollout(stage)?;
            if wanted.contains(&state(&rollout)) {
                return Ok(rollout);
            }
            bail!("{}", standing(&rollout))
        },
    )
    .unwrap_or_else(|why| panic!("{why:#}\n{}", everything_about(stage)))
}

/// Waits for the rollout's end; while it parks, a person resumes it, up to so many times.
pub fn resumed_to_its_end(stage: &Stage, times: usize) -> Value {
    let ends = ["upgraded", "parked", "restored"];
    let mut ended = wait_for_state(stage, &ends);
    for _ in 0..times {
        if state(&ended) != "parked" {
            break;
        }
        println!("  parked: {}", ended["why"]);
        let id = rollout_id(stage);
        let resumed = stage.refit().run(&["resume", &id, "--yes"]).unwrap();
        assert!(
            [0, 3].contains(&resumed.code),
            "{}{}",
            resumed.stdout,
            resumed.stderr
        );
        ended = wait_for_state(stage, &ends);
    }
    ended
}

/// Unwinds the newest rollout, to its end: Restored.
pub fn unwind(stage: &Stage) {
    let id = rollout_id(stage);
    let unwound = stage
        .refit()
        .run(&["unwind", &id, "--yes", "--wait"])
        .unwrap();
    println!("{}", unwound.stdout);
    assert_eq!(unwound.code, 4, "{}{}", unwound.stdout, unwound.stderr);
    assert_eq!(state(&rollout(stage).unwrap()), "restored");
}

/// What `refit show` prints of the newest rollout, for whoever has to find out why it is not where it should be.
fn everything_about(stage: &Stage) -> String {
    stage
        .refit()
        .run(&["show", &rollout_id(stage)])
        .map_or_else(|why| format!("{why:#}"), |shown| shown.stdout)
}

/// No acknowledged write is missing anywhere, none that failed is present.
pub fn assert_nothing_lost(load: &Load<'_>) -> Verdict {
    let verdict = load.stop_and_verify().unwrap();
    assert!(verdict.acked > 0 && verdict.members_agree, "{verdict:?}");
    assert_eq!(
        (verdict.lost, verdict.failed_present()),
        (0, 0),
        "{verdict:?}"
    );
    println!(
        "  writes: {} acknowledged, {} lost, {} unknown",
        verdict.acked, verdict.lost, verdict.unknown
    );
    verdict
}

/// The three longest times without an acknowledged write, in milliseconds.
pub fn longest_gaps(load: &Load<'_>) -> Vec<f64> {
    let gaps = load.gaps().unwrap();
    gaps.iter().take(3).map(|gap| gap.ms).collect()
}

/// The group is whole and every member runs this MySQL version, in server and packages.
pub fn assert_all_at(stage: &Stage, version: &str) -> World {
    let world = stage.world().unwrap();
    world.assert_whole();
    assert_versions(&world, version);
    world
}

/// Servers replicate in this shape (`db2:db1`, one a replica) and all run this MySQL version.
pub fn assert_replicating_at(stage: &Stage, links: &[&str], version: &str) -> World {
    let world = wait_for("every channel to run", Duration::from_secs(30), || {
        let world = stage.world()?;
        let stopped = world
            .0
            .values()
            .flat_map(|m| &m.sources)
            .any(|(_, runs)| !runs);
        if stopped {
            bail!("{world:#?}")
        } else {
            Ok(world)
        }
    })
    .unwrap();
    world.assert_replicating(links);
    assert_versions(&world, version);
    world
}

fn assert_versions(world: &World, version: &str) {
    for (name, member) in &world.0 {
        assert_eq!(
            mysql_version(&member.version),
            version,
            "{name}: {world:#?}"
        );
        assert!(
            member
                .packages
                .split_whitespace()
                .all(|p| mysql_version(p) == version),
            "{name}: {world:#?}"
        );
    }
}

/// Option files are byte for byte as they were.
pub fn assert_same_config(before: &World, after: &World) {
    for (name, member) in &before.0 {
        assert_eq!(
            member.config, after.0[name].config,
            "option files of {name} have changed"
        );
    }
}

/// A change of series changes defaults: every member's option files pin them.
pub fn assert_rewritten_config(before: &World, after: &World) {
    for (name, member) in &before.0 {
        assert_ne!(
            member.config, after.0[name].config,
            "option files of {name} are as they were"
        );
    }
}

/// The world as it was: packages, server versions, option files, membership, primary; or who replicates from whom and who takes
/// writes.
pub fn assert_restored(before: &World, after: &World) {
    let links = before.links();
    if links.is_empty() {
        after.assert_whole();
    } else {
        after.assert_replicating(&links.iter().map(String::as_str).collect::<Vec<_>>());
    }
    assert_eq!(before.versions(), after.versions());
    assert_eq!(before.primary(), after.primary());
    for (name, member) in &before.0 {
        assert_eq!(member.packages, after.0[name].packages, "{name}");
    }
    assert_same_config(before, after);
}
