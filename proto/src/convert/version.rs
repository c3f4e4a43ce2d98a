//! Versions travel as people write them.

use super::{FromWire, InvalidMessage};
use refit_shared::version::{MysqlVersion, PackageVersion};

impl FromWire<String> for MysqlVersion {
    fn from_wire(text: String) -> Result<Self, InvalidMessage> {
        text.parse()
            .map_err(|e: <Self as std::str::FromStr>::Err| InvalidMessage::here(e))
    }
}

impl FromWire<String> for PackageVersion {
    fn from_wire(text: String) -> Result<Self, InvalidMessage> {
        PackageVersion::new(text).map_err(InvalidMessage::here)
    }
}
