//! From a process in a container's namespaces to the program in its place.
//!
//! Input and outputs are put in place before anybody of the container can see the process: until then the shim's own are there,
//! which are files of the host.

use std::convert::Infallible;
use std::ffi::CString;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use super::channel::Inner;
use super::credentials::Confinement;
use super::failure::{Doing, failed, refused};
use super::process;
use crate::mounts::{self, Kind};
use crate::plan::ProcessPlan;
use crate::protocol::{ShimFailure, ShimFailureKind};
use crate::users::{self, Identity};

/// Where programs are looked for if the environment says nothing.
const PATH_DEFAULT: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The mode of files that a program makes, if it says nothing.
const UMASK: u32 = 0o022;
/// The numbers of the device `null`.
const NULL: (u32, u32) = (1, 3);

/// Input and output of a process.
pub(crate) enum Stdio {
    /// A terminal's side.
    Terminal(OwnedFd),
    /// Input, output, errors.
    Streams([OwnedFd; 3]),
}

/// A process that is all that it will be but for its session, its input and output, and the program.
pub(crate) struct Ready {
    has_terminal: bool,
    candidates: Vec<CString>,
    arguments: Vec<CString>,
    environment: Vec<CString>,
    program: String,
}

/// What becomes of a working directory that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// It is made: an image names one that it may not have.
    Made,
    /// It is an error: who executes something in a container that runs makes nothing there with the rights of its root.
    Refused,
}

/// Makes this process who it is to be. Afterwards it has no right that the container has not, and its input and outputs are what
/// the program's will be.
pub(crate) fn prepare(
    process: &ProcessPlan,
    confinement: &Confinement,
    stdio: Stdio,
    missing: Missing,
) -> Result<Ready, ShimFailure> {
    let root = rustix::fs::open("/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .doing("opening the container's root")?;
    let identity = identify(root.as_fd(), process)?;
    enter_directory(root.as_fd(), &process.working_dir, missing)?;
    let stdio = stdio.without_the_hosts_null(root.as_fd())?;
    give(&stdio, &identity)?;
    stdio.put_in_place()?;
    let ready = Ready::new(process, &identity, matches!(stdio, Stdio::Terminal(_)))?;
    rustix::process::umask(Mode::from_raw_mode(UMASK));
    confinement.assume(&identity)?;
    Ok(ready)
}

fn identify(root: BorrowedFd<'_>, process: &ProcessPlan) -> Result<Identity, ShimFailure> {
    let passwd = read_file(root, "etc/passwd")?;
    let group = read_file(root, "etc/group")?;
    users::identify(&process.user, &process.groups, &passwd, &group)
        .map_err(|error| ShimFailure { kind: ShimFailureKind::NoSuchUser, message: error.to_string() })
}

/// A file of the image, as far as it is one: nothing if it is missing, a device, a pipe or a link out of files.
fn read_file(root: BorrowedFd<'_>, path: &str) -> Result<Vec<u8>, ShimFailure> {
    let doing = || format!("reading /{path} of the container");
    let found = match mounts::open_beneath(root, path, OFlags::PATH) {
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::ACCESS) => return Ok(Vec::new()),
        other => other.doing_so(doing)?,
    };
    // Looked at before it is opened: opening a pipe waits, opening a device may do anything.
    if FileType::from_raw_mode(rustix::fs::fstat(&found).doing_so(doing)?.st_mode) != FileType::RegularFile {
        return Ok(Vec::new());
    }
    let file = match mounts::open_beneath(root, path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY) {
        Ok(file) => std::fs::File::from(file),
        Err(_) => return Ok(Vec::new()),
    };
    let mut content = Vec::new();
    file.take(users::FILE_BYTES_MAX).read_to_end(&mut content).doing_so(doing)?;
    Ok(content)
}

/// Enters the working directory. A link of `/proc` that leads to a descriptor is not followed, and where
/// the process arrived is looked at (CVE-2024-21626).
fn enter_directory(root: BorrowedFd<'_>, path: &str, missing: Missing) -> Result<(), ShimFailure> {
    let doing = || format!("entering the working directory {path}");
    if !path.starts_with('/') {
        return Err(refused(format!("the working directory `{path}` is not absolute")));
    }
    let found = match missing {
        Missing::Made => mounts::make_beneath(root, path, Kind::Directory),
        Missing::Refused => mounts::open_beneath(root, path, OFlags::PATH | OFlags::DIRECTORY),
    };
    let directory = match found {
        Err(Errno::NOENT) => {
            let message = format!("the working directory {path} is not there");
            return Err(ShimFailure { kind: ShimFailureKind::ProgramNotFound, message });
        }
        Err(Errno::NOTDIR | Errno::LOOP | Errno::INVAL) => {
            return Err(refused(format!("the working directory {path} is no directory")));
        }
        other => other.doing_so(doing)?,
    };
    rustix::process::fchdir(&directory).doing_so(doing)?;
    let here = rustix::process::getcwd(Vec::new()).doing_so(doing)?;
    if here.as_bytes().first() != Some(&b'/') {
        return Err(refused(format!("the working directory {path} is not within the container")));
    }
    Ok(())
}

/// Gives pipes and terminals to the user, who may then open them again by `/dev/stdout`. Others' files stay others'.
fn give(stdio: &Stdio, identity: &Identity) -> Result<(), ShimFailure> {
    let owner = Some(rustix::fs::Uid::from_raw(identity.uid));
    let all: &[OwnedFd] = match stdio {
        Stdio::Terminal(slave) => std::slice::from_ref(slave),
        Stdio::Streams(streams) => streams,
    };
    for fd in all {
        let stat = rustix::fs::fstat(fd).doing("looking at input and output")?;
        let is_ours = FileType::from_raw_mode(stat.st_mode) == FileType::Fifo || matches!(stdio, Stdio::Terminal(_));
        if is_ours && stat.st_uid != identity.uid {
            match rustix::fs::fchown(fd, owner, None) {
                // In a user namespace a pipe belongs to nobody that is known there.
                Ok(()) | Err(Errno::PERM | Errno::INVAL) => {}
                Err(error) => return Err(error).doing("giving input and output to the user"),
            }
        }
    }
    Ok(())
}

impl Stdio {
    /// The same, but with the container's own device `null` in place of the host's, whose mode and owner a container's root could
    /// change for everybody.
    fn without_the_hosts_null(self, root: BorrowedFd<'_>) -> Result<Self, ShimFailure> {
        let Self::Streams([input, output, errors]) = self else { return Ok(self) };
        let own = |stream: OwnedFd, flags| if is_null(&stream)? { own_null(root, flags) } else { Ok(stream) };
        let (read, write) = (OFlags::RDONLY, OFlags::WRONLY);
        Ok(Self::Streams([own(input, read)?, own(output, write)?, own(errors, write)?]))
    }

    /// Makes them this process's descriptors 0 to 2.
    fn put_in_place(&self) -> Result<(), ShimFailure> {
        let streams = match self {
            Self::Terminal(slave) => [slave, slave, slave],
            Self::Streams([input, output, errors]) => [input, output, errors],
        };
        for (number, stream) in (0..).zip(streams) {
            // SAFETY: both are open descriptors or numbers of ones; what 0 to 2 were belongs to no Rust value that is used.
            if unsafe { libc::dup2(stream.as_raw_fd(), number) } == -1 {
                return Err(std::io::Error::last_os_error()).doing("setting input and output");
            }
        }
        Ok(())
    }
}

fn is_null(file: &OwnedFd) -> Result<bool, ShimFailure> {
    let stat = rustix::fs::fstat(file).doing("looking at input and output")?;
    let numbers = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
    Ok(FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && numbers == NULL)
}

/// The container's device `null`. What its processes have put in its place is opened by nobody: a device may do anything when it is.
fn own_null(root: BorrowedFd<'_>, flags: OFlags) -> Result<OwnedFd, ShimFailure> {
    let open = |flags| mounts::open_plain(root, "dev/null", flags | OFlags::NOFOLLOW, Mode::empty());
    let opened = open(OFlags::PATH).ok().filter(|found| is_null(found).unwrap_or(false)).and_then(|_| {
        // It may have become something else meanwhile: a pipe is not waited for, and no terminal is taken.
        open(flags | OFlags::NONBLOCK | OFlags::NOCTTY).ok().filter(|opened| is_null(opened).unwrap_or(false))
    });
    opened.ok_or_else(|| refused("/dev/null of the container is not what it should be"))
}

impl Ready {
    fn new(process: &ProcessPlan, identity: &Identity, has_terminal: bool) -> Result<Self, ShimFailure> {
        let program = process.args.first().filter(|program| !program.is_empty());
        let program = program.ok_or_else(|| refused("there is nothing to execute"))?.clone();
        let mut environment = process.env.iter().map(|variable| text(variable)).collect::<Result<Vec<_>, _>>()?;
        if !process.env.iter().any(|variable| variable.starts_with("HOME=")) {
            environment.push(text(&format!("HOME={}", identity.home))?);
        }
        let path = process.env.iter().rev().find_map(|variable| variable.strip_prefix("PATH=")).unwrap_or(PATH_DEFAULT);
        let candidates = candidates(&program, path).iter().map(|path| text(path)).collect::<Result<_, _>>()?;
        let arguments = process.args.iter().map(|argument| text(argument)).collect::<Result<_, _>>()?;
        Ok(Self { has_terminal, candidates, arguments, environment, program })
    }

    /// Executes the program.
    pub(crate) fn execute(self) -> Result<Infallible, ShimFailure> {
        rustix::process::setsid().doing("beginning a session")?;
        if self.has_terminal {
            rustix::process::ioctl_tiocsctty(rustix::stdio::stdin()).doing("taking the terminal")?;
        }
        process::close_on_exec().doing("closing descriptors")?;
        Err(self.execve())
    }

    /// Tries one candidate after the other. Answers why none could be executed.
    fn execve(&self) -> ShimFailure {
        let arguments = pointers(&self.arguments);
        let environment = pointers(&self.environment);
        let mut worst = Errno::NOENT;
        for candidate in &self.candidates {
            // SAFETY: the path ends with NUL; both lists end with null and point to strings that end with NUL and live as long
            // as `self`.
            unsafe { libc::execve(candidate.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
            let error = std::io::Error::last_os_error().raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error);
            match error {
                Errno::NOENT | Errno::NOTDIR => {}
                Errno::ACCESS => worst = error,
                _ => {
                    worst = error;
                    break;
                }
            }
        }
        let kind = match worst {
            Errno::NOENT | Errno::NOTDIR => ShimFailureKind::ProgramNotFound,
            Errno::ACCESS | Errno::PERM | Errno::NOEXEC | Errno::ISDIR | Errno::LOOP | Errno::LIBBAD | Errno::INVAL => {
                ShimFailureKind::ProgramNotExecutable
            }
            Errno::TOOBIG => ShimFailureKind::Refused,
            _ => ShimFailureKind::Failed,
        };
        let program = &self.program;
        let message = match kind {
            ShimFailureKind::ProgramNotFound if self.is_there() => {
                format!("executing {program}: what it is executed by, an interpreter or a loader, is not there")
            }
            ShimFailureKind::ProgramNotFound if !program.contains('/') => {
                format!("executing {program}: it is in no directory of PATH")
            }
            _ => format!("executing {program}: {worst}"),
        };
        ShimFailure { kind, message }
    }

    /// Whether there is a file of that name.
    fn is_there(&self) -> bool {
        self.candidates.iter().any(|candidate| rustix::fs::stat(candidate.as_c_str()).is_ok())
    }
}

/// Where a program may be.
fn candidates(program: &str, path: &str) -> Vec<String> {
    if program.contains('/') {
        return vec![program.to_owned()];
    }
    let directories = path.split(':').map(|directory| if directory.is_empty() { "." } else { directory });
    directories.map(|directory| format!("{directory}/{program}")).collect()
}

fn text(text: &str) -> Result<CString, ShimFailure> {
    CString::new(text).map_err(|_| refused("there is a NUL in what is to be executed"))
}

fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
}

/// Executes the program as this process, and tells of it.
pub(crate) fn replace(
    ready: Ready,
    channel: &Inner,
    terminal: Option<BorrowedFd<'_>>,
) -> Result<Infallible, ShimFailure> {
    channel.tell_executing(terminal)?;
    ready.execute()
}

/// Executes the program as a child of this process's parent, where it is to be in a process namespace that this process never is in
/// itself. Ends this process.
pub(crate) fn send_ahead(
    channel: &Inner,
    go: impl FnOnce() -> Result<Infallible, ShimFailure>,
) -> Result<Infallible, ShimFailure> {
    match process::clone_sibling(0) {
        Ok(process::Side::Parent(_)) => process::leave(0),
        Ok(process::Side::Child) => process::run(channel, go),
        Err(error) => Err(failed(format!("forking into the container: {error}"))),
    }
}
