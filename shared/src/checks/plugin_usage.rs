//! Plugins that the new server does not have.

use super::{
    ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, VersionPair,
    When,
};
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "pluginUsage",
    level: Level::Error,
    reference: Reference {
        source: "MySQL Shell, pluginUsage; starts with a leftover plugin on real servers (MY-010901, MY-010736)",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/server-plugin-loading.html"),
    },
    applies: When::Crosses(&[
        MysqlVersion::new(8, 3, 0),
        MysqlVersion::new(8, 4, 0),
        MysqlVersion::new(9, 3, 0),
        MysqlVersion::new(9, 5, 0),
    ]),
    overriding: Overriding::Refused(
        "encrypted tables could not be opened, or replicas would silently not acknowledge",
    ),
    needs: &[],
    title: "Plugins exist on the new server",
    description: "A plugin that is gone is only told in the error log (MY-010901): the new mysqld starts without it. Without its keyring it can not open encrypted tables; without semi-synchronous replication it acknowledges writes that no replica has.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

struct Plugin {
    name: &'static str,
    removed: MysqlVersion,
    instead: &'static str,
}

const KEYRING: &str = "mysql_migrate_keyring to a component, while the old version still runs";
const SEMI_SYNC: &str = "UNINSTALL PLUGIN it and INSTALL PLUGIN rpl_semi_sync_source or rpl_semi_sync_replica, before the upgrade";
const V84: MysqlVersion = MysqlVersion::new(8, 4, 0);

const GONE: [Plugin; 8] = [
    Plugin {
        name: "authentication_fido",
        removed: V84,
        instead: "authentication_webauthn",
    },
    Plugin {
        name: "daemon_memcached",
        removed: MysqlVersion::new(8, 3, 0),
        instead: "UNINSTALL PLUGIN daemon_memcached; its clients need another cache",
    },
    Plugin {
        name: "keyring_encrypted_file",
        removed: V84,
        instead: KEYRING,
    },
    Plugin {
        name: "keyring_file",
        removed: V84,
        instead: KEYRING,
    },
    Plugin {
        name: "keyring_oci",
        removed: V84,
        instead: KEYRING,
    },
    Plugin {
        name: "rpl_semi_sync_master",
        removed: MysqlVersion::new(9, 5, 0),
        instead: SEMI_SYNC,
    },
    Plugin {
        name: "rpl_semi_sync_slave",
        removed: MysqlVersion::new(9, 5, 0),
        instead: SEMI_SYNC,
    },
    Plugin {
        name: "version_tokens",
        removed: MysqlVersion::new(9, 3, 0),
        instead: "UNINSTALL PLUGIN version_tokens",
    },
];

/// Plugins that 9.x still has, and whose place components take (MYSQL.md §5.3).
const COMPONENTS: [&str; 6] = [
    "audit_log",
    "connection_control",
    "connection_control_failed_login_attempts",
    "keyring_hashicorp",
    "mysql_firewall",
    "mysql_firewall_users",
];

/// What to do about a plugin of which it is known that it is gone.
pub(super) fn instead(name: &str, pair: VersionPair) -> Option<&'static str> {
    let gone =
        |plugin: &&Plugin| plugin.name.eq_ignore_ascii_case(name) && pair.crosses(plugin.removed);
    GONE.iter().find(gone).map(|plugin| plugin.instead)
}

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, server) in subject.seen.servers() {
        let pair = VersionPair {
            from: server.version,
            to: subject.target,
        };
        let Some(plugins) = server.variables.get("plugins") else {
            found.push(CHECK.untold(name, "the active plugins", "the agent did not report them"));
            continue;
        };
        let active: Vec<String> = plugins.split(',').map(str::to_ascii_lowercase).collect();
        for plugin in GONE.iter().filter(|plugin| pair.crosses(plugin.removed)) {
            if active.iter().any(|name| name == plugin.name) {
                found.push(CHECK.error(
                    name,
                    format!(
                        "plugin {} is active, and {} does not have it",
                        plugin.name, subject.target
                    ),
                    plugin.instead,
                ));
            }
        }
        if pair.crosses(MysqlVersion::new(9, 3, 0)) {
            let old = COMPONENTS
                .iter()
                .filter(|plugin| active.iter().any(|name| name == *plugin));
            found.extend(old.map(|plugin| {
                CHECK.finding(
                    Level::Notice,
                    name,
                    format!(
                        "plugin {plugin} is active: still there in {}, and deprecated",
                        subject.target
                    ),
                    "use its component, after the last member is upgraded",
                )
            }));
        }
    }
    found
}
