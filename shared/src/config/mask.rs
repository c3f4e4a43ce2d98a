//! Secrets never leave the host: their values are masked, line for line, before a file is sent anywhere.

/// What stands for a secret.
pub const MASK: &str = "********";

/// A name with one of these is a secret's, wherever the line has it: in a comment, too.
const SECRETS: [&str; 6] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "credential",
    "_pwd",
];

/// Variables that are about passwords and hold none.
const HARMLESS: [&str; 14] = [
    "validate_password",
    "default_password_lifetime",
    "password_history",
    "password_reuse_interval",
    "password_require_current",
    "caching_sha2_password_",
    "sha256_password_",
    "mysql_native_password",
    "disconnect_on_expired_password",
    "generated_random_password_length",
    "old_passwords",
    "log_builtin_as_identified_by_password",
    "simple_password",
    "check_proxy_users",
];

/// Whether a variable's value is a secret.
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    SECRETS.iter().any(|word| name.contains(word))
        && !HARMLESS.iter().any(|known| name.contains(known))
}

/// The text with as many lines, and no secret in any.
pub fn masked(text: &str) -> String {
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// Up to the first `=` or `:` a line is a name.
fn line(line: &str) -> String {
    match line.find(['=', ':']) {
        Some(at) if is_secret(&line[..at]) || says_a_secret(&line[at..]) => {
            let end = if line.ends_with('\r') { "\r" } else { "" };
            format!("{} {MASK}{end}", &line[..=at])
        }
        Some(_) => line.to_owned(),
        // `--password secret` and the like in a comment: nothing says where it begins.
        None if is_secret(line) && line.split_whitespace().count() > 2 => format!("# {MASK}"),
        None => line.to_owned(),
    }
}

/// Whether a value tells a secret in its text: a statement (`init_connect=SET PASSWORD = '…'`), or what is left of one in a comment
/// (`# … SOURCE_HOST='…', SOURCE_PASSWORD='…'`). A path that has such a word in it tells none.
fn says_a_secret(value: &str) -> bool {
    let mut text = value.to_ascii_lowercase().replace('-', "_");
    let plugins = ["caching_sha2_password", "sha256_password"];
    for known in plugins.iter().chain(&HARMLESS) {
        text = text.replace(known, "");
    }
    let told = |rest: &str| {
        let mut before = None;
        rest.chars().any(|c| {
            let opens = matches!(c, '\'' | '"')
                && before.is_some_and(|b: char| b.is_whitespace() || "=(,:".contains(b));
            before = Some(c);
            opens || c == '='
        })
    };
    SECRETS
        .iter()
        .chain(&["identified by"])
        .any(|word| text.find(word).is_some_and(|at| told(&text[at..])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_and_nothing_else_is() {
        for (before, after) in [
            ("password = hunter2", "password = ********"),
            (
                "loose-report_password=x # y",
                "loose-report_password= ********",
            ),
            ("# old password: hunter2", "# old password: ********"),
            (
                "keyring_okv_passphrase='a=b'",
                "keyring_okv_passphrase= ********",
            ),
            (
                "validate_password.policy=STRONG",
                "validate_password.policy=STRONG",
            ),
            ("mysql-native-password=ON", "mysql-native-password=ON"),
            (
                "default_authentication_plugin=mysql_native_password",
                "default_authentication_plugin=mysql_native_password",
            ),
            ("max_connections=5", "max_connections=5"),
            ("[mysqld]", "[mysqld]"),
            ("password", "password"),
            ("Password=x\r", "Password= ********\r"),
            ("# mysql --password hunter2", "# ********"),
            (
                "init_connect=SET PASSWORD = 'hunter2'",
                "init_connect= ********",
            ),
            (
                "# CHANGE REPLICATION SOURCE TO SOURCE_HOST='a', SOURCE_PASSWORD='hunter2'",
                "# CHANGE REPLICATION SOURCE TO SOURCE_HOST= ********",
            ),
            (
                "init_file_text: ALTER USER a IDENTIFIED BY 'hunter2'",
                "init_file_text: ********",
            ),
            (
                "ssl_key='/etc/secrets/key.pem'",
                "ssl_key='/etc/secrets/key.pem'",
            ),
            (
                "authentication_policy='caching_sha2_password,,'",
                "authentication_policy='caching_sha2_password,,'",
            ),
            (
                "plugin_load_add = mysql_native_password=x.so",
                "plugin_load_add = mysql_native_password=x.so",
            ),
        ] {
            assert_eq!(masked(before), after);
        }
    }

    proptest::proptest! {
        #[test]
        fn lines_stay_lines(text in "[\\PC\n]{0,200}") {
            proptest::prop_assert_eq!(masked(&text).split('\n').count(), text.split('\n').count());
        }

        #[test]
        fn no_value_of_a_password_is_left(value in "[a-zA-Z0-9]{5,20}", name in "(loose[-_])?(report|admin)[-_]password") {
            let text = format!("[mysqld]\n{name} = {value}\n#{name}={value}\n");
            proptest::prop_assert!(!masked(&text).contains(&value));
        }
    }
}
