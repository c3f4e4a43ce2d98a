//! The drop-in of mysqld's unit with which it starts without binary log and without network. It is below `/run`, so it does not
//! outlive the host's next start.
//!
//! Options can't be given in a file that mysqld reads: such a file would outlive it. So the unit's own command is repeated, with two
//! arguments more.

use std::path::{Path, PathBuf};

const ARGUMENTS: [&str; 2] = ["--skip-log-bin", "--skip-networking"];

pub(super) fn drop_in(unit: &str) -> PathBuf {
    Path::new("/run/systemd/system")
        .join(format!("{unit}.d"))
        .join("91-refit-secluded.conf")
}

/// The commands of the unit as the service manager has them: program, arguments with the program's name first, whether a failure is
/// ignored. The drop-in may be among what it has read: it is not repeated.
pub(super) fn text(commands: &[(String, Vec<String>, bool)]) -> Result<String, String> {
    let [(program, argv, ignores_failure)] = commands else {
        return Err(format!(
            "the unit has {} commands, so it is not known which starts mysqld",
            commands.len()
        ));
    };
    let Some((name, arguments)) = argv.split_first().filter(|(name, _)| *name == program) else {
        return Err(format!(
            "the unit starts {program} under another name: {argv:?}"
        ));
    };
    let mut line = String::new();
    if *ignores_failure {
        line.push('-');
    }
    line.push_str(&quoted(name)?);
    for argument in arguments
        .iter()
        .filter(|a| !ARGUMENTS.contains(&a.as_str()))
    {
        line.push(' ');
        line.push_str(&quoted(argument)?);
    }
    for argument in ARGUMENTS {
        line.push(' ');
        line.push_str(argument);
    }
    Ok(format!(
        "# Written by refit-agent for the time of a rebuild and removed by it afterwards: `refit show` says why.\n\
         [Service]\nExecStart=\nExecStart={line}\n"
    ))
}

/// As it stands in a unit file. Specifiers have been filled in already; variables have not, and stay (systemd.service(5), "Command
/// lines").
fn quoted(argument: &str) -> Result<String, String> {
    if argument.chars().any(char::is_control) {
        return Err(format!(
            "the unit's command has a control character: {argument:?}"
        ));
    }
    let escaped = argument
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('%', "%%");
    Ok(format!("\"{escaped}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(argv: &[&str]) -> (String, Vec<String>, bool) {
        let argv: Vec<String> = argv.iter().map(|a| (*a).to_owned()).collect();
        (argv[0].clone(), argv, false)
    }

    #[test]
    fn the_units_own_command_is_repeated_with_two_arguments_more() {
        let plain = command(&[
            "/usr/sbin/mysqld",
            "--defaults-file=/etc/a \"b\" 5%.cnf",
            "$OPTS",
        ]);
        let text = text(&[plain]).unwrap();
        let line = "ExecStart=\"/usr/sbin/mysqld\" \"--defaults-file=/etc/a \\\"b\\\" 5%%.cnf\" \"$OPTS\" --skip-log-bin --skip-networking";
        assert!(
            text.ends_with(&format!("[Service]\nExecStart=\n{line}\n")),
            "{text}"
        );
    }

    #[test]
    fn writing_it_again_adds_nothing() {
        let once = command(&["/usr/sbin/mysqld", "--skip-log-bin", "--skip-networking"]);
        let text = text(&[once]).unwrap();
        assert_eq!(text.matches("--skip-log-bin").count(), 1, "{text}");
    }

    #[test]
    fn what_could_be_another_program_is_refused() {
        assert!(text(&[]).is_err());
        let one = command(&["/usr/sbin/mysqld"]);
        assert!(text(&[one.clone(), one.clone()]).is_err());
        let renamed = ("/bin/sh".to_owned(), one.1.clone(), false);
        assert!(text(&[renamed]).is_err());
        assert!(text(&[command(&["/usr/sbin/mysqld", "a\nb"])]).is_err());
    }
}
