//! The durable memory behind [`crate::ports::Journal`].
//!
//! [`store`] is the production one (sled); [`memory`] forgets with the process; [`faulty`] lies, fails and stops on command.
//! All three pass one contract.

pub mod faulty;
pub mod memory;
mod room;
pub mod store;

#[cfg(test)]
mod contract;

pub use faulty::FaultyJournal;
pub use memory::MemoryJournal;
pub use room::Room;
pub use store::SledJournal;
