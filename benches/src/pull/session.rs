//! The ways from a reference to a root: each with an empty store of its own, which is gone when the session ends.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::ValueEnum;
use rustix::mount::{UnmountFlags, unmount};
use serde::Serialize;

use super::command::{self, Cost};
use super::disk::Disk;
use crate::daemon::Daemon;
use crate::oci::tree::Content;
use crate::peer::{Kind, Server};
use crate::processes::CpuTicks;
use crate::setting::Setting;
use crate::signed::Plain;

/// Who pulls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(super) enum Who {
    Pilvi,
    SkopeoUmoci,
    Podman,
    Containerd,
}

impl Who {
    pub(super) const ALL: [Self; 4] = [Self::Pilvi, Self::Containerd, Self::Podman, Self::SkopeoUmoci];

    /// As tables show it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Pilvi => "Pilvi",
            Self::SkopeoUmoci => "skopeo, umoci",
            Self::Podman => "podman",
            Self::Containerd => "containerd",
        }
    }

    /// umoci of Debian 12 knows gzip alone.
    pub(super) const fn knows_zstd(self) -> bool {
        !matches!(self, Self::SkopeoUmoci)
    }
}

/// A store, and what fills it.
pub(super) struct Session {
    means: Means,
    /// Everything of this session.
    folder: PathBuf,
    /// It goes last.
    _disk: Disk,
}

enum Means {
    Pilvi(Box<Server>),
    Containerd(Daemon),
    Podman,
    SkopeoUmoci { pulled: u32 },
}

impl Session {
    /// Begins with an empty store.
    pub(super) fn begin(setting: &Setting, who: Who) -> Result<Self> {
        let disk = Disk::new(&setting.scratch)?;
        let folder = disk.folder().join("session");
        let means = match who {
            Who::Pilvi => Means::Pilvi(Box::new(Server::start(setting, Kind::Pilvi, &folder, &Plain::identity())?.0)),
            Who::Containerd => Means::Containerd(containerd(&folder)?),
            Who::Podman => {
                fs::create_dir(&folder)?;
                Means::Podman
            }
            Who::SkopeoUmoci => {
                fs::create_dir(&folder)?;
                Means::SkopeoUmoci { pulled: 0 }
            }
        };
        Ok(Self { means, folder, _disk: disk })
    }

    /// The server, in a session of Pilvi.
    pub(super) fn server(&self) -> Option<&Server> {
        match &self.means {
            Means::Pilvi(server) => Some(server),
            _ => None,
        }
    }

    /// Pulls an image until its root is there.
    ///
    /// # Errors
    /// When a program fails.
    pub(super) fn pull(&mut self, reference: &str) -> Result<Cost> {
        let daemon = self.daemon();
        // What somebody else has left to be written is nobody's to wait for.
        rustix::fs::sync();
        let before = daemon.map(CpuTicks::now);
        let cost = self.run(reference).with_context(|| self.last_words())?;
        let of_daemon = daemon.zip(before).map_or(0.0, |(pid, before)| CpuTicks::now(pid).since(before).server_s());
        Ok(Cost { cpu_s: cost.cpu_s + of_daemon, ..cost })
    }

    fn run(&mut self, reference: &str) -> Result<Cost> {
        let folder = &self.folder;
        match &mut self.means {
            Means::Pilvi(server) => {
                let mut pilvi = server.command("pull");
                pilvi.arg(reference);
                command::run(pilvi, folder)
            }
            Means::Containerd(_) => {
                let mut ctr = ctr(folder);
                ctr.args(["images", "pull", "--plain-http", reference]);
                command::run(ctr, folder)
            }
            Means::Podman => {
                let mut podman = podman(folder);
                podman.args(["pull", "--quiet", "--tls-verify=false", reference]);
                command::run(podman, folder)
            }
            Means::SkopeoUmoci { pulled } => {
                *pulled += 1;
                let layout = format!("{}:{pulled}", folder.join("layout").display());
                let mut skopeo = Command::new("skopeo");
                skopeo.args(["copy", "--quiet", "--src-tls-verify=false", &format!("docker://{reference}")]);
                skopeo.arg(format!("oci:{layout}"));
                let mut umoci = Command::new("umoci");
                umoci.args(["unpack", "--image", &layout]).arg(bundle(folder, *pulled));
                Ok(command::run(skopeo, folder)? + command::run(umoci, folder)?)
            }
        }
    }

    /// What the root of the image that was pulled last holds.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub(super) fn content(&self, reference: &str, diff_ids: &[String]) -> Result<Content> {
        let folder = &self.folder;
        match &self.means {
            Means::Pilvi(_) => super::local::content(folder, diff_ids),
            Means::Containerd(_) => {
                let root = folder.join("mounted");
                fs::create_dir_all(&root)?;
                let mut mount = ctr(folder);
                mount.args(["images", "mount", reference]).arg(&root);
                command::printed(mount)?;
                let content = count(&root);
                let mut unmount = ctr(folder);
                unmount.args(["images", "unmount", "--rm"]).arg(&root);
                command::printed(unmount)?;
                content
            }
            Means::Podman => {
                let mut mount = podman(folder);
                mount.args(["image", "mount", reference]);
                let content = count(command::printed(mount)?.as_ref());
                let mut unmount = podman(folder);
                unmount.args(["image", "unmount", reference]);
                command::printed(unmount)?;
                content
            }
            Means::SkopeoUmoci { pulled } => count(&bundle(folder, *pulled).join("rootfs")),
        }
    }

    /// What the store takes on the disk, in bytes.
    pub(super) fn disk_bytes(&self) -> Result<u64> {
        let mut blocks = 0;
        let mut seen = std::collections::HashSet::new();
        walk(&self.folder, &mut |metadata| {
            if seen.insert(metadata.ino()) {
                blocks += metadata.blocks();
            }
        })?;
        const BLOCK_BYTES: u64 = 512;
        Ok(blocks * BLOCK_BYTES)
    }

    /// Ends, and removes the store.
    pub(super) fn end(self) -> Result<()> {
        match self.means {
            Means::Pilvi(server) => server.stop()?,
            Means::Containerd(daemon) => daemon.stop()?,
            // Podman leaves its store mounted on itself, for the containers of which there are none.
            Means::Podman => drop(unmount(self.folder.join("store/overlay"), UnmountFlags::DETACH)),
            Means::SkopeoUmoci { .. } => {}
        }
        Ok(())
    }

    /// Where everything of this session is.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    fn daemon(&self) -> Option<u32> {
        match &self.means {
            Means::Pilvi(server) => Some(server.pid()),
            Means::Containerd(daemon) => Some(daemon.pid()),
            Means::Podman | Means::SkopeoUmoci { .. } => None,
        }
    }

    fn last_words(&self) -> String {
        match &self.means {
            Means::Pilvi(server) => server.last_words(),
            Means::Containerd(daemon) => daemon.last_words(),
            Means::Podman | Means::SkopeoUmoci { .. } => String::new(),
        }
    }
}

/// Regular files below a folder, and their bytes.
pub(super) fn count(root: &Path) -> Result<Content> {
    let mut content = Content { files: 0, bytes: 0 };
    walk(root, &mut |metadata| {
        if metadata.is_file() {
            content.files += 1;
            content.bytes += metadata.len();
        }
    })?;
    Ok(content)
}

/// Everything below a folder. What a running server removes meanwhile is not there.
fn walk(folder: &Path, each: &mut dyn FnMut(&fs::Metadata)) -> Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.with_context(|| format!("reading {}", folder.display()))?,
    };
    for entry in entries {
        let entry = entry?;
        let metadata = match entry.metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            metadata => metadata.with_context(|| format!("looking at {}", entry.path().display()))?,
        };
        each(&metadata);
        if metadata.is_dir() {
            walk(&entry.path(), each)?;
        }
    }
    Ok(())
}

/// containerd without what it does for Kubernetes, and with all its files below a folder.
fn containerd(folder: &Path) -> Result<Daemon> {
    fs::create_dir(folder)?;
    let text = |name: &str| -> Result<String> {
        let path = folder.join(name);
        Ok(serde_json::to_string(path.to_str().context("a folder whose name is no text")?)?)
    };
    let config = folder.join("config.toml");
    let configuration = format!(
        "version = 2\nroot = {}\nstate = {}\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = {}\n",
        text("root")?,
        text("state")?,
        text(SOCKET)?
    );
    fs::write(&config, configuration)?;
    let mut command = Command::new("containerd");
    command.arg("--config").arg(config);
    let mut daemon = Daemon::start("containerd", command, folder)?;
    let answers = || {
        let mut version = ctr(folder);
        version.arg("version");
        command::printed(version).ok()
    };
    daemon.until(answers).with_context(|| daemon.last_words())?;
    Ok(daemon)
}

/// containerd's socket in its folder.
const SOCKET: &str = "containerd.sock";

fn ctr(folder: &Path) -> Command {
    let mut command = Command::new("ctr");
    command.arg("--address").arg(folder.join(SOCKET));
    command
}

fn podman(folder: &Path) -> Command {
    let mut command = Command::new("podman");
    for (option, name) in [("--root", "store"), ("--runroot", "run"), ("--tmpdir", "tmp")] {
        command.arg(option).arg(folder.join(name));
    }
    command.args(["--storage-driver", "overlay"]);
    command
}

fn bundle(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("bundle-{number}"))
}
