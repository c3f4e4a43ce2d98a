//! Tests of the pure core, as one program.

mod conditions;
mod linter;
mod planner;
mod replication;
mod saga;
mod support;
