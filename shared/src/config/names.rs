//! Whom an option is for, and which variable it means.
//!
//! Source: MySQL manual, "Program Option Modifiers" and "Using Option Files"; `load_default_groups` in server source `mysqld.cc`;
//! tried with 9.7.4: names are taken as they are written (`Max_Connections` and `key_buffer` are unknown variables).

use crate::version::MysqlVersion;

/// Whether a server of this version reads a group. Group names are compared without regard to case.
pub fn is_server_group(group: &str, version: MysqlVersion) -> bool {
    let versioned = format!("mysqld-{}", version.series());
    [versioned.as_str(), "mysqld", "server"]
        .iter()
        .any(|own| own.eq_ignore_ascii_case(group))
}

/// What an option's name comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// With `_`, without `loose_`.
    pub name: String,
    /// An unknown option is only warned of.
    pub loose: bool,
}

pub fn meaning(written: &str) -> Meaning {
    let name = written.replace('-', "_");
    match name.strip_prefix("loose_") {
        Some(rest) => Meaning {
            name: rest.to_owned(),
            loose: true,
        },
        None => Meaning { name, loose: false },
    }
}

impl Meaning {
    /// The variable that it sets, among those that a caller knows, and the value that a modifier gives it (`skip_x` is `x=OFF`). A name that
    /// is known as it is wins over one with a modifier.
    pub fn of<'a, T>(
        &self,
        value: Option<&'a str>,
        find: impl Fn(&str) -> Option<T>,
    ) -> Option<(T, Option<&'a str>)> {
        if let Some(found) = find(&self.name) {
            return Some((found, value));
        }
        for (modifier, gives) in [
            ("skip_", Some("OFF")),
            ("disable_", Some("OFF")),
            ("enable_", Some("ON")),
            ("maximum_", value),
        ] {
            if let Some(found) = self.name.strip_prefix(modifier).and_then(&find) {
                return Some((found, gives));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_a_server() {
        let version = MysqlVersion::new(9, 7, 4);
        for (group, own) in [
            ("mysqld", true),
            ("MySQLd", true),
            ("server", true),
            ("mysqld-9.7", true),
            ("mysqld-8.4", false),
            ("mysqld_safe", false),
            ("client", false),
            (" mysqld", false),
            ("mysqld,server", false),
        ] {
            assert_eq!(is_server_group(group, version), own, "{group}");
        }
    }

    #[test]
    fn modifiers_lead_to_the_variable() {
        let known = |name: &str| {
            ["log_bin", "skip_name_resolve"]
                .iter()
                .position(|k| *k == name)
        };
        let of = |written: &str, value| {
            let meaning = meaning(written);
            (meaning.of(value, known), meaning.loose)
        };
        assert_eq!(of("log-bin", Some("x")), (Some((0, Some("x"))), false));
        assert_eq!(of("skip-log-bin", None), (Some((0, Some("OFF"))), false));
        assert_eq!(
            of("loose_enable-log_bin", None),
            (Some((0, Some("ON"))), true)
        );
        assert_eq!(of("skip_name_resolve", None), (Some((1, None)), false));
        assert_eq!(of("skip-nothing", None), (None, false));
    }
}
