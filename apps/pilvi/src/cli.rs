//! The command line.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};

use crate::config::{self, Config};
use crate::settings::Settings;
use crate::terminal::{printable, say};
use crate::{
    backup, doctor, down, env, exec, images, logs, node_join, node_role, ps, pull, role, run, runtime, status, up,
    why_denied,
};

/// The hidden subcommand that makes a process the server. `pilvi up` calls it.
pub(crate) const SERVER_ROLE: &str = "server-role";

/// The hidden subcommand that makes a process the node, likewise.
pub(crate) const NODE_ROLE: &str = "node-role";

/// The hidden subcommands that `pilvi backup` and `pilvi restore` call as the data directory's owner.
pub(crate) const BACKUP_ROLE: &str = "backup-role";
pub(crate) const RESTORE_ROLE: &str = "restore-role";

/// The page that `pilvi` and `pilvi --help` show. A test holds it against the real subcommands.
const HELP: &str = "\
{about-with-newline}
{usage-heading} {usage}

Run it:
  up           Start Pilvi, and keep it running until Ctrl-C
  down         Stop a Pilvi that runs in another terminal, and its containers
  status       Tell whether it runs and answers

Use it:
  env          Print what AWS clients need, for your shell to take over
  config       Print a configuration with every key explained, or check one
  why-denied   Tell which policies denied a request

Run containers:
  run          Run a container
  ps           List containers
  logs         Print what a container wrote, or the events of a log group
  exec         Execute a program in a container that runs
  stop         Stop containers
  kill         Send a signal to containers
  rm           Forget containers that have stopped
  stats        Print what containers use
  why          Tell why a container is as it is
  nodes        List the machines that run containers
  node         Make this machine a node of a Pilvi elsewhere, and let others join

Its images:
  pull         Bring an image here, ready to run
  images       List the images that are here
  image        Let images go

Its functions:
  runtime      Tell and change which runtimes functions can have

Keep it safe:
  backup       Write everything that a data directory holds to one file, also while it runs
  restore      Make a data directory from such a file

This machine and this program:
  doctor       Tell what this machine offers and lacks
  version      Print the version
  completions  Print tab completions for your shell
  help         Explain a command

{options}{after-help}";

const EXAMPLES: &str = "\
Examples:
  pilvi up                                 start, with the data below your home directory
  pilvi run --rm busybox echo hello        run a container
  eval \"$(pilvi env)\"                      let this shell's AWS clients use it
  aws ecs create-cluster --cluster-name a  … such as the AWS CLI
  pilvi up --listen 127.0.0.1:0 --data-dir /tmp/ci
                                           a second one, beside the first
  pilvi config > pilvi.toml                then edit it, and `pilvi up --config pilvi.toml`

Every option of `pilvi up` can be given as an environment variable (PILVI_LISTEN, …) or in the configuration.";

/// AWS's compute services on machines that you own
#[derive(Debug, Parser)]
#[command(name = "pilvi", version, help_template = HELP, after_help = EXAMPLES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start Pilvi, and keep it running until Ctrl-C
    ///
    /// Runs in the foreground: a supervisor that holds the port and keeps the server alive. The server runs as the owner
    /// of the data directory, which is you, also under sudo, or the system user `pilvi` when root itself starts it. Under
    /// root or sudo it also keeps a node, which runs as root and unpacks images.
    /// Ctrl-C or SIGTERM finishes the requests under way and stops within 5 seconds.
    Up(up::UpArgs),
    /// Stop a Pilvi that runs in another terminal, and its containers
    ///
    /// Containers get their stop signals first. Ctrl-C in the terminal of `pilvi up` leaves them running.
    Down(down::DownArgs),
    /// Tell whether it runs and answers
    ///
    /// The exit code is 0 when it answers, 3 when it is not running, and 1 when it is starting or does not answer.
    Status(status::StatusArgs),
    /// Print what AWS clients need, for your shell to take over
    ///
    /// Prints the endpoint, the root key and the region of the running Pilvi:
    ///
    ///     eval "$(pilvi env)"                 bash, zsh
    ///     pilvi env --shell fish | source     fish
    #[command(verbatim_doc_comment)]
    Env(env::EnvArgs),
    /// Print a configuration with every key explained, or check one
    Config(ConfigArgs),
    /// Tell which policies denied a request
    ///
    /// AWS clients print the request's id with --debug; an SDK has it in the error.
    WhyDenied(why_denied::WhyDeniedArgs),
    /// Run a container
    ///
    /// With docker's flags and exit codes: 125 when it could not be run, 126 when its program cannot be executed, 127 when
    /// there is no such program, else the program's own.
    ///
    ///     pilvi run --rm busybox echo hello
    ///     pilvi run -it --rm busybox sh
    ///     pilvi run -d --name web -p 8080:80 nginx
    #[command(verbatim_doc_comment)]
    Run(Box<run::RunArgs>),
    /// List containers
    Ps(ps::PsArgs),
    /// Print what a container wrote, or the events of a log group
    ///
    /// With -f also what follows, until Ctrl-C.
    Logs(logs::LogsArgs),
    /// Execute a program in a container that runs
    ///
    /// The exit code is the program's own; 125 when it could not be executed.
    Exec(exec::ExecArgs),
    /// Stop containers
    ///
    /// They get their stop signal, and are killed when they have not ended some seconds later.
    Stop(exec::StopArgs),
    /// Send a signal to containers
    Kill(exec::KillArgs),
    /// Forget containers that have stopped
    Rm(exec::RmArgs),
    /// Print what containers use
    Stats(ps::StatsArgs),
    /// Tell why a container is as it is
    ///
    /// Why it waits, how it ended, and what its node did for it, step by step.
    Why(ps::WhyArgs),
    /// List the machines that run containers
    Nodes(ps::NodesArgs),
    /// Make this machine a node of a Pilvi elsewhere, and let others join
    ///
    /// With --join, as root: containers that are wanted there run here, until Ctrl-C or SIGTERM. A node that was killed is
    /// started again with the same arguments; what runs goes on if that takes no longer than some seconds.
    ///
    ///     pilvi node token create --file t        where the server runs
    ///     pilvi node --join https://HOST:4567 --token-file t
    #[command(verbatim_doc_comment)]
    Node(Box<node_join::NodeArgs>),
    /// Bring an image here, ready to run
    ///
    /// What is in the registry of this Pilvi moves no byte; everything else is downloaded from the registry that the name
    /// says. Interrupted, it goes on where it ended when it is called again within a day.
    Pull(pull::PullArgs),
    /// List the images that are here
    Images(images::ImagesArgs),
    /// Let images go
    Image(images::ImageArgs),
    /// Tell and change which runtimes functions can have
    Runtime(runtime::RuntimeArgs),
    /// Write everything that a data directory holds to one file, also while it runs
    ///
    /// The file holds every key in the clear: keep it as you keep them.
    Backup(backup::BackupArgs),
    /// Make a data directory from such a file
    ///
    /// The directory must be empty or missing. Keys and resources are those of the time of the backup.
    Restore(backup::RestoreArgs),
    /// Tell what this machine offers and lacks
    ///
    /// The exit code is 1 when something is missing that Pilvi needs.
    Doctor(doctor::DoctorArgs),
    /// Print the version
    Version(VersionArgs),
    /// Print tab completions for your shell
    ///
    /// For bash: pilvi completions bash > ~/.local/share/bash-completion/completions/pilvi
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    #[command(name = SERVER_ROLE, hide = true)]
    ServerRole,
    #[command(name = NODE_ROLE, hide = true)]
    NodeRole,
    #[command(name = BACKUP_ROLE, hide = true)]
    BackupRole(backup::RoleArgs),
    #[command(name = RESTORE_ROLE, hide = true)]
    RestoreRole(backup::RoleArgs),
}

#[derive(Debug, clap::Args)]
struct ConfigArgs {
    /// Check this file instead: keys, values, certificates
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    check: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct VersionArgs {
    /// Text for a person, or one JSON object
    #[arg(long, value_enum, default_value_t)]
    format: VersionFormat,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum VersionFormat {
    #[default]
    Text,
    Json,
}

/// Does what the arguments ask for.
pub(crate) fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return unread(&error),
    };
    match dispatch(&cli.command) {
        Ok(code) => code,
        Err(error) => {
            // There may be nobody to read it.
            let _ = writeln!(io::stderr(), "pilvi: {}", printable(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}

/// The end of a command whose arguments say nothing, or ask for help.
fn unread(error: &clap::Error) -> ExitCode {
    // There may be nobody to read it.
    let _ = error.print();
    let runs = std::env::args_os().nth(1).is_some_and(|command| command == "run" || command == "exec");
    match error.exit_code() {
        0 => ExitCode::SUCCESS,
        // Not to be taken for the program's own.
        _ if runs => ExitCode::from(run::CANNOT_RUN),
        code => ExitCode::from(u8::try_from(code).unwrap_or(1)),
    }
}

fn dispatch(command: &Command) -> Result<ExitCode> {
    match command {
        Command::Up(args) => up::run(args),
        Command::Down(args) => down::run(args),
        Command::Status(args) => status::run(args),
        Command::Env(args) => env::run(args),
        Command::Config(args) => config(args),
        Command::Logs(args) => logs::run(args),
        Command::Run(args) => run::run(args),
        Command::Ps(args) => ps::run(args),
        Command::Exec(args) => exec::run(args),
        Command::Stop(args) => exec::stop(args),
        Command::Kill(args) => exec::kill(args),
        Command::Rm(args) => exec::rm(args),
        Command::Stats(args) => ps::stats(args),
        Command::Why(args) => ps::why(args),
        Command::Nodes(args) => ps::nodes(args),
        Command::Node(args) => node_join::run(args),
        Command::WhyDenied(args) => why_denied::run(args),
        Command::Pull(args) => pull::run(args),
        Command::Images(args) => images::run(args),
        Command::Image(args) => images::change(args),
        Command::Runtime(args) => runtime::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Version(args) => Ok(version(args.format)),
        Command::Completions { shell } => completions(*shell),
        Command::Backup(args) => backup::backup(args),
        Command::Restore(args) => backup::restore(args),
        Command::ServerRole => Ok(role::run()),
        Command::NodeRole => Ok(node_role::run()),
        Command::BackupRole(args) => backup::backup_role(args),
        Command::RestoreRole(args) => backup::restore_role(args),
    }
}

fn config(args: &ConfigArgs) -> Result<ExitCode> {
    match &args.check {
        None => say(config::EXAMPLE.trim_end()),
        Some(file) => {
            Settings::check(&Config::read(file)?)?;
            say(format!("{}: fine", file.display()));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn version(format: VersionFormat) -> ExitCode {
    let (version, os, architecture) = (env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH);
    match format {
        VersionFormat::Text => say(format!("pilvi {version} ({os}, {architecture})")),
        VersionFormat::Json => {
            let object = serde_json::json!({ "version": version, "os": os, "architecture": architecture });
            say(object.to_string());
        }
    }
    ExitCode::SUCCESS
}

/// Hidden subcommands are left out of the completions.
fn completions(shell: clap_complete::Shell) -> Result<ExitCode> {
    let complete = Cli::command();
    let visible: Vec<_> = complete.get_subcommands().filter(|command| !command.is_hide_set()).cloned().collect();
    let mut command = clap::Command::new("pilvi").version(env!("CARGO_PKG_VERSION")).subcommands(visible);
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "pilvi", &mut script);
    say(String::from_utf8(script)?.trim_end());
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_page_lists_each_command_with_its_own_words() {
        let mut command = Cli::command();
        command.build();
        for subcommand in command.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help") {
            let about = subcommand.get_about().map(ToString::to_string).unwrap_or_default();
            let line = format!("  {:<13}{about}\n", subcommand.get_name());
            assert!(HELP.contains(&line), "the page lacks: {line}");
        }
        let listed = HELP.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   ")).count();
        let visible = command.get_subcommands().filter(|c| !c.is_hide_set()).count();
        assert_eq!(listed, visible, "the page lists a command that is not there");
    }

    #[test]
    fn every_setting_of_up_has_an_environment_variable() {
        let command = Cli::command();
        let up = command.find_subcommand("up").unwrap();
        for argument in up.get_arguments().filter(|a| !matches!(a.get_id().as_str(), "help" | "version")) {
            assert!(argument.get_env().is_some(), "{}", argument.get_id());
        }
    }
}
