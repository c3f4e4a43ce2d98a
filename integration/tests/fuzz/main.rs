//! Bytes that nobody has written on purpose, for everything that reads bytes from outside: the wire, the fleet file, option
//! files, mysqld's error log and its answers to a login, the journal. Reading never panics, and what was read says itself again.
//!
//! Each takes a second. `REFIT_FUZZ_SECONDS=300 cargo test -p refit-integration --test fuzz` looks for longer.

mod errorlog;
mod files;
mod journal;
mod message;
mod mysqld;
mod wire;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestCaseResult, TestError, TestRunner};
use std::time::{Duration, Instant, SystemTime};

/// Cases between two looks at the clock.
const BATCH: u32 = 32;

/// Tries values until the time is up. `REFIT_FUZZ_SEED` begins again where a failure has told its seed.
fn fuzz<S: Strategy>(what: &str, strategy: &S, test: impl Fn(S::Value) -> TestCaseResult) {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().expect(name))
    };
    let budget = Duration::from_secs(number("REFIT_FUZZ_SECONDS").unwrap_or(1));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let mut seed = number("REFIT_FUZZ_SEED")
        .unwrap_or_else(|| now.expect("after 1970").as_secs().wrapping_mul(1_000_003));
    let (began, mut cases) = (Instant::now(), 0_u64);
    while cases == 0 || began.elapsed() < budget {
        let config = Config {
            cases: BATCH,
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(seed),
            ..Config::default()
        };
        match TestRunner::new(config).run(strategy, &test) {
            Ok(()) => {}
            Err(TestError::Fail(why, value)) => {
                panic!("{what}: {why}\nREFIT_FUZZ_SEED={seed}\n{value:?}")
            }
            Err(TestError::Abort(why)) => panic!("{what}: {why}\nREFIT_FUZZ_SEED={seed}"),
        }
        cases += u64::from(BATCH);
        seed = seed.wrapping_add(1);
    }
    println!("{what}: {cases} cases in {:?}", began.elapsed());
}

/// Text made of words that mean something to the reader, whole or cut, with anything between them.
fn text_of(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    use proptest::collection::vec;
    use proptest::prelude::*;
    let word = prop_oneof![
        8 => proptest::sample::select(words).prop_map(str::to_owned),
        1 => "(?s).{0,4}",
        1 => "[ \t\r\n\\[\\]'\"#;=,.0-9-]{0,4}",
    ];
    vec(word, 0..40).prop_map(|words| words.concat())
}
