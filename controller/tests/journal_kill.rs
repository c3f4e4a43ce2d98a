//! `kill -9` of a process that writes the journal, again and again: nothing that it was told is durable may be missing.
//!
//! The test runs itself as the child, which prints the number of each entry once it is acknowledged. `REFIT_JOURNAL_KILLS=1000`
//! kills a thousand times (`make matrix` does). The other test gives the child a disk that gets full.

use refit_controller::journal::SledJournal;
use refit_controller::ports::Journal;
use refit_shared::ids::{Attempt, ClusterName, Epoch, RolloutId, Seq, StepId};
use refit_shared::plan::Plan;
use refit_shared::planner;
use refit_shared::saga::{Actor, Entry, Event};
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

#[path = "../../shared/tests/core/support.rs"]
#[allow(dead_code)]
mod world;

const CHILD: &str = "REFIT_TEST_JOURNAL_CHILD";
/// Without `REFIT_JOURNAL_KILLS`.
const KILLS: u64 = 25;
/// Then a new journal is begun: each is verified whole after every kill.
const KILLS_OF_ONE: u64 = 50;

fn kills() -> u64 {
    match std::env::var("REFIT_JOURNAL_KILLS") {
        Ok(text) => text.parse().expect("REFIT_JOURNAL_KILLS is a number"),
        Err(_) => KILLS,
    }
}

fn rollout() -> RolloutId {
    RolloutId::new("r1").unwrap()
}

fn entry(seq: u64, plan: &Plan) -> Entry {
    let event = match seq {
        0 => Event::RolloutCreated {
            cluster: ClusterName::new("orders").unwrap(),
            plan: plan.digest(),
            by: Actor::policy("a test"),
        },
        seq => Event::StepIntended {
            step: StepId(0),
            attempt: Attempt(u32::try_from(seq).unwrap()),
        },
    };
    Entry {
        rollout: rollout(),
        seq: Seq(seq),
        epoch: Epoch(1),
        at_unix_ms: i64::try_from(seq).unwrap(),
        event,
    }
}

fn plan() -> Plan {
    let seen = world::group(&["9.7.3"; 3], &["9.7.3-1", "9.7.4-1"]);
    planner::plan(&world::request("9.7.4"), &seen, 0).unwrap().0
}

/// Appends until it is killed.
async fn child(dir: &Path) {
    let journal = SledJournal::open(dir).unwrap();
    let plan = plan();
    journal.keep_plan(&plan).await.unwrap();
    let mut next = journal.read(&rollout()).await.unwrap().len() as u64;
    loop {
        journal.append(vec![entry(next, &plan)]).await.unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "durable {next}").unwrap();
        out.flush().unwrap();
        drop(out);
        next += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost() {
    if let Some(dir) = std::env::var_os(CHILD) {
        child(Path::new(&dir)).await;
    }
    let temporary = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    let mut told = None;
    for round in 0..kills() {
        let dir = temporary
            .path()
            .join(format!("journal-{}", round / KILLS_OF_ONE));
        if round % KILLS_OF_ONE == 0 {
            acknowledged += told.take().map_or(0, |last: u64| last + 1);
        }
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["nothing_acknowledged_is_lost", "--exact", "--nocapture"])
            .env(CHILD, &dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut durable =
            lines.filter_map(|line| line.unwrap().strip_prefix("durable ").map(str::to_owned));
        // Each round it comes a different way before it is killed.
        for _ in 0..=round * 7 % 50 {
            told = Some(
                durable
                    .next()
                    .expect("the child writes")
                    .parse::<u64>()
                    .unwrap(),
            );
        }
        child.kill().unwrap();
        // What it still said before it died counts too.
        told = durable.last().map(|last| last.parse().unwrap()).or(told);
        child.wait().unwrap();

        let journal = SledJournal::open(&dir).unwrap();
        let entries = journal.read(&rollout()).await.unwrap();
        let plan = plan();
        assert!(
            entries.len() as u64 > told.unwrap(),
            "round {round}: {told:?} was acknowledged"
        );
        for (seq, found) in (0..).zip(&entries) {
            assert_eq!(*found, entry(seq, &plan));
        }
    }
    acknowledged += told.map_or(0, |last| last + 1);
    // Said although the test passes.
    let _ = writeln!(
        std::io::stderr(),
        "journal: killed {} times while it wrote; {acknowledged} acknowledged entries, all there, none invented",
        kills()
    );
}

const FULL: &str = "REFIT_TEST_FULL_JOURNAL_CHILD";

/// Writes until the disk is full, and then twice more.
async fn fill(dir: &Path) {
    let journal = SledJournal::open(dir).unwrap();
    let plan = plan();
    journal.keep_plan(&plan).await.unwrap();
    let mut next = 0;
    let mut other = plan.clone();
    let failed = loop {
        // Plans are large.
        other.policy.soak_s += 1;
        if let Err(error) = journal.keep_plan(&other).await {
            break error;
        }
        if let Err(error) = journal.append(vec![entry(next, &plan)]).await {
            break error;
        }
        println!("durable {next}");
        next += 1;
        assert!(next < 10_000, "the disk never gets full");
    };
    println!("failed {failed}");
    let again = journal.append(vec![entry(next, &plan)]).await.unwrap_err();
    println!("again {again}");
    let read = journal.read(&rollout()).await.unwrap_err();
    println!("read {read}");
    std::process::exit(0);
}

/// What is acknowledged stays, what is refused is not there, and it goes on when there is space again.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_it_and_loses_nothing() {
    if let Some(dir) = std::env::var_os(FULL) {
        fill(Path::new(&dir)).await;
    }
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path().join("journal");
    // Opened once with all the space it wants; then no file may grow beyond 2 MiB (in blocks of 512 bytes).
    drop(SledJournal::open(&dir).unwrap());
    let child = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 4096; exec \"$@\"", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args([
            "a_full_disk_stops_it_and_loses_nothing",
            "--exact",
            "--nocapture",
        ])
        .env(FULL, &dir)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    let complaint = String::from_utf8_lossy(&child.stderr);
    let last = said
        .lines()
        .filter_map(|line| line.strip_prefix("durable "))
        .next_back();
    let last: u64 = last
        .unwrap_or_else(|| panic!("something was written first: {said}{complaint}"))
        .parse()
        .unwrap();
    for line in ["failed ", "again ", "read "] {
        assert!(
            said.lines().any(|said| said.starts_with(line)),
            "{line}: {said}{complaint}"
        );
    }
    let journal = SledJournal::open(&dir).unwrap();
    let entries = journal.read(&rollout()).await.unwrap();
    let plan = plan();
    for (seq, found) in (0..).zip(&entries) {
        assert_eq!(*found, entry(seq, &plan));
    }
    let next = entries.len() as u64;
    assert!(next > last, "{last} was acknowledged, {next} are there");
    journal.append(vec![entry(next, &plan)]).await.unwrap();
}
