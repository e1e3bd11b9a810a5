//! What a client has written, as a line of the log may carry it.

use std::fmt::{self, Write as _};

/// How many characters of a text are shown.
const SHOWN_MAX: usize = 1000;

/// Displays a text as one line that no terminal obeys and that is not much longer than [`SHOWN_MAX`] characters: the log
/// is read by people, and texts of errors quote what unknown clients send.
#[derive(Debug, Clone, Copy)]
pub(super) struct LogText<'a>(pub(super) &'a str);

impl fmt::Display for LogText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars().take(SHOWN_MAX) {
            if is_plain(character) {
                f.write_char(character)?;
            } else {
                write!(f, "{}", character.escape_default())?;
            }
        }
        if self.0.chars().nth(SHOWN_MAX).is_some() {
            write!(f, "… ({} bytes)", self.0.len())?;
        }
        Ok(())
    }
}

/// Neither a control character, nor one that ends a line or turns the direction of writing.
fn is_plain(character: char) -> bool {
    !character.is_control()
        && !matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_on_its_line_and_steers_nothing() {
        for (text, shown) in [
            ("Value 'é' at \"a\\b\"", "Value 'é' at \"a\\b\""),
            ("a\r\n2026-01-01 INFO forged", "a\\r\\n2026-01-01 INFO forged"),
            ("\u{1b}[31m\u{0}\u{7f}\u{9b}", "\\u{1b}[31m\\u{0}\\u{7f}\\u{9b}"),
            ("\u{202e}\u{2028}", "\\u{202e}\\u{2028}"),
        ] {
            assert_eq!(LogText(text).to_string(), shown);
        }
    }

    #[test]
    fn a_long_text_is_cut() {
        let fits = "é".repeat(SHOWN_MAX);
        assert_eq!(LogText(&fits).to_string(), fits);
        let long = "é".repeat(1_000_000);
        assert_eq!(LogText(&long).to_string(), format!("{fits}… (2000000 bytes)"));
    }
}
