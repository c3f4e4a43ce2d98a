//! GTID sets travel in MySQL's text form.

use super::{FromWire, InvalidMessage};
use refit_shared::gtid::GtidSet;

impl FromWire<String> for GtidSet {
    fn from_wire(text: String) -> Result<Self, InvalidMessage> {
        GtidSet::try_from(text).map_err(InvalidMessage::here)
    }
}
