//! Plans travel as documents. A document is taken only when its digest covers its bytes and its bytes are what this version
//! of Refit would write for the plan: then the plan's own digest is the document's, here and everywhere.

use super::ids::digest_bytes;
use super::{FromWire, InvalidMessage, Why, field, travels};
use crate::common as wire;
use refit_shared::ids::Digest;
use refit_shared::plan::{PLAN_FORMAT, Plan};

travels! {
    wire::PlanDocument => Plan, "plan";
}

impl FromWire<wire::PlanDocument> for Plan {
    fn from_wire(document: wire::PlanDocument) -> Result<Self, InvalidMessage> {
        #[derive(serde::Deserialize)]
        struct Head {
            format: u32,
        }
        let wire::PlanDocument {
            canonical_json: bytes,
            digest,
        } = document;
        let stated: Digest = field("digest", digest)?;
        let actual = Digest::of(&bytes);
        if stated != actual {
            return Err(InvalidMessage::new(
                "digest",
                Why::PlanDigest { stated, actual },
            ));
        }
        let wrong = |why| InvalidMessage::new("canonical_json", why);
        let Head { format } =
            serde_json::from_slice(&bytes).map_err(|e| wrong(Why::PlanText(e)))?;
        if format != PLAN_FORMAT {
            return Err(wrong(Why::PlanFormat {
                found: format,
                known: PLAN_FORMAT,
            }));
        }
        let plan: Plan = serde_json::from_slice(&bytes).map_err(|e| wrong(Why::PlanText(e)))?;
        if plan.canonical_bytes() != bytes {
            return Err(wrong(Why::PlanNotCanonical));
        }
        Ok(plan)
    }
}

impl From<&Plan> for wire::PlanDocument {
    fn from(plan: &Plan) -> Self {
        let canonical_json = plan.canonical_bytes();
        Self {
            digest: digest_bytes(Digest::of(&canonical_json)),
            canonical_json,
        }
    }
}
