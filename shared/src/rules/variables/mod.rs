//! System variables and options that are not the same in every version, as data.

pub mod defaults;
pub mod removed;
pub mod renamed;
pub mod runtime;
pub mod together;
