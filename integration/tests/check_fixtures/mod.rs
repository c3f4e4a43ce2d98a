//! What makes each check speak, on real hosts: one row a check. The scenario `advisor` puts the dirt on the hosts and
//! looks; `every_check.rs` has the checks that have no row here, and sees that none is forgotten.
//!
//! ```text
//! GROUP · TOPOLOGY   dirt on a running cluster; without it the check is silent
//! OUT                what is left out of the group or of sight, beside the dirt
//! ASKED              another question of the same clean cluster
//! ```

/// Something that is wrong, and how it gets onto a host.
#[derive(Debug, Clone, Copy)]
pub enum Dirt {
    /// Statements on a host.
    Sql(&'static str, &'static str),
    /// A program on a host.
    Run(&'static str, &'static [&'static str]),
    /// A file on a host: path and text.
    File(&'static str, &'static str, &'static str),
    /// What another row has already put there.
    There,
}

#[derive(Debug, Clone, Copy)]
pub struct Fixture {
    pub check: &'static str,
    pub dirt: Dirt,
    /// Everything that the check names beyond what it said before, and nothing else.
    pub objects: &'static [&'static str],
}

const fn fixture(check: &'static str, dirt: Dirt, objects: &'static [&'static str]) -> Fixture {
    Fixture {
        check,
        dirt,
        objects,
    }
}

const OPTIONS: &str = "/etc/mysql/mysql.conf.d/zzz-dirt.cnf";

/// A single-primary group that goes to another series; db1 is the primary.
pub const GROUP: &[Fixture] = &[
    fixture(
        "reservedKeywords",
        Dirt::Sql("db1", SCHEMA),
        &["dirt.library", "dirt.library.external"],
    ),
    fixture("removedFunctions", Dirt::There, &["dirt.hashes"]),
    fixture("groupPrimaryKeys", Dirt::There, &["dirt.bare"]),
    fixture("groupEngines", Dirt::There, &["dirt.isam"]),
    fixture("innodbRowFormat", Dirt::There, &["dirt.compact"]),
    fixture("utf8mb3", Dirt::There, &["dirt.narrow.t"]),
    fixture("foreignKeyReferences", Dirt::There, &["dirt.child.to_part"]),
    fixture("authMethodUsage", Dirt::There, &["old@localhost"]),
    fixture("eventsFollow", Dirt::There, &["dirt.nightly"]),
    fixture(
        "preparedXa",
        Dirt::Sql(
            "db1",
            "XA START 'x'; INSERT INTO dirt.fine VALUES (9, 'x'); XA END 'x'; XA PREPARE 'x'",
        ),
        &["db1", "db2", "db3"],
    ),
    fixture(
        "pluginUsage",
        Dirt::Sql(
            "db1",
            "INSTALL PLUGIN connection_control SONAME 'connection_control.so'",
        ),
        &["db1"],
    ),
    fixture(
        "binlogRetention",
        Dirt::Sql("db2", "SET GLOBAL binlog_expire_logs_seconds = 3600"),
        &["db2"],
    ),
    fixture(
        "recoveryLogin",
        Dirt::Sql(
            "db3",
            "SET GLOBAL group_replication_recovery_use_ssl = OFF; SET GLOBAL group_replication_recovery_get_public_key = OFF",
        ),
        &["db3"],
    ),
    fixture(
        "persistedVariables",
        Dirt::Sql("db2", "SET PERSIST max_connections = 120"),
        &["mysqld-auto.cnf: max_connections"],
    ),
    fixture(
        "upgradeOption",
        Dirt::File(
            "db3",
            OPTIONS,
            "[mysqld]\nupgrade = FORCE\ninnodb_log_file_size = 64M\nlower_case_table_names = 1\n",
        ),
        &["db3"],
    ),
    fixture("lowerCaseTableNames", Dirt::There, &["db3"]),
    fixture(
        "sysVars",
        Dirt::There,
        &["/etc/mysql/mysql.conf.d/zzz-dirt.cnf:3"],
    ),
    fixture(
        "serviceLimits",
        Dirt::File(
            "db2",
            "/run/systemd/system.control/mysql.service.d/dirt.conf",
            "[Service]\nMemoryMax=8G\n",
        ),
        &["MemoryMax"],
    ),
    fixture(
        "automaticRestarts",
        Dirt::File("db2", "/usr/sbin/needrestart", ""),
        &["needrestart"],
    ),
    fixture(
        "packageManagerState",
        Dirt::File("db3", "/etc/mysql/FROZEN", ""),
        &["db3"],
    ),
    fixture(
        "packageHolds",
        Dirt::Run("db2", &["apt-mark", "hold", "mysql-server"]),
        &["db2"],
    ),
    fixture(
        "diskSpace",
        Dirt::Run(
            "db3",
            &["fallocate", "--length", "5450M", "/srv/mysql/full"],
        ),
        &["db3"],
    ),
];

/// On the group with its dirt. Of a member without an agent only the address is known.
pub const OUT: &[Fixture] = &[
    fixture(
        "refitAgents",
        Dirt::Run("db2", &["systemctl", "stop", "refit-agent"]),
        &["db2"],
    ),
    fixture(
        "groupReplicationMembers",
        Dirt::Sql("db3", "STOP GROUP_REPLICATION"),
        &["10.77.0.12:3306", "db3"],
    ),
];

/// Tables alike that bother nobody are beside each that does.
const SCHEMA: &str = "CREATE DATABASE dirt; USE dirt; SET SESSION restrict_fk_on_non_standard_key = OFF;
    CREATE TABLE fine (id INT PRIMARY KEY, name VARCHAR(20)) CHARACTER SET utf8mb4;
    CREATE TABLE `library` (id INT PRIMARY KEY, `external` INT, `rank` INT);
    CREATE TABLE bare (a INT);
    CREATE TABLE isam (id INT PRIMARY KEY) ENGINE = MyISAM;
    CREATE TABLE compact (id INT PRIMARY KEY) ROW_FORMAT = COMPACT;
    CREATE TABLE narrow (id INT PRIMARY KEY, t VARCHAR(9) CHARACTER SET utf8mb3);
    CREATE TABLE parent (id INT PRIMARY KEY, a INT, b INT, KEY (a), UNIQUE KEY (a, b));
    CREATE TABLE child (id INT PRIMARY KEY, a INT, CONSTRAINT to_part FOREIGN KEY (a) REFERENCES parent (a));
    CREATE TABLE tidy (id INT PRIMARY KEY, p INT, CONSTRAINT to_key FOREIGN KEY (p) REFERENCES parent (id));
    CREATE PROCEDURE hashes() SELECT MD5('x') /* sha1(y) */;
    CREATE PROCEDURE innocent() SELECT 'md5(x)', 1 -- MD5(z)
    ;
    CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO SELECT 1;
    CREATE EVENT idle ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 1;
    CREATE USER old@localhost IDENTIFIED WITH sha256_password BY 'x'";

/// db1 is the source of db2 and db3, within a series.
pub const TOPOLOGY: &[Fixture] = &[
    fixture(
        "channelRetries",
        Dirt::Sql(
            "db2",
            "STOP REPLICA; CHANGE REPLICATION SOURCE TO SOURCE_RETRY_COUNT = 3, SOURCE_DELAY = 60, SOURCE_SSL = 0, GET_SOURCE_PUBLIC_KEY = 0; \
             CHANGE REPLICATION FILTER REPLICATE_IGNORE_DB = (scratch); SET GLOBAL replica_preserve_commit_order = OFF; SET GLOBAL super_read_only = OFF; \
             SET GLOBAL read_only = OFF; START REPLICA",
        ),
        &["db2"],
    ),
    fixture("delayedReplicas", Dirt::There, &["db2"]),
    fixture("replicationFilters", Dirt::There, &["db2"]),
    fixture("commitOrder", Dirt::There, &["db2"]),
    fixture("channelLogin", Dirt::There, &["db2"]),
    fixture("replicasReadOnly", Dirt::There, &["db2"]),
    fixture(
        "errantTransactions",
        Dirt::Sql(
            "db3",
            "SET GLOBAL super_read_only = OFF; SET GLOBAL read_only = OFF; CREATE DATABASE errant; \
             SET GLOBAL super_read_only = ON; STOP REPLICA; CHANGE REPLICATION SOURCE TO SOURCE_AUTO_POSITION = 0",
        ),
        &["db3"],
    ),
    fixture("gtidAutoPosition", Dirt::There, &["db3"]),
    // db2's account must use TLS.
    fixture("channelsRun", Dirt::There, &["db2", "db3"]),
    fixture(
        "statementBinaryLog",
        Dirt::Sql("db1", "SET GLOBAL binlog_format = STATEMENT"),
        &["db1"],
    ),
    fixture(
        "semiSyncReplicas",
        Dirt::Sql(
            "db1",
            "INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'; SET GLOBAL rpl_semi_sync_source_enabled = ON",
        ),
        &["db1"],
    ),
];

/// Another target or fewer options, of the clean group.
pub const ASKED: &[(&str, &[&str], &[&str])] = &[
    ("spareMember", &["--target", "{newest}"], &["shop"]),
    (
        "packagesAvailable",
        &["--target", "9.7.99", "--accept-no-spare"],
        &["db1", "db2", "db3"],
    ),
    (
        "upgradePath",
        &["--target", "8.0.46", "--accept-no-spare"],
        &["db1", "db2", "db3"],
    ),
    (
        "targetMaturity",
        &["--target", "9.7.0", "--accept-no-spare"],
        &["9.7.0"],
    ),
    (
        "endOfLife",
        &["--target", "8.0.46", "--accept-no-spare"],
        &["8.0"],
    ),
    (
        "checkTableCommand",
        &[
            "--target",
            "{newest}",
            "--accept-no-spare",
            "--check-tables",
        ],
        &["db1", "db2", "db3"],
    ),
];
