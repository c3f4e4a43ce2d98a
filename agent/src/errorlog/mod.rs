//! mysqld's error log: following the file, reading its lines, and a verdict on a start or a stop.
//!
//! ```text
//! file ──Follower──> lines ──Line::parse──> Startup  ──> Verdict   (pure)
//!                                      └──> Shutdown ──> proof     (pure)
//! ```
//!
//! What the lines mean is MYSQL knowledge kept as data in [`codes`]; nothing here touches the server or its unit.

pub mod codes;
mod follow;
mod line;
mod shutdown;
mod startup;

pub use codes::{DataDirAfter, Refusal};
pub use follow::{Follower, Mark};
pub use line::{Level, Line};
pub use shutdown::{Shutdown, last_shutdown};
pub use startup::{Startup, Verdict};
