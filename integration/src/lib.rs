//! The world around Refit: the lab of real hosts, the writing client, the stage that scenarios, demo and benchmark share, and
//! the simulated world.

pub mod dice;
pub mod stage;
pub mod writer;
