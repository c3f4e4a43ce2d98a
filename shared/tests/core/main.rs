//! Tests of the pure core, as one program.

mod addresses;
mod advised;
mod checks;
mod conditions;
mod freeze;
mod kinds;
mod linter;
mod old_targets;
mod planner;
mod rebuild;
mod rebuilds;
mod rehearsal;
mod releases;
mod replication;
mod replication_checks;
mod saga;
mod sources;
mod support;
mod topologies;
