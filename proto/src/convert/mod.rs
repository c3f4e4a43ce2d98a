//! Total conversions between messages and domain types, one file per domain module.
//!
//! Domain to wire is `From` and can't fail. Wire to domain is `TryFrom` on the messages that travel by themselves, and says
//! which field is wrong: `order.operation.swap_packages.to[0].sha256: …`. Nothing is defaulted: an absent message, an absent
//! choice and an unknown enum value are errors. Parts of messages implement [`FromWire`], whose errors name the field
//! relative to the part, so that other messages can be built from them.
//!
//! Not here: whether what was said is allowed or makes sense. That is for the receiver.

mod agent;
mod channel;
mod fact;
mod gtid;
mod ids;
mod invalid;
mod observation;
mod operation;
mod plan;
mod receipt;
mod rehearsal;
mod rollout;
mod saga;
mod server;
mod survey;
mod version;

pub use invalid::{InvalidMessage, Why};

use std::collections::{BTreeMap, BTreeSet};

/// A domain value out of its form on the wire; errors name fields relative to it.
pub trait FromWire<W>: Sized {
    fn from_wire(wire: W) -> Result<Self, InvalidMessage>;
}

/// A field that is always there (a scalar, a string, bytes, an enum).
pub fn field<W, T: FromWire<W>>(name: &str, wire: W) -> Result<T, InvalidMessage> {
    T::from_wire(wire).map_err(|e| e.within(name))
}

/// A message that must be there.
pub fn required<W, T: FromWire<W>>(name: &str, wire: Option<W>) -> Result<T, InvalidMessage> {
    let wire = wire.ok_or_else(|| InvalidMessage::new(name, Why::Missing))?;
    field(name, wire)
}

/// A field that may be absent, and then means it.
pub fn optional<W, T: FromWire<W>>(
    name: &str,
    wire: Option<W>,
) -> Result<Option<T>, InvalidMessage> {
    wire.map(|wire| field(name, wire)).transpose()
}

/// A list, in its order.
pub fn each<W, T: FromWire<W>>(name: &str, wire: Vec<W>) -> Result<Vec<T>, InvalidMessage> {
    let place = |(i, wire)| T::from_wire(wire).map_err(|e| e.within_item(name, i));
    wire.into_iter().enumerate().map(place).collect()
}

/// A list in which nothing occurs twice.
pub fn set<W, T: FromWire<W> + Ord>(
    name: &str,
    wire: Vec<W>,
) -> Result<BTreeSet<T>, InvalidMessage> {
    let mut values = BTreeSet::new();
    for (i, value) in each(name, wire)?.into_iter().enumerate() {
        if !values.insert(value) {
            return Err(InvalidMessage::new("", Why::Twice).within_item(name, i));
        }
    }
    Ok(values)
}

/// A map's values, under the keys that they have.
pub fn map<W, T: FromWire<W>>(
    name: &str,
    wire: BTreeMap<String, W>,
) -> Result<BTreeMap<String, T>, InvalidMessage> {
    let value = |(key, wire)| match T::from_wire(wire) {
        Ok(value) => Ok((key, value)),
        Err(e) => Err(e.within_item(name, format_args!("{key:?}"))),
    };
    wire.into_iter().map(value).collect()
}

/// A list of messages out of a list of values.
pub fn messages<T, W: From<T>>(values: impl IntoIterator<Item = T>) -> Vec<W> {
    values.into_iter().map(W::from).collect()
}

macro_rules! identical {
    ($($type:ty),*) => {$(
        impl FromWire<$type> for $type {
            fn from_wire(wire: $type) -> Result<Self, InvalidMessage> { Ok(wire) }
        }
    )*};
}
identical!(String, u64);

macro_rules! narrowed {
    ($($type:ident from $wide:ty),*) => {$(
        impl FromWire<$wide> for $type {
            fn from_wire(wire: $wide) -> Result<Self, InvalidMessage> {
                let out_of_range = || Why::OutOfRange { value: wire.into(), least: 0, most: <$type>::MAX as u64 };
                <$type>::try_from(wire).map_err(|_| InvalidMessage::here(out_of_range()))
            }
        }
    )*};
}
narrowed!(u8 from u32, u16 from u32, usize from u64);

/// Pairs the variants of a domain enum and a generated one by name, both ways; a new variant on the domain's side does not
/// compile until it has a number, and a number without a variant is an error.
macro_rules! wire_enum {
    ($($type:ident { $($variant:ident),* $(,)? })*) => {$(
        impl From<$type> for $crate::common::$type {
            fn from(value: $type) -> Self {
                match value { $($type::$variant => Self::$variant),* }
            }
        }
        impl $crate::convert::FromWire<i32> for $type {
            fn from_wire(number: i32) -> Result<Self, $crate::convert::InvalidMessage> {
                use $crate::convert::{InvalidMessage, Why};
                match $crate::common::$type::try_from(number) {
                    $(Ok($crate::common::$type::$variant) => Ok($type::$variant),)*
                    Ok($crate::common::$type::Unspecified) => Err(InvalidMessage::here(Why::Missing)),
                    Err(_) => Err(InvalidMessage::here(Why::UnknownEnum { of: stringify!($type), number })),
                }
            }
        }
    )*};
}
use wire_enum;

/// Gives messages that travel by themselves `TryFrom`, with errors that begin with the message's name.
macro_rules! travels {
    ($($wire:path => $type:ty, $name:literal;)*) => {$(
        impl TryFrom<$wire> for $type {
            type Error = $crate::convert::InvalidMessage;
            fn try_from(wire: $wire) -> Result<Self, Self::Error> {
                $crate::convert::field($name, wire)
            }
        }
    )*};
}
use travels;
