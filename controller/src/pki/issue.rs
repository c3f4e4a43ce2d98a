//! Issuing a certificate with a new key.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use refit_proto::identity::{Identity, Label, Role};
use refit_proto::tls::{Clock, Material, MaterialPaths};
use rustls::pki_types::DnsName;

use super::authority::{keep, open_into};
use super::files::{self, Batch, PRIVATE, PUBLIC};
use super::sign::{self, Span};
use super::{BundleReport, PkiError, Problem};

/// What to issue, and where to.
#[derive(Debug, Clone, Copy)]
pub struct IssueRequest<'a> {
    pub ca_dir: &'a Path,
    pub role: Role,
    /// For an agent, the name of its host in the fleet file.
    pub name: &'a str,
    pub out_dir: &'a Path,
    pub validity: Duration,
    /// For tools that look at host names; Refit itself does not.
    pub dns: &'a [String],
    pub ips: &'a [IpAddr],
}

/// Issues a certificate into `out_dir`, which is created if need be.
///
/// # Errors
/// [`PkiError::Refused`] with every mistake, before anything is written.
pub fn issue(request: &IssueRequest<'_>, clock: &Clock) -> Result<BundleReport, PkiError> {
    let now = clock.utc();
    let paths = MaterialPaths::in_dir(request.out_dir);
    let mut problems = Vec::new();
    let name = Label::parse("name", request.name).map_err(Problem::BadName);
    let name = keep(&mut problems, name);
    for dns in request.dns {
        if DnsName::try_from(dns.as_str()).is_err() {
            problems.push(Problem::BadDnsName { got: dns.clone() });
        }
    }
    for path in [&paths.ca, &paths.cert, &paths.key, &paths.next_key()] {
        if files::exists(path) {
            problems.push(Problem::Exists {
                path: path.clone(),
                hint: "; to replace a certificate of the same name, use `refit pki renew`",
            });
        }
    }
    let span = keep(&mut problems, Span::from_now(now, request.validity));
    let authority = open_into(&mut problems, request.ca_dir);
    if let (Some(authority), Some(span)) = (&authority, span) {
        keep(&mut problems, authority.permits(span, now));
    }
    let (Some(name), Some(span), Some(authority), true) =
        (name, span, authority, problems.is_empty())
    else {
        return Err(PkiError::Refused(problems));
    };

    let identity = Identity {
        trust_domain: authority.trust_domain.clone(),
        role: request.role,
        name,
    };
    let key = sign::new_key()?;
    let params = sign::leaf(&identity, request.dns, request.ips, span)?;
    let cert = authority.sign(params, &key)?;
    files::make_dir(request.out_dir)?;
    let mut batch = Batch::default();
    batch.create(&paths.key, &key.serialize_pem(), PRIVATE)?;
    batch.create(&paths.ca, &authority.pem, PUBLIC)?;
    // Last: a bundle with a certificate is a complete one.
    batch.create(&paths.cert, &cert, PUBLIC)?;
    let material = Material::load(&paths).map_err(PkiError::Unverified)?;
    batch.keep();
    BundleReport::new(&paths, &material, now)
}
