//! The program itself, started anew: as the owner of a data directory, or with its caller's rights.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::Owner;

/// The running binary, even when its file has been replaced since.
const OWN_BINARY: &str = "/proc/self/exe";

/// The only variables of the caller's environment that it gets.
const ENVIRONMENT: [&str; 4] = ["RUST_BACKTRACE", "NO_COLOR", "TERM", "TZ"];

/// The allocator keeps memory in heaps of threads, eight for each processor, of which none gives to another what it has
/// free. One for each processor is as fast here, and holds a third less under load. (glibc's manual, "Memory Allocation
/// Tunables".)
fn heaps() -> String {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    format!("glibc.malloc.arena_max={}", processors.max(2))
}

/// A command that runs a hidden subcommand of this program with its caller's rights, with an environment of its own.
pub(crate) fn own_command(role: &str, home: &Path) -> Command {
    let mut command = Command::new(OWN_BINARY);
    command
        .arg0("pilvi")
        .arg(role)
        .current_dir("/")
        .env_clear()
        .env("HOME", home)
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("GLIBC_TUNABLES", heaps())
        .envs(ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command
}

impl Owner {
    /// A command that runs a hidden subcommand of this program as this user, with an environment of its own.
    pub(crate) fn command(&self, role: &str, data_dir: &Path) -> Command {
        let mut command = own_command(role, data_dir);
        if !self.is_caller() {
            // With the user the standard library drops root's supplementary groups.
            command.gid(self.gid).uid(self.uid);
        }
        command
    }
}
