//! The controller's configuration file.

use crate::executor::Timing;
use crate::settings_file::{InvalidFile, Mistakes, Table, parse as parse_toml};
use refit_proto::tls::MaterialPaths;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use toml::Spanned;

/// Where the configuration is by convention.
pub const STANDARD_PATH: &str = "/etc/refit/controller.toml";

/// What `controller.toml` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where operators reach the API.
    pub listen: SocketAddr,
    pub fleet: PathBuf,
    /// The journal is in here.
    pub state_dir: PathBuf,
    pub tls: MaterialPaths,
    pub timing: Timing,
}

impl Config {
    /// Reads the file's text; `name` is for messages. Reports every mistake at once.
    pub fn parse(name: &str, text: &str) -> Result<Self, InvalidFile> {
        let mut m = Mistakes::default();
        let document = parse_toml(text, &mut m);
        let read = read(&document, &mut m);
        m.end(name, text, read)
    }

    pub fn journal(&self) -> PathBuf {
        self.state_dir.join("journal")
    }
}

fn path(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_absolute() {
        Ok(path)
    } else {
        Err(format!("{text:?} is not an absolute path"))
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!(
            "{text:?} is not an address to listen on: an IP address and a port, as in 0.0.0.0:7100"
        )
    })
}

fn read(document: &Spanned<toml::de::DeTable<'_>>, m: &mut Mistakes) -> Option<Config> {
    let mut root = Table::root(document, "controller.toml");
    let listen = root.text("listen", address, m);
    let fleet = root.text("fleet", path, m);
    let state_dir = root.text("state_dir", path, m);
    let tls = root
        .required_table("tls", "[tls]", m)
        .and_then(|table| read_tls(table, m));
    let timing = match root.table("timing", "[timing]", m) {
        Some(table) => read_timing(table, m),
        None => Some(Timing::STANDARD),
    };
    root.end(m);
    Some(Config {
        listen: listen?.into_inner(),
        fleet: fleet?.into_inner(),
        state_dir: state_dir?.into_inner(),
        tls: tls?,
        timing: timing?,
    })
}

fn read_tls(mut table: Table<'_, '_>, m: &mut Mistakes) -> Option<MaterialPaths> {
    let ca = table.text("ca", path, m);
    let cert = table.text("cert", path, m);
    let key = table.text("key", path, m);
    table.end(m);
    Some(MaterialPaths {
        ca: ca?.into_inner(),
        cert: cert?.into_inner(),
        key: key?.into_inner(),
    })
}

/// What an operator may want to change; the rest has no reason to be changed.
fn read_timing(mut table: Table<'_, '_>, m: &mut Mistakes) -> Option<Timing> {
    let standard = Timing::STANDARD;
    let seconds = |time: Duration| time.as_secs();
    let look = table.number_or(
        "look_deadline_s",
        1..=60,
        seconds(standard.look_deadline),
        m,
    );
    let patience = table.number_or("patience_s", 10..=86_400, seconds(standard.patience), m);
    let beat = u64::try_from(standard.beat_every.as_millis()).unwrap_or(u64::MAX);
    let beat = table.number_or("beat_every_ms", 20..=1_000, beat, m);
    table.end(m);
    Some(Timing {
        look_deadline: Duration::from_secs(look?),
        patience: Duration::from_secs(patience?),
        beat_every: Duration::from_millis(beat?),
        ..standard
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_read_and_its_comments_show_the_defaults() {
        let text = include_str!("../../deploy/controller.toml");
        let config = Config::parse("controller.toml", text).unwrap();
        assert_eq!(config.timing, Timing::STANDARD);
        assert_eq!(
            config.journal(),
            PathBuf::from("/var/lib/refit-controller/journal")
        );
        // Every default that the sample shows, set: the same configuration.
        let shown: String = text
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(line) if line.contains('=') || line.starts_with('[') => format!("{line}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        assert_eq!(Config::parse("controller.toml", &shown).unwrap(), config);
        assert!(shown.contains("\npatience_s"));
    }

    #[test]
    fn every_mistake_is_reported_at_once() {
        let text = r#"listen = "somewhere"
fleet = "fleet.toml"
colour = 1
[tls]
ca = "/ca.pem"
key = 3
[timing]
patience_s = 1
look_deadline_s = "long"
"#;
        let error = Config::parse("c.toml", text).unwrap_err();
        let found: Vec<String> = error
            .mistakes()
            .map(|(line, _, message)| format!("{line}: {message}"))
            .collect();
        let expected = [
            "1: controller.toml needs `state_dir`",
            "1: \"somewhere\" is not an address",
            "2: \"fleet.toml\" is not an absolute path",
            "3: controller.toml has no key `colour`",
            "4: [tls] needs `cert`",
            "6: `key` must be a string",
            "8: `patience_s` must be a whole number from 10 to 86400",
            "9: `look_deadline_s` must be a whole number from 1 to 60",
        ];
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found} / {expected}");
        }
    }
}
