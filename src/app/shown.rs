//! Text of others that is printed: what a terminal would obey instead of showing it is told by its number.
//!
//! Owns: which characters those are: what moves the cursor, ends lines, turns the direction of writing, or cannot be seen.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io;

/// Text as a part of a line for people.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a>(pub &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '"' | '\'' => f.write_char(c),
            // The backslash, too: what stands here is told apart from what is told.
            c => write!(f, "{}", c.escape_debug()),
        })
    }
}

/// Takes lines of JSON, one with each call: the log has paths of requests in it, and people look at it.
#[derive(Debug)]
pub struct JsonLines<W>(pub W);

impl<W: io::Write> io::Write for JsonLines<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match str::from_utf8(line) {
            Ok(text) => self.0.write_all(json(text).as_bytes())?,
            Err(_) => self.0.write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// JSON that means the same.
pub(super) fn json(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    shown.into()
}

/// Outside of its strings, JSON is ASCII; inside, the other control characters are told by their numbers already.
fn is_hidden(c: char) -> bool {
    !matches!(c, ' '..='~' | '\n') && c.escape_debug().len() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a terminal may take for more than text, by kind.
    const HIDDEN: [&str; 12] = [
        "\u{1b}[31m",
        "\u{7f}",
        "\u{9b}31m",
        "\u{85}",
        "\u{202e}",
        "\u{2066}",
        "\u{200b}",
        "\u{2028}",
        "\u{2029}",
        "\u{feff}",
        "\u{e0001}",
        "\0",
    ];

    #[test]
    fn nothing_reaches_a_terminal_but_what_can_be_seen() {
        for text in HIDDEN {
            let shown = Shown(text).to_string();
            assert!(shown.starts_with('\\') && shown.is_ascii(), "{shown}");
        }
        assert_eq!(Shown("a\u{9b}b\nc").to_string(), r"a\u{9b}b\nc");
        assert_eq!(Shown(r"a\u{9b}").to_string(), r"a\\u{9b}");
        for text in ["\"a'b\"", "/dir/ü-日本.zip", "a b"] {
            assert_eq!(Shown(text).to_string(), text);
        }
    }

    #[test]
    fn json_means_the_same() {
        for text in HIDDEN {
            let plain = serde_json::to_string_pretty(&[text]).unwrap();
            let shown = json(&plain);
            assert!(shown.is_ascii() && !shown.contains('\u{7f}'), "{shown}");
            assert_eq!(serde_json::from_str::<[String; 1]>(&shown).unwrap(), [text]);
        }
        let plain = serde_json::to_string_pretty(&["ü\"日本\\"]).unwrap();
        assert_eq!(json(&plain), plain);
        let mut lines = Vec::new();
        let line = "{\"path\":\"/\u{9b}31m\"}\n".as_bytes();
        assert_eq!(io::Write::write(&mut JsonLines(&mut lines), line).unwrap(), line.len());
        assert_eq!(lines, b"{\"path\":\"/\\u009b31m\"}\n");
    }
}
