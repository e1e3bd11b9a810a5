//! What pushes and pulls images beside the AWS clients: skopeo and podman, installed by apt where they are missing, and
//! docker, whose daemon is only unpacked: installed, it would run by itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{QUESTION_LIMIT, STEP_LIMIT, empty, is_made, is_root, lock};
use crate::workspace::Workspace;
use crate::{process, screen};

/// The programs that must be there, each in Debian's package of its name.
const INSTALLED: [&str; 2] = ["skopeo", "podman"];
/// What a node asks for on its machine, and Debian's package of it.
const OF_NODES: [(&str, &str); 3] = [("nft", "nftables"), ("ip", "iproute2"), ("mke2fs", "e2fsprogs")];
/// Where such programs are, whatever the caller's shell knows.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin";
/// What podman runs as another program, and Debian only recommends beside it: the container runtime.
const WITH_THEM: [&str; 1] = ["crun"];
/// The packages that docker's daemon is made of.
const DOCKER: [&str; 4] = ["containerd", "docker.io", "runc", "tini"];
/// What is in them and as large as the rest.
const UNUSED: [&str; 3] = ["usr/bin/dnet", "usr/bin/ctr", "usr/sbin/ovrouter"];
/// From the daemon's start to its first answer, when it can run at all.
const DAEMON_LIMIT: Duration = Duration::from_secs(40);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// What is known of the daemon: empty when it runs here, else why it does not.
const VERDICT: &str = "verdict";

/// The engines that are there.
#[derive(Debug, Clone)]
pub(crate) struct Engines {
    docker: Option<PathBuf>,
}

impl Engines {
    /// The folder with `usr/sbin/dockerd`, where it runs; tests get it as `PILVI_DOCKER`.
    pub(crate) fn docker(&self) -> Option<&Path> {
        self.docker.as_deref()
    }
}

/// Whether this program may install what is missing: on Debian, as root.
pub(crate) fn can_install() -> Result<bool> {
    Ok(Path::new("/usr/bin/apt-get").exists() && is_root()?)
}

/// Fetches the lists of packages.
pub(crate) fn update_lists() -> Result<()> {
    apt(&["update"])
}

/// Installs Debian's packages and nothing that they merely recommend.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    update_lists()?;
    apt(&[&["install", "--no-install-recommends"], packages].concat())
}

fn apt(arguments: &[&str]) -> Result<()> {
    let mut apt = Command::new("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive").args(["-q", "-y"]).args(arguments);
    process::capture(&mut apt, STEP_LIMIT)?.success().map(drop)
}

/// Skopeo, which the demo uses, and nothing more.
pub(crate) fn prepare_skopeo() -> Result<()> {
    ensure_installed(&INSTALLED[..1])
}

/// What a node uses to connect containers and to limit their disks, installed where it is missing. Without root there is no
/// node, and nothing is needed.
pub(crate) fn prepare_nodes() -> Result<()> {
    if is_root()? { ensure_there(&OF_NODES) } else { Ok(()) }
}

/// Installs those of these programs that are missing, each in Debian's package of it.
pub(crate) fn ensure_there(programs: &[(&str, &str)]) -> Result<()> {
    let missing: Vec<&str> =
        programs.iter().filter(|(name, _)| find(name).is_err()).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" and ");
    ensure!(can_install()?, "{list} are missing, which containers need: install them");
    screen::say(&format!("installing {list} by apt"));
    install(&missing)
}

/// Where a program is that is the system's own.
pub(crate) fn find(program: &str) -> Result<PathBuf> {
    let found = SYSTEM_PATH.split(':').map(|folder| Path::new(folder).join(program)).find(|path| path.is_file());
    found.with_context(|| format!("{program} is not there"))
}

/// The engines, installed and unpacked where they are missing.
pub(crate) fn prepare(workspace: &Workspace) -> Result<Engines> {
    ensure_installed(&INSTALLED)?;
    for name in INSTALLED {
        let said = process::capture(Command::new(name).arg("--version"), QUESTION_LIMIT)?.success()?;
        screen::say(&format!("  {}", said.trim()));
    }
    let docker = docker(workspace)?;
    Ok(Engines { docker })
}

fn ensure_installed(names: &[&str]) -> Result<()> {
    let missing: Vec<&str> = names.iter().copied().filter(|name| !answers(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" and ");
    ensure!(can_install()?, "{list} are missing: install them (Debian: `sudo apt-get install {}`)", missing.join(" "));
    screen::say(&format!("installing {list} by apt (about 60 MB)"));
    let more: &[&str] = if missing.contains(&"podman") { &WITH_THEM } else { &[] };
    install(&[&missing, more].concat())
}

fn answers(program: &str) -> bool {
    process::capture(Command::new(program).arg("--version"), QUESTION_LIMIT).is_ok_and(|said| said.status.success())
}

/// Docker's daemon and client, if they run here. What is found out is kept.
fn docker(workspace: &Workspace) -> Result<Option<PathBuf>> {
    let dir = workspace.target.join("docker");
    let _lock = lock(&dir)?;
    let stamp = DOCKER.join(" ");
    if !is_made(&dir, &stamp) {
        let why = match unpack_docker(&dir) {
            Ok(()) => probe(&dir).err(),
            Err(why) => Some(why),
        };
        remove_probe(&dir)?;
        fs::write(dir.join(VERDICT), why.map(|why| format!("{why:#}")).unwrap_or_default())?;
        fs::write(dir.join(super::STAMP), &stamp)?;
    }
    let verdict = fs::read_to_string(dir.join(VERDICT))?;
    if verdict.is_empty() {
        screen::say("  docker, daemon and client, unpacked and not installed");
        return Ok(Some(dir));
    }
    screen::say(&format!("  docker's daemon does not run here, podman stands for it: {}", verdict.trim()));
    Ok(None)
}

fn unpack_docker(dir: &Path) -> Result<()> {
    empty(dir)?;
    ensure!(can_install()?, "it needs root, and packages of Debian");
    screen::say("docker's daemon and client (about 70 MB to fetch)");
    let mut fetch = Command::new("apt-get");
    fetch.args(["-q", "-o", "APT::Sandbox::User=root", "download"]).args(DOCKER).current_dir(dir);
    process::capture(&mut fetch, STEP_LIMIT)?.success()?;
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            process::capture(Command::new("dpkg-deb").arg("-x").arg(&path).arg(dir), STEP_LIMIT)?.success()?;
            fs::remove_file(path)?;
        }
    }
    for unused in UNUSED {
        let _ = fs::remove_file(dir.join(unused));
    }
    Ok(())
}

/// Starts the daemon on a folder of its own and asks it once.
fn probe(dir: &Path) -> Result<()> {
    let state = dir.join("probe");
    fs::create_dir(&state)?;
    let socket = format!("unix://{}", state.join("docker.sock").display());
    let log = fs::File::create(state.join("log"))?;
    let path = format!("{0}/usr/sbin:{0}/usr/bin:{1}", dir.display(), std::env::var("PATH").unwrap_or_default());
    let mut daemon = Command::new(dir.join("usr/sbin/dockerd"));
    daemon.args(["--iptables=false", "--ip6tables=false", "--bridge=none", "--host", &socket]).env("PATH", &path);
    for (option, name) in [("--data-root", "data"), ("--exec-root", "exec"), ("--pidfile", "pid")] {
        daemon.arg(option).arg(state.join(name));
    }
    daemon.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    let mut daemon = daemon.spawn().context("starting dockerd")?;
    let begun = Instant::now();
    let answered = loop {
        let mut question = Command::new(dir.join("usr/bin/docker"));
        question.args(["--host", &socket, "version"]).env("PATH", &path);
        if process::capture(&mut question, QUESTION_LIMIT).is_ok_and(|said| said.status.success()) {
            break true;
        }
        if daemon.try_wait()?.is_some() || begun.elapsed() > DAEMON_LIMIT {
            break false;
        }
        thread::sleep(LOOK_EVERY);
    };
    if daemon.try_wait()?.is_none() {
        process::signal(daemon.id(), "TERM")?;
        process::wait(&mut daemon, DAEMON_LIMIT).context("dockerd after SIGTERM")?;
    }
    let log = fs::read_to_string(state.join("log")).unwrap_or_default();
    ensure!(answered, "{}", process::last_lines(&log, 1));
    Ok(())
}

/// The probe's traces are in nobody's way any more.
fn remove_probe(dir: &Path) -> Result<()> {
    let probe = dir.join("probe");
    if probe.exists() {
        fs::remove_dir_all(&probe).with_context(|| format!("removing {}", probe.display()))?;
    }
    Ok(())
}
