//! Which controller to talk to and as whom: flags, environment, then a file.
//!
//! The file is `~/.config/refit/config.toml` (`$XDG_CONFIG_HOME` counts), or else `/etc/refit/refit.toml`:
//!
//! ```toml
//! controller = "ctl.example.com:7100"
//! identity = "/etc/refit/operator"
//! controller_name = "ctl"     # only when its certificate's name is not the host in the address
//! ```

use super::args::Arguments;
use super::failure::Failure;
use crate::settings_file::{InvalidFile, Mistakes, Table, parse};
use refit_proto::identity::Label;
use refit_proto::tls::Address;
use std::convert::Infallible;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Complete: every part was given somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub controller: Address,
    /// The name in the controller's certificate.
    pub controller_name: String,
    pub identity: PathBuf,
}

/// What a file may say.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct File {
    controller: Option<Address>,
    controller_name: Option<String>,
    identity: Option<PathBuf>,
}

impl Settings {
    pub fn of(arguments: &Arguments) -> Result<Self, Failure> {
        let places = places();
        let file = first_file(&places)?;
        let looked: Vec<String> = places.iter().map(|p| p.display().to_string()).collect();
        let hint = |flag: &str, env: &str, key: &str| {
            format!(
                "{flag}, {env}, or `{key} = \"…\"` in {}",
                looked.join(" or ")
            )
        };
        let mut missing = Vec::new();
        let controller = match &arguments.controller {
            Some(text) => Some(text.parse::<Address>().map_err(|error| {
                Failure::refused(format!("--controller / REFIT_CONTROLLER: {error}"))
            })?),
            None => file.controller,
        };
        if controller.is_none() {
            missing.push(hint(
                "--controller HOST:PORT",
                "REFIT_CONTROLLER",
                "controller",
            ));
        }
        let identity = arguments.identity.clone().or(file.identity);
        if identity.is_none() {
            missing.push(hint("--identity DIR", "REFIT_IDENTITY", "identity"));
        }
        let (Some(controller), Some(identity)) = (controller, identity) else {
            return Err(
                Failure::refused("which controller, and as whom, is not told; give")
                    .reasons(missing)
                    .next("refit pki issue operator NAME --ca DIR --out DIR"),
            );
        };
        let controller_name = arguments.controller_name.clone().or(file.controller_name);
        let controller_name = match controller_name {
            Some(name) => Label::parse("controller name", &name)
                .map_err(|error| Failure::refused(format!("--controller-name: {error}")))?
                .to_string(),
            None => name_of_host(&controller)?,
        };
        Ok(Self {
            controller,
            controller_name,
            identity,
        })
    }
}

/// As with web sites, the name expected in the certificate is the host's in the address, unless told otherwise.
fn name_of_host(controller: &Address) -> Result<String, Failure> {
    let host = controller.host();
    if host.parse::<std::net::IpAddr>().is_ok() {
        return Err(Failure::refused(format!(
            "{controller} is an IP address, so the name in the controller's certificate must be told"
        ))
        .next("add --controller-name NAME (the NAME of `refit pki issue controller NAME`)"));
    }
    let name = Label::parse("controller name", &host.to_ascii_lowercase());
    name.map(|name| name.to_string())
        .map_err(|error| Failure::refused(format!("--controller {controller}: {error}")))
}

fn places() -> Vec<PathBuf> {
    let home = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")));
    home.map(|config| config.join("refit/config.toml"))
        .into_iter()
        .chain([PathBuf::from("/etc/refit/refit.toml")])
        .collect()
}

fn first_file(places: &[PathBuf]) -> Result<File, Failure> {
    for place in places {
        match std::fs::read_to_string(place) {
            Ok(text) => {
                return read(place, &text).map_err(|error| Failure::refused(error.to_string()));
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(error) => {
                return Err(Failure::refused(format!(
                    "cannot read {}: {error}",
                    place.display()
                )));
            }
        }
    }
    Ok(File::default())
}

fn read(place: &Path, text: &str) -> Result<File, InvalidFile> {
    let name = place.display().to_string();
    let mut mistakes = Mistakes::default();
    let root = parse(text, &mut mistakes);
    let mut table = Table::root(&root, "the file");
    let m = &mut mistakes;
    let controller = table.optional_text("controller", str::parse::<Address>, m);
    let controller_name = table.optional_text(
        "controller_name",
        |text| Label::parse("controller name", text).map(|label| label.to_string()),
        m,
    );
    let identity = table.optional_text(
        "identity",
        |text| Ok::<_, Infallible>(PathBuf::from(text)),
        m,
    );
    table.end(m);
    let read = match (controller, controller_name, identity) {
        (Some(controller), Some(controller_name), Some(identity)) => Some(File {
            controller: controller.map(toml::Spanned::into_inner),
            controller_name: controller_name.map(toml::Spanned::into_inner),
            identity: identity.map(toml::Spanned::into_inner),
        }),
        _ => None,
    };
    mistakes.end(&name, text, read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_and_its_mistakes_are_told_at_once() {
        let place = Path::new("refit.toml");
        let file = read(
            place,
            "controller = \"ctl:7100\"\nidentity = \"/etc/refit/operator\"\n",
        );
        let file = file.unwrap();
        assert_eq!(file.controller, Some("ctl:7100".parse().unwrap()));
        assert_eq!(file.identity, Some(PathBuf::from("/etc/refit/operator")));

        let error = read(
            place,
            "controler = \"x\"\nidentity = 3\ncontroller_name = \"Ä\"\n",
        );
        let text = error.unwrap_err().to_string();
        for part in ["3 mistakes", "1:1: ", "controler", "2:12: ", "3:19: "] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn the_expected_name_is_the_host() {
        let name = |text: &str| name_of_host(&text.parse().unwrap());
        assert_eq!(name("Ctl.Example.com:7100").unwrap(), "ctl.example.com");
        assert!(name("10.0.0.1:7100").unwrap_err().next[0].contains("--controller-name"));
        assert!(name("[::1]:7100").is_err());
    }
}
