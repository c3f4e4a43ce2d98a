//! Installing Refit on the lab's hosts, as the README tells a person to: certificates by `refit pki`, the sample
//! configuration of `deploy/` with names and addresses filled in, the units of `deploy/`.

use super::lab::{Lab, wait_for};
use super::load::Load;
use super::refit::Refit;
use super::world::World;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub const CLUSTER: &str = "shop";
const CONTROLLER: &str = "ctl";
const AGENT_PORT: u16 = 8400;
const CONTROLLER_PORT: u16 = 7100;

/// What the hosts should be like.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// Database hosts; the controller's host comes on top.
    pub members: usize,
    /// Package version, or a role of `lab.sh versions`.
    pub version: String,
    /// File system below the data directory: btrfs, xfs or ext4.
    pub data: String,
    pub shape: Shape,
    /// Each host has a wall clock of its own, which [`Lab::set_clock`] steps.
    pub own_clock: bool,
}

/// How the servers belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    SinglePrimaryGroup,
    MultiPrimaryGroup,
    /// Only the first member, and no group.
    Standalone,
    /// Asynchronous replication, as `lab.sh replication bootstrap` takes it: `db2:db1`, `db3:db1,db2`, one a replica.
    Replication(&'static [&'static str]),
}

impl Fleet {
    pub fn of_three(version: &str) -> Self {
        Self {
            members: 3,
            version: version.to_owned(),
            data: "btrfs".to_owned(),
            shape: Shape::SinglePrimaryGroup,
            own_clock: false,
        }
    }

    pub fn multi_primary(version: &str) -> Self {
        Self {
            shape: Shape::MultiPrimaryGroup,
            ..Self::of_three(version)
        }
    }

    pub fn standalone(version: &str) -> Self {
        Self {
            members: 1,
            shape: Shape::Standalone,
            ..Self::of_three(version)
        }
    }

    /// `db1` is the source of `db2` and `db3`.
    pub fn source_with_two_replicas(version: &str) -> Self {
        Self::replication(version, &["db2:db1", "db3:db1"])
    }

    /// `db3` replicates from `db2`, which replicates from `db1`.
    pub fn chain(version: &str) -> Self {
        Self::replication(version, &["db2:db1", "db3:db2"])
    }

    /// `db3` replicates from `db1` and from `db2`, which know nothing of each other.
    pub fn multi_source(version: &str) -> Self {
        Self::replication(version, &["db3:db1,db2"])
    }

    fn replication(version: &str, links: &'static [&'static str]) -> Self {
        Self {
            shape: Shape::Replication(links),
            ..Self::of_three(version)
        }
    }
}

/// Hosts with Refit on them.
#[derive(Debug)]
pub struct Stage {
    pub lab: Lab,
    pub members: Vec<String>,
    /// Certificates and configuration as they were made, on this machine.
    pub workshop: PathBuf,
    bin: PathBuf,
    /// Its servers replicate asynchronously.
    replicates: bool,
}

impl Stage {
    /// Boots the hosts, forms the group, installs Refit and waits until the controller sees every agent.
    pub fn set(lab: Lab, fleet: &Fleet, bin: &Path, mut say: impl FnMut(&str)) -> Result<Self> {
        let members: Vec<String> = (1..=fleet.members).map(|i| format!("db{i}")).collect();
        let stage = Self {
            members,
            workshop: workshop(&lab)?,
            bin: bin.to_owned(),
            replicates: matches!(fleet.shape, Shape::Replication(_)),
            lab,
        };
        say(&format!(
            "hosts: {} with MySQL {}, and {CONTROLLER} for the controller",
            stage.members.join(", "),
            fleet.version
        ));
        let (count, names) = (
            (fleet.members + 1).to_string(),
            format!("{},{CONTROLLER}", stage.members.join(",")),
        );
        let share = format!("{}:/opt/refit/bin", bin.display());
        stage.lab.raise(&[
            &count,
            "--names",
            &names,
            "--version",
            &fleet.version,
            "--data",
            &fleet.data,
            "--bind-ro",
            &share,
            "--own-clock",
            if fleet.own_clock { "on" } else { "off" },
        ])?;
        stage.form(fleet.shape, &mut say)?;
        say("certificates: refit pki init, issue");
        stage.make_certificates()?;
        say("refit: configuration and units");
        stage.install_agents()?;
        stage.install_controller()?;
        stage.wait_until_seen()?;
        Ok(stage)
    }

    fn form(&self, shape: Shape, say: &mut impl FnMut(&str)) -> Result<()> {
        let members = || self.members.iter().map(String::as_str);
        let call: Vec<&str> = match shape {
            Shape::SinglePrimaryGroup => ["group", "bootstrap"]
                .into_iter()
                .chain(members())
                .collect(),
            Shape::MultiPrimaryGroup => ["group", "bootstrap", "--multi-primary"]
                .into_iter()
                .chain(members())
                .collect(),
            Shape::Standalone => ["standalone"].into_iter().chain(members()).collect(),
            Shape::Replication(links) => ["replication", "bootstrap"]
                .into_iter()
                .chain(links.iter().copied())
                .collect(),
        };
        let words = call.join(" ");
        say(&format!("servers: {words}"));
        self.lab.call(call)?.ok(&words).map(drop)
    }

    pub fn refit(&self) -> Refit<'_> {
        Refit { lab: &self.lab }
    }

    /// The name of the cluster that all members belong to.
    pub fn cluster(&self) -> &'static str {
        CLUSTER
    }

    /// Host and port of a member's agent.
    pub fn agent_address(&self, member: &str) -> Result<String> {
        Ok(format!("{}:{AGENT_PORT}", self.lab.ip(member)?))
    }

    /// The writing client on whichever member takes writes.
    pub fn load(&self) -> Result<Load<'_>> {
        Load::prepare(&self.lab, &self.members)
    }

    /// A writing client on one source of several, beside those on the others: `replicas` must have all that it wrote.
    pub fn load_on(&self, source: &str, replicas: &[&str]) -> Result<Load<'_>> {
        Load::prepare_on(&self.lab, source, replicas)
    }

    pub fn world(&self) -> Result<World> {
        World::look(&self.lab, &self.members)
    }

    /// Runs `refit pki` on this machine.
    pub fn pki(&self, arguments: &[&str]) -> Result<()> {
        let output = Command::new(self.bin.join("refit"))
            .arg("pki")
            .args(arguments)
            .current_dir(&self.workshop)
            .output()?;
        if !output.status.success() {
            bail!(
                "refit pki {}: {}",
                arguments.join(" "),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(())
    }

    fn make_certificates(&self) -> Result<()> {
        self.pki(&["init", "--ca", "ca"])?;
        self.pki(&[
            "issue",
            "controller",
            CONTROLLER,
            "--ca",
            "ca",
            "--out",
            "controller",
        ])?;
        self.pki(&[
            "issue", "operator", "ann", "--ca", "ca", "--out", "operator",
        ])?;
        for member in &self.members {
            self.pki(&["issue", "agent", member, "--ca", "ca", "--out", member])?;
        }
        Ok(())
    }

    /// Files below the workshop that become `/etc/refit` of a host.
    fn etc(&self, host: &str) -> Result<PathBuf> {
        let etc = self.workshop.join("etc").join(host);
        std::fs::create_dir_all(&etc)?;
        Ok(etc)
    }

    fn install_agents(&self) -> Result<()> {
        for member in &self.members {
            let etc = self.etc(member)?;
            copy_bundle(&self.workshop.join(member), &etc.join("tls"))?;
            let config = deploy("agent.toml")?
                .replace("cluster = \"orders\"", &format!("cluster = \"{CLUSTER}\""))
                .replace("member = \"db1\"", &format!("member = \"{member}\""));
            write(&etc.join("agent.toml"), &self.edit_agent(&config)?)?;
            self.lab.put(member, &etc, "/etc/refit")?;
            self.unit(member, "refit-agent")?;
        }
        Ok(())
    }

    /// What the lab's hosts have elsewhere than a stock Debian host: data and snapshots are on one volume, and health checks
    /// come over the network.
    fn edit_agent(&self, sample: &str) -> Result<String> {
        let mut table: toml::Table = sample.parse().context("deploy/agent.toml")?;
        table.insert("snapshot_dir".into(), "/srv/mysql/snapshots".into());
        table.insert("listen".into(), format!("0.0.0.0:{AGENT_PORT}").into());
        table.insert("health_listen".into(), "0.0.0.0:8401".into());
        if self.replicates {
            // The account that lab.sh has made for servers that follow another one.
            let mysql = table
                .entry("mysql")
                .or_insert(toml::Table::new().into())
                .as_table_mut()
                .context("[mysql] of deploy/agent.toml")?;
            let file = "/etc/replication.cnf";
            mysql.insert("replication_credentials_file".into(), file.into());
        }
        Ok(table.to_string())
    }

    fn install_controller(&self) -> Result<()> {
        let etc = self.etc(CONTROLLER)?;
        copy_bundle(&self.workshop.join("controller"), &etc.join("tls"))?;
        copy_bundle(&self.workshop.join("operator"), &etc.join("operator"))?;
        write(&etc.join("controller.toml"), &deploy("controller.toml")?)?;
        let mut fleet = format!("[[cluster]]\nname = \"{CLUSTER}\"\nmembers = [\n");
        for member in &self.members {
            fleet += &format!(
                "  {{ name = \"{member}\", address = \"{}:{AGENT_PORT}\" }},\n",
                self.lab.ip(member)?
            );
        }
        write(&etc.join("fleet.toml"), &(fleet + "]\n"))?;
        let cli = format!(
            "controller = \"{CONTROLLER}:{CONTROLLER_PORT}\"\nidentity = \"/etc/refit/operator\"\n"
        );
        write(&etc.join("refit.toml"), &cli)?;
        self.lab.put(CONTROLLER, &etc, "/etc/refit")?;
        self.unit(CONTROLLER, "refit-controller")
    }

    fn unit(&self, host: &str, name: &str) -> Result<()> {
        let file = format!("{name}.service");
        let source = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../deploy")
            .join(&file);
        self.lab
            .put(host, &source, &format!("/etc/systemd/system/{file}"))?;
        for program in ["refit", "refit-agent", "refit-controller", "refit-writer"] {
            let link = format!("/usr/local/bin/{program}");
            self.lab
                .exec(
                    host,
                    &["ln", "-sf", &format!("/opt/refit/bin/{program}"), &link],
                )?
                .ok("link a program")?;
        }
        self.lab
            .exec(host, &["systemctl", "enable", "--now", "--quiet", &file])?
            .ok(&format!("start {name} on {host}"))
            .map(drop)
    }

    fn wait_until_seen(&self) -> Result<()> {
        wait_for(
            "the controller to see every agent",
            Duration::from_secs(30),
            || {
                let fleet = self.refit().json(&["fleet"])?;
                let text = fleet.to_string();
                let unseen: Vec<&String> = self
                    .members
                    .iter()
                    .filter(|member| !text.contains(member.as_str()))
                    .collect();
                if !unseen.is_empty() || text.contains("unreachable") {
                    bail!("not all agents are seen: {text}");
                }
                Ok(())
            },
        )
    }
}

fn workshop(lab: &Lab) -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../.lab/stage")
        .join(lab.name());
    if root.exists() {
        std::fs::remove_dir_all(&root)?;
    }
    std::fs::create_dir_all(&root)?;
    Ok(root.canonicalize()?)
}

fn deploy(name: &str) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../deploy")
        .join(name);
    std::fs::read_to_string(&path).with_context(|| format!("read deploy/{name}"))
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

/// ca.pem, cert.pem, key.pem with their modes.
fn copy_bundle(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for name in ["ca.pem", "cert.pem", "key.pem"] {
        std::fs::copy(from.join(name), to.join(name))
            .with_context(|| format!("copy {name} of {}", from.display()))?;
    }
    Ok(())
}
