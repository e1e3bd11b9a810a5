//! What the name of a runtime says.

use lambda::configuration::runtime::{Standing, standing};

/// Which kind of runtime a name means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family<'a> {
    /// None but a system: the function brings its program.
    Provided,
    /// Python, of this version: `3.13`.
    Python(&'a str),
    /// Node.js, of this major version: `24`.
    Nodejs(&'a str),
    /// One that this program has no client for.
    Other,
}

/// Whether Lambda has, or has had, a runtime of this name.
pub(crate) fn is_known(name: &str) -> bool {
    family(name).is_some()
}

/// What a name means; nothing if Lambda has never had a runtime of it.
pub(super) fn family(name: &str) -> Option<Family<'_>> {
    if standing(name) == Standing::Unknown {
        return None;
    }
    Some(if name == "provided" || name.starts_with("provided.") {
        Family::Provided
    } else if let Some(version) = name.strip_prefix("python") {
        Family::Python(version)
    } else if let Some(version) = name.strip_prefix("nodejs").and_then(|rest| rest.strip_suffix(".x")) {
        Family::Nodejs(version)
    } else {
        Family::Other
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_the_language_and_its_version() {
        for (name, expected) in [
            ("provided.al2023", Some(Family::Provided)),
            ("python3.13", Some(Family::Python("3.13"))),
            ("nodejs24.x", Some(Family::Nodejs("24"))),
            ("nodejs20.x", Some(Family::Nodejs("20"))),
            ("java21", Some(Family::Other)),
            ("nodejs4.3-edge", Some(Family::Other)),
            ("python9", None),
            ("../etc", None),
        ] {
            assert_eq!(family(name), expected, "{name}");
        }
    }
}
