//! MySQL versions: what a server, a package or a person calls a release, and how two of them compare.
//!
//! Semantic versioning does not fit (`8.0.36-0ubuntu0.22.04.1`, `9.7.4-2`), so this is our own type. What a version *may
//! do* with another lives in [`crate::rules`].

use serde::{Deserialize, Serialize};
use std::fmt;

/// A server version without its vendor suffix. Ordered numerically, as MySQL's own `version_id` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MysqlVersion {
    pub major: u16,
    pub minor: u16,
    pub patch: u16,
}

/// The part of a version that decides compatibility: `8.4` of `8.4.6`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Series {
    pub major: u16,
    pub minor: u16,
}

/// A text that does not begin with `major.minor.patch`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a MySQL version: expected major.minor.patch, for example 9.7.4")]
pub struct InvalidVersion(pub String);

impl MysqlVersion {
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self {
            major,
            minor,
            patch,
        }
    }

    pub const fn series(self) -> Series {
        Series {
            major: self.major,
            minor: self.minor,
        }
    }

    /// Reads the version at the beginning of what `SELECT VERSION()` or a package calls it; the vendor's suffix
    /// (`-2`, `-log`, `-0ubuntu0.24.04.5`, a fourth number) is left out.
    pub fn parse_prefix(text: &str) -> Result<Self, InvalidVersion> {
        let wrong = || InvalidVersion(text.to_owned());
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let mut numbers = text[..end].split('.').map(str::parse::<u16>);
        let mut next = || numbers.next().and_then(Result::ok).ok_or_else(wrong);
        Ok(Self {
            major: next()?,
            minor: next()?,
            patch: next()?,
        })
    }
}

impl std::str::FromStr for MysqlVersion {
    type Err = InvalidVersion;
    /// Exactly `major.minor.patch`, nothing behind it.
    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        let version = Self::parse_prefix(text)?;
        if version.to_string() == text {
            Ok(version)
        } else {
            Err(InvalidVersion(text.to_owned()))
        }
    }
}
impl TryFrom<String> for MysqlVersion {
    type Error = InvalidVersion;
    fn try_from(text: String) -> Result<Self, InvalidVersion> {
        text.parse()
    }
}
impl From<MysqlVersion> for String {
    fn from(version: MysqlVersion) -> String {
        version.to_string()
    }
}
impl fmt::Display for MysqlVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{}.{}", self.major, self.minor, self.patch))
    }
}
/// A text that is not `major.minor`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a MySQL series: expected major.minor, for example 9.7 or 26.10")]
pub struct InvalidSeriesName(pub String);

impl std::str::FromStr for Series {
    type Err = InvalidSeriesName;
    fn from_str(text: &str) -> Result<Self, InvalidSeriesName> {
        let wrong = || InvalidSeriesName(text.to_owned());
        let (major, minor) = text.split_once('.').ok_or_else(wrong)?;
        let number = |part: &str| part.parse::<u16>().map_err(|_| wrong());
        let series = Self {
            major: number(major)?,
            minor: number(minor)?,
        };
        if series.to_string() == text {
            Ok(series)
        } else {
            Err(wrong())
        }
    }
}
impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A version with the number of its rapid update (MRU), as `@@version_with_update` of 9.7 and later gives it: `9.7.4.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VersionWithUpdate {
    pub version: MysqlVersion,
    /// `None` where only three numbers were given.
    pub update: Option<u16>,
}

impl VersionWithUpdate {
    /// Reads what a server, a package or a person calls a release: three or four numbers, and whatever suffix the vendor
    /// puts behind them.
    pub fn parse_prefix(text: &str) -> Result<Self, InvalidVersion> {
        let version = MysqlVersion::parse_prefix(text)?;
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let mut numbers = text[..end].split('.').skip(3);
        let update = match numbers.next() {
            None => None,
            Some(number) => Some(
                number
                    .parse()
                    .map_err(|_| InvalidVersion(text.to_owned()))?,
            ),
        };
        match numbers.next() {
            None => Ok(Self { version, update }),
            Some(_) => Err(InvalidVersion(text.to_owned())),
        }
    }
}
impl From<MysqlVersion> for VersionWithUpdate {
    fn from(version: MysqlVersion) -> Self {
        Self {
            version,
            update: None,
        }
    }
}
impl fmt::Display for VersionWithUpdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.update {
            Some(update) => f.pad(&format!("{}.{update}", self.version)),
            None => self.version.fmt(f),
        }
    }
}

/// A package's full version as the package manager orders and installs it, for example `9.7.4-2`. Opaque here: only the
/// host's package manager may compare two of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PackageVersion(String);

/// A package version that could not be one (empty, or with characters that no package manager allows).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a package version")]
pub struct InvalidPackageVersion(pub String);

impl PackageVersion {
    /// Debian policy §5.6.12: alphanumerics and `. + - ~ :`; must begin with a digit. Nothing else ever reaches an argument list.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidPackageVersion> {
        let text = text.into();
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b".+-~:".contains(&b);
        let fine = text.len() <= 128
            && text.bytes().next().is_some_and(|b| b.is_ascii_digit())
            && text.bytes().all(allowed);
        if fine {
            Ok(Self(text))
        } else {
            Err(InvalidPackageVersion(text))
        }
    }
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// The upstream MySQL version inside the package version (behind an epoch, before the packaging revision).
    pub fn mysql_version(&self) -> Result<MysqlVersion, InvalidVersion> {
        let upstream = self
            .0
            .split_once(':')
            .map_or(self.0.as_str(), |(_, rest)| rest);
        MysqlVersion::parse_prefix(upstream)
    }
}
impl fmt::Display for PackageVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
impl TryFrom<String> for PackageVersion {
    type Error = InvalidPackageVersion;
    fn try_from(text: String) -> Result<Self, InvalidPackageVersion> {
        Self::new(text)
    }
}
impl From<PackageVersion> for String {
    fn from(version: PackageVersion) -> String {
        version.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_version_strings_of_every_vendor_are_read() {
        // MYSQL.md §0: version string traps.
        for (text, expected) in [
            ("9.7.4", (9, 7, 4)),
            ("9.7.4-2", (9, 7, 4)),
            ("9.7.4.0-2", (9, 7, 4)),
            ("8.0.46-0ubuntu0.24.04.5", (8, 0, 46)),
            ("8.4.6-6", (8, 4, 6)),
            ("5.7.44-log", (5, 7, 44)),
            ("26.10.0", (26, 10, 0)),
        ] {
            let (major, minor, patch) = expected;
            assert_eq!(
                MysqlVersion::parse_prefix(text),
                Ok(MysqlVersion::new(major, minor, patch)),
                "{text}"
            );
        }
        for text in ["", "9", "9.7", "mysql-9.7.4", "9.7.x", "9..4", "99999.1.1"] {
            assert!(MysqlVersion::parse_prefix(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rapid_updates_have_a_fourth_number() {
        for (text, update) in [
            ("9.7.4.1-2", Some(1)),
            ("9.7.4.0", Some(0)),
            ("9.7.4-2", None),
        ] {
            let read = VersionWithUpdate::parse_prefix(text).unwrap();
            assert_eq!(read.update, update, "{text}");
            assert_eq!(read.version, MysqlVersion::new(9, 7, 4));
        }
        for text in ["9.7.4.", "9.7.4.1.2", "9.7.4.99999", "9.7"] {
            assert!(VersionWithUpdate::parse_prefix(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_target_given_by_a_person_has_no_suffix() {
        assert!("9.7.4".parse::<MysqlVersion>().is_ok());
        for text in ["9.7.4-2", "09.7.4", "9.7.4 ", "9.7"] {
            assert!(text.parse::<MysqlVersion>().is_err(), "{text}");
        }
    }

    #[test]
    fn versions_order_by_number_not_by_text() {
        assert!(MysqlVersion::new(9, 7, 10) > MysqlVersion::new(9, 7, 9));
        assert!(MysqlVersion::new(26, 7, 0) > MysqlVersion::new(9, 7, 4));
    }

    #[test]
    fn package_versions_never_carry_anything_an_argument_list_could_mistake() {
        assert_eq!(
            PackageVersion::new("1:9.7.4-2").unwrap().mysql_version(),
            Ok(MysqlVersion::new(9, 7, 4))
        );
        for text in ["", "-o", "9.7.4 -o x", "9.7.4;rm", "$(x)", "a9"] {
            assert!(PackageVersion::new(text).is_err(), "{text}");
        }
    }
}
