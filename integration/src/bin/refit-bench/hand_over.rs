//! The hand-over alone: the primary leaves its group, again and again, in turn by two bare statements and by Refit's operation,
//! on the same hosts at the same load. One hand-over is worth little: the server's own time varies by a factor of two.
//!
//! The order goes to the agent itself, over the network that its controller uses and with the controller's certificate, by
//! this program's own second form: `refit-bench leave`, run inside the lab's network.

use anyhow::{Context, Result, bail};
use clap::Args;
use refit_controller::agents::GrpcAgents;
use refit_controller::fleet;
use refit_controller::ports::Agents;
use refit_integration::stage::{Load, Stage, wait_for};
use refit_proto::tls::{MaterialPaths, Reloading};
use refit_shared::ids::{Attempt, ClusterName, Epoch, MemberName, RolloutId, StepId};
use refit_shared::operation::{AttemptId, Direction, Operation, Order};
use refit_shared::receipt::Outcome;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;

/// Newer than any controller of the lab: what is measured is not to be fenced off.
const EPOCH: Epoch = Epoch(1_000_000);
/// A gap begins within this of the order and has ended by then.
const LOOK_FOR: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub struct Leave {
    #[arg(long)]
    cluster: ClusterName,
    #[arg(long)]
    member: MemberName,
    /// Host and port of its agent.
    #[arg(long)]
    address: String,
    /// The controller's ca.pem, cert.pem and key.pem.
    #[arg(long)]
    tls: PathBuf,
    /// Makes the order one of its own.
    #[arg(long)]
    rollout: RolloutId,
}

/// Orders one member to leave its group and waits for the receipt.
pub fn leave(arguments: &Leave) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let fleet = format!(
            "[[cluster]]\nname = \"{}\"\nmembers = [{{ name = \"{}\", address = \"{}\" }}]\n",
            arguments.cluster, arguments.member, arguments.address
        );
        let fleet = fleet::parse("hand-over", &fleet).map_err(|e| anyhow::anyhow!("{e}"))?;
        let material = Reloading::open(MaterialPaths::in_dir(&arguments.tls))?;
        let agents = GrpcAgents::new(&fleet, &material)?;
        let order = Order {
            id: AttemptId {
                rollout: arguments.rollout.clone(),
                step: StepId(0),
                attempt: Attempt(1),
            },
            epoch: EPOCH,
            cluster: arguments.cluster.clone(),
            member: arguments.member.clone(),
            direction: Direction::Perform,
            operation: Operation::LeaveGroup { drain_s: 10 },
            deadline_s: 60,
        };
        let (progress, mut phases) = mpsc::channel(16);
        let receipt = agents.carry_out(&order, progress);
        let drain = async { while phases.recv().await.is_some() {} };
        let (receipt, ()) = tokio::join!(receipt, drain);
        match receipt?.outcome {
            Outcome::Done { .. } => Ok(()),
            Outcome::Failed(failure) => bail!("{failure}"),
        }
    })
}

/// Write gaps in milliseconds.
#[derive(Debug, Default)]
pub struct HandOvers {
    pub bare: Vec<f64>,
    pub refit: Vec<f64>,
    pub lost: u64,
}

/// Hands over `times` times each way, in turn.
pub fn measure(stage: &Stage, load: &Load<'_>, times: u32) -> Result<HandOvers> {
    let mut found = HandOvers::default();
    for time in 1..=times {
        found.bare.push(one(stage, load, |primary| {
            let statements = "SET GLOBAL super_read_only = 1; STOP GROUP_REPLICATION";
            stage.lab.sql(primary, statements).map(drop)
        })?);
        found.refit.push(one(stage, load, |primary| {
            by_refit(stage, primary, &format!("hand-over-{time}"))
        })?);
    }
    found.lost = load.stop_and_verify()?.lost;
    Ok(found)
}

fn one(stage: &Stage, load: &Load<'_>, leave: impl FnOnce(&str) -> Result<()>) -> Result<f64> {
    let world = stage.world()?;
    let primary = world.primary().context("the group has a primary")?;
    let now = || -> Result<Duration> { Ok(SystemTime::now().duration_since(UNIX_EPOCH)?) };
    let from = now()?;
    leave(primary)?;
    let gap = wait_for("the gap to end", LOOK_FOR * 4, || {
        if now()? < from + LOOK_FOR {
            bail!("too early to tell");
        }
        let within = |gap: &&refit_integration::stage::Gap| gap.start >= from;
        let gaps = load.gaps()?;
        gaps.iter()
            .filter(within)
            .map(|gap| gap.ms)
            .max_by(f64::total_cmp)
            .context("no write gap at all was reported")
    })?;
    stage.lab.sql(primary, "START GROUP_REPLICATION")?;
    wait_for(
        "the member to be back",
        Duration::from_secs(120),
        || match stage.world()?.0[primary].state.as_str() {
            "ONLINE" => Ok(()),
            other => bail!("{primary} is {other}"),
        },
    )?;
    Ok(gap)
}

fn by_refit(stage: &Stage, primary: &str, rollout: &str) -> Result<()> {
    let own = std::env::current_exe()?;
    let address = stage.agent_address(primary)?;
    let tls = stage.workshop.join("controller");
    let mut command = stage.lab.command(["net"]);
    command.arg(own).arg("leave");
    command.args(["--cluster", stage.cluster(), "--member", primary]);
    command.args(["--address", &address, "--rollout", rollout]);
    let output = command
        .arg("--tls")
        .arg(tls)
        .stdin(Stdio::null())
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    bail!(
        "refit-bench leave: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
