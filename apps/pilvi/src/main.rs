//! `pilvi`: AWS's compute services on machines that you own, in one binary.
//!
//! `pilvi up` is a supervisor ([`up`]) that keeps a server ([`role`], [`server`]) running as the owner of the data
//! directory ([`owner`], [`data_dir`]), and under root a node beside it ([`node_role`]); every other subcommand is
//! short-lived. [`config`] reads the configuration file,
//! [`settings`] adds it up with flags and environment.

mod backup;
mod cli;
mod client;
mod config;
mod control;
mod control_socket;
mod data_dir;
mod doctor;
mod door;
mod down;
mod env;
mod exec;
mod fleet;
mod images;
mod local_registry;
mod locate;
mod log_metrics;
mod logging;
mod logs;
mod node_gate;
mod node_join;
mod node_role;
mod node_token;
mod own_routes;
mod own_socket;
mod owner;
mod ps;
mod pull;
mod reconcilers;
mod records;
mod request_metrics;
mod role;
mod root_key;
mod run;
mod runtime;
mod runtimes;
mod sealing_key;
mod server;
mod services;
mod settings;
mod status;
mod stop;
mod supervised;
mod supply;
mod terminal;
mod tls;
mod triggers;
mod up;
mod why_denied;
mod workload_cli;

fn main() -> std::process::ExitCode {
    // What shims are forked from is small because it does this and nothing else.
    if sandbox::launcher::is_requested() {
        sandbox::launcher::main();
    }
    cli::run()
}
