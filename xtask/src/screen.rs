//! What a person sees: headings, tables, commands as they would be typed. Colour only on a terminal.

use std::io::IsTerminal;
use std::time::Duration;

/// A heading above what follows.
pub(crate) fn heading(text: &str) {
    println!("\n{}", paint("1", &format!("== {text}")));
}

/// One line of narration.
pub(crate) fn say(text: &str) {
    println!("   {text}");
}

/// Text in the colour of what went well.
pub(crate) fn good(text: &str) -> String {
    paint("32", text)
}

/// Text in the colour of what failed.
pub(crate) fn bad(text: &str) -> String {
    paint("1;31", text)
}

/// Text that steps back behind the rest.
pub(crate) fn faint(text: &str) -> String {
    paint("2", text)
}

/// Text that stands out.
pub(crate) fn bold(text: &str) -> String {
    paint("1", text)
}

/// Seconds with one decimal: `3.4 s`.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// Rows in columns as wide as their widest cell.
pub(crate) fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str("   ");
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// A command as a person would type it: quoted where the shell needs it, and broken before its options when it is long.
pub(crate) fn typed(program: &str, arguments: &[&str]) -> String {
    const LONG: usize = 100;
    let words: Vec<String> = arguments.iter().map(|word| quoted(word)).collect();
    let one_line = format!("{program} {}", words.join(" "));
    if one_line.trim_end().chars().count() <= LONG {
        return one_line.trim_end().to_owned();
    }
    let mut text = program.to_owned();
    for word in words {
        text.push_str(if word.starts_with("--") { " \\\n      " } else { " " });
        text.push_str(&word);
    }
    text
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn paint(code: &str, text: &str) -> String {
    let coloured = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    if coloured { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_lines_end_without_spaces() {
        let rows = [["a".to_owned(), "1".to_owned()], ["long".to_owned(), String::new()]];
        assert_eq!(table(&rows), "   a     1\n   long\n");
    }

    #[test]
    fn a_command_is_quoted_where_the_shell_needs_it() {
        assert_eq!(typed("aws", &["sts", "get-caller-identity"]), "aws sts get-caller-identity");
        assert_eq!(typed("aws", &["--query", "a[0].b", "it's", ""]), r"aws --query 'a[0].b' 'it'\''s' ''");
    }

    #[test]
    fn a_long_command_is_broken_before_its_options() {
        let value = "x".repeat(90);
        let text = typed("aws", &["iam", "create-role", "--role-name", "reader", "--description", &value]);
        assert_eq!(text, format!("aws iam create-role \\\n      --role-name reader \\\n      --description {value}"));
    }
}
