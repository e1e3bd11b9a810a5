//! What the lock files may and may not hold.

use toml::{Table, Value};

use super::{Finding, Tree};

/// Crates that would need more than cargo and a C compiler to build, that bring a second provider of something, or that
/// nobody keeps any more; with what to use.
const BANNED: [(&str, &str); 11] = [
    ("aws-lc-rs", "`ring` is the one TLS provider: turn the feature off that brings it"),
    ("aws-lc-sys", "`ring` is the one TLS provider: turn the feature off that brings it"),
    ("openssl", "use rustls with `ring`"),
    ("openssl-sys", "use rustls with `ring`"),
    ("native-tls", "use rustls with `ring`"),
    ("cmake", "the build needs no cmake: choose a crate that does without"),
    ("bindgen", "the build needs no clang: choose a crate with its bindings made"),
    ("protobuf-src", "the build needs no protoc: choose a crate that does without"),
    ("tokio-tar", "it is not kept any more and has open advisories: use `tar`"),
    ("async-tar", "it is not kept any more and has open advisories: use `tar`"),
    ("serde_yaml", "it is not kept any more: use a kept successor"),
];

/// No crate in `Cargo.lock` that is banned. Development dependencies count: tests must build on the same machines.
pub(crate) fn no_banned_crate(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts().filter(|(path, _)| path.ends_with("Cargo.lock")) {
        for name in packages(text) {
            if let Some((_, remedy)) = BANNED.iter().find(|(banned, _)| *banned == name) {
                let tree = format!("{remedy} (`cargo tree --target all -i {name}` shows who)");
                findings.push(Finding::new(path, format!("`{name}` is banned"), tree));
            }
        }
    }
    findings
}

/// npm's lock file names no registry, so that every machine uses its own.
pub(crate) fn no_registry_host(tree: &Tree) -> Vec<Finding> {
    tree.texts()
        .filter(|(path, text)| path.ends_with("package-lock.json") && text.contains("\"resolved\""))
        .map(|(path, _)| {
            Finding::new(
                path,
                "names the registry it was made with",
                "make it with `npm install --package-lock-only --omit-lockfile-registry-resolved`",
            )
        })
        .collect()
}

fn packages(lock: &str) -> Vec<String> {
    let lock: Table = toml::from_str(lock).unwrap_or_default();
    let packages = lock.get("package").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    packages.iter().filter_map(|package| package.get("name")?.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(path: &str, text: &str) -> Tree {
        Tree { files: [(path.to_owned(), Some(text.to_owned()))].into(), ..Tree::default() }
    }

    #[test]
    fn a_banned_crate_is_found_by_its_whole_name() {
        let lock = "version = 4\n[[package]]\nname = \"cmake\"\nversion = \"0.1.0\"\n\
                    [[package]]\nname = \"cmake-like\"\nversion = \"0.1.0\"\n";
        let found = no_banned_crate(&tree("Cargo.lock", lock));
        assert_eq!(found.len(), 1);
        assert!(found[0].to_string().contains("`cmake` is banned"));
    }

    #[test]
    fn a_registry_in_the_lock_file_of_npm_is_found() {
        assert_eq!(no_registry_host(&tree("a/package-lock.json", r#"{"resolved": "x"}"#)).len(), 1);
        assert!(no_registry_host(&tree("a/package-lock.json", r#"{"integrity": "x"}"#)).is_empty());
    }
}
