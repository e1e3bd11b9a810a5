//! A guest: a Debian kernel of its own in an emulator, in which a program runs as root. It is how a host with cgroup version 2
//! alone, and an older kernel than the machine's, is had anywhere; no `/dev/kvm` is needed.
//!
//! The kernel comes from Debian's package, the rest is one archive in memory: busybox, the kernel's modules that containers
//! need, the program, and what it was asked to bring along.

mod archive;
mod modules;
pub(crate) mod suites;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::process;
use crate::workspace::Workspace;
use archive::Archive;

/// The package that depends on Debian's newest kernel for virtual machines.
const KERNEL: &str = "linux-image-cloud-amd64";
/// How long a package may take to come.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(300);
/// Quick questions to local programs.
const QUESTION_LIMIT: Duration = Duration::from_secs(60);
/// What the guest prints last, before the exit code of the last program that failed.
const ENDED: &str = "PILVI-GUEST-ENDED ";
/// Where the program and what it brings are in the guest.
const PLACE: &str = "work";

/// What `cargo xtask guest` is asked for.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The guest's memory, in MiB.
    #[arg(long, default_value_t = 2048)]
    memory: u32,
    /// How long it may take, in seconds.
    #[arg(long, default_value_t = 600)]
    limit: u64,
    /// Further programs, which the guest finds in its `PATH` with the libraries that they need.
    #[arg(long)]
    with: Vec<PathBuf>,
    /// Variables of the program's environment, as NAME=value.
    #[arg(long)]
    env: Vec<String>,
    /// A static program, and its arguments; without one, the smoke test of what makes containers is run.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    program: Vec<String>,
}

/// A guest, and what it does one after the other.
#[derive(Debug)]
pub(crate) struct Guest {
    /// Its memory, in MiB.
    memory_mib: u32,
    /// How long it may take, in all.
    limit: Duration,
    /// Further programs, which it finds in its `PATH` with the libraries that they need.
    with: Vec<PathBuf>,
    /// Variables of the environment, as NAME=value.
    environment: Vec<String>,
    /// What is run, each also after another has failed.
    runs: Vec<Run>,
}

/// A static program that a guest runs.
#[derive(Debug)]
struct Run {
    program: PathBuf,
    arguments: Vec<String>,
}

/// Runs a program in a guest, its output on this terminal. Fails when it fails.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let [program, arguments @ ..] = &options.program[..] else { return suites::smoke_alone(workspace) };
    let guest = Guest {
        memory_mib: options.memory,
        limit: Duration::from_secs(options.limit),
        with: options.with.clone(),
        environment: options.env.clone(),
        runs: vec![Run { program: program.into(), arguments: arguments.to_vec() }],
    };
    guest.boot(workspace, |_| ())
}

impl Guest {
    /// Boots it and lets it do what it is to do, its output on this terminal, line by line also to `each`. Fails when one of
    /// its programs fails.
    fn boot(&self, workspace: &Workspace, each: impl FnMut(&str) + Send + 'static) -> Result<()> {
        let place = workspace.target.join("guest");
        std::fs::create_dir_all(&place)?;
        let kernel = kernel(&place)?;
        let initrd = place.join(format!("initrd-{}", std::process::id()));
        let written = write_initrd(&kernel, self, &initrd);
        let outcome = written.and_then(|()| boot(&kernel, &initrd, self, each));
        let _ = std::fs::remove_file(&initrd);
        outcome
    }
}

/// A kernel that was unpacked.
struct Kernel {
    image: PathBuf,
    modules: PathBuf,
}

/// Debian's newest kernel, downloaded once.
fn kernel(place: &Path) -> Result<Kernel> {
    let mut question = Command::new("apt-cache");
    question.args(["depends", KERNEL]).env("LC_ALL", "C");
    let answer = process::capture(&mut question, QUESTION_LIMIT)?.success()?;
    let depends = answer.lines().find_map(|line| line.trim().strip_prefix("Depends: linux-image-"));
    let version =
        depends.with_context(|| format!("apt knows no {KERNEL}: the guest's kernel is Debian's for amd64"))?;
    let unpacked = place.join(version);
    if !unpacked.is_dir() {
        println!("   downloading Debian's kernel {version} with apt");
        let fresh = place.join(format!("{version}.new"));
        let _ = std::fs::remove_dir_all(&fresh);
        std::fs::create_dir_all(&fresh)?;
        let mut download = Command::new("apt-get");
        download.args(["download", &format!("linux-image-{version}")]).current_dir(&fresh);
        process::capture(&mut download, DOWNLOAD_LIMIT)?.success()?;
        let package = std::fs::read_dir(&fresh)?.find_map(|entry| Some(entry.ok()?.path()));
        let package = package.context("apt-get download left nothing")?;
        process::capture(Command::new("dpkg-deb").arg("-x").arg(&package).arg(&fresh), DOWNLOAD_LIMIT)?.success()?;
        std::fs::remove_file(package)?;
        std::fs::rename(&fresh, &unpacked)?;
    }
    Ok(Kernel {
        image: unpacked.join("boot").join(format!("vmlinuz-{version}")),
        modules: unpacked.join("lib/modules").join(version),
    })
}

fn write_initrd(kernel: &Kernel, guest: &Guest, initrd: &Path) -> Result<()> {
    let mut archive = Archive::create(initrd)?;
    for directory in ["bin", "dev", "proc", "sys", "new", "modules", PLACE] {
        archive.directory(directory)?;
    }
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].map(Path::new).into_iter().find(|path| path.is_file());
    archive.file("bin/busybox", busybox.context("busybox is missing (Debian: busybox-static)")?, true)?;
    let modules = modules::in_order(&kernel.modules)?;
    for module in &modules {
        archive.file(&format!("modules/{}", name_of(module)?), module, false)?;
    }
    for run in &guest.runs {
        archive.file_once(&format!("{PLACE}/{}", name_of(&run.program)?), &run.program, true)?;
    }
    let mut libraries = BTreeSet::new();
    for one in &guest.with {
        archive.file(&format!("{PLACE}/{}", name_of(one)?), one, true)?;
        libraries.extend(libraries_of(one)?);
    }
    archive.with_parents(&libraries)?;
    let order: Vec<String> = modules.iter().map(|module| name_of(module)).collect::<Result<_>>()?;
    archive.script("init", &first_script(&order))?;
    archive.script(&format!("{PLACE}/main"), &second_script(guest)?)?;
    archive.finish()
}

fn name_of(path: &Path) -> Result<String> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned).with_context(|| format!("{} has no plain name", path.display()))
}

/// The shared libraries of a program, its loader included.
fn libraries_of(program: &Path) -> Result<Vec<PathBuf>> {
    let answer = process::capture(Command::new("ldd").arg(program), QUESTION_LIMIT)?;
    let paths = answer.stdout.split_whitespace().filter(|word| word.starts_with('/'));
    Ok(paths.map(PathBuf::from).collect())
}

/// Leaves the kernel's first root file system, which cannot be left by `pivot_root(2)`, for one that can.
fn first_script(modules: &[String]) -> String {
    let mut script = String::from(
        "#!/bin/busybox sh\n\
         /bin/busybox mount -t tmpfs -o mode=755,size=90% new /new\n\
         /bin/busybox mv /bin /modules /work /new/\n\
         for d in lib lib64 usr; do [ -e /$d ] && /new/bin/busybox mv /$d /new/$d; done\n\
         cd /new\n\
         /new/bin/busybox mkdir -p dev proc sys tmp run root etc var/lib bin\n\
         /new/bin/busybox mount -t devtmpfs dev dev\n",
    );
    script.push_str("for m in");
    modules.iter().for_each(|module| script.push_str(&format!(" {module}")));
    script.push_str("; do /new/bin/busybox insmod /new/modules/$m || echo \"module $m: no\"; done\n");
    script.push_str(&format!("exec /new/bin/busybox switch_root /new /{PLACE}/main\n"));
    script
}

/// Makes the guest a machine as containers expect one, runs its programs and switches it off.
fn second_script(guest: &Guest) -> Result<String> {
    let mut script = format!(
        "#!/bin/busybox sh\n\
         /bin/busybox --install -s /bin\n\
         export PATH=/{PLACE}:/bin:/usr/sbin:/usr/bin HOME=/root LD_LIBRARY_PATH=/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu\n\
         mount -t proc proc /proc; mount -t sysfs sys /sys; mkdir -p /dev/pts /dev/shm\n\
         mount -t devpts -o ptmxmode=666 devpts /dev/pts; mount -t tmpfs -o mode=1777 shm /dev/shm\n\
         mount -t cgroup2 cgroup /sys/fs/cgroup\n\
         echo root:x:0:0::/root:/bin/sh > /etc/passwd; echo root:x:0: > /etc/group; echo nameserver 10.0.2.3 > /etc/resolv.conf\n\
         ip link set lo up; chmod 1777 /tmp; cd /tmp; failed=0\n"
    );
    // The node looks for programs where distributions have them, and nowhere else.
    for one in guest.with.iter().filter(|path| path.is_absolute()) {
        let (path, directory) =
            (one.display().to_string(), one.parent().unwrap_or(Path::new("/")).display().to_string());
        let place = quoted(&format!("/{PLACE}/{}", name_of(one)?));
        script.push_str(&format!("mkdir -p {}; ln -sf {place} {}\n", quoted(&directory), quoted(&path)));
    }
    guest.environment.iter().for_each(|pair| script.push_str(&format!("export {}\n", quoted(pair))));
    for run in &guest.runs {
        script.push_str(&quoted(&format!("/{PLACE}/{}", name_of(&run.program)?)));
        run.arguments.iter().for_each(|argument| script.push_str(&format!(" {}", quoted(argument))));
        script.push_str(" || failed=$?\n");
    }
    script.push_str(&format!("echo \"{ENDED}$failed\"\nsync\npoweroff -f\n"));
    Ok(script)
}

/// A word of the guest's shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Starts the emulator and follows the guest's console until it is switched off.
fn boot(kernel: &Kernel, initrd: &Path, guest: &Guest, mut each: impl FnMut(&str) + Send + 'static) -> Result<()> {
    let mut qemu = Command::new(suites::EMULATOR);
    qemu.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio"])
        .args(["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", &guest.memory_mib.to_string()])
        .args(["-append", "console=ttyS0 quiet loglevel=3 panic=-1 cgroup_no_v1=all random.trust_cpu=on"])
        .arg("-kernel")
        .arg(&kernel.image)
        .arg("-initrd")
        .arg(initrd)
        .stdin(Stdio::null());
    let code = Arc::new(Mutex::new(None));
    let heard = Arc::clone(&code);
    process::run_watched(&mut qemu, guest.limit, move |line| {
        // The console turns a line's end into two characters.
        each(line.trim_end());
        let code = line.trim_end().rsplit_once(ENDED).and_then(|(_, code)| code.parse::<i32>().ok());
        if let (Some(code), Ok(mut heard)) = (code, heard.lock()) {
            *heard = Some(code);
        }
    })?;
    let code = code.lock().ok().and_then(|code| *code);
    let code = code.context("the guest was switched off before the program ended")?;
    ensure!(code == 0, "a program ended with exit code {code} in the guest");
    Ok(())
}
