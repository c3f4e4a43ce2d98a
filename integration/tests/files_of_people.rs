//! Files that people write, with anything in them: never a panic, and a mistake is told with the file's name.

use proptest::prelude::*;
use refit_controller::config::Config;
use refit_controller::fleet;
use refit_proto::tls::Revoked;

const FLEET: &str = include_str!("../../deploy/fleet.toml");
const CONTROLLER: &str = include_str!("../../deploy/controller.toml");

/// A sample with some of its bytes replaced, removed or repeated.
fn damaged(sample: &'static str) -> impl Strategy<Value = String> {
    let cut = (any::<prop::sample::Index>(), 0usize..40, ".{0,12}");
    proptest::collection::vec(cut, 1..4).prop_map(move |cuts| {
        let mut text: Vec<char> = sample.chars().collect();
        for (at, count, put) in cuts {
            let from = at.index(text.len() + 1);
            let to = (from + count).min(text.len());
            text.splice(from..to, put.chars());
        }
        text.into_iter().collect()
    })
}

fn anything() -> impl Strategy<Value = String> {
    prop_oneof!["(?s).{0,200}", "[\\[\\]{}=\"'#.,\n a-z0-9]{0,200}"]
}

fn judge(text: &str) -> Result<(), TestCaseError> {
    if let Err(error) = fleet::parse("fleet.toml", text) {
        prop_assert!(error.to_string().contains("fleet.toml"), "{error}");
    }
    if let Err(error) = Config::parse("controller.toml", text) {
        prop_assert!(error.to_string().contains("controller.toml"), "{error}");
    }
    // A list is believed as a whole or not at all.
    if let Err(why) = Revoked::parse(text) {
        prop_assert!(why.contains("line "), "{why}");
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_damaged_fleet_file(text in damaged(FLEET)) {
        judge(&text)?;
    }

    #[test]
    fn a_damaged_configuration(text in damaged(CONTROLLER)) {
        judge(&text)?;
    }

    #[test]
    fn any_text(text in anything()) {
        judge(&text)?;
    }
}
