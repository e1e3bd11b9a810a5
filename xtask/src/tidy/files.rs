//! What holds for every file.

use super::services::is_generated;
use super::{Finding, Tree};

/// More lines than this, and a file is two.
const LINES_MAX: usize = 700;
/// Names that tell nothing about what is inside.
const EMPTY_NAMES: [&str; 8] = ["util", "utils", "helper", "helpers", "common", "manager", "managers", "misc"];
/// People of examples, whose homes are on no machine.
const NOBODY: [&str; 3] = ["ann", "bob", "user"];
/// Source code, by the end of the name.
const SOURCE: [&str; 7] = ["rs", "py", "js", "cjs", "mjs", "ts", "sh"];

/// No file or folder is called after nothing.
pub(crate) fn names_say_what_is_inside(tree: &Tree) -> Vec<Finding> {
    tree.files
        .keys()
        .filter(|path| is_source(path))
        .filter(|path| {
            path.split('/').any(|part| {
                let stem = part.split('.').next().unwrap_or(part).to_ascii_lowercase();
                stem.split(['_', '-']).any(|word| EMPTY_NAMES.contains(&word))
            })
        })
        .map(|path| {
            Finding::new(path, "has a name that tells nothing", "name it after the noun or the operation inside")
        })
        .collect()
}

/// No source file is longer than the limit, unless it is generated.
pub(crate) fn files_are_rooms_not_halls(tree: &Tree) -> Vec<Finding> {
    tree.texts()
        .filter(|(path, text)| is_source(path) && !is_generated(text))
        .filter_map(|(path, text)| {
            let lines = text.lines().count();
            (lines > LINES_MAX).then(|| {
                let problem = format!("has {lines} lines, and {LINES_MAX} are the most");
                Finding::new(path, problem, "divide it by what belongs together")
            })
        })
        .collect()
}

/// No path that exists on one person's machine only.
pub(crate) fn no_path_of_a_machine(tree: &Tree) -> Vec<Finding> {
    let remedy = "use a path below the repository, or one that the user names";
    in_lines(tree, |_, line| path_of_a_machine(line).map(|path| format!("names `{path}`")), remedy)
}

/// No operation, test or branch that waits to be written.
pub(crate) fn nothing_is_left_undone(tree: &Tree) -> Vec<Finding> {
    // In two parts, so that this file does not find itself.
    let marks = [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("#[ign", "ore")];
    let found = |path: &str, line: &str| {
        let mark = marks.iter().find(|mark| line.contains(**mark))?;
        path.ends_with(".rs").then(|| format!("holds `{mark}`"))
    };
    in_lines(tree, found, "write it, or leave it out of what is served")
}

/// `.ci/run` is there and runs the command that the README names.
pub(crate) fn ci_runs_what_a_person_runs(tree: &Tree) -> Vec<Finding> {
    const PATH: &str = ".ci/run";
    let runs = tree.text(PATH).is_some_and(|text| text.contains("cargo xtask test"));
    if runs {
        return Vec::new();
    }
    vec![Finding::new(PATH, "does not run the tests", "let it call `cargo xtask test`")]
}

fn in_lines(tree: &Tree, problem: impl Fn(&str, &str) -> Option<String>, remedy: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts() {
        for (index, line) in text.lines().enumerate() {
            if let Some(problem) = problem(path, line) {
                findings.push(Finding::new(format!("{path}:{}", index + 1), problem, remedy));
            }
        }
    }
    findings
}

/// The first path in a line that lies in a person's home or checkout.
fn path_of_a_machine(line: &str) -> Option<&str> {
    const HOMES: [&str; 3] = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
    HOMES.iter().find_map(|home| line.match_indices(home).find_map(|(start, _)| starts_a_path(line, start, home)))
}

/// The word at `start`, when the path begins there and goes on after the folder: `$HOME/…` and an address's path do not.
fn starts_a_path<'a>(line: &'a str, start: usize, home: &str) -> Option<&'a str> {
    let inside = |c: char| c.is_ascii_alphanumeric() || "_-.~$}>*/".contains(c);
    if line[..start].ends_with(inside) {
        return None;
    }
    let rest = &line[start + home.len()..];
    let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "_-.".contains(c))).unwrap_or(rest.len());
    let somebody = length > 0 && !NOBODY.contains(&&rest[..length]);
    somebody.then(|| &line[start..start + home.len() + length])
}

fn is_source(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, end)| SOURCE.contains(&end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        Tree {
            files: files.iter().map(|(path, text)| ((*path).to_owned(), Some((*text).to_owned()))).collect(),
            ..Tree::default()
        }
    }

    fn places(findings: &[Finding]) -> Vec<&str> {
        findings.iter().map(|finding| finding.place.as_str()).collect()
    }

    #[test]
    fn a_name_that_tells_nothing_is_found_in_a_file_and_in_a_folder() {
        let tree = tree(&[
            ("crates/a/src/string_utils.rs", ""),
            ("crates/common/src/lib.rs", ""),
            ("crates/a/src/commonality.rs", ""),
            ("docs/helpers.md", ""),
        ]);
        assert_eq!(
            places(&names_say_what_is_inside(&tree)),
            ["crates/a/src/string_utils.rs", "crates/common/src/lib.rs"]
        );
    }

    #[test]
    fn a_long_file_is_found_unless_it_is_generated_or_no_source() {
        let long = "\n".repeat(LINES_MAX + 1);
        let generated = format!("// {}\n{long}", crate::codegen::MARKER);
        let tree = tree(&[("a.rs", &long), ("b.rs", &generated), ("c.json", &long)]);
        assert_eq!(places(&files_are_rooms_not_halls(&tree)), ["a.rs"]);
    }

    #[test]
    fn a_path_of_a_machine_is_told_from_an_address_and_from_a_variable() {
        for line in ["cd /wo|rk/main", "\"/ho|me/ada/.config\"", "(/ro|ot/.cargo)"] {
            let line = line.replace('|', "");
            assert!(path_of_a_machine(&line).is_some(), "{line}");
        }
        for line in [
            "$HOME/wo|rk/x",
            "https://example.com/ho|me/x",
            "/ho|me/<name>",
            "/ho|me/ann/x",
            "{dir}/wo|rk/x",
            "/ro|ot/ ",
        ] {
            let line = line.replace('|', "");
            assert_eq!(path_of_a_machine(&line), None, "{line}");
        }
    }

    #[test]
    fn what_waits_to_be_written_is_found_with_its_line() {
        let text = format!("fn a() {{\n    {}\n}}\n", concat!("todo", "!()"));
        assert_eq!(places(&nothing_is_left_undone(&tree(&[("a.rs", &text), ("a.md", &text)]))), ["a.rs:2"]);
    }

    #[test]
    fn a_script_that_runs_something_else_than_the_tests_is_found() {
        assert!(ci_runs_what_a_person_runs(&tree(&[(".ci/run", "cargo xtask test\n")])).is_empty());
        assert_eq!(ci_runs_what_a_person_runs(&tree(&[(".ci/run", "true\n")])).len(), 1);
        assert_eq!(ci_runs_what_a_person_runs(&tree(&[])).len(), 1);
    }
}
