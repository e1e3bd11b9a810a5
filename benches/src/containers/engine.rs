//! What a person types: `run --rm` of Pilvi, docker and podman, each with a server of its own where it has one, the image present.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::mount::{UnmountFlags, unmount};
use serde::Serialize;

use super::busybox::Busybox;
use super::own::PROGRAM;
use super::started::{self, Run};
use crate::daemon::Daemon;
use crate::oci::registry::{Registry, create_repository};
use crate::peer::{Kind, Server};
use crate::setting::Setting;
use crate::signed::Plain;

const REPOSITORY: &str = "bench/busybox";
/// The image's name with docker and podman.
const LOCAL_NAME: &str = "localhost/bench/busybox:1";
/// From the server's first answer until its node has run a container.
const NODE_LIMIT: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Podman asks for more open files than a process without CAP_SYS_RESOURCE may have, unless it is told how many.
const PODMAN_LIMITS: [&str; 2] = ["nofile=1024:1024", "nproc=1024:1024"];
/// docker's bridge, in a network that nobody else is in.
const DOCKER_BRIDGE: &str = "10.213.7.1/24";

/// Whose command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Who {
    Pilvi,
    Docker,
    Podman,
}

impl Who {
    pub(super) const ALL: [Self; 3] = [Self::Pilvi, Self::Docker, Self::Podman];

    /// As tables show it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Pilvi => "pilvi run",
            Self::Docker => "docker run",
            Self::Podman => "podman run",
        }
    }
}

/// One that can run containers.
pub(super) struct Engine {
    pub(super) who: Who,
    means: Means,
    folder: PathBuf,
    image: String,
}

enum Means {
    Pilvi(Box<Server>),
    Docker {
        daemon: Daemon,
        programs: PathBuf,
    },
    /// It has no server; what is started here keeps its network.
    Podman {
        network: Daemon,
    },
}

impl Engine {
    /// Starts it, gives it the image and runs a container.
    ///
    /// # Errors
    /// When it cannot.
    pub(super) fn start(setting: &Setting, who: Who, busybox: &Busybox) -> Result<Self> {
        let folder = setting.scratch.join(who.name().replace(' ', "-"));
        let engine = match who {
            Who::Pilvi => pilvi(setting, folder, busybox)?,
            Who::Docker => docker(folder)?,
            Who::Podman => podman(folder)?,
        };
        if who != Who::Pilvi {
            let archive = busybox.archive(&engine.folder)?;
            printed(engine.command(&["import"]).arg(archive).arg(LOCAL_NAME))?;
        }
        let begun = Instant::now();
        loop {
            match engine.run() {
                // A node that is not there yet is no failure.
                Err(_) if who == Who::Pilvi && begun.elapsed() < NODE_LIMIT => std::thread::sleep(LOOK_EVERY),
                Err(error) => return Err(error.context(engine.last_words())),
                Ok(_) => return Ok(engine),
            }
        }
    }

    /// `run --rm` of a program that prints a line.
    pub(super) fn run(&self) -> Result<Run> {
        started::run(self.run_command(&["--rm"], &PROGRAM))
    }

    /// `run --detach` of a program that does nothing.
    pub(super) fn leave_running(&self, program: &[&str]) -> Result<()> {
        printed(&mut self.run_command(&["--detach"], program)).map(drop)
    }

    /// Its server, if it has one; what runs containers is below it or names its folder.
    pub(super) fn server(&self) -> Option<u32> {
        match &self.means {
            Means::Pilvi(server) => Some(server.pid()),
            Means::Docker { daemon, .. } => Some(daemon.pid()),
            Means::Podman { .. } => None,
        }
    }

    /// Where all its files are.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Removes its containers, and ends.
    pub(super) fn end(self) -> Result<()> {
        self.remove_containers()?;
        match self.means {
            Means::Pilvi(server) => printed(server.command("down").arg("--purge"))?,
            Means::Docker { daemon, .. } => {
                daemon.stop()?;
                String::new()
            }
            Means::Podman { network } => {
                drop(network);
                // It leaves its store mounted on itself.
                let _ = unmount(self.folder.join("store/overlay"), UnmountFlags::DETACH);
                String::new()
            }
        };
        Ok(())
    }

    /// Those that were left running. Pilvi's go with its server.
    fn remove_containers(&self) -> Result<()> {
        if self.who == Who::Pilvi {
            return Ok(());
        }
        let ids = printed(&mut self.command(&["ps", "--all", "--quiet"]))?;
        let ids: Vec<&str> = ids.split_whitespace().collect();
        if ids.is_empty() {
            return Ok(());
        }
        printed(self.command(&["rm", "--force"]).args(ids)).map(drop)
    }

    fn run_command(&self, options: &[&str], program: &[&str]) -> Command {
        let mut command = self.command(&["run"]);
        if self.who == Who::Podman {
            command.args(PODMAN_LIMITS.iter().flat_map(|limit| ["--ulimit", *limit]));
        }
        command.args(options).arg(&self.image).args(program);
        command
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = match &self.means {
            Means::Pilvi(server) => return with_words(server, words),
            Means::Docker { programs, .. } => {
                let mut docker = with_programs(&programs.join("usr/bin/docker"), programs);
                docker.arg("--host").arg(socket(&self.folder)).env("DOCKER_CONFIG", self.folder.join("config"));
                docker
            }
            Means::Podman { network } => {
                let mut podman = Command::new("nsenter");
                podman.arg(format!("--net=/proc/{}/ns/net", network.pid())).arg("podman");
                for (option, name) in [("--root", "store"), ("--runroot", "run"), ("--tmpdir", "tmp")] {
                    podman.arg(option).arg(self.folder.join(name));
                }
                podman.args(["--storage-driver", "overlay", "--cgroup-manager", "cgroupfs", "--runtime", "runc"]);
                podman
            }
        };
        command.args(words);
        command
    }

    fn last_words(&self) -> String {
        match &self.means {
            Means::Pilvi(server) => server.last_words(),
            Means::Docker { daemon, .. } => daemon.last_words(),
            Means::Podman { .. } => String::new(),
        }
    }
}

fn pilvi(setting: &Setting, folder: PathBuf, busybox: &Busybox) -> Result<Engine> {
    let (server, _) = Server::start(setting, Kind::Pilvi, &folder, &Plain::identity())?;
    let caller = server.caller()?;
    create_repository(&caller, REPOSITORY)?;
    Registry::of_pilvi(&caller)?.push(REPOSITORY, "1", &busybox.image)?;
    let image = format!("{}/{REPOSITORY}:1", server.address());
    Ok(Engine { who: Who::Pilvi, means: Means::Pilvi(Box::new(server)), folder, image })
}

/// The command's first word comes before the flag that names the data directory.
fn with_words(server: &Server, words: &[&str]) -> Command {
    let (first, rest) = words.split_first().map_or(("help", &[][..]), |(first, rest)| (*first, rest));
    let mut command = server.command(first);
    command.args(rest);
    command
}

/// docker's daemon in a network namespace of its own: the bridge and rules that it makes are gone with it.
fn docker(folder: PathBuf) -> Result<Engine> {
    let programs = Setting::docker().context("docker's daemon does not run here")?;
    fs::create_dir(&folder)?;
    let mut dockerd = with_programs(Path::new("unshare"), &programs);
    dockerd.arg("--net").arg(programs.join("usr/sbin/dockerd")).arg("--host").arg(socket(&folder));
    for (option, name) in [("--data-root", "data"), ("--exec-root", "exec"), ("--pidfile", "pid")] {
        dockerd.arg(option).arg(folder.join(name));
    }
    dockerd.args(["--bip", DOCKER_BRIDGE]);
    let daemon = Daemon::start("dockerd", dockerd, &folder)?;
    let means = Means::Docker { daemon, programs };
    let mut engine = Engine { who: Who::Docker, means, folder, image: LOCAL_NAME.to_owned() };
    let mut version = engine.command(&["version"]);
    if let Means::Docker { daemon, .. } = &mut engine.means {
        daemon.until(|| printed(&mut version).ok()).with_context(|| daemon.last_words())?;
    }
    Ok(engine)
}

/// podman, whose bridge is in a network namespace that a sleeping process keeps.
fn podman(folder: PathBuf) -> Result<Engine> {
    fs::create_dir(&folder)?;
    let mut keeper = Command::new("unshare");
    keeper.args(["--net", "sleep", "infinity"]);
    let network = Daemon::start("the keeper of podman's network", keeper, &folder)?;
    let own = fs::read_link("/proc/self/ns/net")?;
    let theirs = format!("/proc/{}/ns/net", network.pid());
    let begun = Instant::now();
    while fs::read_link(&theirs)? == own {
        ensure!(begun.elapsed() < NODE_LIMIT, "podman's network namespace is not there");
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(Engine { who: Who::Podman, means: Means::Podman { network }, folder, image: LOCAL_NAME.to_owned() })
}

fn socket(folder: &Path) -> String {
    format!("unix://{}", folder.join("docker.sock").display())
}

/// A program of docker's that finds the others.
fn with_programs(program: &Path, programs: &Path) -> Command {
    let mut command = Command::new(program);
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{0}/usr/sbin:{0}/usr/bin:{path}", programs.display()));
    command
}

/// What a command prints.
fn printed(command: &mut Command) -> Result<String> {
    let name = command.get_program().display().to_string();
    let Output { status, stdout, stderr } =
        command.stdin(Stdio::null()).output().with_context(|| format!("starting {name}"))?;
    ensure!(status.success(), "{name} failed ({status}): {}", String::from_utf8_lossy(&stderr).trim());
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}
