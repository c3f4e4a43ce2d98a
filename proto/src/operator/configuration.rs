//! Option files as they should be for a target, over the wire and back.

use super::wire;
use refit_shared::config::ConfigFiles;
use refit_shared::config::edit::diff;
use refit_shared::config::judge::Found;
use refit_shared::config::pins::{self, Pin, set_elsewhere};
use refit_shared::config::propose::Proposal;
use refit_shared::ids::MemberName;
use refit_shared::rules::variables::defaults;
use refit_shared::rules::variables::runtime::{self, Runtime};
use refit_shared::version::MysqlVersion;
use serde::Serialize;

/// What is proposed for a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Configuration {
    pub cluster: String,
    pub target: String,
    pub members: Vec<MemberConfig>,
}

/// What is proposed for one member.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct MemberConfig {
    pub name: String,
    pub version: Option<String>,
    /// Why nothing is known of the files: they could not be read, or the version is not known.
    pub unknown: Option<String>,
    pub files: Vec<FileRewrite>,
    /// What the rewrites put right, a line each.
    pub mended: Vec<String>,
    /// What only a person can decide.
    pub for_a_person: Vec<String>,
    /// What the target only warns of.
    pub harmless: Vec<String>,
    /// Defaults that Refit has pinned.
    pub pins: Vec<PinView>,
}

/// One default that Refit has pinned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PinView {
    pub file: String,
    pub line: u32,
    pub variable: String,
    pub value: String,
    pub written: String,
    /// The upgrade that wrote it.
    pub from: String,
    pub to: String,
    /// What the member's version has without it. `None`: the server works it out.
    pub default_now: Option<String>,
    /// SET GLOBAL refuses it.
    pub needs_restart: bool,
    /// When SET GLOBAL counts; empty where it does not.
    pub at_runtime: String,
    pub notes: Vec<String>,
}

/// One file that is to be changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileRewrite {
    pub path: String,
    /// Of the bytes that it is made for.
    pub before: String,
    /// Of the bytes after it. `None`: only the host can tell, because the file has secrets.
    pub after: Option<String>,
    pub diff: String,
}

impl MemberConfig {
    /// What was read and is proposed, or why that is not known. Which groups of a file count, and what a default is, hangs on the
    /// version: without it nothing is known either.
    pub fn of(
        name: &MemberName,
        version: Result<MysqlVersion, String>,
        found: Result<(ConfigFiles, Proposal), String>,
    ) -> Self {
        let empty = Self {
            name: name.to_string(),
            version: version.as_ref().ok().map(MysqlVersion::to_string),
            ..Self::default()
        };
        let (version, (files, proposal)) = match (version, found) {
            (Ok(version), Ok(found)) => (version, found),
            (_, Err(why)) => {
                return Self {
                    unknown: Some(why),
                    ..empty
                };
            }
            (Err(why), Ok(_)) => {
                return Self {
                    unknown: Some(format!("which version it runs is not known: {why}")),
                    ..empty
                };
            }
        };
        let pins = pin_views(&files, version);
        let told = |found: &[Found]| found.iter().map(ToString::to_string).collect();
        let rewrites = proposal.rewrites.into_iter();
        let file = rewrites.map(|rewrite| {
            let text = files.file(&rewrite.path).map_or("", |file| &file.text);
            let shown = diff(&rewrite.path, text, &rewrite.edits);
            FileRewrite {
                before: rewrite.before.to_string(),
                after: rewrite.after.map(|digest| digest.to_string()),
                diff: shown.unwrap_or_else(|error| error.to_string()),
                path: rewrite.path,
            }
        });
        Self {
            files: file.collect(),
            mended: told(&proposal.mended),
            for_a_person: told(&proposal.for_a_person),
            harmless: told(&proposal.harmless),
            pins,
            ..empty
        }
    }
}

fn pin_views(files: &ConfigFiles, version: MysqlVersion) -> Vec<PinView> {
    let pins = pins::pins(files, version);
    let view = |pin: &Pin| {
        let mut notes = Vec::new();
        if let (true, Some(wrote)) = (pin.is_changed(), pin.wrote) {
            notes.push(format!("somebody has changed it: Refit wrote {wrote}"));
        }
        let same: Vec<Pin> = pins
            .iter()
            .filter(|p| p.variable == pin.variable)
            .cloned()
            .collect();
        if let Some((at, _)) = set_elsewhere(files, version, pin.variable, &same) {
            notes.push(format!("is also set in {at}"));
        }
        let default = defaults::find(pin.variable).and_then(|entry| entry.at(version));
        if default == Some(pin.value.as_str()) {
            notes.push("the default is the same again: the line does nothing".to_owned());
        }
        let runtime = runtime::of(pin.variable);
        PinView {
            file: pin.file.clone(),
            line: pin.line,
            variable: pin.variable.to_owned(),
            value: pin.value.clone(),
            written: pin.written.to_string(),
            from: pin.from.to_string(),
            to: pin.to.to_string(),
            default_now: default.map(str::to_owned),
            needs_restart: matches!(runtime, Some(Runtime::Restart)),
            at_runtime: match runtime {
                Some(Runtime::AtOnce) => "counts at once",
                Some(Runtime::Later(when)) => when,
                Some(Runtime::Restart) => "",
                None => "not known",
            }
            .to_owned(),
            notes,
        }
    };
    pins.iter().map(view).collect()
}

impl From<PinView> for wire::Pin {
    fn from(pin: PinView) -> Self {
        Self {
            file: pin.file,
            line: pin.line,
            variable: pin.variable,
            value: pin.value,
            written: pin.written,
            from: pin.from,
            to: pin.to,
            default_now: pin.default_now,
            needs_restart: pin.needs_restart,
            at_runtime: pin.at_runtime,
            notes: pin.notes,
        }
    }
}

impl From<wire::Pin> for PinView {
    fn from(wire: wire::Pin) -> Self {
        Self {
            file: wire.file,
            line: wire.line,
            variable: wire.variable,
            value: wire.value,
            written: wire.written,
            from: wire.from,
            to: wire.to,
            default_now: wire.default_now,
            needs_restart: wire.needs_restart,
            at_runtime: wire.at_runtime,
            notes: wire.notes,
        }
    }
}

impl From<Configuration> for wire::ConfigResponse {
    fn from(configuration: Configuration) -> Self {
        Self {
            cluster: configuration.cluster,
            target: configuration.target,
            members: configuration.members.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<wire::ConfigResponse> for Configuration {
    fn from(wire: wire::ConfigResponse) -> Self {
        Self {
            cluster: wire.cluster,
            target: wire.target,
            members: wire.members.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<MemberConfig> for wire::MemberConfig {
    fn from(member: MemberConfig) -> Self {
        Self {
            name: member.name,
            version: member.version,
            unknown: member.unknown,
            files: member.files.into_iter().map(Into::into).collect(),
            mended: member.mended,
            for_a_person: member.for_a_person,
            harmless: member.harmless,
            pins: member.pins.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<wire::MemberConfig> for MemberConfig {
    fn from(wire: wire::MemberConfig) -> Self {
        Self {
            name: wire.name,
            version: wire.version,
            unknown: wire.unknown,
            files: wire.files.into_iter().map(Into::into).collect(),
            mended: wire.mended,
            for_a_person: wire.for_a_person,
            harmless: wire.harmless,
            pins: wire.pins.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<FileRewrite> for wire::FileRewrite {
    fn from(file: FileRewrite) -> Self {
        Self {
            path: file.path,
            before: file.before,
            after: file.after,
            diff: file.diff,
        }
    }
}

impl From<wire::FileRewrite> for FileRewrite {
    fn from(wire: wire::FileRewrite) -> Self {
        Self {
            path: wire.path,
            before: wire.before,
            after: wire.after,
            diff: wire.diff,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use refit_shared::config::OptionFile;
    use refit_shared::config::propose::propose;

    /// Which groups of a file count hangs on the version, so nothing can be said of its pins: not that there are none.
    #[test]
    fn without_a_version_it_is_told_why_the_pins_are_not_known() {
        let files = ConfigFiles {
            roots: vec!["/etc/my.cnf".to_owned()],
            files: vec![OptionFile::new(
                "/etc/my.cnf",
                "[mysqld]\n# Refit 2026-11-20, 8.4.6 to 9.7.4: its default is another: x\nexplain_format = TRADITIONAL\n",
            )],
            ..ConfigFiles::default()
        };
        let version: MysqlVersion = "9.7.4".parse().unwrap();
        let today = "2026-11-21".parse().unwrap();
        let proposal = propose(&files, version, version, today).kept();
        let db1 = MemberName::new("db1").unwrap();
        let found = Ok((files, proposal));
        let known = MemberConfig::of(&db1, Ok(version), found.clone());
        assert_eq!((known.pins.len(), known.unknown), (1, None));
        let silent = Err("no answer within 10 s".to_owned());
        let member = MemberConfig::of(&db1, silent, found);
        assert_eq!(
            member.unknown.as_deref(),
            Some("which version it runs is not known: no answer within 10 s")
        );
    }

    #[test]
    fn a_configuration_comes_back_as_it_went() {
        let member = MemberConfig {
            name: "db1".to_owned(),
            version: Some("8.4.6".to_owned()),
            files: vec![FileRewrite {
                path: "/etc/my.cnf".to_owned(),
                before: "ab".to_owned(),
                after: None,
                diff: "--- /etc/my.cnf\n".to_owned(),
            }],
            mended: vec!["a".to_owned()],
            for_a_person: vec!["b".to_owned()],
            harmless: vec!["c".to_owned()],
            pins: vec![PinView {
                file: "/etc/my.cnf".to_owned(),
                line: 7,
                variable: "gtid_mode".to_owned(),
                value: "OFF".to_owned(),
                written: "2026-11-20".to_owned(),
                from: "8.4.6".to_owned(),
                to: "9.7.4".to_owned(),
                default_now: Some("ON".to_owned()),
                needs_restart: true,
                at_runtime: "never".to_owned(),
                notes: vec!["d".to_owned()],
            }],
            ..MemberConfig::default()
        };
        let silent = MemberConfig {
            name: "db2".to_owned(),
            unknown: Some("its agent can't be asked".to_owned()),
            ..MemberConfig::default()
        };
        let whole = Configuration {
            cluster: "shop".to_owned(),
            target: "9.7.4".to_owned(),
            members: vec![member, silent],
        };
        let wire = wire::ConfigResponse::from(whole.clone());
        assert_eq!(Configuration::from(wire), whole);
    }
}
