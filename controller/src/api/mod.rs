//! The operator's API: gRPC over mutual TLS, in front of the facade.
//!
//! Owns: taking requests apart (bounded in size and time), the caller's name as the [`Actor`](refit_shared::saga::Actor), stable
//! error codes, watch streams, health and reflection, and an end that no silent client can delay.
//! Does not own: any decision about a rollout. Those are the facade's, behind [`Desk`].
//!
//! ```text
//!  Incoming (mTLS) ─> AuthoriseLayer ─> OperatorService ─> Desk ─> rollouts::Rollouts
//!                        role operator     parse, bound     views, refusals
//! ```

mod acts;
mod desk;
mod facade;
mod limits;
mod lines;
mod requests;
mod serve;
mod service;
mod views;

pub use acts::Act;
pub use desk::{Desk, Planned, Rehearsed, Rehearsing, Update, Updates};
pub use limits::JUDGEMENT;
#[cfg(test)]
pub(crate) use lines::line;
pub use serve::{ServeError, serve};
pub use service::OperatorService;
