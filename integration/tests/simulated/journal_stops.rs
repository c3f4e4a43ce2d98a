//! The journal stops accepting writes: nothing acts any more, and after a restart it goes on.

use crate::runs::Runs;
use crate::story::Story;
use crate::world::Hop;
use refit_controller::journal::faulty::Fault;
use refit_shared::saga::End;

#[test]
fn a_controller_that_cannot_remember_does_not_act() {
    let mut stories = Vec::new();
    for hop in Hop::ALL {
        let story = Story::of(hop);
        for at in 0..story.run().appends {
            let story = Story {
                journals: vec![Fault::FailAt(at)],
                ..story.clone()
            };
            stories.push((format!("{hop:?}, journal fails at {at}"), story));
        }
    }
    Runs::sample("journal stops at every append", stories, 40).each(|_, told| {
        let mut wrongs = Vec::new();
        if told.end != Some(End::Upgraded) || !told.parks.is_empty() {
            wrongs.push("it did not simply go on after the restart".to_owned());
        }
        if told.controllers != 2 {
            wrongs.push(format!("{} controllers lived, not 2", told.controllers));
        }
        wrongs
    });
}
