//! Names, counters and digests.

use super::{FromWire, InvalidMessage, Why};
use refit_shared::ids::{
    Attempt, ClusterName, Digest, Epoch, MemberName, RolloutId, Seq, ServerUuid, StepId,
};

macro_rules! text {
    ($($type:ty),*) => {$(
        impl FromWire<String> for $type {
            fn from_wire(text: String) -> Result<Self, InvalidMessage> {
                <$type>::new(text).map_err(InvalidMessage::here)
            }
        }
    )*};
}
text!(ClusterName, MemberName, RolloutId, ServerUuid);

macro_rules! counter {
    ($($type:ident from $wire:ty),*) => {$(
        impl FromWire<$wire> for $type {
            fn from_wire(number: $wire) -> Result<Self, InvalidMessage> {
                FromWire::from_wire(number).map($type)
            }
        }
    )*};
}
counter!(Epoch from u64, Seq from u64, StepId from u32);

impl FromWire<u32> for Attempt {
    fn from_wire(number: u32) -> Result<Self, InvalidMessage> {
        Ok(Attempt(number))
    }
}

impl FromWire<Vec<u8>> for Digest {
    fn from_wire(bytes: Vec<u8>) -> Result<Self, InvalidMessage> {
        <[u8; 32]>::try_from(bytes)
            .map(Digest::from_bytes)
            .map_err(|bytes| InvalidMessage::here(Why::DigestLength(bytes.len())))
    }
}

/// How a digest travels.
pub(crate) fn digest_bytes(digest: Digest) -> Vec<u8> {
    digest.as_bytes().to_vec()
}
