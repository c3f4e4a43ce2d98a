//! `refit check` of a cluster with very many tables: how long it takes, and what an agent needs for it.

use anyhow::{Context, Result, bail};
use refit_integration::stage::Stage;
use std::time::Instant;

/// `refit check` of a cluster with many tables: its time, and the most memory that an agent had.
pub fn check(stage: &Stage, tables: u32) -> Result<()> {
    let older = stage.lab.version("previous-series")?;
    let newest = stage.lab.version("newest")?;
    let world = stage.world()?;
    let primary = world.primary().context("the group has a primary")?;
    fill(stage, primary, tables)?;
    let target = newest.split('-').next().unwrap_or(&newest);
    let check = [
        "check",
        "shop",
        "--target",
        target,
        "--accept-no-spare",
        "--json",
    ];
    let began = Instant::now();
    let reply = stage.refit().run(&check)?;
    let seconds = began.elapsed().as_secs_f64();
    if reply.code > 1 || reply.stdout.contains("could not be read: no answer") {
        bail!(
            "the check of {tables} tables did not end well: {}{}",
            reply.stdout,
            reply.stderr
        );
    }
    let mut peak_mib: f64 = 0.0;
    for member in &stage.members {
        let pid = stage.lab.exec(
            member,
            &[
                "systemctl",
                "show",
                "--property=MainPID",
                "--value",
                "refit-agent",
            ],
        )?;
        let status = format!("/proc/{}/status", pid.stdout.trim());
        let status = stage
            .lab
            .exec(member, &["cat", &status])?
            .ok("read the agent's memory")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line
            .and_then(|line| line.split_whitespace().next())
            .context("no VmHWM")?;
        peak_mib = peak_mib.max(kib.parse::<f64>()? / 1024.0);
    }
    let verdict = |fine| if fine { "as expected" } else { "FALLS SHORT" };
    println!("\nchecking a cluster of {tables} tables, {target} from {older}");
    println!(
        "  {:68} {seconds:5.2}   (expected at most 10: {})",
        "seconds",
        verdict(seconds <= 10.0)
    );
    println!(
        "  {:68} {peak_mib:5.1}   (expected at most 64: {})",
        "MiB, the most that an agent had",
        verdict(peak_mib <= 64.0)
    );
    stage.lab.down()
}

/// Tables of ten columns and three indexes, in schemas of a thousand.
fn fill(stage: &Stage, primary: &str, tables: u32) -> Result<()> {
    let script = stage.workshop.join("tables.sql");
    let mut text = String::new();
    for table in 0..tables {
        if table % 1000 == 0 {
            let schema = table / 1000;
            text += &format!("CREATE DATABASE many{schema}; USE many{schema};\n");
        }
        text += &format!(
            "CREATE TABLE t{table} (id INT PRIMARY KEY, a INT, b INT, c VARCHAR(20), d DATE, e DATETIME, f DECIMAL(9,2), \
             g VARCHAR(40) AS (CONCAT(c, a)), h INT DEFAULT (a + 1), i TEXT, KEY (a), UNIQUE KEY (b, a), CHECK (a < b));\n"
        );
    }
    std::fs::write(&script, text)?;
    stage.lab.put(primary, &script, "/root/tables.sql")?;
    // From 9.7 on the client knows `source` in a batch only with --commands (MYSQL.md §6.3).
    let run = [
        "timeout",
        "900",
        "mysql",
        "--commands",
        "-e",
        "source /root/tables.sql",
    ];
    stage.lab.exec(primary, &run)?.ok("make tables")?;
    Ok(())
}
