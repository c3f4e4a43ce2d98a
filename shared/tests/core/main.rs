//! Tests of the pure core, as one program.

mod conditions;
mod linter;
mod planner;
mod saga;
mod support;
