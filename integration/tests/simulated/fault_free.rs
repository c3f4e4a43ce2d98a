//! Nothing breaks.

use crate::story::Story;
use crate::world::Hop;
use refit_shared::saga::End;

#[test]
fn a_rollout_in_which_nothing_breaks_ends_upgraded() {
    for hop in Hop::ALL {
        let began = std::time::Instant::now();
        let told = Story::of(hop).run();
        eprintln!(
            "{hop:?}: {:?} {:?} appends {} points {} gap {:?} took {:?} cpu {:?}",
            told.end,
            told.parks,
            told.appends,
            told.met.len(),
            told.longest_gap,
            told.took,
            began.elapsed()
        );
        assert_eq!(told.wrongs, Vec::<String>::new());
        assert_eq!(told.end, Some(End::Upgraded));
    }
}
