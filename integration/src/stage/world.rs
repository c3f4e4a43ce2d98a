//! What a scenario asserts on: versions, membership, bytes, transactions, as the hosts themselves say.

use super::lab::Lab;
use anyhow::{Context, Result};
use std::collections::BTreeMap;

/// One member as its own server and file system show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberView {
    pub version: String,
    pub packages: String,
    pub state: String,
    pub role: String,
    pub read_only: bool,
    pub super_read_only: bool,
    /// Whom it replicates from asynchronously: addresses, and whether both threads of each channel run.
    pub sources: Vec<(String, bool)>,
    pub address: String,
    /// How many members of the view are ONLINE.
    pub online: u32,
    /// SHA-256 over every option file with its mode and owner, mysqld-auto.cnf included.
    pub config: String,
    /// Files that only Refit puts on a host, found where they should not stay.
    pub leftovers: String,
}

/// All members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct World(pub BTreeMap<String, MemberView>);

impl World {
    pub(super) fn look(lab: &Lab, members: &[String]) -> Result<Self> {
        members
            .iter()
            .map(|member| Ok((member.clone(), look_at(lab, member)?)))
            .collect::<Result<_>>()
            .map(Self)
    }

    pub fn versions(&self) -> Vec<&str> {
        self.0
            .values()
            .map(|member| member.version.as_str())
            .collect()
    }

    pub fn primary(&self) -> Option<&str> {
        self.0
            .iter()
            .find(|(_, member)| member.role == "PRIMARY")
            .map(|(name, _)| name.as_str())
    }

    /// Members that take writes by their own variables.
    pub fn writable(&self) -> Vec<&str> {
        let takes_writes = |member: &MemberView| !member.read_only && !member.super_read_only;
        let members = self.0.iter().filter(|(_, member)| takes_writes(member));
        members.map(|(name, _)| name.as_str()).collect()
    }

    /// Who replicates from whom, as the lab's words say it: `db2:db1`, one a replica.
    pub fn links(&self) -> Vec<String> {
        let named = |address: &String| {
            let member = self.0.iter().find(|(_, m)| m.address == *address);
            member.map_or_else(|| address.clone(), |(name, _)| name.clone())
        };
        let replicas = self.0.iter().filter(|(_, m)| !m.sources.is_empty());
        replicas
            .map(|(name, member)| {
                let sources: Vec<String> = member.sources.iter().map(|(s, _)| named(s)).collect();
                format!("{name}:{}", sources.join(","))
            })
            .collect()
    }

    /// Servers replicate in exactly this shape, every channel runs, and exactly those without a source take writes.
    pub fn assert_replicating(&self, links: &[&str]) {
        assert_eq!(self.links(), links, "{self:#?}");
        for (name, member) in &self.0 {
            assert!(
                member.sources.iter().all(|(_, runs)| *runs),
                "{name}: {self:#?}"
            );
            assert_eq!(
                member.super_read_only,
                !member.sources.is_empty(),
                "{name}: {self:#?}"
            );
            assert_eq!(
                member.read_only, member.super_read_only,
                "{name}: {self:#?}"
            );
            assert_eq!(member.leftovers, "", "{name}: {self:#?}");
        }
    }

    /// Every member is ONLINE, all see each other, one is the primary and exactly that one can write.
    pub fn assert_whole(&self) {
        let size = u32::try_from(self.0.len()).expect("a lab has few hosts");
        for (name, member) in &self.0 {
            assert_eq!(member.state, "ONLINE", "{name}: {self:#?}");
            assert_eq!(member.online, size, "{name}: {self:#?}");
            assert_eq!(
                member.super_read_only,
                member.role != "PRIMARY",
                "{name}: {self:#?}"
            );
            assert_eq!(member.leftovers, "", "{name}: {self:#?}");
        }
        assert_eq!(
            self.0
                .values()
                .filter(|member| member.role == "PRIMARY")
                .count(),
            1,
            "{self:#?}"
        );
    }
}

fn look_at(lab: &Lab, member: &str) -> Result<MemberView> {
    let row = lab.sql(
        member,
        "SELECT VERSION(), COALESCE(MEMBER_STATE, ''), COALESCE(MEMBER_ROLE, ''), @@read_only, @@super_read_only, \
         (SELECT COUNT(*) FROM performance_schema.replication_group_members WHERE MEMBER_STATE='ONLINE') \
         FROM (SELECT 1) AS one LEFT JOIN performance_schema.replication_group_members \
         ON MEMBER_ID IN (@@server_uuid, '') LIMIT 1",
    )?;
    let mut fields = row.split('\t').map(str::to_owned);
    let mut next = || {
        fields
            .next()
            .with_context(|| format!("{member}: unexpected row {row:?}"))
    };
    let (version, state, role) = (next()?, next()?, next()?);
    let (read_only, super_read_only, online) = (next()?, next()?, next()?);
    let text = |argv: &[&str]| -> Result<String> {
        Ok(lab.exec(member, argv)?.ok(argv[0])?.trim().to_owned())
    };
    Ok(MemberView {
        version,
        packages: text(&[
            "dpkg-query",
            "-W",
            "-f",
            "${Version} ",
            "mysql-server",
            "mysql-server-core",
        ])?,
        state,
        role,
        read_only: read_only == "1",
        super_read_only: super_read_only == "1",
        sources: sources(lab, member)?,
        address: lab.ip(member)?,
        online: online.parse()?,
        config: config_digest(lab, member)?,
        leftovers: text(&[
            "find",
            "/etc/mysql",
            "/etc/systemd/system",
            "/var/lib/refit-agent",
            "-name",
            "*refit-maintenance*",
            "-o",
            "-name",
            "90-refit.conf",
            "-o",
            "-name",
            "FROZEN",
            "-o",
            "-name",
            "hold",
        ])?,
    })
}

fn sources(lab: &Lab, member: &str) -> Result<Vec<(String, bool)>> {
    let rows = lab.sql(
        member,
        "SELECT c.HOST, s.SERVICE_STATE = 'ON' AND a.SERVICE_STATE = 'ON' \
         FROM performance_schema.replication_connection_configuration c \
         JOIN performance_schema.replication_connection_status s USING (CHANNEL_NAME) \
         JOIN performance_schema.replication_applier_status a USING (CHANNEL_NAME) \
         WHERE c.CHANNEL_NAME NOT LIKE 'group_replication%' ORDER BY c.HOST",
    )?;
    let source = |row: &str| -> Result<(String, bool)> {
        let (host, runs) = row.split_once('\t').context("a host and a state")?;
        Ok((host.to_owned(), runs == "1"))
    };
    rows.lines().map(source).collect()
}

fn config_digest(lab: &Lab, member: &str) -> Result<String> {
    let list = lab.exec(
        member,
        &[
            "find",
            "/etc/mysql",
            "/srv/mysql/data/mysqld-auto.cnf",
            "-type",
            "f",
            "-printf",
            "%p %m %u %g\n",
        ],
    )?;
    let mut lines: Vec<&str> = list.stdout.lines().collect();
    lines.sort_unstable();
    let files: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.split(' ').next())
        .collect();
    let mut argv = vec!["sha256sum"];
    argv.extend(&files);
    let sums = lab.exec(member, &argv)?.ok("sha256sum")?;
    Ok(format!("{}\n{sums}", lines.join("\n")))
}
