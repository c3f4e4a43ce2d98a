//! The agent's durable memory.
pub mod disk;
mod memory;
pub use disk::{Disk, FileDisk};
pub use memory::Memory;
