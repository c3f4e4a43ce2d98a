//! Putting a certificate on a deny list. The list is a file for people to carry to every host, as certificates are.

use super::files::{self, failed};
use super::{PkiError, Problem};
use refit_proto::identity::CertificateFacts;
use refit_proto::tls::{Clock, Revoked};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What was put on which list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Revocation {
    pub serial: String,
    /// Whose certificate it is, as far as that is known.
    pub whose: String,
    pub list: PathBuf,
    /// How many are on it, this one included.
    pub certificates: usize,
    /// It was there before; nothing was changed.
    pub already: bool,
}

/// Adds a certificate (its directory, its file, or its serial number) to a list, which is replaced as a whole.
///
/// # Errors
/// Nothing was changed: what was given is no certificate and no serial number, or the list can't be understood.
pub fn revoke(
    certificate: &str,
    list: &Path,
    reason: &str,
    dry_run: bool,
    clock: &Clock,
) -> Result<Revocation, PkiError> {
    let unusable = |path: &Path, why: String| {
        PkiError::Refused(vec![Problem::Unusable {
            path: path.into(),
            why,
        }])
    };
    let (serial, whose) = named(certificate)?;
    let before = match std::fs::read_to_string(list) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(failed("read", list)(error)),
    };
    let known = Revoked::parse(&before).map_err(|why| unusable(list, why))?;
    let already = known.has(&serial);
    let revocation = Revocation {
        certificates: known.len() + usize::from(!already),
        serial,
        whose,
        list: list.to_owned(),
        already,
    };
    if already || dry_run {
        return Ok(revocation);
    }
    let mut text = before;
    if text.is_empty() {
        text.push_str("# Certificates that count for nothing any more: serial numbers, a line each. Made by `refit pki revoke`.\n");
    } else if !text.ends_with('\n') {
        text.push('\n');
    }
    let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    let why = if reason.is_empty() {
        String::new()
    } else {
        format!(": {reason}")
    };
    text.push_str(&format!(
        "{} # {}, {}{why}\n",
        revocation.serial,
        revocation.whose,
        clock.utc()
    ));
    files::put(list, &text, files::PUBLIC)?;
    Ok(revocation)
}

/// The serial number, and whose it is.
fn named(certificate: &str) -> Result<(String, String), PkiError> {
    let path = Path::new(certificate);
    let refused = |why: String| {
        PkiError::Refused(vec![Problem::Unusable {
            path: path.into(),
            why,
        }])
    };
    let file = if path.is_dir() {
        path.join("cert.pem")
    } else {
        path.to_owned()
    };
    if !file.exists() {
        // Only to see that it is one.
        let one = Revoked::parse(certificate).map_err(|_| {
            refused("it is neither a certificate's directory or file nor a serial number in hexadecimal".to_owned())
        })?;
        if one.len() != 1 {
            return Err(refused("it names no certificate".to_owned()));
        }
        let digits = certificate.replace(':', "").to_ascii_lowercase();
        return Ok((
            digits.trim().to_owned(),
            "given by its serial number".to_owned(),
        ));
    }
    let bytes = std::fs::read(&file).map_err(failed("read", &file))?;
    let der = CertificateDer::from_pem_slice(&bytes)
        .map_err(|error| refused(format!("it holds no certificate: {error}")))?;
    let facts = CertificateFacts::from_der(&der).map_err(|why| refused(why.one_line()))?;
    if facts.is_ca {
        return Err(refused(
            "it is a CA: to give up a CA, make another one and replace ca.pem everywhere"
                .to_owned(),
        ));
    }
    let whose = facts
        .identity()
        .map_or_else(|_| facts.subject.clone(), |identity| identity.to_string());
    Ok((facts.serial, whose))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{self, IssueRequest};
    use refit_proto::identity::Role;

    #[test]
    fn a_list_is_made_added_to_and_never_half_understood() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let (ca, out) = (dir.path().join("ca"), dir.path().join("ann"));
        pki::init(&ca, "refit.local", pki::DEFAULT_CA_VALIDITY, &clock).unwrap();
        let request = IssueRequest {
            ca_dir: &ca,
            role: Role::Operator,
            name: "ann",
            out_dir: &out,
            validity: pki::DEFAULT_VALIDITY,
            dns: &[],
            ips: &[],
        };
        pki::issue(&request, &clock).unwrap();
        let list = dir.path().join("revoked.txt");
        let ann = out.display().to_string();

        let would = revoke(&ann, &list, "", true, &clock).unwrap();
        assert!(!list.exists() && !would.already);
        let done = revoke(&ann, &list, "laptop\nlost", false, &clock).unwrap();
        assert_eq!((done.certificates, &done.serial), (1, &would.serial));
        assert!(done.whose.contains("operator/ann"), "{done:?}");
        let again = revoke(&ann, &list, "", false, &clock).unwrap();
        assert!(again.already);
        let by_number = revoke("0A:BC", &list, "", false, &clock).unwrap();
        assert_eq!(by_number.certificates, 2);
        let text = std::fs::read_to_string(&list).unwrap();
        let read = Revoked::parse(&text).unwrap();
        assert!(read.has(&done.serial) && read.has("abc"), "{text}");
        assert!(text.contains(": laptop lost\n"), "{text}");

        for wrong in [
            ca.join("ca.pem").display().to_string(),
            "no such".to_owned(),
            String::new(),
        ] {
            let error = revoke(&wrong, &list, "", false, &clock).unwrap_err();
            assert!(!error.problems().is_empty(), "{wrong}: {error}");
        }
        std::fs::write(&list, "somebody\n").unwrap();
        assert!(revoke(&ann, &list, "", false, &clock).is_err());
        assert_eq!(std::fs::read_to_string(&list).unwrap(), "somebody\n");
    }
}
