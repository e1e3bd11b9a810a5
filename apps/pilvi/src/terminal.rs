//! What a person reads on standard output, and how values are quoted for a shell to read.

use std::fmt;
use std::io::{self, Write};

/// Writes one line at once. That nobody reads any more (a closed pipe) is no reason to stop working.
pub(crate) fn say(line: impl AsRef<str>) {
    let _ = write(line.as_ref());
}

fn write(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(line.as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}

/// A text of the server's, or of a file that it could write, as a terminal may show it: the server could be hostile, and
/// the terminal root's.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if steers(c) { ' ' } else { c }).collect()
}

/// The same for a JSON document: what is in its strings stays what it is, and is written as an escape.
pub(crate) fn printable_json(document: &str) -> String {
    let mut shown = String::with_capacity(document.len());
    for c in document.chars() {
        if c == '\n' || !steers(c) {
            shown.push(c);
        } else {
            // All of them are in the basic plane, so that one escape says each.
            let _ = fmt::Write::write_fmt(&mut shown, format_args!("\\u{:04x}", u32::from(c)));
        }
    }
    shown
}

/// Whether a character is one that a terminal obeys, or that ends a line or turns the direction of what follows.
fn steers(c: char) -> bool {
    let turns =
        |c| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns(c)
}

/// A number of bytes as a person reads it, in decimal units and three digits.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if count < 1000 {
        return format!("{count} B");
    }
    // The unit is chosen by what is shown, so that nothing is shown as 1000 kB.
    let mut scaled = count as f64 / 1000.0;
    let mut unit = 0;
    while scaled >= 999.5 && unit + 1 < UNITS.len() {
        scaled /= 1000.0;
        unit += 1;
    }
    let decimals = if scaled < 9.995 { 2 } else { usize::from(scaled < 99.95) };
    format!("{scaled:.decimals$} {}", UNITS[unit])
}

/// The shells whose language `pilvi env` writes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Shell {
    /// bash and every other POSIX shell.
    #[default]
    #[value(alias = "sh", alias = "zsh", alias = "dash", alias = "ksh")]
    Bash,
    /// fish.
    Fish,
}

impl Shell {
    /// The caller's login shell.
    pub(crate) fn of_caller() -> Self {
        let shell = std::env::var("SHELL").unwrap_or_default();
        if shell.rsplit('/').next() == Some("fish") { Self::Fish } else { Self::Bash }
    }

    /// A word that the shell reads back as `text`, whatever is in it.
    pub(crate) fn quote(self, text: &str) -> String {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-./:@%+,".contains(&b);
        if !text.is_empty() && text.bytes().all(plain) {
            return text.to_owned();
        }
        match self {
            Self::Bash => format!("'{}'", text.replace('\'', r"'\''")),
            Self::Fish => format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'")),
        }
    }

    /// The command that sets an exported variable.
    pub(crate) fn export(self, name: &str, value: &str) -> String {
        match self {
            Self::Bash => format!("export {name}={}", self.quote(value)),
            Self::Fish => format!("set -gx {name} {}", self.quote(value)),
        }
    }

    /// The command that removes an exported variable.
    pub(crate) fn unset(self, name: &str) -> String {
        match self {
            Self::Bash => format!("unset {name}"),
            Self::Fish => format!("set -e {name}"),
        }
    }

    /// The line to paste, so that the shell takes over what `command` prints.
    pub(crate) fn source(self, command: &str) -> String {
        match self {
            Self::Bash => format!("eval \"$({command})\""),
            Self::Fish => format!("{command} --shell fish | source"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_cannot_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\nc\u{9b}"), "a [2Jb c ");
        assert_eq!(printable("a\u{202e}b\u{2066}c\u{2028}d é"), "a b c d é");
    }

    #[test]
    fn a_json_document_says_the_same_and_steers_nothing() {
        let value = serde_json::json!({ "a\u{9b}": ["\u{1b}\u{7f}\u{202e}\u{85}\n\"\\", "é𝄞"] });
        let shown = printable_json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(!shown.contains(|c| c != '\n' && steers(c)), "{shown:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }

    #[test]
    fn sizes_have_three_digits_and_a_unit() {
        for (count, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.00 kB"),
            (9_994, "9.99 kB"),
            (9_999, "10.0 kB"),
            (99_949, "99.9 kB"),
            (99_999, "100 kB"),
            (999_999, "1.00 MB"),
            (330_000_000, "330 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(bytes(count), expected, "{count}");
        }
    }

    #[test]
    fn plain_values_stay_bare_and_others_are_quoted() {
        assert_eq!(Shell::Bash.export("A", "http://127.0.0.1:4566"), "export A=http://127.0.0.1:4566");
        assert_eq!(Shell::Bash.quote("a b"), "'a b'");
        assert_eq!(Shell::Bash.quote("it's $(rm) `x`"), r"'it'\''s $(rm) `x`'");
        assert_eq!(Shell::Bash.quote(""), "''");
        assert_eq!(Shell::Fish.quote(r"it's \"), r"'it\'s \\'");
        assert_eq!(Shell::Fish.export("A", "~"), "set -gx A '~'");
    }

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        for text in ["it's", "$HOME", "a\nb", "\\", "*", "~", "a;b", "\"", "-n"] {
            let script = format!("printf %s {}", Shell::Bash.quote(text));
            let output = std::process::Command::new("/bin/sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), text);
        }
    }
}
