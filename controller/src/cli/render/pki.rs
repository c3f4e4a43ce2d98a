//! `refit pki`.

use super::{Style, time};
use crate::pki::{
    AuthorityReport, BundleReport, CertificateReport, CertificateState, Inspection, Revocation,
};

pub fn authority(made: &AuthorityReport, style: Style) -> String {
    format!(
        "{} for {}\n{}  key         {} (keep it off the database hosts, and have a copy)\n",
        style.bold("A new CA"),
        made.trust_domain,
        certificate(&made.certificate, style),
        made.key_file.display()
    )
}

pub fn bundle(done: &str, bundle: &BundleReport, style: Style) -> String {
    format!(
        "{done}: {}\n{}  key         {} (mode 0600: install it as its program's user)\n  CA          {}\n",
        style.bold(&bundle.identity),
        certificate(&bundle.certificate, style),
        bundle.key_file.display(),
        bundle.ca_file.display()
    )
}

pub fn revoked(revoked: &Revocation, rehearsed: bool, style: Style) -> String {
    let what = match (revoked.already, rehearsed) {
        (true, _) => "is on the list already",
        (false, true) => "would be put on the list",
        (false, false) => "is on the list now",
    };
    format!(
        "{} {what}: {}\n  list        {} ({} certificates)\n\
         Next: copy it to the directory of ca.pem on the controller and on every database host; it is read within seconds\n",
        style.bold(&revoked.serial),
        super::clean(&revoked.whose),
        revoked.list.display(),
        revoked.certificates
    )
}

pub fn inspection(found: &Inspection, style: Style) -> String {
    let mut out = String::new();
    for one in &found.certificates {
        let kind = if one.is_ca { "CA" } else { "certificate" };
        let who = match one.uris.as_slice() {
            [] => "no identity".to_owned(),
            uris => uris.join(", "),
        };
        out.push_str(&format!("{kind}: {}\n", style.bold(&super::clean(&who))));
        out.push_str(&certificate(one, style));
        out.push_str(&format!("  issuer      {}\n", super::clean(&one.issuer)));
        out.push_str(&format!("  SHA-256     {}\n", one.sha256));
    }
    if let Some(key) = &found.key {
        out.push_str(&format!(
            "key: {} (mode {})\n",
            key.file.display(),
            key.mode
        ));
    }
    if found.problems.is_empty() {
        out.push_str(&format!("{}\n", style.good("No problems found.")));
    } else {
        for problem in &found.problems {
            out.push_str(&format!(
                "{} {}\n",
                style.bad("problem:"),
                super::clean(problem)
            ));
        }
    }
    out
}

fn certificate(one: &CertificateReport, style: Style) -> String {
    let state = match one.state {
        CertificateState::Valid => {
            let left = one.seconds_left;
            let left = if left >= 2 * 86_400 {
                format!("{} days left", left / 86_400)
            } else {
                format!("{} left", time::span(left.saturating_mul(1000)))
            };
            style.good(&left)
        }
        CertificateState::NotYetValid => style.bad("not valid yet"),
        CertificateState::Expired => style.bad("expired"),
    };
    format!(
        "  file        {}\n  valid       {} to {}, {state}\n  serial      {}\n",
        one.file.display(),
        time::moment(one.not_before.as_millisecond()),
        time::moment(one.not_after.as_millisecond()),
        one.serial
    )
}
