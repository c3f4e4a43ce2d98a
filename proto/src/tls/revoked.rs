//! The deny list: serial numbers of certificates that count for nothing any more, though they are genuine and not yet ended.
//!
//! `revoked.txt` lies beside the CA certificate; it need not be there. A line is a serial number in hexadecimal, as `refit pki
//! inspect` shows it; colons are ignored, and whatever follows a `#`. It is read again whenever it changes, like the
//! certificates, and open connections of a certificate that is on it are closed.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use rustls_pki_types::CertificateDer;

use crate::identity::CertificateFacts;

/// The name of the file.
pub const REVOKED: &str = "revoked.txt";

/// Serial numbers, as [`CertificateFacts::serial`] has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revoked(BTreeSet<String>);

impl Revoked {
    /// Reads the list; a file that is not there names nobody.
    ///
    /// # Errors
    /// What is wrong, with the numbers of the lines. A list that can't be understood is no list: half of it would let somebody
    /// through.
    pub fn load(path: &Path) -> Result<Self, String> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error.to_string()),
        }
    }

    pub fn parse(text: &str) -> Result<Self, String> {
        let mut serials = BTreeSet::new();
        let mut wrong = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let serial = line.split('#').next().unwrap_or(line).trim();
            if serial.is_empty() {
                continue;
            }
            match normal(serial) {
                Some(serial) => {
                    serials.insert(serial);
                }
                None => wrong.push(format!(
                    "line {number}: {serial:?} is not a serial number in hexadecimal"
                )),
            }
        }
        if wrong.is_empty() {
            Ok(Self(serials))
        } else {
            Err(wrong.join("; "))
        }
    }

    /// Whether a certificate with this serial number is on it.
    pub fn has(&self, serial: &str) -> bool {
        !self.0.is_empty() && normal(serial).is_some_and(|serial| self.0.contains(&serial))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The certificate's serial number if it is on the list. One that can't be read is judged elsewhere.
    pub(super) fn names(&self, certificate: &CertificateDer<'_>) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        let serial = CertificateFacts::from_der(certificate).ok()?.serial;
        self.has(&serial).then_some(serial)
    }
}

/// Lower case, without colons and leading zeros.
fn normal(serial: &str) -> Option<String> {
    let digits: String = serial.chars().filter(|c| *c != ':').collect();
    let hexadecimal = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    hexadecimal.then(|| digits.trim_start_matches('0').to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_are_found_however_they_are_written() {
        let list = Revoked::parse("# lost laptop\n0A:bc:01  # ann\n\n00ff\n").unwrap();
        assert_eq!(list.len(), 2);
        for serial in ["abc01", "0abc01", "0ABC01", "ff"] {
            assert!(list.has(serial), "{serial}");
        }
        for serial in ["", "abc", "fff", "zz"] {
            assert!(!list.has(serial), "{serial}");
        }
    }

    #[test]
    fn every_mistake_is_told_and_nothing_is_believed() {
        let wrong = Revoked::parse("ab\nnot hex\nff\n12 34\n").unwrap_err();
        assert!(
            wrong.contains("line 2") && wrong.contains("line 4"),
            "{wrong}"
        );
    }

    #[test]
    fn a_list_that_is_not_there_names_nobody() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Revoked::load(&dir.path().join(REVOKED)).unwrap().is_empty());
    }
}
