//! Whoever listens at an address that is tried: an end is reached, and what is passed on is short and plain.

use crate::fuzz;
use proptest::collection::vec;
use proptest::prelude::*;
use refit_agent::host::reach::log_in;

/// A packet of mysqld's, or nearly: its length may be another, and its content begin with anything.
fn packet() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        Just(0x0a_u8),
        Just(0xff),
        Just(0xfe),
        Just(0x00),
        any::<u8>()
    ];
    let length = prop_oneof![4 => Just(None), 1 => any::<[u8; 3]>().prop_map(Some)];
    (first, vec(any::<u8>(), 0..40), length, any::<u8>()).prop_map(
        |(first, rest, length, number)| {
            let own = u8::try_from(rest.len() + 1).expect("it is short");
            let [a, b, c] = length.unwrap_or([own, 0, 0]);
            let head = [a, b, c, number, first];
            head.into_iter().chain(rest).collect()
        },
    )
}

#[test]
fn a_login_ends_whatever_is_answered() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let said = vec(packet(), 0..12).prop_map(|packets| packets.concat());
    fuzz("mysqld's answers", &said, |said| {
        let both = tokio::io::join(said.as_slice(), tokio::io::sink());
        if let Err(unreached) = runtime.block_on(log_in(both)) {
            let why = unreached.why;
            prop_assert!(
                !why.is_empty() && !why.contains(char::is_control),
                "{why:?}"
            );
            prop_assert!(why.chars().count() <= 220, "{why:?}");
        }
        Ok(())
    });
}
