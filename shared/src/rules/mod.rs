//! What MySQL allows: pure functions over versions. Each cites where the rule comes from.

pub mod group;
pub mod upgrade_path;
