//! The private CA of a fleet: make it, issue certificates, renew them, look at them.
//!
//! Owns: the files of the CA and of the bundles that it issues, and what the certificates say.
//! Does not own: judging peers (`refit_proto::identity`, `refit_proto::tls`), the command line, nor
//! carrying files to hosts.
//!
//! ```text
//!   <ca dir>/ca.pem      public; its only URI is spiffe://<trust domain>
//!           /ca-key.pem  0600; keep it off the database hosts
//!   <out>/ca.pem cert.pem key.pem(0600)    one bundle per controller, agent, operator
//! ```
//!
//! Every function checks everything first, reports every mistake at once and has then changed
//! nothing. Nothing is ever overwritten, except that [`renew`] replaces a bundle by renames that
//! leave it loadable at every instant.

mod authority;
mod error;
mod files;
mod inspect;
mod issue;
mod renew;
mod report;
mod revoke;
mod sign;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub use authority::init;
pub use error::{PkiError, Problem};
pub use inspect::inspect;
pub use issue::{IssueRequest, issue};
pub use renew::renew;
pub use report::{
    AuthorityReport, BundleReport, CertificateReport, CertificateState, Inspection, KeyReport,
};
pub use revoke::{Revocation, revoke};

/// How long a CA lives unless the operator says otherwise: ten years.
pub const DEFAULT_CA_VALIDITY: Duration = Duration::from_secs(3650 * 24 * 3600);
/// How long a certificate lives unless the operator says otherwise: one year.
pub const DEFAULT_VALIDITY: Duration = Duration::from_secs(365 * 24 * 3600);
