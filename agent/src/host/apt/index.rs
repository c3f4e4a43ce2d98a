//! What dpkg-query, apt-cache and apt-get print, as values. Pure.

use refit_shared::observation::PackagePin;
use refit_shared::version::PackageVersion;

pub(super) const DPKG_FORMAT: &str =
    "${Package}\t${Version}\t${db:Status-Want}\t${db:Status-Status}\t${db:Status-Eflag}\n";

/// One package in dpkg's own database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Installed {
    pub(super) name: String,
    pub(super) version: Option<PackageVersion>,
    want: String,
    status: String,
    flag: String,
}

impl Installed {
    pub(super) fn present(&self) -> bool {
        !matches!(self.status.as_str(), "not-installed" | "config-files")
    }
    pub(super) fn held(&self) -> bool {
        self.want == "hold"
    }
    /// Half unpacked or half configured. A waiting trigger is neither.
    pub(super) fn broken(&self) -> bool {
        let half = ["half-installed", "unpacked", "half-configured"];
        half.contains(&self.status.as_str()) || self.flag == "reinstreq"
    }
}

pub(super) fn installed(output: &str) -> Vec<Installed> {
    output
        .lines()
        .filter_map(|line| {
            let mut fields = line.split('\t').map(str::to_owned);
            Some(Installed {
                name: fields.next()?,
                version: PackageVersion::new(fields.next()?).ok(),
                want: fields.next()?,
                status: fields.next()?,
                flag: fields.next()?,
            })
        })
        .collect()
}

/// Versions with the repository's hash, each once. The entry of an installed package that no repository offers has none.
pub(super) fn offered(output: &str, names: &[String]) -> Vec<PackagePin> {
    let mut pins = Vec::new();
    for stanza in output.split("\n\n") {
        let field = |key: &str| {
            stanza.lines().find_map(|line| {
                let value = line.strip_prefix(key)?.strip_prefix(':')?;
                Some(value.trim())
            })
        };
        let (Some(name), Some(version), Some(sha256)) =
            (field("Package"), field("Version"), field("SHA256"))
        else {
            continue;
        };
        let hash = sha256.len() == 64 && sha256.bytes().all(|b| b.is_ascii_hexdigit());
        if let (true, true, Ok(version)) = (
            hash,
            names.iter().any(|n| n == name),
            PackageVersion::new(version),
        ) {
            pins.push(PackagePin {
                name: name.to_owned(),
                version,
                sha256: sha256.to_ascii_lowercase(),
            });
        }
    }
    pins.sort();
    pins.dedup();
    pins
}

/// What a simulated installation would do besides `allowed`: lines `Inst name …`, `Remv name …`, `Conf name …`.
pub(super) fn unwanted(output: &str, allowed: &[String]) -> Vec<String> {
    output
        .lines()
        .filter_map(|line| {
            let (verb, rest) = line.split_once(' ')?;
            let name = rest.split([' ', ':']).next()?;
            match verb {
                "Remv" | "Purg" => Some(format!("remove {name}")),
                "Inst" if !allowed.iter().any(|a| a == name) => Some(format!("install {name}")),
                _ => None,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dpkg_states_are_told_apart() {
        let output = "mysql-server\t9.7.3-1\thold\tinstalled\tok\nmysql-server-core\t9.7.4-2\tinstall\thalf-configured\tok\n\
                      mysql-common\t5.8+1.1.1\tinstall\tinstalled\tok\ngone\t\tunknown\tnot-installed\tok\n\
                      cut\t1\tinstall\thalf-installed\treinstreq\n";
        let all = installed(output);
        let of = |name: &str| all.iter().find(|p| p.name == name).unwrap();
        assert!(of("mysql-server").held() && !of("mysql-server").broken());
        assert!(of("mysql-server-core").broken() && of("cut").broken());
        assert!(!of("gone").present() && of("gone").version.is_none());
    }

    #[test]
    fn only_hashed_versions_of_our_packages_are_offers() {
        let hash = "c1364eccb76b8a4129d78b11183da30eb80266bf97fa6054e897fa6969c49373";
        let output = format!(
            "Package: mysql-server\nVersion: 9.7.4-2\nDescription: x\n SHA256: not this\nSHA256: {hash}\n\n\
             Package: mysql-server\nStatus: install ok installed\nVersion: 9.7.1-1\n\n\
             Package: other\nVersion: 1\nSHA256: {hash}\n\nPackage: mysql-server\nVersion: 9.7.4-2\nSHA256: {hash}\n"
        );
        let pins = offered(&output, &["mysql-server".to_owned()]);
        assert_eq!(pins.len(), 1);
        assert_eq!(pins[0].version.as_str(), "9.7.4-2");
        assert_eq!(pins[0].sha256, hash);
    }

    #[test]
    fn a_simulation_tells_what_else_would_change() {
        let ours = ["mysql-server".to_owned()];
        let output = "Inst mysql-server [9.7.3-1] (9.7.4-2 lab [amd64])\nInst mysql-client:amd64 [9.7.3-1] (9.7.4-2)\n\
                      Remv mysql-router [9.7.3-1]\nConf mysql-server (9.7.4-2)\n";
        assert_eq!(
            unwanted(output, &ours),
            ["install mysql-client", "remove mysql-router"]
        );
    }
}
