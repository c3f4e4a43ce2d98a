//! Who upgrades the tables of the server itself (`mysql`, `sys`, help tables): until 8.0.15 a program, `mysql_upgrade`, and a restart after
//! it; from 8.0.16 on the server, when it starts.
//!
//! Source: MySQL manual 8.0, "What the MySQL Upgrade Process Upgrades" and "mysql_upgrade"; MYSQL.md §4.1.

use crate::version::MysqlVersion;

/// The first release whose server does it.
pub const SERVER_DOES_IT: MysqlVersion = MysqlVersion::new(8, 0, 16);

/// A server of this version wants its own `mysql_upgrade` after its first start.
pub fn by_program(target: MysqlVersion) -> bool {
    target < SERVER_DOES_IT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_goes_with_8_0_16() {
        for (version, program) in [
            ("5.7.44", true),
            ("8.0.11", true),
            ("8.0.15", true),
            ("8.0.16", false),
            ("8.4.0", false),
            ("9.7.4", false),
        ] {
            assert_eq!(by_program(version.parse().unwrap()), program, "{version}");
        }
    }
}
