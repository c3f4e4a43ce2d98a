//! Words that a later server reserves: as a bare identifier they no longer parse.
//!
//! Source: tried one by one as unquoted column names on real servers 5.7, 8.0, 8.4 and 9.7; the manual's "Keywords and Reserved
//! Words". `information_schema.keywords` is no source: 8.4's does not list the four words that 8.4 reserved.

use crate::version::MysqlVersion;

/// A word, from which release on it is reserved, and from which on it no longer is.
#[derive(Debug, Clone, Copy)]
pub struct Keyword {
    /// In capitals.
    pub word: &'static str,
    pub reserved: MysqlVersion,
    pub freed: Option<MysqlVersion>,
    /// Also a part of ordinary statements before it was reserved, so that seeing it in stored code says nothing.
    pub common: bool,
}

const V8: MysqlVersion = MysqlVersion::new(8, 0, 11);
const V84: MysqlVersion = MysqlVersion::new(8, 4, 0);
/// Somewhere between 8.4 and 9.7; the earliest is the stricter reading.
const V9: MysqlVersion = MysqlVersion::new(9, 0, 0);
const V97: MysqlVersion = MysqlVersion::new(9, 7, 0);

const fn word(word: &'static str, reserved: MysqlVersion) -> Keyword {
    Keyword {
        word,
        reserved,
        freed: None,
        common: false,
    }
}
const fn common(word: &'static str) -> Keyword {
    Keyword {
        word,
        reserved: V8,
        freed: None,
        common: true,
    }
}
const fn until(word: &'static str, reserved: MysqlVersion, freed: MysqlVersion) -> Keyword {
    Keyword {
        word,
        reserved,
        freed: Some(freed),
        common: false,
    }
}

pub const KEYWORDS: &[Keyword] = &[
    word("CUBE", V8),
    word("CUME_DIST", V8),
    word("DENSE_RANK", V8),
    word("EMPTY", V8),
    word("EXCEPT", V8),
    word("EXTERNAL", V9),
    word("FIRST_VALUE", V8),
    common("FUNCTION"),
    word("GROUPING", V8),
    word("GROUPS", V8),
    word("INTERSECT", MysqlVersion::new(8, 0, 31)),
    word("JSON_TABLE", V8),
    word("LAG", V8),
    word("LAST_VALUE", V8),
    word("LATERAL", MysqlVersion::new(8, 0, 14)),
    word("LEAD", V8),
    word("LIBRARY", V9),
    until("MANUAL", V84, V97),
    word("NTH_VALUE", V8),
    word("NTILE", V8),
    common("OF"),
    word("OVER", V8),
    until("PARALLEL", V84, V97),
    word("PERCENT_RANK", V8),
    word("QUALIFY", V84),
    word("RANK", V8),
    common("RECURSIVE"),
    common("ROW"),
    common("ROWS"),
    word("ROW_NUMBER", V8),
    common("SYSTEM"),
    word("TABLESAMPLE", V84),
    word("WINDOW", V8),
];

impl Keyword {
    pub fn reserved_in(&self, version: MysqlVersion) -> bool {
        self.reserved <= version && self.freed.is_none_or(|freed| version < freed)
    }
}

/// The keyword, when the target reserves it and the source does not.
pub fn newly_reserved(
    word: &str,
    from: MysqlVersion,
    to: MysqlVersion,
) -> Option<&'static Keyword> {
    let keyword = KEYWORDS
        .iter()
        .find(|k| k.word.eq_ignore_ascii_case(word))?;
    (keyword.reserved_in(to) && !keyword.reserved_in(from)).then_some(keyword)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_and_go() {
        let new = |word, from: &str, to: &str| {
            newly_reserved(word, from.parse().unwrap(), to.parse().unwrap()).is_some()
        };
        for (word, from, to, expected) in [
            ("rank", "5.7.44", "8.0.46", true),
            ("rank", "8.0.20", "8.4.6", false),
            ("Lateral", "8.0.13", "8.0.14", true),
            ("intersect", "8.0.30", "8.0.46", true),
            ("qualify", "8.0.46", "8.4.0", true),
            ("qualify", "8.0.46", "9.7.4", true),
            ("manual", "8.0.46", "8.4.6", true),
            // Reserved on the way, free again at the end.
            ("manual", "8.0.46", "9.7.4", false),
            ("parallel", "8.4.6", "9.7.4", false),
            ("library", "8.4.6", "9.7.4", true),
            ("library", "9.7.3", "9.7.4", false),
            ("orders", "5.7.44", "9.7.4", false),
        ] {
            assert_eq!(new(word, from, to), expected, "{word} {from} {to}");
        }
    }

    #[test]
    fn the_list_is_in_order_and_in_capitals() {
        assert!(KEYWORDS.is_sorted_by(|a, b| a.word < b.word));
        assert!(
            KEYWORDS
                .iter()
                .all(|k| k.word == k.word.to_ascii_uppercase())
        );
    }
}
