//! The operator's API and the `refit` command: over real mutual TLS on loopback, with a scripted controller behind it; and
//! what people read, as golden files.

mod api;
mod certificates;
mod desk;
mod following;
mod golden;
mod line;
mod samples;
mod server;
mod words;
#[path = "../../../shared/tests/core/support.rs"]
#[allow(dead_code)]
mod world;
