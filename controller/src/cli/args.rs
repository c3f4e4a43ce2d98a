//! The command line.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use refit_shared::checks::Override;
use refit_shared::plan::{ApprovePivot, Policy, Strategy};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

const EXIT_CODES: &str = "\
Exit codes:
  0    done; for a rollout that is followed: upgraded (or finalized)
  1    failed: no connection, no journal; `check`: warnings only
  2    `check`: errors, the upgrade is blocked
  3    the rollout is parked, or waits for `refit approve`
  4    the rollout was unwound: everything is as it was before
  5    refused, nothing was changed: bad input, stale or edited plan, rollout that has moved on, wrong certificate
  130  detached with Ctrl-C; the rollout goes on

Which controller, and as whom: flags, then REFIT_CONTROLLER and REFIT_IDENTITY, then
~/.config/refit/config.toml, then /etc/refit/refit.toml:
  controller = \"ctl.example.com:7100\"
  identity = \"/etc/refit/operator\"

An upgrade, from beginning to end:
  refit fleet
  refit check orders --target 9.7.4
  refit plan orders --target 9.7.4 --out plan.json
  refit apply plan.json
  refit finalize ROLLOUT";

/// Upgrades fleets of MySQL servers while they serve traffic, and always knows the way back.
#[derive(Debug, Parser)]
#[command(
    name = "refit",
    version,
    after_long_help = EXIT_CODES,
    after_help = "`refit --help` has exit codes and an example from beginning to end.",
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 110
)]
pub struct Arguments {
    /// The controller's address; the host is also the name expected in its certificate.
    #[arg(
        long,
        global = true,
        value_name = "HOST:PORT",
        env = "REFIT_CONTROLLER",
        hide_env_values = true
    )]
    pub controller: Option<String>,
    /// The name in the controller's certificate, where it is not the host in its address.
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        env = "REFIT_CONTROLLER_NAME",
        hide_env_values = true
    )]
    pub controller_name: Option<String>,
    /// The directory with your ca.pem, cert.pem and key.pem.
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "REFIT_IDENTITY",
        hide_env_values = true
    )]
    pub identity: Option<PathBuf>,
    /// Print JSON instead of text: one document, or one a line where a rollout is followed.
    #[arg(long, global = true)]
    pub json: bool,
    /// Colour: on a terminal, always or never. NO_COLOR is obeyed too.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show every member: agent, version, state, role, queue; unreachable ones with the reason.
    #[command(after_help = "Examples:\n  refit fleet\n  refit fleet orders --json")]
    Fleet {
        /// Only this cluster.
        cluster: Option<String>,
    },
    /// Judge a cluster for an upgrade. Changes nothing. Exits with 0 (fine), 1 (warnings) or 2 (errors).
    #[command(
        after_help = "Examples:\n  refit check orders --target 9.7.4\n  refit check orders --target 9.7.4 --html orders.html\n  refit check orders --target 9.7.4 --exclude reservedKeywords,zeroDates\n  refit check orders --target 9.7.4 --validate-config   (fetches packages, changes nothing of the servers)\n  refit check --list\n  refit check orders --target 9.7.4 --json   (the shape of MySQL Shell's checkForServerUpgrade)"
    )]
    Check(CheckArguments),
    /// Show what the option files should be for a target version, as a diff, or the defaults that Refit has pinned in them. Changes
    /// nothing.
    #[command(
        after_help = "Examples:\n  refit config orders --target 9.7.4\n  refit config orders --target 9.7.4 --json\n  refit config orders --pins\nRemoved options are replaced or commented out, new names are used, refused values are taken out, and defaults that\nchange are pinned with a dated comment; `refit plan orders --release NAME` takes pins out again, one by one."
    )]
    Config {
        cluster: String,
        /// The version wanted, as in 9.7.4.
        #[arg(long, value_name = "VERSION", required_unless_present = "pins")]
        target: Option<String>,
        /// List the defaults that Refit has pinned: where, since when, what the server has without them, and whether that needs a
        /// restart.
        #[arg(long, conflicts_with = "target")]
        pins: bool,
    },
    /// Try an upgrade on a throw-away clone of a member's data. The member goes on as it is.
    ///
    /// The target's mysqld, from fetched packages that are never installed, is started on the clone: without network, with limited
    /// CPU and memory. Exits with 0 when it starts and everything can be read, with 2 when not.
    #[command(
        after_help = "Examples:\n  refit rehearse orders db2 --target 9.7.4 --dry-run\n  refit rehearse orders db2 --target 9.7.4\n  refit rehearse orders db2 --target 9.7.4 --data-directory /srv/restored/mysql\nData in use is cloned by a btrfs snapshot only; that of a stopped server also by shared blocks, or with --copy in full."
    )]
    Rehearse(RehearseArguments),
    /// Explain how to get from one MySQL release to another. Needs no controller.
    #[command(
        after_help = "Examples:\n  refit path 5.7.44 9.7.4\n  refit path 9.7.4 9.7.2 --vendor percona\n  refit path 8.4.6-1ubuntu1 27.1.0 --releases /etc/refit/releases.toml"
    )]
    Path {
        /// The release that runs, as the server or its package calls it.
        from: String,
        /// The release wanted.
        to: String,
        /// Whose builds these are.
        #[arg(long, value_enum, default_value_t = VendorArgument::Upstream)]
        vendor: VendorArgument,
        /// Series that came out after this program was built.
        #[arg(long, value_name = "FILE")]
        releases: Option<PathBuf>,
    },
    /// Make a plan and write it to a file for review. Changes nothing on any host.
    #[command(
        after_help = "Examples:\n  refit plan orders --target 9.7.4\n  refit plan orders --target 9.7.4 --out plan.json --accept-no-spare\n  refit plan orders --target 9.7.4 --out plan.json --approve-pivot auto --soak 5m\n  refit plan orders --release innodb_io_capacity,explain_format   (no upgrade: a rolling restart without these pins)"
    )]
    Plan(PlanArguments),
    /// Carry a plan out, and follow it. Ctrl-C detaches; the rollout goes on.
    #[command(
        after_help = "Examples:\n  refit apply plan.json --dry-run\n  refit apply plan.json --yes\n  refit apply plan.json --yes --no-wait"
    )]
    Apply {
        /// A file that `refit plan` wrote.
        plan: PathBuf,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
        /// Run every check of a real apply, and change nothing.
        #[arg(long)]
        dry_run: bool,
        /// Begin, and return at once.
        #[arg(long)]
        no_wait: bool,
        /// Why, for the audit trail.
        #[arg(long, default_value = "", hide_default_value = true)]
        reason: String,
        #[command(flatten)]
        writer: WriterArguments,
    },
    /// Follow a rollout. Ctrl-C detaches; the rollout goes on.
    #[command(after_help = "Example:\n  refit watch 01k9x3v6m2")]
    Watch {
        /// The rollout's id, or enough of its beginning.
        rollout: String,
        #[command(flatten)]
        writer: WriterArguments,
    },
    /// List rollouts, newest first.
    List {
        /// Only this cluster.
        #[arg(long)]
        cluster: Option<String>,
    },
    /// Show one rollout: its state, its steps, what may be done now.
    Show {
        /// The rollout's id, or enough of its beginning.
        rollout: String,
    },
    /// Stop safely: agents finish what they are doing, nothing more is begun.
    #[command(after_help = "Example:\n  refit pause 01k9x3v6m2 --reason \"peak traffic\"")]
    Pause(ActArguments),
    /// Go on with a parked rollout. What was judged before is judged again.
    Resume(ActArguments),
    /// Approve the pivot: the step after which there is no way back.
    #[command(
        after_help = "Example:\n  refit approve 01k9x3v6m2 --reason \"canary traffic looks fine\""
    )]
    Approve(ActArguments),
    /// Undo everything, in reverse order. Only before the pivot.
    #[command(
        after_help = "Examples:\n  refit unwind 01k9x3v6m2 --dry-run\n  refit unwind 01k9x3v6m2 --yes --wait"
    )]
    Unwind {
        #[command(flatten)]
        act: ActArguments,
        /// Follow to the end.
        #[arg(long)]
        wait: bool,
        #[command(flatten)]
        writer: WriterArguments,
    },
    /// Give a rollout up where it stands. Undoes nothing.
    Cancel(ActArguments),
    /// Delete what going back would need: snapshots, saved configuration, cached packages.
    #[command(after_help = "Example:\n  refit finalize 01k9x3v6m2 --yes")]
    Finalize {
        #[command(flatten)]
        act: ActArguments,
        /// Begin, and return at once.
        #[arg(long)]
        no_wait: bool,
    },
    /// Print the journal: who did what, and how it ended.
    #[command(after_help = "Examples:\n  refit audit\n  refit audit 01k9x3v6m2 --json")]
    Audit {
        /// Only this rollout: its id, or enough of its beginning.
        rollout: Option<String>,
    },
    /// Look at the controller's journal on this machine.
    #[command(subcommand)]
    Journal(JournalCommand),
    /// Ask whether the controller may act. Exits with 0 when it does.
    Health,
    /// The private CA and certificates, on this machine.
    #[command(subcommand)]
    Pki(PkiCommand),
    /// Print a completion script for a shell.
    #[command(
        after_help = "Examples:\n  refit completion bash > /etc/bash_completion.d/refit\n  refit completion zsh > \"${fpath[1]}/_refit\"\n  refit completion fish > ~/.config/fish/completions/refit.fish"
    )]
    Completion { shell: Shell },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum VendorArgument {
    /// Oracle's, and distributions that build it as it is.
    Upstream,
    Percona,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

#[derive(Debug, Args)]
pub struct RehearseArguments {
    pub cluster: String,
    /// A secondary, a replica, or a member whose mysqld is stopped.
    pub member: String,
    /// The version wanted, as in 9.7.4.
    #[arg(long, value_name = "VERSION")]
    pub target: String,
    /// Also on a server that takes writes. (Never on a group's primary.)
    #[arg(long)]
    pub on_source: bool,
    /// Copy all data of a stopped server, where its file system shares no blocks.
    #[arg(long)]
    pub copy: bool,
    /// Clone this directory on the member's host, instead of its data; the agent's configuration must allow it.
    #[arg(long, value_name = "PATH")]
    pub data_directory: Option<String>,
    /// Give up after so long.
    #[arg(long, default_value = "30m", value_parser = seconds, value_name = "TIME")]
    pub limit: u32,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub struct CheckArguments {
    #[arg(required_unless_present = "list")]
    pub cluster: Option<String>,
    /// The version wanted, as in 9.7.4.
    #[arg(long, value_name = "VERSION", required_unless_present = "list")]
    pub target: Option<String>,
    /// Judge as for a plan with --accept-no-spare.
    #[arg(long)]
    pub accept_no_spare: bool,
    /// Judge as for a plan with this strategy. Left out: the usual one for the kind of cluster.
    #[arg(long, value_parser = strategies(), value_name = "STRATEGY")]
    pub strategy: Option<Strategy>,
    /// Only these checks, by id, with commas between.
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub include: Vec<String>,
    /// None of these checks.
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub exclude: Vec<String>,
    /// Judge as for a plan with this.
    #[arg(long, value_enum, default_value_t = ConfigArgument::Rewrite, value_name = "HOW")]
    pub config: ConfigArgument,
    /// Also run CHECK TABLE … FOR UPGRADE on every member, smallest table first: none above 1 GiB, none begun after 15 s. It opens users'
    /// tables and may read them, so it is never done otherwise.
    #[arg(long, conflicts_with = "list")]
    pub check_tables: bool,
    /// Also have the target's own mysqld judge each member's option files as a plan would make them (mysqld --validate-config), and look
    /// for the libraries that the server loads. Agents fetch its packages into their own cache and unpack them beside, which takes up to
    /// two and a half minutes; nothing is installed and nothing of the server is changed.
    #[arg(long, conflicts_with = "list")]
    pub validate_config: bool,
    /// Also write the result to a file, as one HTML page that needs nothing else.
    #[arg(long, value_name = "FILE", conflicts_with = "list")]
    pub html: Option<PathBuf>,
    /// Name every check with its level, when it applies, and where its rule comes from. Asks nobody.
    #[arg(long, conflicts_with_all = ["cluster", "target", "include", "exclude", "accept_no_spare"])]
    pub list: bool,
}

#[derive(Debug, Args)]
pub struct PlanArguments {
    pub cluster: String,
    /// The version wanted, as in 9.7.4. With --release it may be left out: then no version changes.
    #[arg(long, value_name = "VERSION", required_unless_present = "release")]
    pub target: Option<String>,
    /// Take these pins out of the option files, by the names of their variables with commas between; `refit config CLUSTER --pins` lists
    /// them. Only members that have one are changed or restarted for it.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub release: Vec<String>,
    /// Where to write the plan.
    #[arg(long, value_name = "FILE", default_value = "plan.json")]
    pub out: PathBuf,
    /// Replace the file if it is there.
    #[arg(long)]
    pub force: bool,
    /// Make and show the plan, and write no file.
    #[arg(long, conflicts_with = "force")]
    pub dry_run: bool,
    /// Who approves the step after which there is no way back.
    #[arg(long, value_enum, default_value_t = Approver::Person, value_name = "WHO")]
    pub approve_pivot: Approver,
    /// While one of three members is out, no further loss is survived: accept that.
    #[arg(long)]
    pub accept_no_spare: bool,
    /// Give the primary role back to the member that had it, where the versions allow it.
    #[arg(long, value_enum, default_value_t = YesNo::Yes, value_name = "YES/NO")]
    pub restore_primary: YesNo,
    /// What becomes of option files: rewritten as `refit config` shows it, or left as they are. With `keep`, what the target would not
    /// start with blocks the plan, and defaults that change are not pinned.
    #[arg(long, value_enum, default_value_t = ConfigArgument::Rewrite, value_name = "HOW")]
    pub config: ConfigArgument,
    /// How long the cluster must stay healthy before the next member.
    #[arg(long, default_value = "30s", value_parser = seconds, value_name = "TIME")]
    pub soak: u32,
    /// How to upgrade. Left out: the usual one for the kind of cluster.
    #[arg(long, value_parser = strategies(), value_name = "STRATEGY")]
    pub strategy: Option<Strategy>,
    /// The replica that becomes the source. Left out: the first one that fits. Only with --strategy switchover.
    #[arg(long, value_name = "MEMBER", requires = "strategy")]
    pub promote: Option<String>,
    /// The tables to rebuild, as in shop.orders,shop.items; or `advised`: those that the checks would have rebuilt. Only with
    /// --strategy rebuild-tables; --target is then the version that every server runs.
    #[arg(
        long,
        value_name = "TABLES",
        value_delimiter = ',',
        requires = "strategy"
    )]
    pub tables: Vec<String>,
    /// With --tables advised: the version that the tables are to be fit for. Left out: the one that every server runs.
    #[arg(long, value_name = "VERSION", requires = "tables")]
    pub advised_for: Option<String>,
    /// With --tables advised: run CHECK TABLE … FOR UPGRADE, too, as `refit check --check-tables` does.
    #[arg(long, requires = "tables")]
    pub check_tables: bool,
    /// With --strategy rebuild-tables: sources are restarted without binary log and network for it, as the manual has it. Clients are
    /// locked out meanwhile.
    #[arg(long, requires = "strategy")]
    pub restart_source: bool,
    /// Have the target's own mysqld judge the option files first, as `refit check --validate-config` does: agents fetch its packages
    /// for that. What it refuses blocks the plan. Left out: the rollout asks it, before anything is stopped.
    #[arg(long)]
    pub validate_config: bool,
    /// Go on against the errors of this check, with a reason; may be given several times. Checks that protect data can't be.
    #[arg(long = "override", value_name = "CHECK", requires = "reason")]
    pub overridden: Vec<String>,
    /// Why: one for all overrides, or one for each, in their order. Kept in the plan and the audit trail.
    #[arg(long, value_name = "TEXT", requires = "overridden")]
    pub reason: Vec<String>,
}

/// Offers each strategy as it is typed.
fn strategies() -> impl TypedValueParser<Value = Strategy> {
    PossibleValuesParser::new(Strategy::ALL.map(Strategy::flag))
        .map(|flag| Strategy::parse(&flag).expect("only flags of strategies are possible"))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Approver {
    /// `refit approve`.
    Person,
    /// The plan itself: it is not stopped before the pivot.
    Auto,
}

/// What a rollout does with option files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ConfigArgument {
    Rewrite,
    Keep,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum YesNo {
    Yes,
    No,
}

impl PlanArguments {
    pub fn policy(&self) -> Policy {
        Policy {
            approve_pivot: match self.approve_pivot {
                Approver::Person => ApprovePivot::Person,
                Approver::Auto => ApprovePivot::Auto,
            },
            accept_no_spare: self.accept_no_spare,
            restore_primary: self.restore_primary == YesNo::Yes,
            soak_s: self.soak,
            keep_config: self.config == ConfigArgument::Keep,
            overrides: self.overrides(),
            release: self.release.clone(),
        }
    }

    /// Each with its own reason, in the order given, or all with the one that there is.
    fn overrides(&self) -> Vec<Override> {
        let reason = |at: usize| match self.reason.as_slice() {
            [one] => one.clone(),
            reasons => reasons.get(at).cloned().unwrap_or_default(),
        };
        let checks = self.overridden.iter().enumerate();
        checks
            .map(|(at, check)| Override {
                check: check.clone(),
                reason: reason(at),
                by: String::new(),
            })
            .collect()
    }
}

#[derive(Debug, Args)]
pub struct WriterArguments {
    /// A writing client's status file, to show its own write gap: {"acked": N, "current_gap_ms": X, "max_gap_ms": Y}.
    #[arg(long, value_name = "FILE")]
    pub writer_status: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ActArguments {
    /// The rollout's id, or enough of its beginning.
    pub rollout: String,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    /// Say what would happen, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Why, for the audit trail.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub reason: String,
}

#[derive(Debug, Subcommand)]
pub enum JournalCommand {
    /// Check every entry of a journal: checksums, sequence numbers, the chain of digests, and that each plan is there.
    #[command(
        after_help = "Example (with the controller stopped):\n  refit journal verify /var/lib/refit-controller/journal"
    )]
    Verify { path: PathBuf },
    /// Print all of a journal as JSON, a line each: its epoch, its plans, its entries.
    #[command(
        after_help = "Example (with the controller stopped):\n  refit journal export /var/lib/refit-controller/journal > journal.jsonl"
    )]
    Export { path: PathBuf },
    /// Make a new journal from what the agents remember, when the old one is lost or corrupt. The old one is kept beside it.
    #[command(
        after_help = "Example (on the controller's machine, with the controller stopped):\n  refit journal rebuild --plan plan.json --dry-run\n  refit journal rebuild --plan plan.json\n  systemctl start refit-controller && refit list      (the rollout is parked; then resume or unwind)"
    )]
    Rebuild {
        /// The controller's configuration: it says where the journal, the fleet file and the certificate are.
        #[arg(long, value_name = "FILE", default_value = crate::config::STANDARD_PATH)]
        config: PathBuf,
        /// The plan file of a rollout that is to be rebuilt. Once for each cluster.
        #[arg(long, value_name = "FILE")]
        plan: Vec<PathBuf>,
        /// A rollout that shall not be in the new journal though it is its cluster's latest.
        #[arg(long, value_name = "ROLLOUT")]
        leave: Vec<String>,
        /// Ask the agents, say what would be made, and make nothing.
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum PkiCommand {
    /// Make a private CA.
    #[command(after_help = "Example:\n  refit pki init --ca /root/refit-ca")]
    Init {
        /// The directory of the CA; keep it off the database hosts.
        #[arg(long, value_name = "DIR")]
        ca: PathBuf,
        /// The realm of the certificates. Programs of different realms do not talk to each other.
        #[arg(long, default_value = refit_proto::identity::DEFAULT_TRUST_DOMAIN)]
        trust_domain: String,
        /// How long the CA lives.
        #[arg(long, default_value = "3650d", value_parser = duration, value_name = "TIME")]
        validity: Duration,
        /// Say what would be made, and make nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Issue a certificate for a controller, an agent or an operator.
    #[command(
        after_help = "Examples:\n  refit pki issue controller ctl --ca /root/refit-ca --out controller\n  refit pki issue agent db1 --ca /root/refit-ca --out db1      (the member's name in the fleet file)\n  refit pki issue operator ann --ca /root/refit-ca --out ann   (the name in the audit trail)"
    )]
    Issue {
        role: RoleArgument,
        name: String,
        /// The directory of the CA.
        #[arg(long, value_name = "DIR")]
        ca: PathBuf,
        /// Where to write ca.pem, cert.pem and key.pem.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// How long it lives.
        #[arg(long, default_value = "365d", value_parser = duration, value_name = "TIME")]
        validity: Duration,
        /// A host name for other tools; Refit itself does not look at it.
        #[arg(long, value_name = "NAME")]
        dns: Vec<String>,
        /// An address for other tools; Refit itself does not look at it.
        #[arg(long, value_name = "ADDRESS")]
        ip: Vec<IpAddr>,
        /// Say what would be made, and make nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Renew the certificate in a directory, with a new key. Running programs pick it up by themselves.
    #[command(after_help = "Example:\n  refit pki renew /etc/refit/tls --ca /root/refit-ca")]
    Renew {
        /// The directory with cert.pem and key.pem.
        dir: PathBuf,
        /// The directory of the CA.
        #[arg(long, value_name = "DIR")]
        ca: PathBuf,
        /// How long the new one lives; as long as the old one did if not given.
        #[arg(long, value_parser = duration, value_name = "TIME")]
        validity: Option<Duration>,
        /// Say what would be renewed, and change nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Put a certificate on a deny list. Install the list beside ca.pem on every host; running programs pick it up by themselves.
    #[command(
        after_help = "Examples:\n  refit pki revoke ann --list revoked.txt --reason \"laptop lost\"     (her certificate's directory)\n  refit pki revoke 5f0c11aa --list revoked.txt                           (a serial number, from `refit pki inspect` or a log)\nThen copy revoked.txt to /etc/refit/tls/ on the controller and on every database host."
    )]
    Revoke {
        /// The directory or file of the certificate, or its serial number in hexadecimal.
        certificate: String,
        /// The deny list; made when it is not there, else added to.
        #[arg(long, value_name = "FILE")]
        list: PathBuf,
        /// Why, for whoever reads the list.
        #[arg(long, default_value = "", hide_default_value = true)]
        reason: String,
        /// Say what would be added, and change nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Say what is in a directory or file: whose, from which CA, until when, and what is wrong.
    Inspect { path: PathBuf },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum RoleArgument {
    Controller,
    Agent,
    Operator,
}

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}, as in 30s, 5m or 365d"))
}

/// Whole seconds, at most a day.
fn seconds(text: &str) -> Result<u32, String> {
    let span = duration(text)?;
    if span.subsec_nanos() > 0 || span > Duration::from_secs(86_400) {
        return Err("whole seconds, at most one day".to_owned());
    }
    u32::try_from(span.as_secs()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn dangerous_choices_have_careful_defaults() {
        let parsed =
            Arguments::try_parse_from(["refit", "plan", "c", "--target", "9.7.4"]).unwrap();
        let Command::Plan(plan) = parsed.command else {
            panic!("{parsed:?}")
        };
        let careful = Policy {
            approve_pivot: ApprovePivot::Person,
            accept_no_spare: false,
            restore_primary: true,
            soak_s: 30,
            keep_config: false,
            overrides: Vec::new(),
            release: Vec::new(),
        };
        assert_eq!(plan.policy(), careful);
    }

    #[test]
    fn overrides_have_reasons() {
        let parse = |more: &[&str]| {
            let mut line = vec!["refit", "plan", "c", "--target", "9.7.4"];
            line.extend(more);
            Arguments::try_parse_from(line).map(|parsed| match parsed.command {
                Command::Plan(plan) => plan.policy().overrides,
                other => panic!("{other:?}"),
            })
        };
        assert!(parse(&["--override", "a"]).is_err());
        assert!(parse(&["--reason", "r"]).is_err());
        let pairs = |more: &[&str]| -> Vec<(String, String)> {
            let overrides = parse(more).unwrap().into_iter();
            overrides.map(|one| (one.check, one.reason)).collect()
        };
        let own = |check: &str, reason: &str| (check.to_owned(), reason.to_owned());
        let one = ["--override", "a", "--override", "b", "--reason", "r"];
        assert_eq!(pairs(&one), [own("a", "r"), own("b", "r")]);
        let two = [
            "--override",
            "a",
            "--reason",
            "r",
            "--override",
            "b",
            "--reason",
            "s",
        ];
        assert_eq!(pairs(&two), [own("a", "r"), own("b", "s")]);
        // A reason that is missing is empty, which the controller refuses.
        let few = [
            "--override",
            "a",
            "--override",
            "b",
            "--override",
            "c",
            "--reason",
            "r",
            "--reason",
            "s",
        ];
        assert_eq!(pairs(&few)[2], own("c", ""));
    }

    #[test]
    fn soak_is_whole_seconds() {
        assert_eq!(seconds("5m"), Ok(300));
        for text in ["", "5", "100ms", "2d", "-3s"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
