//! Fault points: named places in the daemons where a test can have them crash, fail, wait, leave a write out or send a call twice.
//!
//! ```text
//! REFIT_FAULTS='ledger.write/after=crash@3;call/reply=delay:500ms'      (builds with the feature `armed` only)
//! ```
//!
//! A point is one line where it stands, `at!("…")` in asynchronous code and `hit!("…")` elsewhere. Without the feature both are the
//! constant [`Go::On`], whose error can't exist: nothing is left of them in a release. Each is in the registry ([`POINTS`]), from which
//! `docs/fault-points.md` is made.

#[cfg(feature = "armed")]
mod armed;
mod points;
pub mod rules;

#[cfg(feature = "armed")]
pub use armed::{arm, at, hit};
pub use points::{POINTS, Point};

/// How it goes on behind a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Go {
    On,
    /// What stands here is left out, as if it had been done.
    Drop,
    /// It is done twice.
    Twice,
}

/// What a point that fails says.
#[cfg(feature = "armed")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Injected(&'static str);

/// Without the feature no point fails.
#[cfg(not(feature = "armed"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Injected {}

impl std::fmt::Display for Injected {
    #[cfg(feature = "armed")]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "an injected fault at {}", self.0)
    }
    #[cfg(not(feature = "armed"))]
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {}
    }
}

impl std::error::Error for Injected {}

impl From<Injected> for std::io::Error {
    fn from(injected: Injected) -> Self {
        std::io::Error::other(injected)
    }
}

/// Reads the rules, before anything is done. Without the feature there are none.
///
/// # Errors
/// Every rule that is wrong, and the points that there are.
#[cfg(not(feature = "armed"))]
pub fn arm() -> Result<(), rules::BadRules> {
    Ok(())
}

/// A point in code that may block.
#[cfg(feature = "armed")]
#[macro_export]
macro_rules! hit {
    ($name:literal) => {
        $crate::hit($name)
    };
}

/// A point in code that may block.
#[cfg(not(feature = "armed"))]
#[macro_export]
macro_rules! hit {
    ($name:literal) => {
        ::core::result::Result::<$crate::Go, $crate::Injected>::Ok($crate::Go::On)
    };
}

/// A point in asynchronous code.
#[cfg(feature = "armed")]
#[macro_export]
macro_rules! at {
    ($name:literal) => {
        $crate::at($name).await
    };
}

/// A point in asynchronous code.
#[cfg(not(feature = "armed"))]
#[macro_export]
macro_rules! at {
    ($name:literal) => {
        ::core::result::Result::<$crate::Go, $crate::Injected>::Ok($crate::Go::On)
    };
}
