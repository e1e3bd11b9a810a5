//! The images that tests and demo use: built once, by `tests/images/build.py`, out of Debian's packages.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{empty, engines, is_made, lock, stamp, system_python};
use crate::workspace::Workspace;
use crate::{process, screen};

/// Fetching the packages and compressing the layers, on a slow network and a busy machine.
const BUILD_LIMIT: Duration = Duration::from_secs(600);
/// The files that decide what is built.
const RECIPES: [&str; 5] = ["build.py", "debian.py", "layer.py", "layout.py", "recipes.py"];
/// The images that must be there afterwards.
const NAMES: [&str; 4] = ["busybox", "static", "python", "node"];

/// The folder of image layouts, which tests get as `PILVI_IMAGES`; built when it is missing or a recipe has changed.
pub(crate) fn prepare(workspace: &Workspace) -> Result<PathBuf> {
    let begun = Instant::now();
    let dir = dir(workspace)?;
    let _lock = lock(&dir)?;
    let recipes = workspace.root.join("tests/images");
    let stamp = stamp(&recipes, &RECIPES)?;
    let layouts = NAMES.map(|name| dir.join(name).join("index.json"));
    if is_made(&dir, &stamp) && layouts.iter().all(|layout| layout.exists()) {
        screen::say(&format!("images are in place: {}", dir.display()));
        return Ok(dir);
    }
    let python = system_python()?;
    empty(&dir)?;
    let build = || {
        let mut build = Command::new(&python);
        build.arg("-B").arg(recipes.join("build.py")).arg(&dir);
        process::capture(&mut build, BUILD_LIMIT)?.success()
    };
    screen::say("images out of Debian's packages, about 40 MB of them");
    let said = match build() {
        // A machine whose lists of packages are missing or old knows no package to fetch.
        Err(_) if engines::can_install()? => {
            engines::update_lists()?;
            build()
        }
        said => said,
    }
    .context("building the images")?;
    for line in said.lines() {
        screen::say(&format!("  {line}"));
    }
    for layout in layouts {
        ensure!(layout.exists(), "the recipes have not made {}", layout.display());
    }
    // The layouts are what is kept; the packages can be fetched again.
    fs::remove_dir_all(dir.join("packages"))?;
    fs::write(dir.join(super::STAMP), stamp)?;
    screen::say(&format!("images made in {}: {}", screen::seconds(begun.elapsed()), dir.display()));
    Ok(dir)
}

fn dir(workspace: &Workspace) -> Result<PathBuf> {
    match std::env::var_os("PILVI_IMAGES_DIR") {
        Some(dir) => std::path::absolute(&dir).with_context(|| format!("PILVI_IMAGES_DIR={}", dir.display())),
        None => Ok(workspace.target.join("images")),
    }
}
