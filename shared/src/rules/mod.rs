//! What MySQL allows: pure functions over versions. Each cites where the rule comes from.

pub mod clone;
pub mod dialect;
pub mod group;
pub mod keywords;
pub mod libraries;
pub mod path;
pub mod rebuild;
pub mod releases;
pub mod removed_functions;
pub mod replication;
pub mod system_tables;
pub mod upgrade_path;
pub mod variables;
