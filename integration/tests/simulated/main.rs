//! Whole rollouts in a simulated world: every step is failed, crashed before and after every append and every effect, and
//! undone twice. See [`world`] for how it is built and [`runs`] for how runs are chosen.

mod agent_faults;
mod begun_elsewhere;
mod controller_crashes;
mod fault_free;
mod journal_lost;
mod journal_stops;
mod late_duplicates;
mod matrix;
mod pauses;
mod random_walk;
mod refused_starts;
mod runs;
mod story;
mod two_controllers;
mod unwinds;
mod world;
