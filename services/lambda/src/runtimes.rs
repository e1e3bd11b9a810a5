//! What our own runtimes are made of: the programs that take events from the Runtime API and hand them to a function's handler,
//! and what the images are called that have them.
//!
//! Whoever makes a runtime of an interpreter puts one of the programs beside it.

/// The registry that runtimes are said to be in: one that nobody can have. (RFC 6761, section 6.4.)
pub const REGISTRY: &str = "lambda.pilvi.invalid";
/// The repository in it; an image's tag is the runtime's name.
pub const REPOSITORY: &str = "runtime";

/// Python's: a module whose `main` serves events until the environment ends, and answers the process's exit code.
pub const PYTHON: &[u8] = include_bytes!("../runtimes/python/bootstrap.py");
/// Node.js's: an ECMAScript module that does so when it is imported.
pub const NODEJS: &[u8] = include_bytes!("../runtimes/nodejs/bootstrap.mjs");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::spec::RUNTIME_IMAGES;

    #[test]
    fn environments_ask_for_the_images_by_the_name_that_they_have() {
        assert_eq!(RUNTIME_IMAGES, format!("{REGISTRY}/{REPOSITORY}:"));
    }
}
