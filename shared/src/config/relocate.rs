//! Option files read in another place than their own: every include leads to the copy.

use super::read::{Line, classify};

/// The text with the targets of its includes replaced. Everything else stays byte for byte.
pub fn relocated(text: &[u8], place: impl Fn(&str) -> String) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for (number, line) in text.split(|b| *b == b'\n').enumerate() {
        if number > 0 {
            out.push(b'\n');
        }
        match classify(line) {
            Line::Include(target) => {
                out.extend_from_slice(format!("!include {}", place(&target)).as_bytes());
            }
            Line::IncludeDir(target) => {
                out.extend_from_slice(format!("!includedir {}", place(&target)).as_bytes());
            }
            Line::Nothing
            | Line::IncludeNothing
            | Line::Group(_)
            | Line::BrokenGroup
            | Line::Option(..) => out.extend_from_slice(line),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_includes_change() {
        let text = b"# !include /no\n!includedir /etc/mysql/conf.d/\r\n[mysqld]\na=\xff!include /x\n  !include  /etc/a b.cnf\n";
        let moved = relocated(text, |target| format!("/copy{target}"));
        assert_eq!(
            moved,
            b"# !include /no\n!includedir /copy/etc/mysql/conf.d/\n[mysqld]\na=\xff!include /x\n!include /copy/etc/a b.cnf\n"
        );
        assert_eq!(relocated(b"", |_| String::new()), b"");
    }
}
