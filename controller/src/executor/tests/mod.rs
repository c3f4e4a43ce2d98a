//! Rollouts of the small world, through the facade, on paused time.

mod crashes;
mod fences;
mod misdeeds;
mod overrides;
mod people;
mod pivot;
mod story;
