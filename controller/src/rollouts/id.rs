//! Names of rollouts: a lower-case ULID, so that they sort by the time they were made.

use refit_shared::ids::{Digest, Epoch, RolloutId};

/// Its random part is drawn from what makes a rollout unique: a simulation gives the same names each time, and a rollout whose
/// journal was lost still shows which plan it was made from.
pub(super) fn new_id(at_unix_ms: i64, plan: &Digest, epoch: Epoch) -> RolloutId {
    let unique = Digest::of(format!("{at_unix_ms} {plan} {epoch}").as_bytes());
    let mut random = [0u8; 16];
    random.copy_from_slice(&unique.as_bytes()[..16]);
    let ulid = ulid::Ulid::from_parts(
        u64::try_from(at_unix_ms).unwrap_or(0),
        u128::from_be_bytes(random),
    );
    RolloutId::new(ulid.to_string().to_lowercase()).expect("a ULID in lower case is a name")
}

/// Whether a rollout was made from this plan, and if so when (milliseconds since 1970) and by which incarnation, which is none
/// after `latest`.
pub(crate) fn made_from(id: &RolloutId, plan: &Digest, latest: Epoch) -> Option<(i64, Epoch)> {
    let ulid = ulid::Ulid::from_string(&id.as_str().to_uppercase()).ok()?;
    let at = i64::try_from(ulid.timestamp_ms()).ok()?;
    (0..=latest.0)
        .rev()
        .map(Epoch)
        .find(|epoch| new_id(at, plan, *epoch) == *id)
        .map(|epoch| (at, epoch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_shows_its_plan_its_time_and_its_incarnation() {
        let (plan, other) = (Digest::of(b"plan"), Digest::of(b"other"));
        let id = new_id(1_763_000_000_123, &plan, Epoch(7));
        let made = Some((1_763_000_000_123, Epoch(7)));
        assert_eq!(made_from(&id, &plan, Epoch(7)), made);
        assert_eq!(made_from(&id, &plan, Epoch(900)), made);
        assert_eq!(made_from(&id, &plan, Epoch(6)), None);
        assert_eq!(made_from(&id, &other, Epoch(900)), None);
        let foreign = RolloutId::new("not-a-ulid").unwrap();
        assert_eq!(made_from(&foreign, &plan, Epoch(9)), None);
    }
}
