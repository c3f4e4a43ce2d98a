//! The bare words of SQL text: what stands outside comments, strings and quoted names. Enough to tell whether stored code uses
//! a word as an identifier or calls a function; no more than that.

/// One word that stands by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word<'a> {
    pub text: &'a str,
    /// An opening parenthesis follows: a call, or a list of columns.
    pub calls: bool,
    /// It follows a dot or an at sign: part of a qualified name or a variable, where reserved words are allowed.
    pub qualified: bool,
}

/// The bare words in order. Quoted names that are called (`` `md5`( ``) count as words, since the server stores calls so.
pub fn words(text: &str) -> Vec<Word<'_>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    let mut before = 0u8;
    while at < bytes.len() {
        let byte = bytes[at];
        let end = match byte {
            b'\'' | b'"' => quoted(bytes, at, byte),
            b'`' => {
                let end = quoted(bytes, at, byte);
                let calls = called(bytes, end);
                if calls && end >= at + 2 {
                    let qualified = before == b'.';
                    let text = &text[at + 1..end - 1];
                    found.push(Word {
                        text,
                        calls,
                        qualified,
                    });
                }
                end
            }
            b'#' => line(bytes, at),
            b'-' if bytes[at..].starts_with(b"--")
                && bytes.get(at + 2).is_none_or(u8::is_ascii_whitespace) =>
            {
                line(bytes, at)
            }
            b'/' if bytes[at..].starts_with(b"/*") && executed(bytes, at).is_none() => {
                comment(bytes, at)
            }
            // What stands in /*! … */ is executed, so it is read; its end is no word.
            b'/' if bytes[at..].starts_with(b"/*") => executed(bytes, at).unwrap_or(at + 2),
            b if is_word(b) => {
                let end = (at..bytes.len())
                    .find(|i| !is_word(bytes[*i]))
                    .unwrap_or(bytes.len());
                let qualified = matches!(before, b'.' | b'@');
                // A number is no word; `1e5` neither.
                if !b.is_ascii_digit() {
                    let calls = called(bytes, end);
                    let text = &text[at..end];
                    found.push(Word {
                        text,
                        calls,
                        qualified,
                    });
                }
                end
            }
            _ => at + 1,
        };
        if !byte.is_ascii_whitespace() {
            before = byte;
        }
        at = end;
    }
    found
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

fn called(bytes: &[u8], end: usize) -> bool {
    let next = bytes[end..].iter().find(|b| !b.is_ascii_whitespace());
    next == Some(&b'(')
}

/// Behind the closing quote; a doubled quote and (outside backticks) a backslash do not close.
fn quoted(bytes: &[u8], from: usize, quote: u8) -> usize {
    let mut at = from + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if quote != b'`' => at += 2,
            b if b == quote && bytes.get(at + 1) == Some(&quote) => at += 2,
            b if b == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn line(bytes: &[u8], from: usize) -> usize {
    let end = bytes[from..].iter().position(|b| *b == b'\n');
    end.map_or(bytes.len(), |end| from + end + 1)
}

fn comment(bytes: &[u8], from: usize) -> usize {
    let end = bytes[from + 2..].windows(2).position(|two| two == b"*/");
    end.map_or(bytes.len(), |end| from + 2 + end + 2)
}

/// Behind `/*!80000 `, where what follows is executed.
fn executed(bytes: &[u8], from: usize) -> Option<usize> {
    if !bytes[from..].starts_with(b"/*!") {
        return None;
    }
    let digits = bytes[from + 3..].iter().take_while(|b| b.is_ascii_digit());
    Some(from + 3 + digits.count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bare(text: &str) -> Vec<&str> {
        let words = words(text).into_iter();
        words.filter(|w| !w.qualified).map(|w| w.text).collect()
    }

    fn calls(text: &str) -> Vec<&str> {
        let words = words(text).into_iter();
        words.filter(|w| w.calls).map(|w| w.text).collect()
    }

    #[test]
    fn comments_strings_and_quoted_names_are_no_words() {
        for (text, expected) in [
            ("select 1", &["select"][..]),
            ("a -- parallel\nb", &["a", "b"]),
            ("a --parallel", &["a", "parallel"]),
            ("a # parallel\nb", &["a", "b"]),
            ("a /* parallel */ b", &["a", "b"]),
            ("a /* parallel", &["a"]),
            ("a /*!80400 parallel */ b", &["a", "parallel", "b"]),
            ("'parallel' \"parallel\" `parallel`", &[]),
            ("'it''s' 'it\\'s' parallel", &["parallel"]),
            ("t.parallel, @parallel, parallel", &["t", "parallel"]),
            ("größe", &["größe"]),
            ("'open", &[]),
            ("", &[]),
        ] {
            assert_eq!(bare(text), expected, "{text}");
        }
    }

    #[test]
    fn a_call_is_a_word_before_a_parenthesis() {
        assert_eq!(
            calls("md5(a) + `sha1` (b) + sha + 'md5(x)'"),
            ["md5", "sha1"]
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_its_end(text in "[ -~`'\"/*#\\n\\\\é]{0,60}") {
            for word in words(&text) {
                prop_assert!(text.contains(word.text));
            }
        }
    }
}
