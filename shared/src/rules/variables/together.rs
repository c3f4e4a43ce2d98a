//! Variables that members or servers must not have differently while they work together: whoever changes one must change it on all at
//! once, or step by step.
//!
//! Source: MYSQL.md §2.6 (a 9.7 member with `group_replication_ssl_mode` REQUIRED tried against a group with DISABLED) and §3.2 (error
//! 13117 between a replica and a source); MySQL manual, "Enabling GTID Transactions Online".

/// One variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Together {
    pub name: &'static str,
    /// Of whom: of a group's members, else of a source and its replicas.
    pub in_group: bool,
    /// What happens where two differ.
    pub why: &'static str,
    /// What to do instead of one member after the other.
    pub instead: &'static str,
}

pub const TOGETHER: &[Together] = &[
    Together {
        name: "group_replication_ssl_mode",
        in_group: true,
        why: "a member with the new default can't talk to members with the old value, and could not rejoin",
        instead: "release it with --strategy offline, where all members stop and start together",
    },
    Together {
        name: "gtid_mode",
        in_group: false,
        why: "a replica with ON can't follow a source with OFF (error 13117)",
        instead: "go through OFF_PERMISSIVE and ON_PERMISSIVE to ON with SET GLOBAL, each on all servers before the next, then take the \
                  line out of the option files; or release it with --strategy offline",
    },
];

/// The entry of a variable, for members of a group or for servers that replicate from each other.
pub fn find(name: &str, in_group: bool) -> Option<&'static Together> {
    TOGETHER
        .iter()
        .find(|entry| entry.name == name && entry.in_group == in_group)
}

/// A variable that must be ON before another may be. Source: MySQL manual, "Global Transaction ID System Variables": a server with
/// `gtid_mode` ON and `enforce_gtid_consistency` OFF does not start.
pub const NEEDS: &[(&str, &str)] = &[("gtid_mode", "enforce_gtid_consistency")];
