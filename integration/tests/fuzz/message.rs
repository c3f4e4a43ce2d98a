//! Messages that are well-formed on the wire and arbitrary in all else: made from the descriptors, so that a new field or message
//! is fuzzed from its first day.

use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};
use std::collections::HashMap;
use std::sync::LazyLock;

/// Where the decisions come from: proptest shrinks it. At its end everything is absent.
pub struct Tape<'t>(&'t [u8]);

impl<'t> Tape<'t> {
    pub fn new(bytes: &'t [u8]) -> Self {
        Self(bytes)
    }

    fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((&first, rest)) => {
                self.0 = rest;
                first
            }
            None => 0,
        }
    }

    fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[usize::from(self.byte()) % of.len()]
    }
}

static DESCRIPTORS: LazyLock<HashMap<String, DescriptorProto>> = LazyLock::new(|| {
    let set = FileDescriptorSet::decode(refit_proto::FILE_DESCRIPTOR_SET).expect("our own");
    let mut all = HashMap::new();
    for file in set.file {
        for message in file.message_type {
            put(
                &mut all,
                file.package.as_deref().unwrap_or_default(),
                message,
            );
        }
    }
    all
});

fn put(all: &mut HashMap<String, DescriptorProto>, place: &str, message: DescriptorProto) {
    let name = format!("{place}.{}", message.name());
    for nested in message.nested_type.clone() {
        put(all, &name, nested);
    }
    all.insert(name, message);
}

/// Every message of these packages.
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> = DESCRIPTORS.keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// Messages nest no deeper than this; our own do five times.
const DEEPEST: u32 = 12;

/// The bytes of some message of this type.
pub fn make(name: &str, tape: &mut Tape<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    fill(name, tape, 0, &mut bytes);
    bytes
}

fn fill(name: &str, tape: &mut Tape<'_>, depth: u32, out: &mut Vec<u8>) {
    let Some(message) = DESCRIPTORS.get(name.trim_start_matches('.')) else {
        return;
    };
    // One arm of each oneof: the last one on the wire wins, so one is enough most of the time.
    let arms = |index: i32| -> Vec<&FieldDescriptorProto> {
        let of = |field: &&FieldDescriptorProto| field.oneof_index == Some(index);
        message.field.iter().filter(of).collect()
    };
    for index in 0..message.oneof_decl.len() {
        let arms = arms(i32::try_from(index).expect("few"));
        if !tape.is_over() && !tape.byte().is_multiple_of(16) {
            let arm: &&FieldDescriptorProto = tape.pick(&arms);
            one(arm, tape, depth, out);
        }
    }
    for field in message.field.iter().filter(|f| f.oneof_index.is_none()) {
        let times = match (field.label(), tape.byte() % 16) {
            (_, 0) => 0,
            (Label::Repeated, times) => times % 4,
            // A field that comes twice is legal, and the last one counts.
            (_, 15) => 2,
            _ => 1,
        };
        for _ in 0..times {
            one(field, tape, depth, out);
        }
    }
}

fn one(field: &FieldDescriptorProto, tape: &mut Tape<'_>, depth: u32, out: &mut Vec<u8>) {
    let tag = u32::try_from(field.number()).expect("a field's number is positive");
    let mut lengthy = |bytes: &[u8]| {
        encode_key(tag, WireType::LengthDelimited, out);
        encode_varint(bytes.len() as u64, out);
        out.extend_from_slice(bytes);
    };
    match field.r#type() {
        Type::Message | Type::Group => {
            if depth < DEEPEST {
                let mut inner = Vec::new();
                fill(field.type_name(), tape, depth + 1, &mut inner);
                lengthy(&inner);
            }
        }
        Type::String => lengthy(text(tape).as_bytes()),
        Type::Bytes => {
            let length = *tape.pick(&[32_u8, 32, 32, 0, 1, 31, 33]);
            let bytes: Vec<u8> = (0..length).map(|_| tape.byte()).collect();
            lengthy(&bytes);
        }
        Type::Double | Type::Fixed64 | Type::Sfixed64 => {
            encode_key(tag, WireType::SixtyFourBit, out);
            out.extend((0..8).map(|_| tape.byte()));
        }
        Type::Float | Type::Fixed32 | Type::Sfixed32 => {
            encode_key(tag, WireType::ThirtyTwoBit, out);
            out.extend((0..4).map(|_| tape.byte()));
        }
        Type::Int64
        | Type::Uint64
        | Type::Int32
        | Type::Uint32
        | Type::Bool
        | Type::Enum
        | Type::Sint32
        | Type::Sint64 => {
            encode_key(tag, WireType::Varint, out);
            encode_varint(number(tape), out);
        }
    }
}

fn number(tape: &mut Tape<'_>) -> u64 {
    let small = u64::from(tape.byte() % 8);
    let one = u64::from(tape.byte());
    *tape.pick(&[
        small,
        small,
        small,
        1,
        1,
        one,
        one << 8,
        u64::from(u32::MAX),
        1 << 32,
        u64::MAX,
        i64::MAX as u64,
    ])
}

/// What fields of type string hold, valid, nearly valid, and not at all.
const WORDS: &[&str] = &[
    "",
    "m1",
    "db2",
    "c1",
    "orders",
    "r1",
    "01m7wykkdygp9ma6sb5s9qh9ad",
    "9.7.3",
    "8.4.0",
    "9.7.4-1",
    "1:9.7.4-2~deb12u1",
    "9.7",
    "3e11fa47-71ca-11e1-9e33-c80aa9429562",
    "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:7",
    "3e11fa47-71ca-11e1-9e33-c80aa9429562:5-1",
    "3e11fa47-71ca-11e1-9e33-c80aa9429562:tag:1-18446744073709551615",
    "shop.orders",
    "`a`.`b`",
    ".",
    "mysql-server",
    "mysql.service",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "10.0.0.1:3306",
    "[::1]:8400",
    "/etc/mysql/my.cnf",
    "../..",
    "ann",
    "0",
    "-1",
    "18446744073709551616",
    "99999999999999999999999999",
    "long",
    "\u{0}",
    "é\u{202e}x",
    "a b",
    "A",
    "m1.",
    "-",
];

fn text(tape: &mut Tape<'_>) -> String {
    let word = *tape.pick(WORDS);
    match tape.byte() % 12 {
        0 => word.repeat(40),
        1 => format!("{word}{}", char::from(tape.byte())),
        2 => {
            let end = word
                .char_indices()
                .map(|(at, _)| at)
                .nth(usize::from(tape.byte()) % 8);
            word[..end.unwrap_or(0)].to_owned()
        }
        _ => word.to_owned(),
    }
}
